"""Measures of a run, beside buy-and-hold, and two witnesses that share no code with the engine."""

import math

import numpy as np
import pandas as pd
import pytest

from livetrading.core import market, metrics, scaler
from livetrading.core.fees import regulatory_arrays
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research.evaluation import buy_and_hold, evaluate
from tests.doubles.probes import Probe
from tests.doubles.series import eventful, generated, sample, usual_features


def built(frame: pd.DataFrame) -> market.Market:
    return market.build(frame, scaler.fit(usual_features(frame)[500:]))


def test_buy_and_hold_by_hand():
    frame = generated(1, 600, splits={520: 2.0, 540: 0.3}, dividends={510: 0.4, 530: 0.25, 501: 9.0})
    view, bars = built(frame), range(500, 560)
    price = frame["open"].iloc[501] * 1.0005
    qty = math.floor((10_000 - 1) / price)
    assert qty * price + max(1.0, 0.005 * qty) <= 10_000 < (qty + 1) * price + 1.0
    cash, shares, expected = 10_000 - qty * price - max(1.0, 0.005 * qty), qty, [10_000.0]
    for t in bars[1:]:
        row = frame.iloc[t]
        if t > 501:
            exact = shares * row["split"]
            shares = math.floor(exact + 1e-9)
            cash += (exact - shares) * frame["close"].iloc[t - 1] / row["split"] + shares * row["dividend"]
        expected.append(cash + shares * row["close"])
    assert buy_and_hold(view, bars, Terms()) == pytest.approx(expected, rel=1e-10)


def test_buy_and_hold_without_a_share_it_can_pay_keeps_its_cash():
    view = built(generated(1, 600))
    assert set(buy_and_hold(view, range(500, 520), Terms(capital=20.0))) == {20.0}


def test_buy_and_hold_pays_its_whole_cash_at_no_cost():
    frame = generated(1, 600)
    frame.iloc[501, :4] = [50.0, 51.0, 49.0, 50.0]
    equity = buy_and_hold(built(frame), range(500, 505), Terms(10_000.0, Limits(), Costs(multiple=0.0)))
    assert equity[1] == 10_000.0 and equity[2] == pytest.approx(200 * frame["close"].iloc[502])


def test_the_summary_names_its_range_and_every_series_has_one_entry_a_session():
    frame = eventful(1)
    view, bars = built(frame), range(510, 700)
    done = evaluate(view, bars, AgentType.PPO, Probe().raw, Terms())
    assert done.summary()["test"]["start"] == frame.index[510].date().isoformat()
    assert done.summary()["buy_and_hold"]["end"] == frame.index[699].date().isoformat()
    kept = done.document()
    assert len(kept["equity"]) == len(kept["buy_and_hold"]) == 190
    assert len(kept["trades"]) == done.measures["num_trades"] == len(done.run.trades) > 10
    assert kept["metrics"]["exposure_pct"] == pytest.approx(100 * np.mean([r["shares"] > 0 for r in done.run.rows]))


def vectorised(frame: pd.DataFrame, signal: pd.Series, capital: float) -> pd.Series:
    """An engine of another build: columns at once, total-return units, no loop over an account.

    ``signal`` is the signed quantity decided at each close, in shares of that day;
    it trades at the next open with 5 bp of slippage and IBKR Fixed and legal fees.
    """
    unit = frame["split"].cumprod()  # shares of the first day become this many
    ordered = (signal / unit).shift(1).fillna(0.0) * unit
    price = frame["open"] * (1 + 0.0005 * np.sign(ordered))
    value = (ordered * price).abs()
    fixed = (0.005 * ordered.abs()).clip(lower=1.0).clip(upper=0.01 * value).where(ordered != 0, 0.0)
    law = regulatory_arrays(frame.index.to_numpy().astype("datetime64[D]"))
    sold = ordered.clip(upper=0).abs()
    legal = law.sec_rate * value.where(sold > 0, 0.0) + np.minimum(law.taf_per_share * sold, law.taf_cap)
    units = (ordered / unit).cumsum()
    overnight = units.shift(1).fillna(0.0) * unit
    flows = -(ordered * price) - fixed - legal + overnight * frame["dividend"]
    return capital + flows.cumsum() + units * unit * frame["close"]


@pytest.mark.parametrize("name", ["AAPL", "NVDA", "GOOG"])
def test_equity_agrees_with_an_independent_vectorised_engine_given_the_same_signals(name: str):
    """Whole splits only, and stops too far to fire: the engine knows next-open fills and fees."""
    frame = sample(name)
    view = built(frame)
    bars = range(500, len(view))
    terms = Terms(100_000.0, Limits(stop_atr=20.0, risk_per_trade=0.2, max_drawdown=1.0))
    done = evaluate(view, bars, AgentType.PPO, Probe(seed=4, eager=0.15).raw, terms)
    rows = done.run.rows
    stops = [f for row in rows for f in row["fills"] if f[0] == "stop"]
    signs = [row["qty"] if row["action"] == 2 else -row["qty"] for row in rows]
    witness = vectorised(frame.iloc[500:], pd.Series(signs, frame.index[500:], dtype=float), 100_000.0)
    assert not stops and done.run.fills > 100
    assert done.run.equity == pytest.approx(witness.tolist(), rel=1e-9)


# -- the pause ----------------------------------------------------------------------


TIGHT, LOOSE = (
    Terms(10_000.0, Limits(max_drawdown=0.02, pause_sessions=None)),
    Terms(10_000.0, Limits(max_drawdown=1.0)),
)


def buys(seen: np.ndarray) -> float:
    """BUY when flat, SELL after five closes: the account's part of the observation alone."""
    return 2.0 if seen[-4] == 0 else 0.0 if round(float(seen[-2]) * 50) >= 5 else 1.0


def test_a_test_that_its_limit_paused_says_when_what_it_lost_and_what_it_would_have_been():
    view, bars = built(eventful(1)), range(510, 700)
    done, free = (evaluate(view, bars, AgentType.PPO, buys, terms) for terms in (TIGHT, LOOSE))
    found = done.measures["pause"]
    day = done.sessions.index(found["session"])
    peaks = np.maximum.accumulate([10_000.0, *done.run.equity])[1:]
    fallen = 1.0 - np.array(done.run.equity) / peaks
    assert fallen[day] >= 0.02 and (fallen[:day] < 0.02).all()
    after = done.run.rows[day + 1 :]
    assert found["sessions_after"] == len(after) > 100 and found["limit_pct"] == 2.0
    assert not any(fill[0] == "entry" for row in after for fill in row["fills"])
    flat_buys = [row for row in done.run.rows[day:] if row["action"] == 2 and row["shares"] == 0]
    assert found["buys_lost"] == len(flat_buys) > 50
    assert found["without"] == {key: value for key, value in free.measures.items() if key != "pause"}
    assert done.unpaused == free.run.equity and free.measures["pause"] is None and free.unpaused is None
    assert [row[1] for row in done.document()["unpaused"]] == free.run.equity
    assert free.document()["unpaused"] == []


def test_what_is_said_of_the_pause_changes_no_number_of_the_test():
    view, bars = built(eventful(1)), range(510, 700)
    done = evaluate(view, bars, AgentType.PPO, buys, TIGHT)
    plain = metrics.measure(done.run.equity, done.run.trades, done.run.held)
    assert {key: value for key, value in done.measures.items() if key != "pause"} == plain
    assert done.summary()["test"]["pause"] == done.document()["metrics"]["pause"]
