"""A test that its drawdown limit ended in silence says so."""

import numpy as np

from livetrading.core import drawdown_pause

WITHOUT = {"sharpe_ratio": 0.5, "total_return_pct": 12.345, "max_drawdown_pct": 31.2, "num_trades": 44}


def test_a_pause_is_said_with_its_day_what_was_lost_and_what_would_have_been():
    said = drawdown_pause.words(drawdown_pause.document("2021-03-02", 0.15, 212, 37, WITHOUT))
    assert "drawdown limit of 15 % paused this test on 2021-03-02" in said
    assert "in the 212 sessions after it no position was opened and 37 BUY signals were not followed" in said
    assert "Without the limit: Sharpe ratio 0.50, return 12.35 %, largest drawdown 31.20 %, 44 closed trades." in said


def test_one_is_one_and_undefined_is_undefined():
    said = drawdown_pause.words(drawdown_pause.document("2021-03-02", 0.2, 1, 1, {**WITHOUT, "sharpe_ratio": None}))
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
