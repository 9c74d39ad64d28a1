"""A backtest is the rules alone: by an independent engine, by hand, and final row by row."""

import numpy as np
import pytest

from livetrading.core import ledger, market, scaler
from livetrading.core.fees import regulatory
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research import backtest
from tests.doubles.oracle import Day, Oracle, true_range_atr
from tests.doubles.probes import Probe
from tests.doubles.series import eventful, sample, usual_features

BOTH = pytest.mark.parametrize("agent_type", list(AgentType))
TERMS = Terms()


def scene(name: str):
    frame = eventful(int(name)) if name.isdigit() else sample(name)
    view = market.build(frame, scaler.fit(usual_features(frame)[500:]))
    return frame, view, range(500, len(view))


def days(frame) -> list[Day]:
    found = []
    for row in frame.itertuples():
        law = regulatory(row.Index.date())
        found.append(
            Day(
                row.open,
                row.high,
                row.low,
                row.close,
                row.dividend,
                row.split,
                law.sec_rate,
                law.taf_per_share,
                law.taf_cap,
            )
        )
    return found


@pytest.mark.parametrize("name", ["AAPL", "GOOG", "NVDA", "1", "2", "3", "4"])
def test_every_session_is_the_oracles_over_years_of_splits_dividends_and_dated_fees(name: str):
    frame, view, bars = scene(name)
    terms = Terms(10_000.0, Limits(max_drawdown=1.0))
    done = backtest.run(view, bars, AgentType.PPO, Probe(seed=1).raw, terms)
    bars_of, oracle = days(frame), Oracle(10_000.0)
    atr, trades = true_range_atr(bars_of), 0
    for t, row in zip(bars, done.rows, strict=True):
        deals = oracle.live(bars_of[t], bars_of[t - 1].close) if t > bars.start else []
        assert [f[:2] for f in row["fills"]] == [[d.leg, d.qty] for d in deals], row["bar"]
        for mine, deal in zip(row["fills"], deals, strict=True):
            assert mine[2:] == pytest.approx([deal.price, deal.fee], rel=1e-12)
        assert row["cash"] == pytest.approx(oracle.cash, rel=1e-11) and row["shares"] == oracle.shares
        assert row["equity"] == pytest.approx(oracle.equity, rel=1e-11)
        assert row["qty"] == oracle.decide(row["action"], bars_of[t].close, atr[t])
        trades += sum(d.leg != "entry" for d in deals)
    assert trades > 35


@BOTH
def test_a_run_is_the_prefix_of_a_longer_one(agent_type):
    _, view, bars = scene("5")
    policy = Probe(agent_type).raw
    whole = backtest.run(view, bars, agent_type, policy, TERMS)
    part = backtest.run(view, range(500, 650), agent_type, policy, TERMS)
    assert ledger.text(part.rows) == ledger.text(whole.rows[:150])


def test_every_session_is_decided_also_the_last_and_nothing_is_sold_at_the_end():
    _, view, bars = scene("5")
    done = backtest.run(view, bars, AgentType.PPO, lambda _: 2.0, TERMS)
    assert len(done.rows) == len(bars) and all(row["action"] == 2 and row["obs"] for row in done.rows)
    assert done.rows[0]["fills"] == [] and done.rows[0]["equity"] == 10_000.0
    assert [f for row in done.rows for f in row["fills"] if f[0] == "exit"] == []


def test_a_drawdown_beyond_the_limit_ends_all_further_entries_and_no_exit():
    _, view, bars = scene("AAPL")
    tight = Terms(10_000.0, Limits(max_position=1.0, risk_per_trade=0.2, max_drawdown=0.05, pause_sessions=None))
    done = backtest.run(view, bars, AgentType.PPO, Probe().raw, tight)
    peak = np.maximum.accumulate(done.equity)
    fallen = int(np.argmax(1 - np.array(done.equity) / peak >= 0.05))
    entries = [i for i, row in enumerate(done.rows) if any(f[0] == "entry" for f in row["fills"])]
    assert 0 < fallen < len(bars) - 100 and max(entries) <= fallen
    assert sum(f[1] * (1 if f[0] == "entry" else -1) for row in done.rows for f in row["fills"]) == 0


def test_round_trips_add_up_to_the_account():
    _, view, bars = scene("NVDA")
    done = backtest.run(view, bars, AgentType.PPO, Probe().raw, TERMS)
    paid = sum(
        view.columns.dividend[t] * done.rows[i - 1]["shares"] * view.columns.split[t] for i, t in enumerate(bars) if i
    )
    assert not done.held[-1] or done.rows[-1]["shares"]
    still = 0.0
    if done.rows[-1]["shares"]:
        entry = next(f for row in reversed(done.rows) for f in row["fills"] if f[0] == "entry")
        still = done.rows[-1]["shares"] * float(view.columns.close[bars[-1]]) - entry[1] * entry[2] - entry[3]
    gained = sum(trade.pnl for trade in done.trades) + paid + still
    assert done.equity[-1] - 10_000.0 == pytest.approx(gained, abs=1e-6)


def test_fees_of_2003_are_those_of_2003s_prices():
    """AAPL traded at 14 USD in 2003: a hundred shares cost a dollar, the SEC took 46.80 a million."""
    frame, view, _ = scene("AAPL")
    start = view.index(next(s for s in view.sessions if s.isoformat() >= "2003-05-01"))
    done = backtest.run(view, range(start, start + 120), AgentType.PPO, Probe().raw, TERMS)
    sales = [(row["bar"], f) for row in done.rows for f in row["fills"] if f[0] != "entry"]
    assert len(sales) > 5
    for bar, (_, qty, price, fee) in sales:
        assert 10 < price < 25
        taf = min({True: 0.0001, False: 0.00005}[bar >= "2003-09-01"] * qty, 10.0 if bar >= "2003-09-01" else 5.0)
        assert fee == pytest.approx(max(1.0, 0.005 * qty) + 46.8e-6 * qty * price + taf, rel=1e-9)


def test_aapls_splits_move_shares_and_its_real_crash_moves_money():
    frame, view, _ = scene("AAPL")
    open_ended = Terms(10_000.0, Limits(max_drawdown=1.0, stop_atr=20.0, risk_per_trade=0.2), Costs(multiple=0.0))

    def across(day: str) -> tuple[dict, dict]:
        t = [s.isoformat() for s in view.sessions].index(day)
        held = backtest.run(view, range(t - 5, t + 2), AgentType.PPO, lambda _: 2.0, open_ended).rows
        return held[4], held[5]

    before, after = across("2005-02-28")
    assert after["shares"] == 2 * before["shares"] > 0 and after["fills"] == []
    assert after["equity"] == pytest.approx(before["equity"], rel=0.03)
    for day, ratio in (("2000-06-21", 2.0), ("2005-02-28", 2.0)):
        assert frame.loc[day, "split"] == ratio
        assert 0.9 < frame.loc[day, "close"] * ratio / frame["close"].shift(1).loc[day] < 1.12
    crash = frame.loc["2000-09-29"]
    assert crash["split"] == 1.0
    assert crash["close"] / frame["close"].shift(1).loc["2000-09-29"] - 1 == pytest.approx(-0.52, abs=0.01)


def test_a_stop_on_the_day_of_the_real_crash_fills_at_its_gapped_open():
    frame, view, _ = scene("AAPL")
    t = [s.isoformat() for s in view.sessions].index("2000-09-29")
    loose = Terms(10_000.0, Limits(max_drawdown=1.0))
    # Before the warm-up's end, so the observation is not asked for anything but its shape.
    bare = market.Market(view.sessions, view.columns, view.atr, np.zeros_like(view.scaled))
    rows = backtest.run(bare, range(t - 3, t + 1), AgentType.PPO, lambda _: 2.0, loose).rows
    leg, qty, price, _ = rows[-1]["fills"][-1]
    assert leg == "stop" and qty > 0 and price == frame["open"].iloc[t] * (1 - 5.0 / 10_000)


def test_a_pause_with_a_length_ends_and_the_next_fall_is_counted_from_there():
    _, view, bars = scene("2")
    bars, bounds = bars[:400], Limits(1.0, 0.2, max_drawdown=0.03, pause_sessions=20)
    done = backtest.run(view, bars, AgentType.PPO, Probe(seed=1).raw, Terms(10_000.0, bounds))
    assert len(done.pauses) > 2 and done.paused == done.pauses[0].start
    paused = backtest.paused_sessions(done)
    peak, refused = 10_000.0, 0
    for t, (equity, row) in enumerate(zip(done.equity, done.rows, strict=True)):
        if refused == 20:
            peak, refused = equity, 0
        peak = max(peak, equity)
        refused = refused + 1 if refused or 1 - equity / peak >= 0.03 else 0
        assert paused[t] is (refused > 0)
        assert not (paused[t] and row["action"] == 2 and row["shares"] == 0 and row["qty"])
    assert [p.ended for p in done.pauses[:-1]] == [True] * (len(done.pauses) - 1)
    lost = [r for r, p in zip(done.rows, paused, strict=True) if p and r["action"] == 2 and r["shares"] == 0]
    assert done.buys_lost == len(lost) > 0


def test_a_pause_longer_than_the_run_is_a_pause_for_good():
    _, view, bars = scene("2")
    runs = [
        backtest.run(
            view, bars[:300], AgentType.PPO, Probe(seed=1).raw, Terms(10_000.0, Limits(1.0, 0.2, 2.0, 0.03, length))
        )
        for length in (None, 10_000)
    ]
    assert runs[0] == runs[1] and len(runs[0].pauses) == 1 and not runs[0].pauses[0].ended
    start = runs[0].paused
    assert backtest.paused_sessions(runs[0]) == [t >= start for t in range(300)]
