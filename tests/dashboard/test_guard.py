"""An error in one part of a page is a sentence in that place; the rest of the page goes on."""

import inspect
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters import logs

from .conftest import ROOT
from .test_pages import MAIN


@pytest.fixture(autouse=True)
def _nothing_was_logged_before() -> Iterator[None]:
    logs.logged.clear()
    yield


def _page() -> None:
    import streamlit as st

    from livetrading.core.errors import Unavailable
    from livetrading.dashboard.components.shell import refresh
    from livetrading.dashboard.components.shell.guard import guarded, shown

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
    assert {
        type(r.exc_info[1]).__name__ for r in caplog.records if r.exc_info and r.name.startswith("livetrading")
    } == {"KeyError", "RuntimeError"}


def _ruled() -> None:
    import streamlit as st

    from livetrading.dashboard.components.shell.guard import guarded

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


# -- every function of a page -------------------------------------------------

INSIDE = str(ROOT / "livetrading" / "dashboard")
OUTERMOST = ("guarded", "shown.<locals>.run", "<module>", "markdown", "live", "training", "settings")
"""Where everything is caught and shown; and the script with its list of pages, without which there is none."""
SLICE = int(os.environ.get("PAGE_FUNCTIONS", "10"))
"""Of about a hundred and thirty functions; ``PAGE_FUNCTIONS=500`` tries all."""

Watch = Callable[[FrameType], None]


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """A page's script runs in a thread of its own."""

    def heard(frame: FrameType, event: str, _: object) -> None:
        if (
            event == "call"
            and frame.f_code.co_filename.startswith(INSIDE)
            and not frame.f_code.co_flags & inspect.CO_GENERATOR
        ):
            if frame.f_code.co_qualname not in OUTERMOST:
                watch(frame)

    threading.setprofile(heard)
    try:
        yield
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]


def _drawn() -> AppTest:
    at = AppTest.from_file(MAIN, default_timeout=180)
    return at.run()


def test_whatever_function_of_a_page_raises_the_stop_stays_and_the_rest_is_drawn(
    traded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETRADING_HOME", str(traded))
    found: dict[CodeType, None] = {}
    with watching(lambda frame: found.setdefault(frame.f_code)):
        whole = _drawn()
    assert not whole.error and not whole.exception and len(found) > 80
    tried = 0
    for code in random.Random(1).sample(list(found), min(SLICE, len(found))):
        struck: list[bool] = []

        def strike(frame: FrameType, code: CodeType = code, struck: list[bool] = struck) -> None:
            if frame.f_code is code and not struck:
                struck.append(True)
                raise RuntimeError("injected")

        with watching(strike):
            at = _drawn()
        name = f"{code.co_filename.removeprefix(INSIDE)} {code.co_qualname}"
        tried += bool(struck)  # what is remembered is entered once
        assert not at.exception, name
        told = [e.value for e in at.error] + [w.value for w in at.warning]
        if "frame" not in code.co_filename:
            assert "EMERGENCY STOP" in [b.label for b in at.button], (name, told)
    assert tried >= min(SLICE, 80) // 2
