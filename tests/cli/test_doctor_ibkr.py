"""``doctor`` against a TWS double: each setting is checked, each fault has its cure, no order leaves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.stamps import stamp
from livetrading.adapters.store import Store
from livetrading.cli import doctor_ibkr
from livetrading.cli.main import main
from tests.doubles.ibkr import QUICK, connected
from tests.doubles.tws import TwsDouble

ACCOUNT = "DU1234567"
BARS = [("20240603", 30.0, 31.0, 29.0, 30.5, 1000, 30.2, 10)]
Ask = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(params=(157, 178))
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param) as double:
        double.bars["INTC", "1 day", "TRADES"] = BARS
        yield double
        assert double.order_bytes() == 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.resolve(str(tmp_path))


@pytest.fixture
def ask(tws: TwsDouble, home: Home) -> Ask:
    """The checks by name, under these settings."""

    def run(symbol: str | None = None, **chosen: Any) -> dict[str, dict[str, Any]]:
        settings.save_all(home, {"ibkr_port": tws.port, "ibkr_timezone": "America/New_York", **chosen})
        silent = "silence" in tws.history_trouble.values()
        found = doctor_ibkr.checks(home, symbol=symbol, timing=replace(QUICK, history=0.3) if silent else QUICK)
        return {c["name"]: c for c in found}

    return run


def bad(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, c in found.items() if not c["ok"]}


def test_a_home_that_says_nothing_of_a_broker_gets_one_line(home: Home) -> None:
    found = doctor_ibkr.checks(home)
    assert [(c["name"], c["ok"]) for c in found] == [("broker", True)]
    assert "not configured" in found[0]["detail"]


def test_a_variable_alone_is_a_configuration(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETRADING_IBKR_PORT", "7497")
    assert settings.ibkr_configured(settings.load(home))


def test_a_paper_account_that_answers_is_ok_and_its_number_is_shown(ask: Ask) -> None:
    found = ask()
    assert bad(found) == set()
    assert ACCOUNT in found["broker"]["detail"] and "paper" in found["broker"]["detail"]
    assert "100,000.00 USD" in found["broker account"]["detail"]
    assert "1 daily bars of INTC" in found["broker bars"]["detail"]


def test_an_unfamiliar_port_is_tried_and_warned_of(ask: Ask) -> None:
    port = ask()["broker port"]
    assert port["ok"] and "unfamiliar" in port["detail"] and "7497" in port["cure"]


def test_nothing_that_listens_is_named_with_its_cure(tws: TwsDouble, ask: Ask) -> None:
    tws.close_port()
    found = ask()
    assert bad(found) == {"broker", "broker port"}
    assert "does not answer" in found["broker"]["detail"] and "start TWS" in found["broker"]["cure"]


def test_read_only_mode_is_named_with_its_cure(tws: TwsDouble, ask: Ask) -> None:
    tws.read_only = True
    found = ask()
    assert "Read-Only" in found["broker"]["detail"] and "clear Read-Only API" in found["broker"]["cure"]


def test_a_client_id_in_use_is_named_with_its_cure(tws: TwsDouble, ask: Ask) -> None:
    with connected(tws):
        found = ask()
    assert "client id 17" in found["broker"]["detail"] and "ibkr_client_id" in found["broker"]["cure"]


def test_beside_a_scheduler_its_client_id_is_left_to_it(tws: TwsDouble, home: Home, ask: Ask) -> None:
    with connected(tws), SchedulerLock(home).acquire("scheduler"):
        assert "client id 18" in ask()["broker"]["detail"]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"ibkr_account": "DU7654321"}, f"logged in to {ACCOUNT}"),
        ({"ibkr_mode": "live", "ibkr_account": "U1234567"}, "no known live port"),
        ({"ibkr_account": "U1234567"}, "no paper account"),
    ],
)
def test_settings_that_disagree_are_refused_with_a_cure(ask: Ask, chosen: dict[str, Any], words: str) -> None:
    found = ask(**chosen)
    assert words in found["broker"]["detail"] and found["broker"]["cure"]


@pytest.mark.parametrize(
    ("restart", "zone", "ok"),
    [
        ("23:45", "America/New_York", True), ("", "", True), ("12:00", "America/New_York", False),
        # 03:45 in New York, and 04:45 between the two changes of the clock in spring and autumn.
        ("09:45", "Europe/Berlin", False), ("08:30", "Europe/Berlin", True),
    ],
)
def test_a_restart_that_disturbs_on_any_day_of_a_year_fails(ask: Ask, restart: str, zone: str, ok: bool) -> None:
    found = ask(ibkr_restart=restart, ibkr_timezone=zone)["broker restart"]
    assert found["ok"] is ok
    assert ok or "04:00 and 16:10" in found["detail"]


def test_a_clock_that_is_a_minute_off_fails(tws: TwsDouble, ask: Ask) -> None:
    tws.ledger.clock = lambda: datetime.now(UTC) - timedelta(seconds=60)
    found = ask()["broker clock"]
    assert not found["ok"] and "ahead" in found["detail"] and "NTP" in found["cure"]


@pytest.mark.parametrize("trouble", [(162, "No market data permissions"), (354, "not subscribed"), (10089, "needs API"), "silence"])
def test_without_bars_it_says_what_then_happens_and_goes_on(tws: TwsDouble, ask: Ask, trouble: Any) -> None:
    tws.history_trouble["INTC"] = trouble
    found = ask()
    assert bad(found) == set()
    assert "Yahoo" in found["broker bars"]["cure"]
    assert trouble == "silence" or str(trouble[0]) in found["broker bars"]["detail"]


def test_a_stock_that_ib_does_not_know_is_named(ask: Ask) -> None:
    assert "no stock ZZZZ" in ask("ZZZZ")["broker bars"]["detail"]


def test_a_schedulers_own_connection_in_trouble_is_told(home: Home, ask: Ask) -> None:
    now = stamp(datetime.now(UTC))
    with SchedulerLock(home).acquire("scheduler"):
        holder = SchedulerLock(home).holder()
        with Store(home).transaction("system") as db:
            db.table("scheduler").insert({"pid": holder and holder.pid, "started": now, "heartbeat": now})
            db.table("broker").insert({"state": "link lost", "ready": False, "detail": "TWS lost its link; log in again.", "at": now})
        found = ask()
    assert bad(found) == {"broker scheduler"}
    assert found["broker scheduler"]["cure"] == "log in again."


def test_the_command_shows_the_broker_alone_and_ends_with_its_verdict(
    tws: TwsDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVETRADING_IBKR_PORT", str(tws.port))
    assert main(["--home", str(tmp_path), "doctor", "--ibkr", "--json"]) == 0
    shown = capsys.readouterr()
    assert {c["name"].split()[0] for c in json.loads(shown.out)["checks"]} == {"broker"}
    assert "connecting with client id 17" in shown.err
    tws.read_only = True
    assert main(["--home", str(tmp_path), "doctor", "--ibkr", "--json"]) == 1
