"""Setting Interactive Brokers up as a person does it: type, save, test, read."""

from pathlib import Path

import pytest

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from tests.browser import browser, refreshed
from tests.doubles.tws import TwsDouble

from .conftest import serving

pytestmark = pytest.mark.browser


def test_a_connection_is_set_up_saved_and_tested_without_a_terminal(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with TwsDouble(178) as tws, serving(home) as server, browser(tmp_path / "profile") as (page, traffic):
        tws.bars["INTC", "1 day", "TRADES"] = [("20240603", 30.0, 31.0, 29.0, 30.5, 1000, 30.2, 10)]
        page.goto(server.url)
        page.get_by_role("link", name="Settings").click()
        page.get_by_label("Port", exact=True).fill(str(tws.port))
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved; the scheduler uses it after its next start.").wait_for()
        assert settings.load(Home(home), {}).ibkr_port == tws.port
        page.get_by_role("button", name="Test the connection").click()
        page.get_by_text("All checks passed.").wait_for(timeout=90_000)
        page.get_by_text("account DU1234567 (paper)").wait_for()
        assert tws.order_bytes() == 0
        tws.close_port()
        page.get_by_role("button", name="Test the connection").click()
        page.get_by_text("checks failed").wait_for(timeout=90_000)
        page.get_by_text("does not answer").first.wait_for()
        refreshed(page, traffic, times=1)
        assert page.get_by_text("checks failed").count() == 1
        assert traffic.foreign() == []
