"""Every dialog with a dangerous act, in a real browser: Enter, Escape, a click beside it, a double click on the act.

A stand-in holds the scheduler's lock, beats, and answers each request after a moment, so that the
second click of a double click comes while the first is at work.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from livetrading.adapters import settings
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.execution.state import requests
from tests.browser import Traffic, browser, refreshed
from tests.doubles.gates import opened_gate

from .conftest import AGENT, Server, copy_of, model_of, serving, until

pytestmark = pytest.mark.browser
SLOW_SECONDS = 0.7
SIDES = {"agent_id": AGENT, "book": 10, "broker": 7, "unmanaged": 2, "text": "3 NVDA are missing at the broker."}
CONFIRMED = {
    "rearm": ("Re-arm …", "Re-arm trading"),
    "pause": ("Pause", "Pause agent"),
    "close": ("Close Position", "Close position"),
    "remove": ("Remove", "Remove agent"),
    "adopt": ("Adopt …", "Adopt"),
    "ignore": ("Ignore as mine …", "Ignore as mine"),
}
"""Kind of request -> the button that opens its dialog, the button that does it."""
ROUNDS = 4
"""Enter was once a race: it is tried so often, each time on a fresh page."""


class StandIn(threading.Thread):
    """Answers as a scheduler does, without doing anything."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.over = Home(root), threading.Event()
        self.store, self.lock = Store(self.home), SchedulerLock(self.home)

    def __enter__(self) -> "StandIn":
        self.lock.acquire("scheduler")
        self.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.over.set()
        self.join()
        self.lock.release()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.lock.beat()
            for request in requests.pending(self.store):
                time.sleep(SLOW_SECONDS)
                stop = {"state": "done", "flat": True, "items": [], "reason": "", "by": "", "at": None}
                result = stop if request["kind"] == "emergency_stop" else {}
                requests.resolve(self.store, request["id"], "done", "Answered.", result, datetime.now(UTC))

    def asked(self) -> Counter[str]:
        """Requests by kind."""
        return Counter(r["kind"] for r in self.store.read("requests").get("requests", {}).values())


def shown(root: Path, **changes: object) -> None:
    """The agent seems to be another than it is."""
    path = root / "agents" / AGENT / "state.json"
    tables = Store.read_docs(path)
    tables["agent"][0] |= changes
    Store.write_docs(path, tables)


def as_an_account(root: Path) -> None:
    """It trades an account, and its book differs from it: every dialog can be opened."""
    shown(root, mode="ibkr", account="DU1234567")
    with Store(Home(root)).transaction("system") as db:
        db.table("reconciliation").insert(SIDES)


@pytest.fixture(scope="module")
def stand(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    root = copy_of(traded, tmp_path_factory.mktemp("dangerous") / "home")
    as_an_account(root)
    with StandIn(root) as made:
        yield made


@pytest.fixture(scope="module")
def server(stand: StandIn) -> Iterator[Server]:
    with serving(stand.home.root) as running:
        yield running
        stand.lock.release()  # it is no process to be ended


@pytest.fixture(scope="module")
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Traffic]]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(server: Server, opened: tuple[Page, Traffic], stand: StandIn) -> Page:
    """Trading is halted from the start, so that it can be re-armed."""
    HaltLatch(stand.home).set("a test", "test", datetime.now(UTC))
    return fresh(opened[0], server)


def fresh(page: Page, server: Server) -> Page:
    page.goto(server.url)
    page.get_by_role("button", name="Remove").wait_for()
    page.get_by_role("button", name="EMERGENCY STOP").wait_for()
    return page


def ask(page: Page, button: str) -> Locator:
    page.get_by_role("button", name=button, exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").wait_for()
    return dialog


def stops(server: Server) -> int:
    """Stop commands that were ever started."""
    return len(list((server.root / "commands").glob("stop-*.pid")))


def beside(page: Page) -> None:
    page.mouse.click(20, 850)


# -- the emergency stop -----------------------------------------------------


def stop_dialog(page: Page, typed: str) -> Locator:
    dialog = ask(page, "EMERGENCY STOP")
    dialog.get_by_label("Type STOP to confirm").fill(typed)
    return dialog


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_stop_and_enter_stops(page: Page, server: Server, stand: StandIn, round_: int) -> None:
    before, asked = stops(server), stand.asked()["emergency_stop"]
    stand.home.root.joinpath("halt.json").unlink()
    dialog = stop_dialog(page, "STOP")
    page.keyboard.press("Enter")
    page.get_by_text("Emergency stop done").wait_for()
    dialog.wait_for(state="hidden")
    assert (stops(server), stand.asked()["emergency_stop"]) == (before + 1, asked + 1)
    assert HaltLatch(stand.home).status() is not None
    page.get_by_role("button", name="Dismiss").click()


def test_enter_on_any_other_word_stops_nothing_and_says_so(page: Page, server: Server) -> None:
    before = stops(server)
    dialog = stop_dialog(page, "STO")
    page.keyboard.press("Enter")
    dialog.get_by_text("Nothing was stopped").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert stops(server) == before


def test_a_stop_that_is_at_work_does_not_stand_beside_the_word_that_nothing_was_stopped(
    page: Page, server: Server
) -> None:
    dialog = stop_dialog(page, "STO")
    page.keyboard.press("Enter")
    dialog.get_by_text("Nothing was stopped").wait_for()
    dialog.get_by_label("Type STOP to confirm").fill("STOP")
    page.keyboard.press("Enter")
    dialog.get_by_text("Halting, cancelling orders").wait_for()
    assert dialog.get_by_text("Nothing was stopped").count() == 0
    page.get_by_text("Emergency stop done").wait_for()
    page.get_by_role("button", name="Dismiss").click()


def test_two_clicks_and_enter_are_one_stop(page: Page, server: Server, stand: StandIn) -> None:
    before, asked = stops(server), stand.asked()["emergency_stop"]
    stop_dialog(page, "STOP").get_by_role("button", name="Stop everything").dblclick()
    page.keyboard.press("Enter")
    page.get_by_text("Emergency stop done").wait_for()
    page.get_by_role("dialog").wait_for(state="hidden")
    assert (stops(server), stand.asked()["emergency_stop"]) == (before + 1, asked + 1)
    page.get_by_role("button", name="Dismiss").click()


@pytest.mark.parametrize("leave", ["Escape", "beside", "Cancel"])
def test_leaving_the_stop_dialog_stops_nothing(
    page: Page, server: Server, opened: tuple[Page, Traffic], leave: str
) -> None:
    before = stops(server)
    dialog = stop_dialog(page, "STOP")
    if leave == "Cancel":
        dialog.get_by_role("button", name="Cancel").click()
    elif leave == "beside":
        beside(page)
    else:
        page.keyboard.press(leave)
    dialog.wait_for(state="hidden")
    refreshed(page, opened[1], 1)
    assert stops(server) == before and page.get_by_role("dialog").count() == 0


@pytest.mark.parametrize("leave", ["Escape", "beside"])
def test_a_stop_that_was_begun_is_told_of_whatever_is_done_to_its_dialog(
    page: Page, server: Server, stand: StandIn, leave: str
) -> None:
    before, asked = stops(server), stand.asked()["emergency_stop"]
    stop_dialog(page, "STOP")
    page.keyboard.press("Enter")
    until(lambda: stops(server) == before + 1)
    if leave == "beside":
        beside(page)
    else:
        page.keyboard.press(leave)
    page.get_by_role("dialog").wait_for(state="hidden")
    page.get_by_role("button", name="Dismiss").click()
    until(lambda: stand.asked()["emergency_stop"] == asked + 1)
    assert stops(server) == before + 1


# -- the dialogs that ask once ----------------------------------------------


@pytest.mark.parametrize("kind", CONFIRMED)
def test_a_dialog_acts_once_on_a_double_click_and_not_when_it_is_left(
    page: Page, server: Server, stand: StandIn, opened: tuple[Page, Traffic], kind: str
) -> None:
    button, act = CONFIRMED[kind]
    if kind == "remove":
        shown(server.root, current_position=0)  # else it is refused in words, without a button
    before = stand.asked()
    for leave in ("Escape", "beside", "Enter"):
        dialog = ask(page, button)
        if leave == "beside":
            beside(page)
        else:
            page.keyboard.press(leave)  # whatever the browser gave the focus to, it is not the act
        if leave == "Enter" and dialog.is_visible():
            page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    refreshed(page, opened[1], 1)
    assert stand.asked() == before
    dialog = ask(page, button)
    dialog.get_by_role("button", name=act, exact=True).dblclick()
    dialog.wait_for(state="hidden")
    refreshed(page, opened[1], 1)
    assert stand.asked() - before == Counter({kind: 1})


def test_two_clicks_on_start_are_one_request(
    page: Page, server: Server, stand: StandIn, opened: tuple[Page, Traffic]
) -> None:
    shown(server.root, status="stopped", is_running=False)
    before = stand.asked()
    fresh(page, server).get_by_role("button", name="Start", exact=True).dblclick()
    until(lambda: stand.asked() != before)
    refreshed(page, opened[1], 2)
    assert stand.asked() - before == Counter({"start": 1})


# -- real money -------------------------------------------------------------


@pytest.fixture
def real_money(server: Server, stand: StandIn) -> Iterator[str]:
    """A model that passes the gate, and an account that is set up for real money."""
    root = stand.home.root
    folder = root / "models" / model_of(root)
    before = {name: (folder / name).read_bytes() for name in ("card.json", "test.json")}
    opened_gate(stand.home, folder.name)
    settings.save_all(stand.home, {"ibkr_mode": "live", "ibkr_account": "U7654321", "ibkr_port": 7496})
    yield "U7654321"
    for name, content in before.items():
        (folder / name).write_bytes(content)
    (folder / "lookahead.json").unlink()
    (root / "settings.toml").unlink()


def deployments(server: Server) -> int:
    return len(list((server.root / "commands").glob("deploy-*.pid")))


@pytest.mark.parametrize("where", ["training", "dialog"])
def test_a_typed_account_number_deploys_nothing_by_itself_and_two_clicks_deploy_once(
    page: Page, server: Server, real_money: str, where: str
) -> None:
    before = deployments(server)
    if where == "training":
        page.goto(f"{server.url}/training")
        form, act = page.locator("body"), "Deploy to Live Trading"
    else:
        page.get_by_role("button", name="Add Agent").click()
        form, act = page.get_by_role("dialog"), "Add agent"
    form.get_by_text("REAL MONEY in account").first.click()
    field = form.get_by_label("to trade real money")
    field.fill(real_money)
    assert form.get_by_text("Press Enter to submit form").count() == 0
    field.press("Enter")
    button = form.get_by_role("button", name=act, exact=True)
    button.wait_for()
    assert deployments(server) == before
    button.dblclick()
    until(lambda: deployments(server) > before)
    form.get_by_role("alert").filter(has_text=re.compile("Interactive Brokers|TWS")).or_(
        form.get_by_text("Answered")
    ).first.wait_for()
    assert deployments(server) == before + 1


def test_enter_in_the_settings_saves_what_is_shown_and_asks_for_nothing(
    page: Page, server: Server, stand: StandIn, opened: tuple[Page, Traffic]
) -> None:
    before = stand.asked()
    page.goto(f"{server.url}/settings")
    page.get_by_text("Real money", exact=True).click()
    field = page.get_by_label("Account", exact=True)
    field.fill("U7654321")
    assert not (server.root / "settings.toml").exists(), "nothing is saved before it is asked for"
    field.press("Enter")
    page.get_by_text("Saved; the scheduler uses it after its next start.").wait_for()
    assert settings.load(stand.home, {}).ibkr_mode == "live"
    page.get_by_role("button", name="Save").dblclick()
    refreshed(page, opened[1], 1)
    assert stand.asked() == before
    (server.root / "settings.toml").unlink()
