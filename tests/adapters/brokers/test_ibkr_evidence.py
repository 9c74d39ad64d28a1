"""What is assumed of TWS is one list; what was seen of it is kept with its time and version."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from livetrading.adapters.brokers.ibkr import evidence as evidence
from livetrading.adapters.brokers.ibkr.assumptions import ASSUMPTIONS, KEYS, as_text
from livetrading.adapters.brokers.ibkr.connection import IbkrConnection
from livetrading.adapters.brokers.ibkr.evidence import Proof
from livetrading.adapters.brokers.ibkr.words import WORDS
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput
from livetrading.execution import account_status
from tests.doubles.ibkr import NOW, VERSIONS, await_that, broker, connected, entry, stop
from tests.doubles.tws import Fault, TwsDouble

TODAY = date(2024, 6, 4)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home.resolve(str(tmp_path)))


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=lambda: NOW) as double:
        yield double


def test_the_guide_lists_exactly_what_the_program_assumes() -> None:
    guide = (CHECKOUT / "docs" / "IBKR.md").read_text().partition("## Assumed, not known")[2]
    listed = [" ".join(entry.split()) for entry in re.split(r"\n(?=- )", guide) if entry.startswith("- ")]
    assert listed == [" ".join(as_text(a).split()) for a in ASSUMPTIONS]
    assert len(set(KEYS)) == len(KEYS) and all(a.probe.endswith(".") and a.sentence for a in ASSUMPTIONS)


def test_nothing_is_proved_in_a_new_home_and_the_latest_proof_counts(store: Store) -> None:
    assert {f["state"] for f in evidence.overview(store)} == {"open"}
    seen = Proof("paper-auction", True, "2024-06-03T14:00:00Z", 157, "paper", "seen")
    evidence.record(store, seen)
    evidence.record(store, replace(seen, holds=False, at="2024-06-04T14:00:00Z", server_version=178))
    found = next(f for f in evidence.overview(store) if f["key"] == "paper-auction")
    assert (found["state"], found["proof"]["server_version"]) == ("disproved", 178)
    assert "2024-06-04" in evidence.line(found) and "server version 178" in evidence.line(found)
    evidence.record(store, replace(seen, at="2024-06-05T14:00:00Z"))
    assert next(f for f in evidence.overview(store) if f["key"] == "paper-auction")["state"] == "proved"
    assert len(evidence.proofs(store)["paper-auction"]) == 2  # one of each outcome is kept


def test_an_unknown_key_is_refused_with_those_that_exist(store: Store) -> None:
    with pytest.raises(BadInput, match="paper-auction"):
        evidence.by_hand(store, "nonsense", "", True, NOW, 0, "paper")


def test_an_entry_and_its_stop_that_wait_for_the_open_prove_the_pair(tws: TwsDouble) -> None:
    with connected(tws) as connection:
        assert "pair-accepted" not in connection.observed(TODAY)
        broker(connection).submit(entry(), stop(), NOW)
        assert "pair-accepted" in connection.observed(TODAY)


def test_a_stop_that_followed_its_fill_proves_no_pair(tws: TwsDouble) -> None:
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(entry(), None, NOW)
        tws.happen(lambda ledger: ledger.auction("TNA", 100.0, 4))
        await_that(lambda: tna.executions())
        tna.submit(stop(4), None, NOW)
        assert "pair-accepted" not in connection.observed(TODAY)


def test_a_refused_order_that_is_listed_and_yesterdays_end_are_seen(tws: TwsDouble) -> None:
    with connected(tws) as connection:
        tws.fail(Fault("reject"))
        broker(connection).submit(entry(), None, NOW)
        connection.read_account()
        assert "refused-is-listed" in connection.observed(TODAY)
        assert "completed-next-day" not in connection.observed(TODAY)
        assert "completed-next-day" in connection.observed(TODAY + timedelta(days=1))


def test_an_execution_that_counts_on_from_another_day_is_seen() -> None:
    now = [NOW]
    with TwsDouble(157, clock=lambda: now[0]) as tws:
        with connected(tws) as connection:
            tna = broker(connection)
            tna.submit(stop(), None, NOW)
            tws.happen(lambda ledger: ledger.market("TNA", 90.0, 4))
            await_that(lambda: tna.executions())
            assert "cumulative-over-life" not in connection.observed(TODAY)
        now[0] += timedelta(days=1)
        with connected(tws) as connection:
            assert "cumulative-over-life" not in connection.observed(TODAY)  # nothing of today is listed yet
            tws.happen(lambda ledger: ledger.market("TNA", 90.0, 3))
            await_that(lambda: broker(connection).executions())
            assert "cumulative-over-life" in connection.observed(TODAY)


def test_what_was_seen_is_recorded_once_for_each_version(store: Store) -> None:
    seen = {"pair-accepted": "both were listed"}
    assert evidence.note(store, seen, NOW, 157, "DU1") == ["pair-accepted"]
    assert evidence.note(store, seen, NOW, 157, "DU1") == []
    assert evidence.note(store, seen, NOW, 178, "DU1") == ["pair-accepted"]
    assert evidence.note(store, seen, NOW, 178, "U1") == ["pair-accepted"]
    assert evidence.note(store, {}, NOW, 178, "U1") == []


def seen_by(connection: IbkrConnection, store: Store) -> Any:
    """A node of which the account's connection alone is wanted."""
    account = SimpleNamespace(connection=SimpleNamespace(link=lambda: connection), words=WORDS)
    return SimpleNamespace(account=account, store=store)


def test_the_scheduler_records_what_its_connection_sees(tws: TwsDouble, store: Store) -> None:
    with connected(tws) as connection:
        broker(connection).submit(entry(), stop(), NOW)
        account_status.observe(seen_by(connection, store), NOW)
    proof = evidence.proofs(store)["pair-accepted"][0]
    assert (proof.server_version, proof.account_kind, proof.holds) == (tws.version, "paper", True)


def test_a_damaged_file_of_proofs_never_stops_the_scheduler(tws: TwsDouble, store: Store) -> None:
    store.path(evidence.NAME).write_text("garbage")
    with connected(tws) as connection:
        broker(connection).submit(entry(), stop(), NOW)
        account_status.observe(seen_by(connection, store), NOW)
