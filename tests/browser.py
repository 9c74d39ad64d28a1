"""A real Chromium for tests: fresh profile, no call home, a visible skip where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass
class Traffic:
    """What the browser asked for and complained about."""

    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def foreign(self) -> list[str]:
        """Requests to any host but this machine."""
        return [u for u in self.urls if urlsplit(u).scheme in ("http", "https", "ws", "wss") and urlsplit(u).hostname not in LOOPBACK]


def executable() -> str:
    """The path of an installed Chromium; skips the test if there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("BROWSER MISSING: no Chromium is installed, so nothing was tested in a browser")


@contextmanager
def browser(profile: Path, *, width: int = 1280, height: int = 900) -> Iterator[tuple[Page, Traffic]]:
    """A page of a fresh profile in ``profile``, and its traffic from the first request on."""
    path = executable()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=path, headless=True, args=list(FLAGS), viewport={"width": width, "height": height},
            accept_downloads=True,
        )
        try:
            yield _page(context)
        finally:
            context.close()


def _page(context: BrowserContext) -> tuple[Page, Traffic]:
    traffic = Traffic()

    def asked(request: Request) -> None:
        traffic.urls.append(request.url)

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            traffic.errors.append(message.text)

    context.on("request", asked)
    page = context.pages[0] if context.pages else context.new_page()
    page.on("console", said)
    page.on("pageerror", lambda error: traffic.errors.append(str(error)))
    page.on("websocket", lambda socket: traffic.urls.append(socket.url))
    return page, traffic
