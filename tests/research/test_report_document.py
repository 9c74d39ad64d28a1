"""A report's document: months make up the whole, trades are counted once, and what is not stored is named."""

import json
import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.jsonio import plain
from livetrading.adapters.openings import Count
from livetrading.core import metrics, real_money
from livetrading.core.trades import Trade
from livetrading.research import gate, report_document, trade_shapes
from livetrading.research.breakdown import by_month, by_year
from livetrading.research.report_document import Stored
from tests.doubles.models import make_card

SESSIONS = [(date(2019, 1, 2) + timedelta(days=k)).isoformat() for k in range(700)]
RETURNS = np.random.default_rng(2).normal(0.0006, 0.01, 699)


def equity(returns: np.ndarray) -> list[float]:
    return (10_000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))).tolist()


def trade(entry: int, held: int, pct: float, leg: str = "exit") -> dict:
    return Trade(SESSIONS[entry], 10.0, SESSIONS[entry + held], 11.0, 100, leg, 2.0, 10.0 * pct, pct).to_dict()


def stored(values: list[float], **more) -> dict:
    """A test as the version before the witnesses stored it, and ``more``."""
    pairs = [list(pair) for pair in zip(SESSIONS, values, strict=False)]
    measures = metrics.measure(values, [], [False] * len(values))
    return {
        "equity": pairs,
        "buy_and_hold": pairs,
        "trades": [],
        "metrics": measures,
        "buy_and_hold_metrics": measures,
        **more,
    }


def built(test: dict, lookahead: dict | None = None) -> dict:
    answer = gate.answer(gate.stored(test), Count((), 0.0), lookahead)
    return report_document.build(Stored(make_card(), test, None, answer, lookahead))


@given(st.lists(st.floats(-0.2, 0.25), min_size=1, max_size=60), st.lists(st.integers(1, 40), min_size=60, max_size=60))
def test_months_compound_to_their_year_and_years_to_the_whole(returns, steps):
    days, values = [date(2019, 11, 27)], equity(np.array(returns))
    for step in steps[: len(returns)]:
        days.append(days[-1] + timedelta(days=step))
    rows = by_month([day.isoformat() for day in days], values)
    whole = 1.0
    for row in rows:
        year = math.prod(1.0 + value / 100.0 for value in row["months"] if value is not None)
        assert year == pytest.approx(1.0 + row["total_return_pct"] / 100.0, rel=1e-9)
        whole *= year
    assert whole == pytest.approx(values[-1] / values[0], rel=1e-9)
    assert sum(value is not None for row in rows for value in row["months"]) == len(
        {d.isoformat()[:7] for d in days[1:]}
    )


def test_a_year_is_the_same_in_both_tables():
    values = equity(RETURNS)
    months, years = by_month(SESSIONS, values), by_year(SESSIONS, values)
    assert [row["year"] for row in months] == [row["year"] for row in years]
    for one, other in zip(months, years, strict=True):
        assert one["total_return_pct"] == pytest.approx(other["total_return_pct"], abs=1e-9)


def test_a_month_begins_at_the_last_close_of_the_month_before():
    rows = by_month(["2020-01-30", "2020-01-31", "2020-02-03", "2020-04-01"], [100.0, 110.0, 121.0, 60.5])
    assert rows[0]["months"][:4] == [pytest.approx(10.0), pytest.approx(10.0), None, pytest.approx(-50.0)]


def test_one_session_has_no_month():
    assert by_month(["2020-01-30"], [100.0]) == []


@given(st.lists(st.floats(-99.0, 400.0), min_size=1, max_size=80))
def test_every_trade_is_in_one_bar_and_no_bar_has_winners_and_losers(gains):
    found = trade_shapes.distribution([trade(k, 1, gain) for k, gain in enumerate(gains)], SESSIONS, [0.0])["returns"]
    edges, counts = found["edges"], found["counts"]
    assert sum(counts) == len(gains) and len(edges) == len(counts) + 1 <= trade_shapes.BINS + 2
    assert all(low < high for low, high in zip(edges, edges[1:], strict=False))
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert low >= 0.0 or high <= 0.0
        # Rounding may move a trade that is on an edge, but never across 0.
        assert count >= sum(low + 1e-6 < gain < high - 1e-6 for gain in gains)
    assert sum(count for low, count in zip(edges, counts, strict=False) if low >= 0.0) == sum(g > 0.0 for g in gains)


def test_trades_are_counted_by_what_ended_them_and_by_how_long_they_were_held():
    shape = trade_shapes.distribution(
        [trade(0, 0, -1.0, "stop"), trade(3, 5, 2.0), trade(20, 90, 4.0)], SESSIONS, [1_000.0, 1_100.0]
    )
    assert [(row["leg"], row["count"], row["won_pct"]) for row in shape["legs"]] == [
        ("exit", 2, 100.0),
        ("stop", 1, 0.0),
    ]
    held = {(row["from"], row["to"]): row["count"] for row in shape["holding"]}
    assert held[0, 0] == held[4, 5] == held[64, None] == 1 and sum(held.values()) == 3
    assert (shape["pnl"], shape["elsewhere"]) == (pytest.approx(50.0), pytest.approx(50.0))
    assert (shape["median_sessions"], shape["longest_sessions"]) == (5.0, 90)
    assert trade_shapes.distribution([], SESSIONS, [1.0]) is None


def test_a_test_of_before_has_a_report_that_names_what_it_lacks():
    report = built(stored(equity(RETURNS)))
    said = " ".join(report["missing"])
    for key in ("baselines", "random", "train", "seeds", "walk_forward", "regimes", "trials", "lookahead"):
        assert report_document.LACKING[key] in said
    assert list(report["baselines"]) == ["buy_and_hold"] and report["equity"]["random_band"] is None
    assert report["trades"] is None and report["trials"] is None
    json.dumps(plain(report), allow_nan=False)


def test_what_is_stored_is_not_named_as_missing():
    values = equity(RETURNS)
    beside = {"metrics": stored(values)["metrics"], "equity": stored(values)["equity"]}
    test = stored(
        values,
        witnesses={"always_long": beside, "cash": beside},
        chance={"summary": {"percentile": 70.0, "agents": 1000}, "band": [[1.0, 2.0, 3.0]] * 700},
        train={"metrics": beside["metrics"]},
        members=[beside["metrics"]],
    )
    report = built(test, {"problems": []})
    assert list(report["baselines"]) == ["always_long", "buy_and_hold", "cash"]
    kept = {report_document.LACKING[key] for key in ("walk_forward", "regimes", "trials")}
    assert set(report["missing"]) == kept


def test_the_interval_holds_the_ratio_and_a_short_test_is_called_too_short():
    own = built(stored(equity(RETURNS)))["significance"]
    assert own["interval"][0] < own["sharpe_ratio"] < own["interval"][1] and own["note"] is None
    short = built(stored(equity(RETURNS)[:400]))
    assert short["significance"]["note"] == real_money.too_few(400) and "too few" in short["gate"]["words"]


@pytest.mark.parametrize("values", [[10_000.0] * 600, [10_000.0, 0.0, *[0.0] * 598]], ids=["idle", "lost"])
def test_what_is_idle_or_lost_has_a_report_without_numbers_that_json_cannot_hold(values):
    report = built(stored(values))
    assert report["significance"]["interval"] is None and report["significance"]["sharpe_ratio"] is None
    json.dumps(plain(report), allow_nan=False)
