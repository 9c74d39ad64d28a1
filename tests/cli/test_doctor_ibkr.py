"""``doctor`` against a TWS double: each setting is checked, each fault has its cure, no order leaves."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.adapters.brokers.ibkr import evidence as evidence
from livetrading.adapters.brokers.ibkr.assumptions import KEYS
from livetrading.adapters.brokers.ibkr.evidence import Proof
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.stamps import stamp
from livetrading.adapters.store import Store
from livetrading.cli.ibkr import connected as connected_checks
from livetrading.cli.ibkr import doctor as doctor_ibkr
from livetrading.cli.main import main
from tests.doubles import listeners
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
    assert "1 daily bar of INTC" in found["broker bars"]["detail"]


def test_an_unfamiliar_port_is_tried_and_warned_of(ask: Ask) -> None:
    port = ask()["broker port"]
    assert port["ok"] and "unfamiliar" in port["detail"] and "7497" in port["cure"]


def test_nothing_that_listens_is_named_with_its_cure(tws: TwsDouble, ask: Ask) -> None:
    tws.close_port()
    found = ask()
    assert bad(found) == {"broker"} and "broker port" not in found
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
        ({"ibkr_account": "U1234567"}, "not a paper account"),
    ],
)
def test_settings_that_disagree_are_refused_with_a_cure(ask: Ask, chosen: dict[str, Any], words: str) -> None:
    found = ask(**chosen)
    assert words in found["broker"]["detail"] and found["broker"]["cure"]


@pytest.mark.parametrize(
    ("restart", "zone", "ok"),
    [
        ("23:45", "America/New_York", True),
        ("", "", True),
        ("12:00", "America/New_York", False),
        # 03:45 in New York, and 04:45 between the two changes of the clock in spring and autumn.
        ("09:45", "Europe/Berlin", False),
        ("08:30", "Europe/Berlin", True),
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


@pytest.mark.parametrize(
    "trouble", [(162, "No market data permissions"), (354, "not subscribed"), (10089, "needs API"), "silence"]
)
def test_without_bars_it_says_what_then_happens_and_goes_on(tws: TwsDouble, ask: Ask, trouble: Any) -> None:
    tws.history_trouble["INTC"] = trouble
    found = ask()
    assert bad(found) == set()
    assert "Yahoo" in found["broker bars"]["cure"]
    assert trouble == "silence" or str(trouble[0]) in found["broker bars"]["detail"]


def test_a_stock_that_ib_does_not_know_is_named(ask: Ask) -> None:
    assert "not know a stock ZZZZ" in ask("ZZZZ")["broker bars"]["detail"]


def test_a_schedulers_own_connection_in_trouble_is_told(home: Home, ask: Ask) -> None:
    now = stamp(datetime.now(UTC))
    with SchedulerLock(home).acquire("scheduler"):
        holder = SchedulerLock(home).holder()
        with Store(home).transaction("system") as db:
            db.table("scheduler").insert({"pid": holder and holder.pid, "started": now, "heartbeat": now})
            db.table("broker").insert(
                {"state": "link lost", "ready": False, "detail": "TWS lost its link; log in again.", "at": now}
            )
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


# -- what is no TWS, or one that cannot be understood ------------------


def asked(home: Home, port: int, answer_seconds: float = 0.2, **chosen: Any) -> dict[str, dict[str, Any]]:
    settings.save_all(home, {"ibkr_port": port, "ibkr_timezone": "America/New_York", **chosen})
    return {c["name"]: c for c in doctor_ibkr.checks(home, timing=QUICK, answer_seconds=answer_seconds)}


@pytest.mark.parametrize(
    ("act", "words", "cure"),
    [
        (listeners.silent, "says nothing", "confirm its dialog"),
        (listeners.closing, "closes it at once", "Trusted IPs"),
        (listeners.saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "is a web server", "correct ibkr_port"),
        (listeners.encrypted, "speaks TLS", "correct ibkr_port"),
        (listeners.saying(b"\xff\xff\xff\xffgarbage"), "speaks another protocol", "correct ibkr_port"),
        (
            listeners.greeting(150),
            "server version 150, which is too old; this program can speak 157 to 178",
            "update TWS",
        ),
        (
            listeners.greeting(203),
            "server version 203, which is too new; this program can speak 157 to 178",
            "earlier release",
        ),
        (listeners.greeting(176, listeners.closing), "then closes the connection", "Enable ActiveX and Socket Clients"),
        (listeners.greeting(176), "does not name its accounts", "confirm its dialog"),
    ],
)
def test_what_listens_is_named_with_the_cure_that_fits_it(
    home: Home, act: listeners.Act, words: str, cure: str
) -> None:
    with listeners.listening(act) as port:
        found = asked(home, port)
    assert bad(found) == {"broker"}
    assert words in found["broker"]["detail"] and cure in found["broker"]["cure"]
    assert not [c for c in found.values() if c["name"] != "broker" and words in c["detail"]], "said once"


def test_a_tws_that_accepts_and_stays_silent_is_told_within_15_seconds(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listeners.listening(listeners.silent) as port:
        monkeypatch.setenv("LIVETRADING_IBKR_PORT", str(port))
        before = time.monotonic()
        assert main(["--home", str(home.root), "doctor", "--ibkr"]) == 1
        assert time.monotonic() - before < 15
    shown = capsys.readouterr().out
    assert "says nothing" in shown and "confirm its dialog" in shown and "Connecting to" not in shown


@pytest.mark.parametrize("message", [61, 16])
def test_a_tws_that_greets_and_answers_no_question_is_told_with_a_cure(
    tws: TwsDouble, home: Home, monkeypatch: pytest.MonkeyPatch, message: int
) -> None:
    monkeypatch.setattr(connected_checks, "READY_SECONDS", 2.0)
    tws.do(lambda: tws.faults.silent.add(message))
    settings.save_all(home, {"ibkr_port": tws.port})
    found = {c["name"]: c for c in doctor_ibkr.checks(home, timing=replace(QUICK, connect=0.3, answer=0.3))}
    assert "broker" in bad(found) and "Connecting to" not in found["broker"]["detail"] and found["broker"]["cure"]
    assert not found["broker"]["cure"].startswith("it is made again")


def test_several_failures_at_once_are_all_told(home: Home) -> None:
    with listeners.listening(listeners.silent) as port:
        found = asked(home, port, ibkr_mode="live", ibkr_account="U1234567", ibkr_restart="12:00")
    assert bad(found) == {"broker", "broker restart"}
    for words in ("says nothing", "no known live port"):
        assert words in found["broker"]["detail"]
    assert "confirm its dialog" in found["broker"]["cure"] and "set ibkr_port" in found["broker"]["cure"]


def test_the_servers_version_is_shown_with_what_can_be_spoken(tws: TwsDouble, ask: Ask) -> None:
    version = ask()["broker version"]
    assert version["ok"] and f"server version {tws.version}" in version["detail"] and "157 to 178" in version["detail"]


def test_an_account_in_another_currency_gets_the_currencys_cure(tws: TwsDouble, ask: Ask) -> None:
    """TWS tells no cash in USD of an account that holds none."""
    tws.ledger.currency = "EUR"
    account = ask()["broker account"]
    assert not account["ok"] and "100,000.00 EUR" in account["detail"] and "base currency is USD" in account["cure"]


def test_data_farms_that_are_broken_are_told_by_name_and_mended_ones_are_not(tws: TwsDouble, ask: Ask) -> None:
    tws.notices = [
        (2103, "Market data farm connection is broken:usfarm.nj"),
        (2105, "HMDS data farm connection is broken:ushmds"),
        (2157, "Sec-def data farm connection is broken:secdefnj"),
        (2103, "Market data farm connection is broken:eufarm"),
        (2104, "Market data farm connection is OK:eufarm"),
        (2107, "HMDS data farm connection is inactive but should be available upon demand.euhmds"),
    ]
    farms = ask()["broker data farms"]
    assert not farms["ok"] and farms["cure"]
    assert all(name in farms["detail"] for name in ("usfarm.nj", "ushmds", "secdefnj"))
    assert "eufarm" not in farms["detail"] and "euhmds" not in farms["detail"]
    tws.notices = []
    assert ask()["broker data farms"]["ok"]


# -- what is assumed of TWS -------------------------------------------


def test_what_was_proved_is_shown_with_its_date_and_version_and_the_rest_is_counted(
    tws: TwsDouble, home: Home, ask: Ask
) -> None:
    first = ask()["broker assumptions"]
    assert (
        first["ok"]
        and f"0 proved, 0 disproved, {len(KEYS)} open" in first["detail"]
        and "--assumptions" in first["cure"]
    )
    proof = Proof("paper-auction", False, "2024-06-03T13:35:00Z", tws.version, "paper", "it was not filled")
    evidence.record(Store(home), proof)
    told = ask()["broker assumptions"]
    assert told["ok"] and f"0 proved, 1 disproved, {len(KEYS) - 1} open" in told["detail"]
    assert f"paper-auction: disproved 2024-06-03 (server version {tws.version}, paper account)" in told["detail"]


def test_a_person_records_a_proof_by_hand(tws: TwsDouble, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    settings.save_all(home, {"ibkr_port": tws.port})
    run = ["--home", str(home.root), "doctor", "--json"]
    assert main([*run, "--proved", "stop-above-market", "--note", "TWS 10.37: filled at once"]) == 0
    found = {a["key"]: a for a in json.loads(capsys.readouterr().out)["assumptions"]}["stop-above-market"]
    assert found["state"] == "proved" and found["proof"]["server_version"] == tws.version
    assert found["proof"]["how"] == "TWS 10.37: filled at once"
    assert main([*run, "--disproved", "stop-above-market"]) == 0
    capsys.readouterr()
    assert main(["--home", str(home.root), "doctor", "--assumptions"]) == 0
    shown = capsys.readouterr().out
    assert f"0 proved, 1 disproved, {len(KEYS) - 1} open" in shown and "probe: " in shown
    assert main([*run, "--proved", "nonsense"]) == 1
    assert "choose one of" in capsys.readouterr().err


def test_a_damaged_file_of_proofs_is_one_failed_check_and_hides_no_other(home: Home, ask: Ask) -> None:
    Store(home).path(evidence.NAME).write_text("garbage")
    found = ask()
    assert bad(found) == {"broker assumptions"} and "move" in found["broker assumptions"]["cure"]
