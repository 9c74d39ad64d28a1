"""Every cassette in tests/cassettes is played to the adapter: it sends what was sent, and ends knowing what TWS said.

A recording of a real TWS (``doctor --record FILE``) is added by putting it there.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.home import CHECKOUT
from tests.doubles.ibkr import await_that
from tests.doubles.tws import record, replay
from tests.doubles.tws.cassette import Cassette, CassetteTws, Line, Said, read, said

CASSETTES = sorted((CHECKOUT / "tests" / "cassettes").glob("*.jsonl"))


def played(cassette: Cassette) -> Iterator[tuple[CassetteTws, IbkrConnection]]:
    with CassetteTws(cassette) as tws, IbkrConnection(replay.config_for(tws)) as connection:
        health = connection.wait_ready(replay.PATIENCE)
        assert health.ready, (health, tws.differences)
        replay.follow(tws, connection)
        yield tws, connection


def apart(told: Said, connection: IbkrConnection) -> list[str]:
    """Where the register knows something else than what was said."""
    register, found = connection.session.register, []
    for perm, status in told.status.items():
        known = register.order_reports.get(perm)
        if known is None or (known.ref, known.status) != (told.refs[perm], status):
            found.append(f"order {perm} is {status}, the register has {known}")
        elif known.filled != told.filled.get(perm, 0.0):
            found.append(f"order {perm} filled {told.filled[perm]}, the register has {known.filled}")
    executions = {e.exec_id: (e.ref, float(e.qty), e.price) for e in register.executions.values()}
    if executions != told.executions:
        found.append(f"executions are {told.executions}, the register has {executions}")
    if {k: register.commissions.get(k) for k in told.commissions} != told.commissions:
        found.append(f"commissions are {told.commissions}, the register has {register.commissions}")
    held = {key: qty for key, qty in told.held.items() if qty}
    if {key: qty for key, qty in register.positions.items() if qty} != held:
        found.append(f"held is {held}, the register has {register.positions}")
    return found


def test_there_are_cassettes_of_both_ends_of_the_protocol_and_they_say_where_they_come_from() -> None:
    headers = [read(path).header for path in CASSETTES]
    assert {157, 178} <= {h["server_version"] for h in headers}
    for header in headers:
        assert header["version"] == 1 and header["created"] and header["client"] and header["source"]


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_is_followed_message_by_message_to_the_state_that_it_tells(path: Path) -> None:
    cassette = read(path)
    for tws, connection in played(cassette):
        assert tws.differences == []
        await_that(lambda: not apart(said(cassette), connection) or None, "; ".join(apart(said(cassette), connection)))


def test_an_adapter_that_asks_in_another_order_and_less_or_more_follows_all_the_same() -> None:
    """Orders and cancels must be the same; what is asked, and when, may change from version to version."""
    cassette = read(CHECKOUT / "tests" / "cassettes" / "double-157-round-trip.jsonl")
    lines = list(cassette.lines)
    start, place = first(cassette, True, "61"), first(cassette, True, "76")
    lines[start], lines[place] = lines[place], lines[start]
    lines.insert(place, Line(True, ("62", "1", "999", "All", "NetLiquidation")))  # never asked by this adapter
    looks = [i for i, x in enumerate(lines) if x.sent and x.fields[0] == "99"]
    lines.pop(looks[1])  # asked once more than recorded
    for tws, connection in played(Cassette(cassette.header, tuple(lines))):
        assert tws.differences == [] and any("not asked" in q for q in tws.questions)
        await_that(lambda: not apart(said(cassette), connection) or None)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_holds_no_account_of_anybody(path: Path) -> None:
    text = path.read_text()
    accounts = re.findall(r"(?<![A-Za-z0-9])D?[UFI]\d{5,10}(?![A-Za-z0-9])", text)
    assert accounts and all(re.search(r"0000\d{3}$", account) for account in accounts)
    assert "my own stop" not in text


def changed(cassette: Cassette, where: int, place: int, value: str) -> Cassette:
    lines = list(cassette.lines)
    fields = list(lines[where].fields)
    fields[place] = value
    lines[where] = Line(lines[where].sent, tuple(fields), lines[where].at)
    return Cassette(cassette.header, tuple(lines))


def first(cassette: Cassette, sent: bool, kind: str) -> int:
    return next(i for i, x in enumerate(cassette.lines) if x.sent == sent and x.fields[:1] == (kind,))


def test_a_recording_of_a_real_account_is_played_as_one_of_a_paper_account(tmp_path: Path) -> None:
    text = (CHECKOUT / "tests" / "cassettes" / "double-178-morning.jsonl").read_text()
    path = tmp_path / "real.jsonl"
    path.write_text(text.replace("DU0000001", "U0000001") + '{"t": 99, "c')  # and it was cut off
    for tws, connection in played(read(path)):
        assert tws.differences == [] and connection.session.account == "DU0000001"


def test_an_adapter_that_sends_something_else_is_told() -> None:
    """Here the cassette is bent and not the adapter: both ways they differ in one field."""
    cassette = read(CHECKOUT / "tests" / "cassettes" / "double-157-round-trip.jsonl")
    bent = changed(cassette, first(cassette, True, "3"), 33, "1")  # outsideRth, which we never set
    for tws, _ in played(bent):
        assert len(tws.differences) == 1 and "(33, '1', '0')" in tws.differences[0]


def test_a_register_that_ends_in_another_state_is_told() -> None:
    cassette = read(CHECKOUT / "tests" / "cassettes" / "double-157-round-trip.jsonl")
    last = max(i for i, x in enumerate(cassette.lines) if x.fields[:1] == ("59",))
    other = changed(cassette, last, 3, "7.77")
    for _, connection in played(cassette):
        assert any("7.77" in text for text in apart(said(other), connection))


def test_a_message_that_never_comes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PATIENCE", 2.0)
    cassette = read(CHECKOUT / "tests" / "cassettes" / "double-178-morning.jsonl")
    bent = changed(cassette, first(cassette, True, "9"), 0, "8")  # the adapter never asks for ids
    with pytest.raises(AssertionError, match="nothing in the adapter sends"):
        list(played(bent))


def test_what_the_double_says_today_is_recorded_and_followed(tmp_path: Path) -> None:
    """Recorder, player and adapter in one go, whatever the stored cassettes hold."""
    path = tmp_path / "new.jsonl"
    record.record("double-178-morning", path)
    for tws, connection in played(read(path)):
        assert tws.differences == [] and apart(said(tws.cassette), connection) == []
