"""A report's file in a real browser, opened from the disk: it renders, asks for nothing, and fits a phone and paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.dashboard import report
from tests.browser import Traffic, browser

from .conftest import copy_of, model_of, serving

pytestmark = pytest.mark.browser
CHARTS = 4
"""Equity, trades by return and by holding time, walk-forward."""
TOO_WIDE = """() => [...document.querySelectorAll('.chart, .lt-scroll')]
    .filter(box => box.offsetWidth && box.scrollWidth > box.clientWidth + 1).map(box => box.textContent.slice(0, 60))"""


@pytest.fixture(scope="module")
def file(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    home = Home(traded)
    path.write_bytes(report.html(home, Registry(home).card(model_of(traded))))
    return path


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Traffic]]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_file_renders_from_disk_without_request_error_or_sideways_scrolling(
    opened: tuple[Page, Traffic], file: Path, width: int, height: int, scheme: str
) -> None:
    page, traffic = opened
    traffic.urls.clear()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(file.as_uri())
    page.wait_for_function(f"() => document.querySelectorAll('.js-plotly-plot .main-svg .xtick').length > {CHARTS}")
    assert page.locator(".js-plotly-plot").count() == CHARTS
    page.wait_for_function(f"() => ({TOO_WIDE})().length === 0")
    page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")
    assert traffic.urls == [file.as_uri()] and traffic.errors == []


def test_paper_is_white_whatever_the_screen_is_and_cuts_no_table(opened: tuple[Page, Traffic], file: Path) -> None:
    page, traffic = opened
    page.set_viewport_size({"width": 700, "height": 990})
    page.emulate_media(color_scheme="dark", media="print")
    page.goto(file.as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.wait_for_function("() => document.documentElement.scrollWidth <= 700")
    page.emulate_media(media="screen")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert traffic.errors == []


def test_the_page_gives_the_file_and_fits_a_phone(traded: Path, tmp_path: Path) -> None:
    home = copy_of(traded, tmp_path / "home")
    with serving(home) as server, browser(tmp_path / "profile") as (page, _):
        page.goto(f"{server.url}/training")
        page.get_by_text("Skill or luck").wait_for()
        with page.expect_download() as given:
            page.get_by_role("button", name="Download report").click()
        assert given.value.suggested_filename == f"{model_of(home)}.html"
        assert "Skill or luck" in given.value.path().read_text()
        page.set_viewport_size({"width": 390, "height": 844})
        for tab in ("By month, year, seed", "Trades by return"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
