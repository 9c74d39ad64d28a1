"""From page to page while fragments refresh: what is shown stays, whatever still was on its way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.browser import Traffic, browser, refreshed

from .conftest import ROOT, Server, copy_of, serving, until

pytestmark = pytest.mark.browser
LINKS = ("Training", "Settings", "Live Trading")
ROUNDS = 5


class Line:
    """A page's web socket, and the refreshes it asked for by itself."""

    def __init__(self, page: Page) -> None:
        self.refreshes: list[bytes] = []
        self._server: WebSocketRoute | None = None
        page.route_web_socket(lambda url: "/_stcore/stream" in url, self._connected)

    def _connected(self, browser_side: WebSocketRoute) -> None:
        server = self._server = browser_side.connect_to_server()

        def relayed(message: str | bytes) -> None:
            if isinstance(message, bytes) and BackMsg.FromString(message).rerun_script.is_auto_rerun:
                self.refreshes.append(message)
            server.send(message)

        browser_side.on_message(relayed)

    def again(self, message: bytes) -> None:
        """As if it had been on its way until now."""
        assert self._server
        self._server.send(message)


@pytest.fixture(scope="module")
def server(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(copy_of(traded, tmp_path_factory.mktemp("switching") / "home")) as running:
        yield running


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Page, Traffic]]:
    with browser(tmp_path / "profile") as found:
        yield found


def test_whatever_refreshes_has_a_container_of_its_own() -> None:
    """Else a refresh at the wrong moment would push what stands behind it out of place."""
    components = ROOT / "livetrading" / "dashboard" / "components"
    found = [path.name for path in components.rglob("*.py") if "st.fragment" in path.read_text()]
    assert found == ["refresh.py"]


def failures(traffic: Traffic) -> list[str]:
    """Without the health route, which Streamlit looks for below the page's path first."""
    return [text for text in traffic.errors if "404" not in text]


def candles(page: Page, count: int) -> None:
    page.wait_for_function(f"() => document.querySelector('.js-plotly-plot')?.data[0].x.length === {count}")


def test_a_refresh_that_arrives_after_the_switch_of_pages_takes_nothing_away(
    server: Server, opened: tuple[Page, Traffic]
) -> None:
    page, traffic = opened
    line = Line(page)
    page.goto(f"{server.url}/training")
    page.get_by_text("Deploy to Live Trading").first.wait_for()
    until(lambda: line.refreshes or page.wait_for_timeout(100))
    late = line.refreshes[0]
    page.get_by_role("link", name="Live Trading").click()
    page.get_by_role("radio", name="1M").click()
    candles(page, 21)
    line.again(late)
    refreshed(page, traffic, 4)
    candles(page, 21)
    assert page.get_by_role("tab", name="Executions").count() == 1
    assert page.get_by_role("button", name="EMERGENCY STOP").count() == 1
    assert failures(traffic) == []


def test_hasty_changes_of_the_page_end_on_the_last_one(server: Server, opened: tuple[Page, Traffic]) -> None:
    page, traffic = opened
    page.goto(server.url)
    page.get_by_role("link", name="Training").wait_for()
    for _ in range(ROUNDS):
        for name in LINKS:
            page.get_by_role("link", name=name).click()
    candles(page, 126)
    refreshed(page, traffic)
    candles(page, 126)
    assert page.get_by_text("Deploy to Live Trading").count() == 0
    assert failures(traffic) == []
