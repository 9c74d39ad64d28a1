"""An error in one part of a page is a sentence in that place; the rest of the page goes on."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters import logs


@pytest.fixture(autouse=True)
def _nothing_was_logged_before() -> Iterator[None]:
    logs._logged.clear()
    yield


def _page() -> None:
    import streamlit as st

    from livetrading.core.errors import Unavailable
    from livetrading.dashboard.components import refresh
    from livetrading.dashboard.components.guard import guarded, shown

    @shown
    def broken() -> None:
        st.write("before")
        raise KeyError("cash")

    @shown
    def refused() -> None:
        raise Unavailable("The disk is full; free some space.")

    refresh.every(60, broken)
    with guarded():
        refresh.every(60, lambda: 1 / 0)  # Streamlit shows this one itself
    refresh.every(60, refused)
    with guarded():
        raise RuntimeError("a $5 *note*")
    st.write("after")


def test_a_fragment_that_raises_is_one_sentence_and_the_page_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    app = AppTest.from_function(_page).run()
    said = [e.value for e in app.error]
    assert [s.startswith("This part cannot be shown: ") for s in said] == [True, False, True]
    assert "KeyError" in said[0] and "the log holds the details" in said[0] and said[1].startswith("The disk is full")
    assert [m.value for m in app.markdown] == ["before", "after"]
    assert len(app.exception) == 1, "only what Streamlit met outside our guards"
    assert {type(r.exc_info[1]).__name__ for r in caplog.records if r.exc_info and r.name.startswith("livetrading")} == {
        "KeyError", "RuntimeError",
    }


def _ruled() -> None:
    import streamlit as st

    from livetrading.dashboard.components.guard import guarded

    runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    with guarded():
        if runs == 1:
            st.rerun()
        st.write(f"run {runs}")
        st.stop()
    st.write("never")


def test_streamlits_own_orders_pass() -> None:
    app = AppTest.from_function(_ruled).run()
    assert [m.value for m in app.markdown] == ["run 2"] and not app.error and not app.exception
