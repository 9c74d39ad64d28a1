"""What others read of an agent: plain TinyDB files that say what the journal says, at the same cost every day."""

from pathlib import Path

import pytest
import tinydb

from livetrading.adapters import store
from livetrading.execution.state.read_model import TABLES, history_files
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, crash_bar, deployed
from tests.doubles.series import generated


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    made = deployed(tmp_path_factory.mktemp("life"), crash_bar(generated(1, FIRST + 30), FIRST + 8), Cycler())
    for t in range(FIRST, FIRST + 14):
        made.day(t)
    return made


def _tables(life: Life, name: str) -> dict[str, list[dict]]:
    return life.store.read_docs(life.home.agent(AGENT) / name)


def _history(life: Life) -> dict[str, list[dict]]:
    """What the files of all months hold, one after the other."""
    months = [life.store.read_docs(path) for path in history_files(life.home.agent(AGENT))]
    return {table: [doc for month in months for doc in month[table]] for table in TABLES}


def test_the_files_are_plain_tinydb(life: Life) -> None:
    shown = []
    for path in history_files(life.home.agent(AGENT)):
        with tinydb.TinyDB(path) as db:
            shown += [doc["session"] for doc in db.table("equity")]
    assert shown == [e.session for e in life.named("Marked")] and len(shown) == 14
    with tinydb.TinyDB(life.home.agent(AGENT) / "state.json") as db:
        assert db.table("agent").all()[0]["agent_id"] == AGENT


def test_every_fill_trade_decision_and_order_of_the_journal_is_shown_once(life: Life) -> None:
    shown = _history(life)
    assert [f["exec_id"] for f in shown["fills"]] == [e.exec_id for e in life.named("Filled")]
    assert [d["session"] for d in shown["decisions"]] == [e.session for e in life.named("Decided")]
    assert len(shown["trades"]) == life.state.book.num_trades > 1
    keys = [o["key"] for o in shown["orders"]]
    assert len(keys) == len(set(keys)) and {"FILLED", "CANCELED"} >= {o["state"] for o in shown["orders"]}


def test_the_state_says_how_the_agent_stands(life: Life) -> None:
    (doc,) = _tables(life, "state.json")["agent"]
    book = life.state.book
    assert (doc["current_position"], doc["cash"], doc["num_trades"]) == (book.shares, book.cash, book.num_trades)
    assert doc["total_pnl"] == doc["portfolio_value"] - 10_000.0
    assert doc["seq"] == life.repository.seq and doc["realized_pnl"] == book.realized


def test_a_held_session_and_a_negative_cash_are_warned_about(tmp_path: Path) -> None:
    from livetrading.core.events import Deposited, Held

    life = deployed(tmp_path, generated(1, FIRST + 5), Cycler())
    now = at(life.sessions[FIRST], "16:40")
    life.repository.commit([Held(life.sessions[FIRST].isoformat(), "no bar"), Deposited(-10_100.0)], now)
    (doc,) = _tables(life, "state.json")["agent"]
    assert "is held: no bar" in doc["warnings"][0] and "overdrawn by 100.00" in doc["warnings"][1]


def test_a_commit_writes_two_files_however_long_the_history(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.core.events import Noted

    written: list[str] = []
    real = store.atomic_write

    def count(path: Path, data: bytes, **options: object) -> None:
        written.append(path.name)
        real(path, data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "atomic_write", count)
    life.repository.commit([Noted("a word")], at(life.sessions[FIRST + 14], "07:00"))
    assert sorted(written) == ["history-2012-02.json", "state.json"]
