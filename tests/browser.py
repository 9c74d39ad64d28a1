"""A real Chromium for tests: a fresh profile, no requests to the network, a visible skip if none is installed."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Playwright, Request, WebSocket, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
MESSAGES_A_REFRESH = 3
"""The least number: a fragment's run begins, sends its elements and ends."""
PATIENCE = 120_000
"""Milliseconds; the limit after which a wait fails, not the usual time."""
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass
class Traffic:
    """The browser's requests and console errors."""

    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    messages: int = 0
    """Received over web sockets: every refresh of a page sends some."""

    def foreign(self) -> list[str]:
        """Requests to hosts other than this machine."""
        parts = [(url, urlsplit(url)) for url in self.urls]
        return [url for url, p in parts if p.scheme in ("http", "https", "ws", "wss") and p.hostname not in LOOPBACK]


def executable() -> str:
    """The path of an installed Chromium; skips the test if there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    if os.environ.get("LIVETRADING_REQUIRE_BROWSER"):
        pytest.fail("no Chromium is installed, and this run must not go without one")
    pytest.skip("BROWSER MISSING: no Chromium is installed, so nothing was tested in a browser")


@contextmanager
def browser(profile: Path, *, width: int = 1280, height: int = 900) -> Iterator[tuple[Page, Traffic]]:
    """A page of a fresh profile in ``profile``, and its traffic from the first request on."""
    path = executable()
    with _playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=path,
            headless=True,
            args=list(FLAGS),
            viewport={"width": width, "height": height},
            accept_downloads=True,
            timeout=PATIENCE,
        )
        try:
            yield _page(context)
        finally:
            context.close()


_running: list[Playwright] = []


@contextmanager
def _playwright() -> Iterator[Playwright]:
    """One instance for each thread, shared by browsers that are open at the same time."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        _running.append(playwright)
        try:
            yield playwright
        finally:
            _running.clear()


def _page(context: BrowserContext) -> tuple[Page, Traffic]:
    traffic = Traffic()

    def asked(request: Request) -> None:
        traffic.urls.append(request.url)

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            traffic.errors.append(message.text)

    def connected(socket: WebSocket) -> None:
        traffic.urls.append(socket.url)
        socket.on("framereceived", counted)

    def counted(_: object) -> None:
        traffic.messages += 1

    context.on("request", asked)
    context.set_default_timeout(PATIENCE)
    page = context.pages[0] if context.pages else context.new_page()
    page.on("console", said)
    page.on("pageerror", lambda error: traffic.errors.append(str(error)))
    page.on("websocket", connected)
    return page, traffic


def refreshed(page: Page, traffic: Traffic, times: int = 2) -> None:
    """Wait until the page has refreshed itself so many times, without any input."""
    target = traffic.messages + MESSAGES_A_REFRESH * times
    deadline = time.monotonic() + PATIENCE / 1000
    while traffic.messages < target:
        assert time.monotonic() < deadline, "the page does not refresh"
        page.wait_for_timeout(100)
