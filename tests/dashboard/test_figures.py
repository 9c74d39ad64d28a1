"""What the charts show, without a screen."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.dashboard import figures, prices
from livetrading.dashboard.prices import Mark

UP, DOWN = "#26A69A", "#EF5350"


def bars(count: int = 300, split_at: int | None = None, ratio: float = 10.0) -> list[list[Any]]:
    """Rows as the read model gives them; from ``split_at`` on in new shares."""
    rows, day = [], date(2023, 1, 2)
    for t in range(count):
        price = 100.0 + t % 17
        price = price / ratio if split_at is not None and t >= split_at else price
        rows.append(
            [
                day.isoformat(),
                price,
                price * 1.02,
                price * 0.98,
                price * (1.01 if t % 2 else 0.99),
                1000.0,
                0.0,
                ratio if t == split_at else 1.0,
            ]
        )
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    return rows


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name and trace.name.startswith(name)]


def test_candles_have_the_colours_of_the_specification_and_volume_is_below() -> None:
    figure = figures.price_figure(prices.frame_of(bars()))
    candles = figure.data[0]
    assert (candles.type, candles.increasing.line.color, candles.decreasing.line.color) == ("candlestick", UP, DOWN)
    assert traces(figure, "Volume")[0].yaxis == "y2"
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]


@pytest.mark.parametrize(("span", "sessions"), [("1M", 21), ("6M", 126), ("1Y", 252), ("All", 300)])
def test_a_range_button_shows_its_sessions_up_to_the_last(span: str, sessions: int) -> None:
    rows = bars()
    shown = figures.price_figure(prices.frame_of(rows), span=span).data[0].x
    assert list(shown) == [row[0] for row in rows[-sessions:]]


def test_buys_point_up_from_below_and_sales_down_from_above() -> None:
    rows = bars(30)
    marks = [Mark(rows[20][0], "BUY", "entry", 5, 101.0), Mark(rows[25][0], "SELL", "exit", 5, 108.0)]
    figure = figures.price_figure(prices.frame_of(rows), marks)
    (buy,), (sale,) = traces(figure, "Buy"), traces(figure, "Sell")
    assert (buy.x[0], buy.marker.symbol[0], buy.marker.color) == (rows[20][0], "triangle-up", UP)
    assert (sale.x[0], sale.marker.symbol[0], sale.marker.color) == (rows[25][0], "triangle-down", DOWN)
    assert buy.y[0] < rows[20][3] and sale.y[0] > rows[25][2]


def test_a_stop_is_told_from_a_sale_and_a_provisional_fill_is_hollow_and_says_so() -> None:
    rows = bars(30)
    marks = [Mark(rows[10][0], "SELL", "stop", 5, 99.0), Mark(rows[29][0], "BUY", "entry", 5, 101.0, provisional=True)]
    figure = figures.price_figure(prices.frame_of(rows), marks)
    assert traces(figure, "Sell") == []
    assert traces(figure, "Stop exit")[0].x == (rows[10][0],)
    (buy,) = traces(figure, "Buy")
    assert buy.marker.symbol == ("triangle-up-open",)
    assert "provisional" in buy.customdata[0][2]


def test_a_split_is_no_crash_and_its_fills_lie_at_their_bars() -> None:
    rows = bars(60, split_at=40)
    frame = prices.frame_of(rows)
    assert 8 < frame["close"].min() and frame["close"].max() < 13
    assert frame["volume"].iloc[0] == 10_000 and frame["volume"].iloc[-1] == 1000
    before, after = (
        Mark(rows[39][0], "BUY", "entry", 2, rows[39][1]),
        Mark(rows[40][0], "SELL", "exit", 20, rows[40][1]),
    )
    shown = prices.adjusted_marks([before, after], frame)
    assert [(m.qty, m.price) for m in shown] == [(20, pytest.approx(rows[39][1] / 10)), (20, rows[40][1])]


def test_a_trade_over_a_split_is_drawn_in_the_shares_that_it_is_told_in() -> None:
    rows = bars(60, split_at=40)
    trade = {
        "entry_session": rows[30][0],
        "entry_price": 10.5,
        "exit_session": rows[50][0],
        "exit_price": 10.9,
        "qty": 20,
        "leg": "exit",
    }
    entry, end = prices.adjusted_marks(prices.marks_of_trades([trade]), prices.frame_of(rows))
    assert (entry.qty, entry.price, end.qty, end.price) == (20, 10.5, 20, 10.9)


def test_lines_of_a_position_are_there_only_while_it_is_open() -> None:
    frame = prices.frame_of(bars(200))
    flat = figures.price_figure(frame)
    assert not traces(flat, "Entry") and not traces(flat, "Stop")
    since = frame.index[-5]
    held = figures.price_figure(frame, entry=(since, 110.0), stop=104.5)
    (entry,), (stop,) = traces(held, "Entry $110.00"), traces(held, "Stop $104.50")
    assert list(entry.x) == [since, frame.index[-1]] == list(stop.x)
    assert set(stop.y) == {104.5}


def test_an_entry_before_the_range_is_drawn_from_the_ranges_first_bar() -> None:
    frame = prices.frame_of(bars(200))
    figure = figures.price_figure(frame, span="1M", entry=(frame.index[0], 110.0))
    assert traces(figure, "Entry")[0].x[0] == frame.index[-21]


@pytest.mark.parametrize("name", list(prices.INDICATORS))
def test_an_indicator_on_a_short_range_starts_warm_and_says_the_same_as_on_a_long_one(name: str) -> None:
    frame = prices.frame_of(bars())
    short = figures.price_figure(frame, span="1M", indicators=(name,))
    long = figures.price_figure(frame, span="All", indicators=(name,))
    lines = [t for t in short.data if t.type == "scatter"]
    assert lines
    for line in lines:
        (same,) = [t for t in long.data if t.name == line.name]
        assert list(line.y) == list(same.y[-21:])
        assert not any(value != value for value in line.y)


def test_the_same_state_gives_the_same_figure_to_the_last_character() -> None:
    """The browser keeps a zoom only while nothing changes."""
    rows, marks = bars(), [Mark("2023-02-01", "BUY", "entry", 5, 101.0)]
    first, second = (
        figures.price_figure(prices.frame_of(rows), marks, indicators=("SMA 20",)).to_json() for _ in range(2)
    )
    assert first == second


def test_no_bar_yet_is_an_empty_chart_and_no_fault() -> None:
    assert len(figures.price_figure(prices.frame_of([]), entry=(None, 5.0), stop=4.0).data[0].x) == 0


def test_equity_stands_beside_buy_and_hold_and_drawdown_is_never_above_zero() -> None:
    equity = [["2024-01-02", 100.0], ["2024-01-03", 120.0], ["2024-01-04", 90.0]]
    hold = [["2024-01-02", 100.0], ["2024-01-03", 80.0], ["2024-01-04", 110.0]]
    figure = figures.equity_figure(equity, hold, name="PPO")
    above = {t.name: list(t.y) for t in figure.data if t.yaxis != "y2"}
    below = {t.name: list(t.y) for t in figure.data if t.yaxis == "y2"}
    assert above == {"PPO": [100.0, 120.0, 90.0], "Buy and hold": [100.0, 80.0, 110.0]}
    assert below["PPO drawdown"] == [0.0, 0.0, pytest.approx(-25.0)]
    assert all(value <= 0 for line in below.values() for value in line)


@given(st.integers(0, 9000), st.integers(2, 12), st.integers(0, 400))
def test_there_are_never_more_labels_than_fit(count: int, most: int, offset: int) -> None:
    first = date(1990, 1, 1) + timedelta(days=offset)
    sessions = [(first + timedelta(days=t)).isoformat() for t in range(count)]
    values, texts = figures.ticks(sessions, most)
    assert len(values) == len(texts) <= most
    assert set(values) <= set(sessions)
    assert len(set(texts)) == len(texts)
    assert bool(values) == bool(sessions)
