"""Numbers and times as a person reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.dashboard import format as shown
from livetrading.dashboard import markup
from livetrading.dashboard.components.training import measures


@pytest.mark.parametrize(
    ("value", "plain", "signed", "tone"),
    [
        (100_523.04, "$100,523.04", "+$100,523.04", "lt-up"),
        (-559.5, "−$559.50", "−$559.50", "lt-down"),
        (0.0, "$0.00", "$0.00", "lt-muted"),
        (-0.001, "$0.00", "$0.00", "lt-muted"),
        (None, "–", "–", "lt-muted"),
    ],
)
def test_money_is_whole_signed_and_toned(value: float | None, plain: str, signed: str, tone: str) -> None:
    assert (shown.money(value), shown.signed_money(value), shown.tone(value)) == (plain, signed, tone)


@given(st.floats(-1e12, 1e12))
def test_every_digit_of_an_amount_is_there(value: float) -> None:
    digits = shown.signed_money(value).replace("$", "").replace(",", "").replace("−", "-")
    assert float(digits) == pytest.approx(round(value, 2), abs=1e-9)


def test_a_price_has_cents_and_below_a_dollar_four_digits() -> None:
    assert (shown.price(187.2), shown.price(0.5), shown.price(None)) == ("$187.20", "$0.5000", "–")


def test_times_are_new_york_times_and_say_so() -> None:
    assert shown.new_york("2024-06-03T20:40:00Z") == "Mon 3 Jun 2024, 16:40 New York"
    assert shown.new_york("2024-12-03T20:40:00Z") == "Tue 3 Dec 2024, 15:40 New York"
    assert shown.day_and_time("2024-06-03T20:40:00Z") == "3 Jun 2024, 16:40 New York"
    assert shown.clock("2024-06-03T20:40:05Z") == "2024-06-03 16:40:05"
    assert shown.new_york(None) == shown.day_and_time(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.2, "3 s"), (125, "2 min 05 s"), (7500, "2 h 05 min"), (200_000, "2 d"), (None, "–"), (-1, "0 s")],
)
def test_a_duration_is_short(seconds: float | None, text: str) -> None:
    assert shown.duration(seconds) == text


def test_dollars_are_no_formula_in_markdown() -> None:
    assert shown.markdown("a $1 and $2") == r"a \$1 and \$2"


def test_text_of_others_cannot_become_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    built = [
        markup.notes([evil]),
        markup.tag(evil),
        markup.pill(evil),
        markup.empty(evil),
        markup.title(evil, evil),
        markup.table([evil, evil], [[evil, (evil, "wide")]]),
        markup.facts([markup.Fact(evil, evil, evil)]),
    ]
    assert not any("<img" in text.lower() for text in built)


def test_every_measure_stands_beside_buy_and_hold_and_undefined_is_a_dash() -> None:
    metrics = {
        "sharpe_ratio": None,
        "total_return_pct": 12.3456,
        "max_drawdown_pct": 5.0,
        "num_trades": 7,
        "sharpe_se": 0.4,
    }
    rows = {row[0]: row[1:] for row in measures.rows_of(metrics, {"total_return_pct": -3.0})}
    assert rows["Sharpe ratio"] == [("undefined", ""), ("undefined", "")]
    assert rows["Calmar ratio"] == [("–", ""), ("–", "")]
    assert rows["Total return"] == [("+12.35%", "lt-up"), ("−3.00%", "lt-down")]
    assert rows["Closed trades"] == [("7", ""), ("–", "lt-muted")]
    assert {"Sortino ratio", "Calmar ratio", "CAGR", "Volatility", "Win rate", "Profit factor", "Exposure"} <= set(rows)
