"""An agent's book: a fold over what happened to its money.

``apply(book, event) -> book`` is the only place where the live book changes. It
calls the same rules that training and backtest run; a fill counts once, by its
execution id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import rules, trades
from .events import (
    Deposited, DividendPaid, EntriesPaused, Event, FeeAdjusted, Filled, Marked, SplitApplied,
    StatusChanged,
)
from .frozen import replace
from .rules import Account
from .trades import OpenTrade, Trade
from .types import AgentStatus, Leg


@dataclass(frozen=True)
class Book:
    """Account, open round trip and totals, all in USD.

    ``capital`` is what was deposited; ``equity`` the value at the last mark;
    ``limit_peak`` the peak since a person last resumed entries.
    """

    account: Account = field(default_factory=lambda: rules.open_account(0.0))
    capital: float = 0.0
    equity: float = 0.0
    close: float = 0.0
    marked: str | None = None
    limit_peak: float = 0.0
    entries_paused: bool = False
    realized: float = 0.0
    dividends: float = 0.0
    num_trades: int = 0
    open_trade: OpenTrade | None = None
    last_trade: Trade | None = None
    executions: frozenset[str] = frozenset()

    @property
    def shares(self) -> int:
        return int(self.account.shares)

    @property
    def cash(self) -> float:
        return float(self.account.cash)

    @property
    def price(self) -> float:
        """The last close, in today's shares; before the first, what was paid."""
        return self.close or float(self.account.entry)

    @property
    def worth(self) -> float:
        """Cash and shares at the last close: ``equity``, and what was filled since that mark."""
        return float(rules.equity_of(self.account, np.float64(self.price)))

    @property
    def total_pnl(self) -> float:
        """Everything gained or lost since the deposit, at the last close."""
        return self.worth - self.capital

    @property
    def unrealized(self) -> float:
        """What the open position has gained at the last close, its fees included."""
        if self.open_trade is None:
            return 0.0
        return self.shares * self.price - self.open_trade.cost


def _deposited(book: Book, event: Deposited) -> Book:
    account = book.account._replace(
        cash=book.account.cash + event.amount, peak=book.account.peak + event.amount
    )
    return replace(
        book,
        account=account,
        capital=book.capital + event.amount,
        equity=book.equity + event.amount,
        limit_peak=book.limit_peak + event.amount,
    )


def _split(book: Book, event: SplitApplied) -> Book:
    before = book.account
    account = rules.apply_split(before, np.float64(event.ratio), np.float64(event.previous_close))
    book = replace(book, account=account, close=book.close / event.ratio)
    if book.open_trade is None:
        return book
    after, closed = trades.split(
        book.open_trade,
        event.session,
        event.ratio,
        int(account.shares),
        float(account.cash - before.cash),
        event.previous_close / event.ratio,
    )
    return _with_trade(book, after, closed)


def _dividend(book: Book, event: DividendPaid) -> Book:
    account = rules.credit_dividend(
        book.account, np.float64(event.shares), np.float64(event.amount)
    )
    return replace(
        book, account=account, dividends=book.dividends + event.shares * event.amount
    )


def _filled(book: Book, event: Filled) -> Book:
    if event.exec_id in book.executions:
        return book
    fill = rules.Fill(np.float64(event.qty), np.float64(event.price), np.float64(event.fee))
    if event.leg == Leg.ENTRY:
        account = rules.settle_buy(book.account, fill, np.float64(event.stop))
        after = trades.bought(book.open_trade, event.session, event.qty, event.price, event.fee)
        closed = None
    else:
        account = rules.settle_sell(book.account, fill)
        after, closed = book.open_trade, None
        if after is not None:
            after, closed = trades.sold(
                after, event.session, event.leg, event.qty, event.price, event.fee
            )
    book = replace(book, account=account, executions=book.executions | {event.exec_id})
    return _with_trade(book, after, closed)


def _fee(book: Book, event: FeeAdjusted) -> Book:
    """Into the open round trip if there is one, else into what is realised."""
    account = book.account._replace(cash=book.account.cash - event.amount)
    book = replace(book, account=account)
    if book.open_trade is None:
        return replace(book, realized=book.realized - event.amount)
    return replace(book, open_trade=replace(book.open_trade, fees=book.open_trade.fees + event.amount))


def _with_trade(book: Book, after: OpenTrade | None, closed: Trade | None) -> Book:
    if closed is None:
        return replace(book, open_trade=after)
    return replace(
        book,
        open_trade=after,
        last_trade=closed,
        num_trades=book.num_trades + 1,
        realized=book.realized + closed.pnl,
    )


def _marked(book: Book, event: Marked) -> Book:
    account = rules.mark(book.account, np.float64(event.close))
    equity = float(rules.equity_of(account, np.float64(event.close)))
    return replace(
        book,
        account=account,
        equity=equity,
        close=event.close,
        marked=event.session,
        limit_peak=max(book.limit_peak, equity),
    )


def _paused(book: Book, event: EntriesPaused) -> Book:
    return replace(book, entries_paused=True)


def _status(book: Book, event: StatusChanged) -> Book:
    """A person who starts an agent resumes its entries: drawdown counts from here."""
    if event.status != AgentStatus.RUNNING or not book.entries_paused:
        return book
    return replace(book, entries_paused=False, limit_peak=book.equity)


_APPLY: dict[type, Callable[[Book, Event], Book]] = {
    Deposited: _deposited,
    SplitApplied: _split,
    DividendPaid: _dividend,
    Filled: _filled,
    FeeAdjusted: _fee,
    Marked: _marked,
    EntriesPaused: _paused,
    StatusChanged: _status,
}


def apply(book: Book, event: Event) -> Book:
    """The book after an event; events that touch no money leave it as it is."""
    rule = _APPLY.get(type(event))
    return rule(book, event) if rule else book
