"""A training in a real browser: it is found again, cancelled in its folds, and its result appears by itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.research import jobs
from tests.browser import browser

from .conftest import Server, serving, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Server]]:
    root = tmp_path_factory.mktemp("training")
    with serving(root / "home") as server, browser(root / "profile") as (page, _):
        page.goto(f"{server.url}/training")
        yield page, server


def train(page: Page, **numbers: str) -> None:
    page.get_by_label("Symbol").click()
    page.get_by_role("option", name="NVDA").click()
    for label, value in numbers.items():
        field = page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
    page.get_by_role("button", name="Train", exact=True).click()


def test_a_reload_finds_a_training_and_cancel_ends_it_in_its_folds(opened: tuple[Page, Server]) -> None:
    page, server = opened
    train(page, Timesteps="5000000", Seeds="2", Folds="2")
    page.get_by_text("Folds 0/2").wait_for()
    page.get_by_text("Sharpe ratio on what the fold judges", exact=False).wait_for()
    page.reload()
    page.get_by_text("Training PPO on NVDA").wait_for()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    assert not page.get_by_role("button", name="Train", exact=True).is_enabled()
    page.get_by_role("button", name="Cancel training").click()
    page.get_by_text("Cancelled. No model was kept.").wait_for()
    page.get_by_text("No model yet").wait_for()
    assert jobs.jobs(Store(Home(server.root)))[0]["state"] == jobs.CANCELLED
    assert list(Home(server.root).models.iterdir()) == []


def test_the_folds_stand_there_before_the_result_which_comes_without_a_click(opened: tuple[Page, Server]) -> None:
    page, server = opened
    train(page, Timesteps="2000", Seeds="1", Folds="2")
    page.locator(".lt-tight").wait_for()
    page.get_by_text("Done: PPO_NVDA_v").wait_for()
    page.get_by_text("Test Sharpe").wait_for()
    page.get_by_text("One seed is a quick try").wait_for()
    page.get_by_role("tab", name="Walk-forward").wait_for()  # the model is chosen below
    (record,) = [job for job in jobs.jobs(Store(Home(server.root))) if job["state"] == jobs.DONE]
    assert record["walk_forward"]


CUT_TABLES = """() => [...document.querySelectorAll('.lt-tight, .lt-snug')].map(table => table.parentElement)
    .filter(box => box.offsetWidth && box.scrollWidth > box.clientWidth + 1).map(box => box.textContent)"""


def test_a_phone_shows_folds_years_and_regimes_without_cutting_or_sideways_scrolling(
    opened: tuple[Page, Server],
) -> None:
    page, _ = opened
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="Walk-forward").click()
    page.get_by_text("PPO by regime").wait_for()
    page.wait_for_function(f"() => ({CUT_TABLES})().length === 0")
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_page_finds_what_another_process_begins_to_train(opened: tuple[Page, Server]) -> None:
    page, server = opened
    store = Store(Home(server.root))
    with store.transaction("jobs") as db:
        db.table("jobs").truncate()
    page.reload()
    page.get_by_text("No training is running.").wait_for()
    with jobs.running(store, "train", "GOOG", "SAC", 10) as job:
        page.get_by_text("Training SAC on GOOG").wait_for()
        job.finish({})
    page.get_by_text("Done.").wait_for()
    until(lambda: page.get_by_role("button", name="Train", exact=True).is_enabled())
