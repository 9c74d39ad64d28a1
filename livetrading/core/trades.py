"""Round trips: what was bought, what it was sold for, and what was left."""

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
    """A position on its way: shares still held, money paid, received and spent on fees."""

    entry_session: str
    entry_price: float
    qty: int
    paid: float
    received: float = 0.0
    fees: float = 0.0

    @property
    def cost(self) -> float:
        """USD that the position has taken out of the account so far."""
        return self.paid + self.fees - self.received


def bought(trade: OpenTrade | None, session: str, qty: int, price: float, fee: float) -> OpenTrade:
    """The position after a purchase; partial fills average their price."""
    if trade is None:
        return OpenTrade(session, price, qty, qty * price, 0.0, fee)
    total = trade.qty + qty
    average = trade.entry_price + (price - trade.entry_price) * (qty / total)
    return replace(
        trade, entry_price=average, qty=total, paid=trade.paid + qty * price, fees=trade.fees + fee
    )


def sold(
    trade: OpenTrade, session: str, leg: str, qty: int, price: float, fee: float
) -> tuple[OpenTrade | None, Trade | None]:
    """The position after a sale: what is left of it, or the round trip that it closes."""
    after = replace(
        trade,
        qty=trade.qty - qty,
        received=trade.received + qty * price,
        fees=trade.fees + fee,
    )
    return (after, None) if after.qty > 0 else (None, _close(after, session, leg, qty, price))


def split(
    trade: OpenTrade, session: str, ratio: float, shares: int, cash: float, price: float
) -> tuple[OpenTrade | None, Trade | None]:
    """The position after a split that left ``shares`` and paid ``cash`` for the fraction.

    A reverse split may leave nothing: it closes the trade at ``price``.
    """
    after = replace(
        trade,
        qty=shares,
        entry_price=trade.entry_price / ratio,
        received=trade.received + cash,
    )
    return (after, None) if shares > 0 else (None, _close(after, session, "split", 0, price))


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
