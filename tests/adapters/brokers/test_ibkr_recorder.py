"""A recording of TWS names nobody, is bounded, and never disturbs the connection that it hears."""

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.brokers.ibkr import recorder as recorder_module
from livetrading.adapters.brokers.ibkr.recorder import VARIABLE, Recorder, from_environment
from livetrading.adapters.brokers.ibkr.scrub import Scrubber, rounded
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.settings import Settings
from livetrading.cli.main import main
from livetrading.core.errors import Unavailable
from tests.doubles.ibkr import NOW, VERSIONS, again_ready, await_that, broker, connected, entry, other, stop
from tests.doubles.tws import TwsDouble
from tests.doubles.tws import messages as told

ACCOUNT, OTHER = "DU1234567", "U7654321"
NAME = "Erika Mustermann"


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=lambda: NOW) as double:
        yield double


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tws.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def recorded(tws: TwsDouble, path: Path, **more: Any) -> Recorder:
    """An hour of work in short: an order of ours, one of another program, fills, errors."""
    recorder = Recorder(path, **more)
    with connected(tws, client_id=30) as somebody:
        broker(somebody).submit(other(stop(), ref=f"{NAME} private"), None, NOW)
    with connected(tws, recorder=recorder) as connection:
        tna = broker(connection)
        tna.submit(entry(), stop(), NOW)
        tws.complain(17, 1000, 399, f"Order of account {ACCOUNT} and of {OTHER}, owner {NAME}")
        tws.happen(lambda ledger: ledger.auction("TNA", 100.0))
        await_that(lambda: sum(e.qty for e in tna.executions()) == 10)
        connection.read_account()
    recorder.close()
    assert recorder.trouble == ""
    return recorder


def test_no_account_name_or_foreign_reference_is_in_it_and_each_account_is_the_same_throughout(
    tws: TwsDouble, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tws.accounts.append(OTHER)
    values = told.account_values
    monkeypatch.setattr(
        told,
        "account_values",
        lambda ledger: [
            *values(ledger),
            ("Owner", NAME, ""),
            ("AccountOrGroup", ACCOUNT, "USD"),
            ("AccountType", "INDIVIDUAL", ""),
        ],
    )
    recorder = Recorder(path)
    with connected(tws, client_id=30, account=ACCOUNT) as somebody:
        broker(somebody).submit(other(stop(), ref=f"{NAME} private"), None, NOW)
    with connected(tws, recorder=recorder, account=ACCOUNT) as connection:
        broker(connection).submit(entry(), None, NOW)
        tws.complain(17, 1000, 399, f"Order of account {ACCOUNT} and of {OTHER}, owner {NAME}")
        connection.read_account()
    recorder.close()
    text = path.read_text()
    for private in (ACCOUNT, OTHER, "1234567", "7654321", NAME, "Erika", "private"):
        assert private not in text
    fields = [line["f"] for line in lines(path)[1:] if "f" in line]
    assert ["15", "1", "DU0000001,U0000002"] in fields
    assert any(
        "Order of account DU0000001 and of U0000002, owner text-1" in f for f in fields if f[0] == "4" for f in f
    )
    orders = [f for f in fields if f[0] == "5" and len(f) > 2]
    assert {f[20] for f in orders} == {"DU0000001"}
    assert {f[23] for f in orders} == {entry().ref, "ref-1"}
    assert ["6", "2", "AccountType", "INDIVIDUAL", "", "DU0000001"] in fields


def test_amounts_of_the_account_are_rounded_unless_they_are_wanted_and_prices_of_orders_stay(
    tws: TwsDouble, path: Path
) -> None:
    tws.ledger.cash = 98_765.43
    recorded(tws, path)
    text = path.read_text()
    assert "98765" not in text and '"NetLiquidation","100000","USD"' in text
    assert '"90.03"' in text and lines(path)[0]["money"] == "rounded to one digit"
    whole = Recorder(path.with_name("values.jsonl"), values=True)
    with connected(tws, recorder=whole) as connection:
        worth = connection.account().net_liquidation
    whole.close()
    assert lines(whole.path)[0]["money"] == "as told" and f'"{worth:.2f}"' in whole.path.read_text()


def test_it_begins_with_a_header_and_holds_both_directions_in_their_order(tws: TwsDouble, path: Path) -> None:
    recorder = recorded(tws, path)
    header, *rest = lines(path)
    assert (header["version"], header["server_version"]) == (1, tws.version) and "ib_async" in header["client"]
    assert [(x["d"], x["f"][0]) for x in rest[:4]] == [
        (">", "v157..178"),
        ("<", str(tws.version)),
        (">", "71"),
        ("<", "15"),
    ]
    assert [x["t"] for x in rest] == sorted(x["t"] for x in rest)
    assert recorder.frames == sum("f" in x for x in rest) and rest[-1]["e"] == "closed"
    assert {x["f"][0] for x in rest if "f" in x and x["d"] == ">"} >= {"71", "61", "99", "16", "7", "3"}


def test_a_connection_that_is_made_again_is_another_one_in_the_same_file(tws: TwsDouble, path: Path) -> None:
    recorder = Recorder(path)
    with connected(tws, recorder=recorder) as connection:
        again_ready(connection, tws.drop_all)
    recorder.close()
    assert {x["c"] for x in lines(path)[1:]} == set(range(1, recorder.connections + 1)) and recorder.connections > 1


def test_it_is_for_its_owner_alone_and_overwrites_nothing(tws: TwsDouble, path: Path) -> None:
    path.write_text("mine")
    recorder = recorded(tws, path)
    assert path.read_text() == "mine" and recorder.path.name == "tws-2.jsonl"
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600


def works(tws: TwsDouble, recorder: Recorder) -> None:
    """The connection does all that it does, whatever the recording does."""
    with connected(tws, recorder=recorder) as connection:
        before = connection.session.connections
        broker(connection).submit(entry(), stop(), NOW)
        for _ in range(3):
            connection.read_account()
        assert len(connection.open_orders()) == 2 and connection.session.connections == before
        await_that(lambda: recorder.trouble)
    recorder.close()


def test_at_its_limit_it_ends_with_a_word(tws: TwsDouble, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(path, limit=3_000)
    works(tws, recorder)
    assert "has reached 3,000 bytes" in recorder.trouble and recorder.trouble in caplog.text
    assert path.stat().st_size < 3_100 and lines(path)[-1]["e"] == "full"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_ends_the_recording_and_not_the_connection(
    tws: TwsDouble, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    recorder, write = Recorder(path), os.write

    def full(fd: int, data: bytes) -> int:
        if threading.current_thread().name == "ibkr recorder" and recorder.frames > 5:
            raise OSError(code, os.strerror(code))
        return write(fd, data)

    monkeypatch.setattr(recorder_module.os, "write", full)
    works(tws, recorder)
    assert recorder.trouble in caplog.text


def test_a_disk_that_hangs_holds_nobody_up(tws: TwsDouble, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang, write = threading.Event(), os.write

    def hanging(fd: int, data: bytes) -> int:
        if threading.current_thread().name == "ibkr recorder":
            hang.wait(60)
        return write(fd, data)

    monkeypatch.setattr(recorder_module.os, "write", hanging)
    monkeypatch.setattr(recorder_module, "CLOSE_SECONDS", 0.1)
    recorder = Recorder(path, room=3_000)
    works(tws, recorder)
    assert "too slow" in recorder.trouble
    hang.set()


def test_a_fault_of_the_recorder_itself_is_logged_with_its_traceback_and_disturbs_nobody(
    tws: TwsDouble, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Scrubber, "frame", lambda *args: 1 / 0)
    recorder = Recorder(path)
    works(tws, recorder)
    assert "ZeroDivisionError" in caplog.text


def test_a_place_that_cannot_be_written_is_told_and_the_connection_is_made_all_the_same(
    tws: TwsDouble, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path / "none" / "tws.jsonl")
    works(tws, recorder)
    with pytest.raises(Unavailable, match="tws.jsonl"):
        Recorder(tmp_path / "none" / "tws.jsonl").open()


def test_what_is_no_tws_is_noted_without_its_words(path: Path) -> None:
    recorder = Recorder(path)
    recorder.open()
    recorder._put(1, "<", b"HTTP/1.1 400 secret\r\n\r\n")
    recorder.close()
    assert lines(path)[1]["e"] == "unreadable" and "secret" not in path.read_text()


def test_the_variable_records_every_connection_of_a_process_and_touches_no_disk_before(
    tws: TwsDouble, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config_of(Settings()).recorder is None
    monkeypatch.setenv(VARIABLE, str(path))
    recorder = config_of(Settings()).recorder
    assert recorder is not None and config_of(Settings()).recorder is recorder and not path.exists()
    assert from_environment({VARIABLE: " "}) is None
    with connected(tws, recorder=recorder), connected(tws, recorder=recorder, client_id=18):
        pass
    recorder.close()
    assert {x["c"] for x in lines(path)[1:]} == {1, 2}


def test_doctor_records_what_it_asks_and_says_where(
    tws: TwsDouble, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tws.bars["INTC", "1 day", "TRADES"] = [("20240603", 30.0, 31.0, 29.0, 30.5, 1000, 30.2, 10)]
    tws.ledger.clock = lambda: datetime.now(UTC)
    monkeypatch.setenv("LIVETRADING_IBKR_PORT", str(tws.port))
    run = ["--home", str(tmp_path / "home"), "doctor", "--ibkr", "--json", "--record"]
    assert main([*run, str(path)]) == 0
    found = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}["broker recording"]
    assert found["ok"] and str(path) in found["detail"] and "before you send it" in found["cure"]
    assert ACCOUNT not in path.read_text() and len(lines(path)) > 20
    assert main([*run, str(tmp_path / "none" / "x")]) == 1
    tws.close_port()
    assert main([*run, str(tmp_path / "empty")]) == 1
    found = {c["name"]: c for c in json.loads(capsys.readouterr().out.splitlines()[-1])["checks"]}["broker recording"]
    assert not found["ok"]


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        ("98765.43", "100000"),
        ("-1234.5", "-1000"),
        ("0.0456", "0.05"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("", ""),
        ("n/a", "n/a"),
        ("NaN", "NaN"),
        ("1.7976931348623157E308", "1.7976931348623157E308"),
        ("2147483647", "2147483647"),
        ("1e-5", "0.00001"),
        ("9.9", "10"),
    ],
)
def test_an_amount_keeps_its_sign_and_size_and_marks_stay(amount: str, kept: str) -> None:
    assert rounded(amount) == kept


texts = st.one_of(
    st.text(max_size=12), st.sampled_from([ACCOUNT, f"x {ACCOUNT}.", ACCOUNT.lower(), "12", "1e999", OTHER])
)


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from("3 4 5 6 7 11 15 61 63 73 101 999".split()), st.lists(texts, max_size=40)
        ),
        max_size=4,
    ),
    st.sampled_from([157, 178]),
)
def test_no_message_however_malformed_lets_an_account_through(
    frames: list[tuple[bool, str, list[str]]], version: int
) -> None:
    scrubber = Scrubber(version=version)
    scrubber.frame(False, ["15", "1", f"{ACCOUNT},{OTHER}"])
    for sent, kind, fields in frames:
        written = scrubber.frame(sent, [kind, *fields])
        assert len(written) == len(fields) + 1
        assert not any(ACCOUNT.lower() in f.lower() or OTHER.lower() in f.lower() for f in written)
