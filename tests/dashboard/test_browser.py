"""What only a real browser shows: dialogs that stay, zooms that last, nothing from outside."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.execution.state import queries
from tests.browser import Traffic, browser, refreshed

from .conftest import AGENT, Server, copy_of, serving, until

pytestmark = pytest.mark.browser
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """No scheduler runs: the agent stands still while pages refresh."""
    with serving(copy_of(traded, tmp_path_factory.mktemp("browser") / "home")) as running:
        yield running


@pytest.fixture(scope="module")
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Traffic]]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(server: Server, opened: tuple[Page, Traffic]) -> Page:
    page, _ = opened
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(server.url)
    page.locator(".js-plotly-plot").first.wait_for()
    return page


@pytest.fixture
def traffic(opened: tuple[Page, Traffic]) -> Traffic:
    return opened[1]


def stop_dialog(page: Page) -> Locator:
    page.get_by_role("button", name="EMERGENCY STOP").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type STOP to confirm").wait_for()
    return dialog


def shown_range(page: Page) -> list[float]:
    return list(page.evaluate("() => document.querySelector('.js-plotly-plot').layout.xaxis.range"))


def zooms(page: Page) -> bool:
    """Drags over a part of the chart; it slips while the page around it still grows."""
    area = page.locator(".js-plotly-plot .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 120, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)
    first, last = shown_range(page)
    return last - first < 100


def test_every_page_asks_this_machine_alone(page: Page, traffic: Traffic, server: Server) -> None:
    page.goto(f"{server.url}/training")
    page.get_by_text("Deploy to Live Trading").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    refreshed(page, traffic)
    assert len(traffic.urls) > 50
    assert traffic.foreign() == []
    # Streamlit looks for its own health route below the page's path first.
    assert [text for text in traffic.errors if "404" not in text] == []


def test_the_stop_dialog_survives_refreshes_with_what_was_typed(page: Page, traffic: Traffic, server: Server) -> None:
    dialog = stop_dialog(page)
    dialog.get_by_label("Type STOP to confirm").fill("ST")
    refreshed(page, traffic)
    assert dialog.get_by_label("Type STOP to confirm").input_value() == "ST"
    dialog.get_by_role("button", name="Stop everything").click()
    dialog.get_by_text("Nothing was stopped").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    refreshed(page, traffic)
    assert page.get_by_role("dialog").count() == 0
    assert not (server.root / "halt.json").exists()


def test_a_dialog_that_was_dismissed_does_not_come_back(page: Page, traffic: Traffic) -> None:
    page.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("will make no further decision").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    refreshed(page, traffic)
    assert page.get_by_role("dialog").count() == 0


def test_without_a_scheduler_an_action_says_so_at_once(page: Page) -> None:
    page.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Pause agent").click()
    dialog.get_by_text("No scheduler is running").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_a_zoom_lasts_while_the_numbers_around_it_are_refreshed(page: Page, traffic: Traffic) -> None:
    until(lambda: zooms(page))
    zoomed = shown_range(page)
    refreshed(page, traffic)
    assert shown_range(page) == zoomed


def test_a_range_button_changes_the_candles(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').data[0].x.length === 126")
    page.get_by_role("radio", name="1M").click()
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').data[0].x.length === 21")
    page.get_by_role("radio", name="6M").click()
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').data[0].x.length === 126")


def test_the_csv_holds_every_trade_unrounded(page: Page, server: Server) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").first.click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    trades = queries.history(Store(Home(server.root)), AGENT)["trades"]
    assert [(r["exit_session"], float(r["pnl"])) for r in rows] == [(t["exit_session"], t["pnl"]) for t in trades]
    assert download.value.suggested_filename == f"trades_{AGENT}.csv"


@pytest.mark.parametrize("path", ["", "/training"])
def test_a_phone_shows_everything_without_cutting_or_sideways_scrolling(page: Page, server: Server, path: str) -> None:
    page.set_viewport_size(NARROW)
    page.goto(server.url + path)
    page.locator(".js-plotly-plot").first.wait_for()
    page.wait_for_function(f"() => document.documentElement.scrollWidth <= {NARROW['width']}")
    page.wait_for_function(f"() => ({CUT_TEXT})().length === 0")


CUT_TEXT = """() => [...document.querySelectorAll('.lt-kpi .v, .lt-fact .v, .lt-pill, .st-key-emergency_open button *')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
    .map(e => e.textContent)"""


def test_the_stop_stays_in_view_however_far_one_scrolls(page: Page) -> None:
    page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollTo(0, 100000)")
    box = page.get_by_role("button", name="EMERGENCY STOP").bounding_box()
    assert box and 0 <= box["y"] < 200


def test_two_clicks_start_one_scheduler_and_its_heartbeat_is_shown(traded: Path, tmp_path: Path) -> None:
    with serving(copy_of(traded, tmp_path / "home")) as server, browser(tmp_path / "profile") as (page, _):
        page.goto(server.url)
        page.get_by_role("button", name="Start scheduler").dblclick()
        page.get_by_text("Scheduler alive · heartbeat").wait_for()
        holder = SchedulerLock(Home(server.root)).holder()
        assert holder and holder.role == "scheduler"
        pids = [int(path.read_text()) for path in (server.root / "commands").glob("*.pid")]
        assert pids == [holder.pid]
        assert _health(server)["scheduler"]["pid"] == holder.pid


def _health(server: Server) -> dict[str, Any]:
    return dict(server.live("GET", "/health").body)
