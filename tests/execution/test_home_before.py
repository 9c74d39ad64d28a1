"""A home that the version before has written is opened, verified and traded on as if nothing had changed."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from livetrading.adapters import settings
from livetrading.adapters.bars import open_source
from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.core import agent_ledger, features, ledger, market
from livetrading.execution import pass_runner, verification
from livetrading.execution.node import Node
from livetrading.execution.orders.order_plans import planned_exit
from livetrading.execution.state.agent_repository import events_of
from livetrading.execution.trading import replay
from livetrading.research import backtest
from tests.doubles.ibkr import QUICK, await_that
from tests.doubles.lives import at
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Order

FIXTURE = Path(__file__).parents[1] / "fixtures" / "home-before"
PAPER, REPLAY, ACCOUNT = "PPO_AAPL_001", "PPO_AAPL_002", "PPO_AAPL_003"
AAPL = 265598
LAST, MORE = date(2022, 7, 25), 15


@pytest.fixture
def home(tmp_path: Path) -> Home:
    shutil.copytree(FIXTURE, tmp_path / "home")
    return Home.resolve(str(tmp_path / "home"))


def sessions_after(count: int) -> list[date]:
    found = [LAST]
    while len(found) <= count:
        found.append(calendar().next_session(found[-1]))
    return found[1:]


def test_it_verifies_with_every_decision_made_again(home: Home) -> None:
    found = verification.audit(home)
    assert (found["problems"], found["pending"], found["decisions_repeated"]) == ([], [], 70)


def test_its_paper_agent_trades_on_as_its_backtest_does(home: Home) -> None:
    shutil.rmtree(home.agent(ACCOUNT))  # an account's agent would ask for TWS
    node = Node(home, calendar())
    node.open()
    for day in sessions_after(MORE):
        for clock in ("08:00", "16:40"):
            assert pass_runner.run(node, at(day, clock))[1] == {}
    rows = agent_ledger.rows(e for _, batch in events_of(home.agent(PAPER)) for e in batch)
    assert len(rows) == 25 + MORE
    assert ledger.text(rows) == ledger.text(_alone(home, PAPER, rows[0]["bar"], len(rows)))


def test_its_models_stay_valid_when_a_feature_is_added_to_the_table(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put first, so that every column moves; all its decisions are made again to the bit, and its paper agent trades on."""
    new = features.Feature("range", "high over low, percent", lambda b: 100.0 * (b.high / b.low - 1.0), 1)
    monkeypatch.setattr(features, "REGISTRY", (new, *features.REGISTRY))
    monkeypatch.setattr(features, "FEATURES", ("range", *features.FEATURES))
    registry = Registry(home)
    for model_id in registry.ids():
        card, _ = registry.load(model_id)
        assert (card.feature_set, "range" in card.features) == ("daily-1", False)
    test_it_verifies_with_every_decision_made_again(home)
    test_its_paper_agent_trades_on_as_its_backtest_does(home)


def _alone(home: Home, agent_id: str, first: str, count: int) -> list[dict]:
    """The same sessions by the rules alone."""
    registry = Registry(home)
    card, policy = registry.load(registry.ids()[0])
    node = Node(home, calendar())
    node.open()
    frame = open_source("sample", home.cache).daily("AAPL", now=datetime.fromisoformat("2024-12-31T12:00:00Z")).frame
    view = market.build(frame.loc[str(card.first_bar) :], card.scaler, card.features)
    start = view.index(date.fromisoformat(first))
    terms = node.repository(agent_id).state.agent.terms
    return backtest.run(view, range(start, start + count), card.agent_type, policy.raw, terms).rows


def test_its_replay_goes_on_where_it_stood(home: Home) -> None:
    node = Node(home, calendar())
    node.open()
    trader = node.trader(REPLAY)
    before = trader.repository.state.settled
    for _ in range(10):
        assert replay.advance(trader)
    assert trader.repository.state.settled > before and trader.repository.exposure.total == 0


@pytest.fixture
def account(home: Home) -> Iterator[tuple[Home, TwsDouble, Order]]:
    """TWS with what the account's agent holds, and its stop as that version sent it."""
    with TwsDouble(157) as tws:
        settings.save(home, "ibkr_port", tws.port)
        tws.ledger.positions[AAPL] = (23.0, 145.83)
        listing = tws.ledger.listings["AAPL"]
        stop = Order(
            7, 17, listing, "SELL", 23.0, "STP", 138.0, "GTC", f"{ACCOUNT}:2022-07-11:stop:1", "DU1234567", 0, True
        )
        stop.status, stop.why_held, stop.perm_id = "PreSubmitted", "trigger", 700_002
        tws.ledger.orders.append(stop)
        tws.ledger._exec = itertools.count(1_000)  # the first ids are those of fills that are in the book
        yield home, tws, stop


def test_its_agent_in_an_account_finds_its_stop_and_closes(account: tuple[Home, TwsDouble, Order]) -> None:
    home, tws, stop = account
    now = {"now": at(sessions_after(1)[0], "10:00")}
    tws.ledger.clock = lambda: now["now"]
    node = Node(home, calendar(), patience=30.0)
    node.account.connection.connect = lambda home, confirmed: IbkrConnection(
        replace(config_of(settings.load(home), confirmed), timing=QUICK), clock=lambda: now["now"]
    )
    node.open()
    try:
        assert ACCOUNT not in pass_runner.run(node, now["now"])[1]
        assert [o.ref for o in tws.ledger.open_orders()] == [stop.ref]  # no second stop beside it
        state = node.repository(ACCOUNT).state
        assert (state.status, state.book.shares) == ("running", 23)
        trader = node.trader(ACCOUNT)
        trader.repository.commit(planned_exit(state, state.booked, now["now"], "DAY", "closed by test"), now["now"])
        pass_runner.run(node, now["now"])
        tws.happen(lambda book: book.market("AAPL", 150.0))
        await_that(lambda: _flat_after_a_pass(node, now["now"]), "flat")
        assert tws.ledger.holds("AAPL") == 0 and tws.ledger.on_sale("AAPL") == 0
    finally:
        node.close()


def _flat_after_a_pass(node: Node, now: datetime) -> bool:
    pass_runner.run(node, now)
    return node.repository(ACCOUNT).state.flat
