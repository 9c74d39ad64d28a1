"""Round trips: purchases, the sales that close them, and the position in between."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Trade:
    """A closed round trip. Prices and fees in USD; ``pnl`` is net of fees.

    ``entry_price`` is the average fill price, split-adjusted to the exit; a
    fraction of a share paid out in cash at a split is part of ``pnl``,
    dividends are not. ``pnl_pct`` is a percent of what was paid.
    """

    entry_session: str
    entry_price: float
    exit_session: str
    exit_price: float
    qty: int
    leg: str
    fees: float
    pnl: float
    pnl_pct: float

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class OpenTrade:
    """An open position: shares still held, money paid, received and spent on fees.

    ``weights`` says how much of each purchase's price is in ``entry_price``: a purchase
    that is corrected later changes it by that part.
    """

    entry_session: str
    entry_price: float
    qty: int
    paid: float
    received: float = 0.0
    fees: float = 0.0
    weights: tuple[tuple[str, float], ...] = ()

    @property
    def cost(self) -> float:
        """USD that the position has taken out of the account so far."""
        return self.paid + self.fees - self.received


@dataclass(frozen=True)
class Closed:
    """A round trip that is over, kept so that it can be corrected: the position after the sale
    that ended it, and that sale. ``number`` counts an agent's round trips from 1."""

    number: int
    done: OpenTrade
    session: str
    leg: str
    qty: int
    price: float
    exec_id: str = ""

    @property
    def trade(self) -> Trade:
        return _close(self.done, self.session, self.leg, self.qty, self.price)


def bought(trade: OpenTrade | None, session: str, qty: int, price: float, fee: float, exec_id: str = "") -> OpenTrade:
    """The position after a purchase; partial fills average their price."""
    if trade is None:
        return OpenTrade(session, price, qty, qty * price, 0.0, fee, ((exec_id, 1.0),))
    total = trade.qty + qty
    part = qty / total
    average = trade.entry_price + (price - trade.entry_price) * part
    weights = (*((e, weight * (1.0 - part)) for e, weight in trade.weights), (exec_id, part))
    return replace(
        trade, entry_price=average, qty=total, paid=trade.paid + qty * price, fees=trade.fees + fee, weights=weights
    )


def weight_of(trade: OpenTrade, exec_id: str) -> float:
    """The part of a purchase's price in the average entry price; 0 for a sale."""
    return dict(trade.weights).get(exec_id, 0.0)


def corrected(trade: OpenTrade, exec_id: str, qty: int, by_price: float, by_fee: float, *, sale: bool) -> OpenTrade:
    """The position if this fill's price had been ``by_price`` USD a share and its fee ``by_fee`` USD more."""
    moved = qty * by_price
    return replace(
        trade,
        entry_price=trade.entry_price + weight_of(trade, exec_id) * by_price,
        paid=trade.paid + (0.0 if sale else moved),
        received=trade.received + (moved if sale else 0.0),
        fees=trade.fees + by_fee,
    )


def sold(
    trade: OpenTrade, session: str, leg: str, qty: int, price: float, fee: float
) -> tuple[OpenTrade | None, Trade | None]:
    """The position after a sale: what is left of it, or the round trip that it closes."""
    after = after_sale(trade, qty, price, fee)
    return (after, None) if after.qty > 0 else (None, _close(after, session, leg, qty, price))


def after_sale(trade: OpenTrade, qty: int, price: float, fee: float) -> OpenTrade:
    """The position after a sale, also when no shares are left."""
    return replace(trade, qty=trade.qty - qty, received=trade.received + qty * price, fees=trade.fees + fee)


def split(
    trade: OpenTrade, session: str, ratio: float, shares: int, cash: float, price: float
) -> tuple[OpenTrade | None, Trade | None]:
    """The position after a split that left ``shares`` and paid ``cash`` for the fraction.

    A reverse split may leave nothing: it closes the trade at ``price``.
    """
    after = after_split(trade, ratio, shares, cash)
    return (after, None) if shares > 0 else (None, _close(after, session, "split", 0, price))


def after_split(trade: OpenTrade, ratio: float, shares: int, cash: float) -> OpenTrade:
    """The position after a split, also when no shares are left."""
    return replace(
        trade,
        qty=shares,
        entry_price=trade.entry_price / ratio,
        received=trade.received + cash,
        weights=tuple((e, weight / ratio) for e, weight in trade.weights),
    )


def _close(done: OpenTrade, session: str, leg: str, qty: int, price: float) -> Trade:
    pnl = done.received - done.paid - done.fees
    return Trade(
        entry_session=done.entry_session,
        entry_price=done.entry_price,
        exit_session=session,
        exit_price=price,
        qty=qty,
        leg=leg,
        fees=done.fees,
        pnl=pnl,
        pnl_pct=100.0 * pnl / done.paid if done.paid > 0 else 0.0,
    )
