"""A test that its drawdown limit ended in silence says so."""

import numpy as np

from livetrading.core import drawdown_pause
from livetrading.core.types import Limits

WITHOUT = {"sharpe_ratio": 0.5, "total_return_pct": 12.345, "max_drawdown_pct": 31.2, "num_trades": 44}


def once(session, limit, after, buys, without):
    """A test that paused for good, with so many sessions after that day."""
    one = drawdown_pause.span(session, None, after + 1, buys)
    return drawdown_pause.document([one], Limits(max_drawdown=limit, pause_sessions=None), without)


def before(found):
    """The document as an earlier version stored it."""
    return {key: found[key] for key in ("session", "limit_pct", "sessions_after", "buys_lost", "without")}


def test_a_pause_is_said_with_its_day_what_was_lost_and_what_would_have_been():
    said = drawdown_pause.words(once("2021-03-02", 0.15, 212, 37, WITHOUT))
    assert "drawdown limit of 15 % paused this test on 2021-03-02" in said
    assert "in the 212 sessions after it no position was opened and 37 BUY signals were not followed" in said
    assert "Without the limit: Sharpe ratio 0.50, return 12.35 %, largest drawdown 31.20 %, 44 closed trades." in said


def test_one_is_one_and_undefined_is_undefined():
    said = drawdown_pause.words(once("2021-03-02", 0.2, 1, 1, {**WITHOUT, "sharpe_ratio": None}))
    assert "in the 1 session after" in said and "1 BUY signal was" in said and "Sharpe ratio undefined" in said


def test_no_pause_is_no_word():
    assert drawdown_pause.words(None) is None


def test_the_pause_of_an_older_test_is_read_off_its_equity():
    values = [10_000.0, 11_000.0, 9_351.0, 9_350.0, 9_350.0, 12_000.0]
    rows = [[f"2021-03-0{day}", value] for day, value in enumerate(values, 1)]
    found = drawdown_pause.from_equity(rows, 0.15)
    assert (found["session"], found["sessions_after"]) == ("2021-03-04", 2)
    said = drawdown_pause.words(found)
    assert "paused this test on 2021-03-04" in said and "BUY" not in said and "Without" not in said
    assert drawdown_pause.from_equity(rows, 0.16) is None and np.isclose(found["limit_pct"], 15.0)


def test_a_pause_that_an_earlier_version_stored_is_said_as_then():
    found = once("2021-03-02", 0.15, 212, 37, WITHOUT)
    assert drawdown_pause.words(before(found)) == drawdown_pause.words(found)
    assert drawdown_pause.spans(before(found)) == drawdown_pause.spans(found) == [("2021-03-02", None)]
    assert drawdown_pause.spans(None) == []


def test_a_pause_with_a_length_says_how_long_it_would_last_live():
    one = drawdown_pause.span("2021-03-02", "2021-03-30", 20, 3)
    found = drawdown_pause.document([one], Limits(pause_sessions=20), None)
    said = drawdown_pause.words(found)
    assert "in the 20 sessions after it no position was opened and 3 BUY signals were not followed" in said
    assert said.endswith("Live, it would be the same for 20 sessions or until you resume the agent.")


def test_where_no_signal_was_lost_none_is_spoken_of():
    one = drawdown_pause.span("2021-03-02", "2021-03-30", 20, 0)
    for pauses in ([one], [one, one]):
        said = drawdown_pause.words(drawdown_pause.document(pauses, Limits(pause_sessions=20), None))
        assert "BUY" not in said and " and ." not in said


def test_several_pauses_are_counted_and_the_first_keeps_the_keys_of_before():
    pauses = [drawdown_pause.span("2021-03-02", "2021-03-30", 20, 3), drawdown_pause.span("2021-06-01", None, 5, 1)]
    found = drawdown_pause.document(pauses, Limits(max_drawdown=0.03, pause_sessions=20), WITHOUT)
    assert (found["session"], found["sessions_after"], found["buys_lost"]) == ("2021-03-02", 20, 3)
    assert found["pauses"] == pauses and found["totals"] == {"pauses": 2, "sessions": 25, "buys_lost": 4}
    assert drawdown_pause.spans(found) == [("2021-03-02", "2021-03-30"), ("2021-06-01", None)]
    said = drawdown_pause.words(found)
    assert (
        "limit of 3 % paused this test 2 times, first on 2021-03-02, for 20 sessions each: at 25 closes in all" in said
    )
    assert "4 BUY signals were not followed" in said and "Without the limit: Sharpe ratio 0.50" in said
