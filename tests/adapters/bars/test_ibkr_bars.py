"""Bars from TWS: as traded, complete, paced, and honest about who priced what."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.adapters.bars.agreement import disagreement, substitution_problem
from livetrading.adapters.brokers.ibkr.bars import IbkrSource, intraday
from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.history import (
    CONTRACT_COUNT,
    CONTRACT_SECONDS,
    PACED,
    SAME_SECONDS,
    TOTAL_COUNT,
    TOTAL_SECONDS,
    NoBars,
    Pacer,
)
from livetrading.core.errors import BadBars, BadInput, NotFound, Unavailable
from livetrading.core.features import FEATURES, READS_VOLUME, compute
from tests.doubles.ibkr import VERSIONS, connected, impatient
from tests.doubles.ibkr_bars import LAST, Events, as_traded, ibs
from tests.doubles.tws import TwsDouble

EVENING = datetime(2024, 6, 3, 20, 30, tzinfo=UTC)


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param) as double:
        double.bars["AAPL", "1 day", "TRADES"] = ibs(as_traded())
        yield double


@pytest.fixture
def feed(tws: TwsDouble) -> Iterator[IbkrConnection]:
    with connected(tws) as connection:
        yield connection


def source(feed: IbkrConnection, events: Events | None = None) -> IbkrSource:
    return IbkrSource(feed, events or Events(as_traded()), clock=lambda: EVENING + timedelta(days=30))


def test_prices_come_from_ib_as_traded_and_events_from_the_other_source(feed):
    bars = source(feed).daily("AAPL", now=EVENING)
    truth = as_traded()
    assert (
        bars.source == "ibkr"
        and "prices and volume from Interactive Brokers" in bars.note
        and "from yahoo" in bars.note
    )
    pd.testing.assert_frame_equal(bars.frame, truth, check_freq=False, atol=1e-4, rtol=0)
    assert bars.frame["split"].max() == 4.0 and bars.frame["dividend"].max() == 0.25


def test_a_request_asks_for_regular_hours_of_the_qualified_contract(feed, tws):
    source(feed).daily("AAPL", now=EVENING)
    (asked,) = [h.fields for h in tws.received if h.id == 20]
    assert asked[2] == "265598" and asked[10] == "NASDAQ"
    assert asked[15:21] == ("", "1 day", "3 Y", "1", "TRADES", "2")


def test_the_bar_of_the_running_session_is_left_out(feed):
    during = datetime(2024, 6, 3, 18, 0, tzinfo=UTC)
    assert source(feed).daily("AAPL", now=during).frame.index[-1].date() < LAST
    assert source(feed).daily("AAPL", now=EVENING).frame.index[-1].date() == LAST


@pytest.mark.parametrize(
    "trouble",
    [
        (162, "Historical Market Data Service error message:No market data permissions for ISLAND STK"),
        (354, "Requested market data is not subscribed."),
        (10089, "Requested market data requires additional subscription for API."),
        (366, "No historical data query found for ticker id"),
        "silence",
    ],
)
def test_without_bars_from_ib_yahoo_prices_and_the_bar_set_says_so(feed, tws, trouble):
    tws.history_trouble["AAPL"] = trouble
    with impatient(feed, history=0.3):
        bars = source(feed).daily("AAPL", now=EVENING)
    assert bars.source == bars.vendor == "yahoo" and "used because Interactive Brokers" in bars.note
    assert feed.health().ready  # a silent data farm does not end the connection


def test_an_unknown_symbol_is_not_hidden_by_the_fallback(feed):
    with pytest.raises(NotFound, match="not know a stock NOSUCH"):
        source(feed).daily("NOSUCH", now=EVENING)


@pytest.mark.parametrize(
    "trouble",
    [(162, "Historical Market Data Service error message:Historical data request pacing violation"), "too often"],
)
def test_a_question_that_came_too_soon_is_asked_again_and_not_answered_by_another_vendor(feed, tws, trouble):
    if trouble == "too often":
        now = feed.call(_loop_time)
        feed.history.pacer.asked.extend((now, f"{i}", i) for i in range(TOTAL_COUNT))
    else:
        tws.history_trouble["AAPL"] = trouble
    with pytest.raises(NoBars) as error:
        source(feed).daily("AAPL", now=EVENING)
    assert error.value.code == PACED


async def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def test_other_errors_are_not_hidden_by_the_fallback(feed, tws):
    tws.history_trouble["AAPL"] = (322, "Error processing request: Duplicate ticker id")
    with pytest.raises(NoBars, match="322"):
        source(feed).daily("AAPL", now=EVENING)


def test_prices_without_a_table_of_events_are_no_bars(feed):
    events = Events(as_traded())
    events.down = True
    with pytest.raises(Unavailable, match="no table of splits and dividends"):
        source(feed, events).daily("AAPL", now=EVENING)
    with pytest.raises(Unavailable, match="no list of splits and dividends"):
        source(feed, Events(as_traded().iloc[:-1])).daily("AAPL", now=EVENING)
    holed = as_traded().drop(as_traded().index[100])
    with pytest.raises(BadBars, match="and yahoo none; use another source"):
        source(feed, Events(holed)).daily("AAPL", now=EVENING)


@pytest.mark.parametrize("adjusted", [False, True])
def test_a_split_effective_today_is_read_off_the_prices(feed, tws, adjusted):
    """From the early morning on IB may or may not have adjusted its history already."""
    tws.bars["AAPL", "1 day", "TRADES"] = ibs(as_traded(), 2.0 if adjusted else 1.0)
    ahead = ((date(2024, 6, 4), 2.0),)
    bars = source(feed, Events(as_traded(), ahead)).daily("AAPL", now=datetime(2024, 6, 4, 8, 30, tzinfo=UTC))
    assert bars.ahead == ahead
    np.testing.assert_allclose(bars.frame["close"], as_traded()["close"], atol=1e-4)


def test_a_split_that_one_side_does_not_know_is_refused(feed):
    blind = as_traded()
    blind["split"] = 1.0
    day = blind.index[299]  # the last one before the split
    with pytest.raises(BadBars, match=f"on {day:%Y-%m-%d} is .*a split is missing in one of them"):
        source(feed, Events(blind)).daily("AAPL", now=EVENING)


def test_a_difference_between_the_vendors_is_told(feed, tws):
    bars = ibs(as_traded())
    bars[-10] = (*bars[-10][:2], bars[-10][2] * 1.005, *bars[-10][3:])
    tws.bars["AAPL", "1 day", "TRADES"] = bars
    assert "differs from yahoo: high of" in source(feed).daily("AAPL", now=EVENING).note


def test_the_fallback_decides_only_on_500_agreeing_bars_without_volume():
    model = as_traded()
    assert disagreement(model, model.iloc[-500:]) is None
    assert "share 499" in disagreement(model, model.iloc[-499:])
    other = model.copy()
    other.iloc[-500, other.columns.get_loc("low")] *= 1.0009
    assert disagreement(model, other) is None
    other.iloc[-500, other.columns.get_loc("low")] *= 1.0009
    assert "low of" in disagreement(model, other)
    assert substitution_problem(model, model, ("rsi_14",)) is None
    assert "reads the volume (cmf_20)" in substitution_problem(model, model, ("rsi_14", "cmf_20"))
    assert "disagree" in substitution_problem(model, other, ("rsi_14",))


def test_agents_of_one_symbol_share_an_answer_that_may_not_be_asked_again_yet(feed, tws):
    for _ in range(5):
        source(feed).daily("AAPL", now=EVENING)
    assert len([h for h in tws.received if h.id == 20]) == 1


def test_every_feature_that_reads_the_volume_is_known():
    frame = as_traded(520, None, None)
    frame["close"] += np.random.default_rng(2).uniform(-0.4, 0.4, len(frame))
    changed = frame.copy()
    changed["volume"] *= np.random.default_rng(1).uniform(0.5, 2.0, len(frame))
    moved = ~np.isclose(compute(frame)[-1], compute(changed)[-1])
    assert {name for name, m in zip(FEATURES, moved, strict=True) if m} == READS_VOLUME


@pytest.mark.parametrize(("size", "step"), [("1 hour", 3600), ("15 mins", 900), ("5 mins", 300)])
def test_intraday_bars_come_in_utc_without_the_unfinished_one(feed, tws, size, step):
    opened = int(datetime(2024, 6, 3, 13, 30, tzinfo=UTC).timestamp())
    tws.bars["TNA", size, "TRADES"] = [(str(opened + i * step), 1, 2, 0.5, 1.5, 100, 1.2, 5) for i in range(4)]
    now = datetime.fromtimestamp(opened + 3 * step + 60, UTC)
    frame = intraday(feed, "TNA", size, days=1, now=now)
    assert list(frame.index) == [pd.Timestamp(opened + i * step, unit="s", tz="UTC") for i in range(3)]
    with pytest.raises(BadInput, match="no bars of '1 min'"):
        intraday(feed, "TNA", "1 min", days=1, now=now)


def test_the_last_hour_of_a_session_is_complete_at_its_close(feed, tws):
    last = datetime(2024, 6, 3, 19, 30, tzinfo=UTC)
    tws.bars["TNA", "1 hour", "TRADES"] = [(str(int(last.timestamp())), 1, 2, 0.5, 1.5, 100, 1.2, 5)]
    assert len(intraday(feed, "TNA", "1 hour", days=1, now=last + timedelta(minutes=30))) == 1


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 4), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=150))
def test_no_sequence_of_requests_breaks_ibs_pace(steps):
    pacer, now, left = Pacer(), 0.0, []
    for wait, con_id, kind in steps:
        now += wait
        key = f"{con_id}/{kind}"
        while (delay := pacer.delay(now, key, con_id)) > 0:
            now += delay
        pacer.note(now, key, con_id)
        left.append((now, key, con_id))
    edge = 1e-6
    for at, key, con_id in left:
        assert sum(1 for t, k, _ in left if k == key and at <= t < at + SAME_SECONDS - edge) == 1
        assert sum(1 for t, _, c in left if c == con_id and at <= t < at + CONTRACT_SECONDS - edge) <= CONTRACT_COUNT
        assert sum(1 for t, _, _ in left if at <= t < at + TOTAL_SECONDS - edge) <= TOTAL_COUNT
