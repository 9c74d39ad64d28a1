"""The dialogs of a paper agent that holds shares and gets no more bars say what removing it does."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.execution.state import bar_check
from tests.doubles.lives import FIRST, Cycler, Life, at, deployed, until, write_csv
from tests.doubles.series import generated

FRAME = generated(1, FIRST + 20)


def _dialog(kind: str) -> None:
    from livetrading.dashboard.components.agents import confirm

    getattr(confirm, kind)({"agent_id": "PPO_TEST_001", "request_id": "asked-once"})


def shown(life: Life, kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """All that a dialog says, and its buttons."""
    monkeypatch.setenv("LIVETRADING_HOME", str(life.home.root))
    page = AppTest.from_function(_dialog, args=(kind,), default_timeout=60).run()
    assert not page.exception, page.exception
    said = [*page.markdown, *page.warning, *page.error, *page.info]
    return " ".join(str(part.value) for part in said), [button.label for button in page.button]


def test_the_dialogs_offer_to_remove_a_position_that_no_bar_can_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = deployed(tmp_path, FRAME, Cycler())
    t = until(lambda: not life.state.flat, life, FIRST) - 1
    text, buttons = shown(life, "remove", monkeypatch)
    assert "Close the position first" in text and "Remove agent" not in buttons
    write_csv(life.csv, FRAME.iloc[: t + 1])
    for ahead in range(1, bar_check.NO_BARS_AFTER + 1):
        life.check(at(life.sessions[t + ahead], "16:40"))
    life.check(at(life.sessions[t + bar_check.NO_BARS_AFTER + 1], "10:00"))
    day = life.sessions[t].isoformat()
    text, buttons = shown(life, "remove", monkeypatch)
    assert f"after {day}" in text and "cannot be sold" in text and "Remove agent" in buttons
    text, buttons = shown(life, "close_position", monkeypatch)
    assert f"after {day}" in text and "remove the agent instead" in text and "Close position" in buttons
