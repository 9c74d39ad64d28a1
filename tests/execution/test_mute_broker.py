"""What is asked of a broker that falls silent: it is said so, it is on record, and it goes on by itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.core.errors import Unavailable
from livetrading.execution.state import requests
from tests.doubles.account_days import holding
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import await_that
from tests.doubles.lives import AGENT, at
from tests.doubles.tws import Fault

PLACE = 3
EVERYTHING = set(range(1, 120))
NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)


def falls_silent_at_the_exit(life: AccountLife) -> None:
    """TWS takes the exit's message and says nothing any more, to nothing."""

    def exit_came(fields: list[str]) -> bool:
        if fields[16] == "SELL" and fields[18] == "MKT":
            life.tws.faults.silent.update(EVERYTHING)
            return True
        return False

    life.tws.fail(Fault("swallow", PLACE, times=99, only=exit_came))


def speaks_again(life: AccountLife) -> None:
    life.tws.do(life.tws.faults.silent.clear)
    life.tws.do(life.tws.faults.waiting.clear)
    await_that(lambda: life.node.account.connection.link().health().ready, "the connection is back")


def sold(life: AccountLife, t: int, clock: str) -> bool:
    life.check(at(life.sessions[t], clock))
    return [(o.type, o.tif, o.qty) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY", life.state.book.shares)]


def test_an_emergency_stop_waits_for_a_broker_that_has_not_taken_the_exit(life: AccountLife) -> None:
    t = holding(life)
    falls_silent_at_the_exit(life)
    told = life.ask("emergency_stop", at(life.sessions[t], "11:00"))["result"]
    (item,) = [i for i in told["items"] if i["agent_id"] == AGENT]
    assert (told["state"], told["flat"], item["status"]) == ("waiting", False, "waiting for the broker"), told
    assert item["error"]


def test_a_close_that_the_broker_has_not_taken_waits_says_so_and_goes_on_by_itself(life: AccountLife) -> None:
    t = holding(life)
    falls_silent_at_the_exit(life)
    answer = life.ask("close", at(life.sessions[t], "11:00"))
    assert (answer["status"], answer["result"]["outcome"]) == ("done", "waiting for the broker"), answer
    assert "goes on by itself" in answer["message"] and "TWS" in answer["message"]
    speaks_again(life)
    assert any([sold(life, t, clock) for clock in ("11:01", "11:02", "11:03")])


def test_a_close_while_the_broker_is_away_is_on_record_and_goes_when_it_is_back(life: AccountLife) -> None:
    t = holding(life)
    life.tws.close_port()
    await_that(lambda: not life.node.account.connection.link().health().ready, "the connection is gone")
    answer = life.ask("close", at(life.sessions[t], "11:00"))
    assert (answer["status"], answer["result"]["outcome"]) == ("done", "waiting for the broker"), answer
    assert "goes on by itself" in answer["message"]
    again = life.ask("close", at(life.sessions[t], "11:00:10"))
    assert again["status"] == "done" and [o.leg for o in life.state.orders if o.leg == "exit"] == ["exit"]
    life.tws.open_port()
    life.restart()
    assert any([sold(life, t, clock) for clock in ("11:01", "11:02")])
    life.trades(t)
    life.check(at(life.sessions[t], "11:05"))
    assert life.state.flat and life.tws.ledger.holds("TEST") == 0 == life.tws.ledger.on_sale("TEST")


def test_a_close_that_is_refused_for_a_reason_is_not_put_on_record(life: AccountLife) -> None:
    t = holding(life)
    life.trades(t)
    life.ask("close", at(life.sessions[t], "11:00"))
    life.trades(t)
    life.check(at(life.sessions[t], "11:05"))
    answer = life.ask("close", at(life.sessions[t], "11:06"))
    assert answer["status"] == "refused" and "holds no position" in answer["message"] and life.state.idle


@pytest.mark.parametrize(
    ("mode", "kind", "said"),
    [
        ("ibkr", "close", "the close is waiting and goes on by itself"),
        ("ibkr", "adopt", "look at the agent before you ask again"),
        ("paper", "close", "answered as soon as the scheduler comes to it"),
    ],
)
def test_a_request_without_an_answer_says_what_it_waits_for(tmp_path: Path, mode: str, kind: str, said: str) -> None:
    home = Home(tmp_path)
    store = Store(home)
    home.agent(AGENT).mkdir(parents=True, exist_ok=True)
    Store.write_docs(home.agent(AGENT) / "state.json", {"agent": [{"agent_id": AGENT, "mode": mode}]})
    made = requests.submit(store, kind, agent_id=AGENT, by="a test", now=NOW)
    with SchedulerLock(home).acquire("scheduler", NOW) as lock:
        lock.beat()
        with pytest.raises(Unavailable) as found:
            requests.wait(store, made, timeout=0.01)
    text = str(found.value)
    assert said in text and "up` or" not in text and ("TWS" in text) == (mode == "ibkr")
    with pytest.raises(Unavailable, match="see that"):
        requests.wait(store, made, timeout=0.01)


def test_a_socket_that_ends_while_something_is_written_is_a_broker_that_does_not_answer(life: AccountLife) -> None:
    holding(life)

    async def write() -> None:
        raise ConnectionError("Not connected")

    with pytest.raises(Unavailable, match="ended before it answered"):
        life.link.call(write)
