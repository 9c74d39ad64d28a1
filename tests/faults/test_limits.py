"""Each limit of an agent is hit by the real shell, holds, and says so."""

from pathlib import Path

import pytest

from livetrading.core.decide import TEXT, Reason
from livetrading.core.types import Limits, Terms
from livetrading.execution.state import queries
from tests.doubles.lives import AGENT, FIRST, Always, Cycler, Life, at, deployed
from tests.doubles.series import generated


def decided(life: Life) -> list:
    return life.named("Decided")


SMALL_FALL = Limits(max_position=1.0, risk_per_trade=0.2, max_drawdown=0.01, pause_sessions=None)


def lived(
    root: Path, limits: Limits, days: int = 4, capital: float = 10_000.0, price: float = 60.0, policy: object = None
) -> Life:
    life = deployed(root, generated(2, FIRST + days + 2, price=price), policy or Always(2))
    config = life.state.agent
    # What a form would carry: the same agent with these terms, from its first day on.
    object.__setattr__(config, "terms", Terms(capital, limits, config.terms.costs))
    for t in range(FIRST, FIRST + days):
        life.day(t)
    return life


def test_max_position_cuts_the_size_and_says_so(tmp_path: Path) -> None:
    life = lived(tmp_path, Limits(max_position=0.1, risk_per_trade=0.2))
    first = decided(life)[0]
    close = life.frame["close"].iloc[FIRST]
    assert first.qty == int(0.1 * 10_000 / close) > 0
    assert first.reason == TEXT[Reason.CUT_BY_CAP] == "size cut to the max position"
    assert life.state.book.shares == first.qty


def test_max_position_below_a_share_buys_nothing_and_says_so(tmp_path: Path) -> None:
    life = lived(tmp_path, Limits(max_position=0.001, risk_per_trade=0.2))
    assert {d.qty for d in decided(life)} == {0} and life.state.flat
    assert {d.reason for d in decided(life)} == {"max position allows less than one share"}


def test_risk_per_trade_bounds_what_the_stop_can_lose(tmp_path: Path) -> None:
    life = lived(tmp_path, Limits(max_position=1.0, risk_per_trade=0.005))
    first, close = decided(life)[0], life.frame["close"].iloc[FIRST]
    stop = next(e.order["stop_price"] for e in life.named("OrderPlanned") if e.order["leg"] == "stop")
    assert 0 < first.qty * (close - stop) <= 0.005 * 10_000 + first.qty * 0.01 < (first.qty + 1) * (close - stop)
    assert first.reason == ""


def test_risk_below_a_share_buys_nothing_and_says_so(tmp_path: Path) -> None:
    life = lived(tmp_path, Limits(risk_per_trade=0.00001))
    assert {(d.qty, d.reason) for d in decided(life)} == {(0, "risk per trade allows less than one share")}


def test_cash_cuts_the_size_and_says_so(tmp_path: Path) -> None:
    life = lived(tmp_path, Limits(max_position=1.0, risk_per_trade=0.2))
    first = decided(life)[0]
    assert first.qty > 0 and first.reason == "size cut to the cash"
    assert life.state.book.cash >= 0


def test_a_drawdown_pauses_entries_until_a_person_resumes_and_sales_go_on(tmp_path: Path) -> None:
    life = lived(tmp_path, SMALL_FALL, days=40, policy=Cycler(2))
    (paused, *_) = life.named("EntriesPaused")
    after = [d for d in decided(life) if d.session >= paused.session]
    assert paused.reason == "drawdown reached 1 %"
    refused = [d for d in after if d.action == 2]
    assert refused and {(d.qty, d.reason) for d in refused} == {(0, TEXT[Reason.DRAWDOWN_PAUSE])}
    assert life.state.flat and life.state.status == "running"
    assert TEXT[Reason.DRAWDOWN_PAUSE] in queries.agent(life.store, AGENT)["warnings"]
    life.restart()
    assert life.state.book.entries_paused


def test_a_person_resumes_entries_from_a_new_peak(tmp_path: Path) -> None:
    life = lived(tmp_path, SMALL_FALL, days=40, policy=Cycler(2))
    assert life.ask("start", at(life.sessions[FIRST + 39], "18:00"))["status"] == "done"
    assert not life.state.book.entries_paused
    assert life.state.book.limit_peak == pytest.approx(life.state.book.equity)
    life.day(FIRST + 40)
    assert decided(life)[-1].action == 2 and decided(life)[-1].qty > 0
