"""The whole line in a real browser: train, deploy, see a trade, stop everything, flat."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.execution.state import queries
from tests.browser import Traffic, browser, refreshed

from .conftest import serving

pytestmark = pytest.mark.browser
SUMS = 6
"""Figures in the strip above the agents."""
HAS_BUY = """() => [...document.querySelectorAll('.js-plotly-plot')]
    .some(plot => plot.data.some(trace => trace.name === 'Buy' && trace.x.length))"""


def test_from_an_empty_home_to_a_trade_and_flat_again(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server, browser(tmp_path / "profile") as (page, traffic):
        page.goto(server.url)
        page.get_by_text("No active agents. Add an agent to start live trading.").wait_for()
        page.get_by_role("button", name="Start scheduler").click()
        page.get_by_text("Scheduler alive").wait_for()
        _train(page)
        _deploy(page)
        page.wait_for_url(f"{server.url}/?agent=PPO_NVDA_001")
        page.wait_for_function(HAS_BUY)
        store = Store(Home(server.root))
        assert queries.history(store, "PPO_NVDA_001")["fills"]
        _stays(page, traffic)
        _stop(page)
        assert HaltLatch(Home(server.root)).status() is not None
        (agent,) = queries.agents(store)
        assert (agent["status"], agent["current_position"], agent["orders"]) == ("stopped", 0, [])
        _rearm_and_start(page)
        assert HaltLatch(Home(server.root)).status() is None
        assert traffic.foreign() == []


def _train(page: Page) -> None:
    page.get_by_role("link", name="Training").click()
    page.get_by_text("No model yet").wait_for()
    page.get_by_label("Symbol").click()
    page.get_by_role("option", name="NVDA").click()
    page.get_by_label("Timesteps").fill("2000")
    page.get_by_label("Timesteps").press("Enter")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("Done: PPO_NVDA_v").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()


def _deploy(page: Page) -> None:
    """As practice; the second click of a double click must not make a second agent."""
    page.get_by_text("Replay: the sessions after the training").click()
    page.get_by_label("Seconds a session").fill("0.2")
    page.get_by_label("Seconds a session").press("Enter")
    page.get_by_text("This is practice").click()
    page.get_by_role("button", name="Deploy to Live Trading").dblclick()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_text("1 agent · 1 running").wait_for()


def _stays(page: Page, traffic: Traffic) -> None:
    """The page that the deployment led to, refresh by refresh."""
    refreshed(page, traffic, 6)
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length === 1")
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.get_by_role("tab", name="Executions").count() == 1
    assert page.locator(".lt-kpi").count() == SUMS


def _stop(page: Page) -> None:
    page.get_by_role("button", name="EMERGENCY STOP").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("1 running agent").wait_for()
    dialog.get_by_label("Type STOP to confirm").fill("STOP")
    dialog.get_by_role("button", name="Stop everything").click()
    page.get_by_text("Flat: no position and no open order").wait_for()
    page.locator(".lt-halt").get_by_text("TRADING IS HALTED").wait_for()


def _rearm_and_start(page: Page) -> None:
    page.get_by_role("button", name="Re-arm …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("All agents stay stopped").wait_for()
    dialog.get_by_role("button", name="Re-arm trading").click()
    dialog.wait_for(state="hidden")
    page.locator(".lt-halt").wait_for(state="hidden")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Pause").wait_for()
