"""Round trips by hand."""

import pytest

from livetrading.core import trades


def test_a_win_is_net_of_both_fees():
    position = trades.bought(None, "2024-01-02", 10, 100.0, 1.0)
    left, trade = trades.sold(position, "2024-01-05", "exit", 10, 110.0, 1.5)
    assert left is None and trade.pnl == pytest.approx(97.5) and trade.pnl_pct == pytest.approx(9.75)
    assert (trade.entry_session, trade.exit_session, trade.leg, trade.fees) == ("2024-01-02", "2024-01-05", "exit", 2.5)


def test_a_partial_sale_leaves_the_trade_open_and_keeps_its_money():
    position = trades.bought(None, "a", 10, 100.0, 1.0)
    left, none = trades.sold(position, "b", "exit", 4, 110.0, 1.0)
    assert none is None and left.qty == 6 and left.cost == pytest.approx(1_000 + 2 - 440)
    gone, trade = trades.sold(left, "c", "stop", 6, 90.0, 1.0)
    assert gone is None and trade.pnl == pytest.approx(440 + 540 - 1_000 - 3) and trade.leg == "stop"


def test_a_split_moves_the_entry_price_and_no_profit():
    position = trades.bought(None, "a", 10, 100.0, 0.0)
    after, closed = trades.split(position, "b", 2.0, 20, 0.0, 50.0)
    assert closed is None and after.entry_price == 50.0 and after.cost == position.cost
    _, trade = trades.sold(after, "c", "exit", 20, 55.0, 0.0)
    assert trade.pnl == pytest.approx(100.0)


def test_a_fraction_paid_out_is_part_of_the_profit():
    position = trades.bought(None, "a", 25, 40.0, 0.0)
    after, _ = trades.split(position, "b", 0.1, 2, 0.5 * 440.0, 440.0)
    _, trade = trades.sold(after, "c", "exit", 2, 440.0, 0.0)
    assert trade.pnl == pytest.approx(25 * 4.0)


def test_a_reverse_split_that_leaves_no_share_closes_the_trade():
    position = trades.bought(None, "a", 4, 10.0, 1.0)
    left, trade = trades.split(position, "b", 0.1, 0, 40.0, 100.0)
    assert left is None and trade.leg == "split" and trade.pnl == pytest.approx(-1.0) and trade.exit_price == 100.0
