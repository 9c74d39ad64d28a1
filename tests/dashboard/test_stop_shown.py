"""What a page tells of an emergency stop: by its state, to everybody, until trading is re-armed, also on a phone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.execution.state import stop_record
from tests.browser import Traffic, browser

from .conftest import AGENT, copy_of, serving
from .test_pages import Open, labels, open_page, text_of

__all__ = ["open_page"]

ITEM = {
    "agent_id": "PPO_AAPL_001",
    "symbol": "AAPL",
    "shares": 1200,
    "orders": 1,
    "sold": 0,
    "price": None,
    "cancelled": [{"key": "k", "leg": "stop", "qty": 1200}],
    "pnl": None,
    "exit": "working",
    "status": "exit queued",
    "flat": False,
    "error": "",
}
OVER = {
    **ITEM,
    "agent_id": "SAC_NVDA_002",
    "status": "finished replay",
    "flat": True,
    "shares": 53,
    "exit": "none",
    "cancelled": [],
}
FAILED = {
    **ITEM,
    "agent_id": "PPO_GOOG_003",
    "status": "failed",
    "error": "The book holds 10 shares and the broker 7; compare them.",
}


def told(root: Path, state: str, *items: dict[str, Any]) -> None:
    """A stop of the command line, as far as its record says."""
    home = Home.resolve(str(root))
    halt = HaltLatch(home).set("smoke", "command line", datetime.now(UTC))
    stop_record.StopRecord(Store(home), halt, datetime.now(UTC)).end(state, list(items), "", 1)


def test_exits_that_are_queued_are_not_called_done(open_page: Open, tmp_path: Path) -> None:
    told(tmp_path, "queued", ITEM)
    said = text_of(open_page(tmp_path))
    assert "Exits are queued" in said and "done" not in said.lower() and "exit queued" in said


def test_shares_of_a_finished_replay_are_called_history_beside_the_word_flat(open_page: Open, tmp_path: Path) -> None:
    told(tmp_path, "done", OVER)
    said = text_of(open_page(tmp_path))
    assert "Shares of a finished replay are history and are not sold" in said and "finished replay, not sold" in said


def test_a_scheduler_that_has_not_answered_is_not_interactive_brokers(open_page: Open, tmp_path: Path) -> None:
    told(tmp_path, "waiting", {**ITEM, "status": "exit queued"})
    assert "Waiting for the answer" in text_of(open_page(tmp_path))


def test_what_a_stop_did_is_there_on_every_fresh_page_until_trading_is_re_armed(
    open_page: Open, tmp_path: Path
) -> None:
    told(tmp_path, "done", {**ITEM, "status": "flat", "flat": True, "sold": 1200, "price": 98.765})
    at = open_page(tmp_path)
    assert "Emergency stop done" in text_of(at) and "$98.77" in text_of(at) and "What the stop did" not in labels(at)
    next(b for b in at.button if b.label == "Dismiss").click().run()
    assert "Emergency stop done" not in text_of(at)
    assert "Emergency stop done" in text_of(open_page(tmp_path)), "a reload brings it back"
    next(b for b in at.button if b.label == "What the stop did").click().run()
    assert "Emergency stop done" in text_of(at)
    HaltLatch(Home.resolve(str(tmp_path))).clear("a person", datetime.now(UTC))
    assert "Emergency stop done" not in text_of(open_page(tmp_path))


def test_a_stop_without_a_record_yet_says_what_is_still_open_and_no_agent_says_running(
    open_page: Open, own: Path
) -> None:
    HaltLatch(Home.resolve(str(own))).set("smoke", "dashboard", datetime.now(UTC))
    at = open_page(own)
    said = text_of(at)
    assert "The emergency stop is at work; 1 position is still open." in said and "Re-arming now" in said
    assert "1 halted" in said and "1 running" not in said and ">running<" not in said
    next(b for b in at.button if b.label == "Re-arm …").click().run()
    assert "what it has not closed stays open" in text_of(at), "nobody re-arms without having read it"
    (own / "agents" / AGENT / "state.json").write_text("{")
    assert "1 cannot be read: what they hold is not known" in text_of(open_page(own))


@pytest.fixture(params=[(1280, 720), (390, 844)], ids=["screen", "phone"])
def page(request: pytest.FixtureRequest, traded: Path, tmp_path: Path) -> Iterator[tuple[Page, Traffic, int]]:
    root = copy_of(traded, tmp_path / "home")
    told(
        root,
        "failed",
        {**ITEM, "status": "flat", "flat": True, "sold": 1200, "price": 98.765, "pnl": -1234.5, "exit": "filled"},
        OVER,
        FAILED,
    )
    width, height = request.param
    with serving(root) as server, browser(tmp_path / "profile", width=width, height=height) as (found, traffic):
        found.goto(server.url)
        yield found, traffic, width


@pytest.mark.browser
def test_every_outcome_and_every_error_is_on_the_screen(page: tuple[Page, Traffic, int]) -> None:
    opened, _, width = page
    panel = opened.locator(".st-key-emergency_result_panel")
    panel.get_by_text("Not everything is closed").wait_for()
    for words in (
        "PPO_AAPL_001",
        "flat",
        "finished replay, not sold",
        "failed",
        "$98.77",
        "−$1,234.50",
        FAILED["error"],
    ):
        cell = panel.get_by_role("cell", name=words).first if width > 640 else panel.locator("td", has_text=words).first
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, (words, box)
    scroll = panel.locator(".lt-scroll").first
    assert scroll.evaluate("e => e.scrollWidth - e.clientWidth") <= 1, "nothing is hidden beside the screen"
