"""An agent's book: a fold over what happened to its money.

``apply(book, event) -> book`` is the only place where the live book changes. It
calls the same rules that training and backtest run; a fill counts once, by its
execution id.

After a correction the book is what it would be had the right figures been booked at first:
cash, entry, round trips, equity and both peaks. Earlier decisions do not change; to repeat
one, the journal is folded up to it. A pause of entries that a wrong price caused does not
end earlier either, unless a person resumes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import executions as ids
from . import peaks, rules, trades
from .booked import Booked, known, peak_after
from .events import (
    Decided,
    Deposited,
    DividendPaid,
    EntriesPaused,
    EntriesResumed,
    Event,
    FeeAdjusted,
    FillCorrected,
    FillDisputed,
    Filled,
    Marked,
    SplitApplied,
    StatusChanged,
)
from .frozen import replace
from .limits import Pause
from .rules import Account
from .trades import Closed, OpenTrade, Trade
from .types import AgentStatus

KEPT_TRADES = 60
"""Closed round trips that a correction still changes; of older ones it changes the totals alone."""
KEPT_FILLS = 300
"""So many of the newest fills are kept whole, and every estimate until the broker reports its figures. Of older
fills only ``Old`` is kept, for corrections in an earlier version's journal. This bounds the memory of an agent."""
Old = tuple[int, float, float]
"""Of a fill that is not kept whole: shares (positive for a purchase), price and fee in USD."""


@dataclass(frozen=True)
class Book:
    """Account, open round trip and totals, all in USD.

    ``capital`` is what was deposited; ``equity`` the value at the last mark;
    ``limit_peak`` the peak since entries were last resumed, ``paused_closes`` at how many decided closes the
    present pause has refused them. ``fractions`` is what splits paid for fractions of a share. ``executions`` holds every id that has counted, and its root;
    ``num_fills`` how many have counted; ``fills`` those that are kept whole, by root, in the order
    of booking, ``old`` the others; ``estimated`` the roots of those whose price or fee the broker has not
    reported; ``highs`` the heights of equity from which both peaks are taken.
    """

    account: Account = field(default_factory=lambda: rules.open_account(0.0))
    capital: float = 0.0
    equity: float = 0.0
    close: float = 0.0
    marked: str | None = None
    limit_peak: float = 0.0
    entries_paused: bool = False
    paused_closes: int = 0
    realized: float = 0.0
    dividends: float = 0.0
    fractions: float = 0.0
    num_trades: int = 0
    open_trade: OpenTrade | None = None
    last_trade: Trade | None = None
    closed: tuple[Closed, ...] = ()
    executions: frozenset[str] = frozenset()
    num_fills: int = 0
    fills: Mapping[str, Booked] = field(default_factory=dict)
    old: Mapping[str, Old] = field(default_factory=dict)
    estimated: tuple[str, ...] = ()
    highs: peaks.Highs = ()

    @property
    def shares(self) -> int:
        return int(self.account.shares)

    @property
    def cash(self) -> float:
        return float(self.account.cash)

    @property
    def traded(self) -> float:
        """USD that fills and their fees have brought in, less what they took: a broker's cash shows it at once."""
        return self.cash - self.capital - self.dividends - self.fractions

    @property
    def pause(self) -> Pause:
        """How the drawdown limit stands after the last close."""
        return Pause(self.limit_peak, self.paused_closes if self.entries_paused else None)

    def counted(self, exec_id: str) -> bool:
        """Whether this execution, or another report of the same fill, is in the book."""
        return exec_id in self.executions or ids.root(exec_id) in self.executions

    def booked(self, exec_id: str) -> Booked | None:
        """The fill that was booked under this id or under another report's of the same fill."""
        return self.fills.get(ids.root(exec_id))

    def trade(self, number: int) -> Trade | None:
        """A closed round trip by its number; None if it is open, or too long ago."""
        return next((c.trade for c in self.closed if c.number == number), None)

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
    account = book.account._replace(cash=book.account.cash + event.amount, peak=book.account.peak + event.amount)
    return replace(
        book,
        account=account,
        capital=book.capital + event.amount,
        equity=book.equity + event.amount,
        limit_peak=book.limit_peak + event.amount,
        highs=peaks.deposited(book.highs, event.amount),
    )


def _split(book: Book, event: SplitApplied) -> Book:
    before = book.account
    account = rules.apply_split(before, np.float64(event.ratio), np.float64(event.previous_close))
    paid, shares = float(account.cash - before.cash), int(account.shares)
    book = replace(book, account=account, close=book.close / event.ratio, fractions=book.fractions + paid)
    if book.open_trade is None:
        return book
    after = trades.after_split(book.open_trade, event.ratio, shares, paid)
    if shares > 0:
        return replace(book, open_trade=after)
    closed = Closed(book.num_trades + 1, after, event.session, "split", 0, event.previous_close / event.ratio)
    return _over(book, closed)


def _dividend(book: Book, event: DividendPaid) -> Book:
    account = rules.credit_dividend(book.account, np.float64(event.shares), np.float64(event.amount))
    return replace(book, account=account, dividends=book.dividends + event.shares * event.amount)


def _filled(book: Book, event: Filled) -> Book:
    if book.counted(event.exec_id):
        return book
    event = known(event)
    root, number = ids.root(event.exec_id), book.num_trades + 1
    place = book.num_fills + 1
    booked = Booked(event, place, number, (event.exec_id,), book.marked, float(book.account.peak), book.limit_peak)
    fill = rules.Fill(np.float64(event.qty), np.float64(event.price), np.float64(event.fee))
    buys = booked.bought
    account = (
        rules.settle_buy(book.account, fill, np.float64(event.stop)) if buys else rules.settle_sell(book.account, fill)
    )
    before = book.open_trade
    estimated = (*book.estimated, root) if event.estimated else book.estimated
    book = replace(
        book, account=account, executions=book.executions | {event.exec_id, root}, num_fills=place, estimated=estimated
    )
    book = _kept(book, {**book.fills, root: booked})
    if buys:
        after = trades.bought(before, event.session, event.qty, event.price, event.fee, root)
        return replace(book, open_trade=after)
    if before is None:
        return book
    after = trades.after_sale(before, event.qty, event.price, event.fee)
    if after.qty > 0:
        return replace(book, open_trade=after)
    return _over(book, Closed(number, after, event.session, event.leg, event.qty, event.price, root))


def _kept(book: Book, fills: dict[str, Booked]) -> Book:
    """The book with ``fills``: the newest are kept whole, older ones only if they are estimates."""
    past = [root for root in list(fills)[:-KEPT_FILLS] if root not in book.estimated]
    if not past:
        return replace(book, fills=fills)
    gone = {root: _short(fills.pop(root)) for root in past}
    return replace(book, fills=fills, old={**book.old, **gone})


def _short(booked: Booked) -> Old:
    return booked.fill.qty if booked.bought else -booked.fill.qty, booked.fill.price, booked.fill.fee


def _over(book: Book, closed: Closed) -> Book:
    """The book after the end of the open round trip."""
    return replace(
        book,
        open_trade=None,
        last_trade=closed.trade,
        closed=(*book.closed, closed)[-KEPT_TRADES:],
        num_trades=closed.number,
        realized=book.realized + closed.trade.pnl,
    )


def _fee(book: Book, event: FeeAdjusted) -> Book:
    """The difference also changes the result of the fill's round trip."""
    book = replace(book, account=book.account._replace(cash=book.account.cash - event.amount))
    booked = book.booked(event.exec_id)
    if booked is None:
        return replace(book, realized=book.realized - event.amount)
    book = _heights(book, ids.root(event.exec_id), -event.amount, follow=event.peaks)
    fill = replace(booked.fill, fee=booked.fill.fee + event.amount, estimated=False)
    return _restated(book, replace(booked, fill=fill), 0.0, event.amount)


def _corrected(book: Book, event: FillCorrected) -> Book:
    """Cash, entry price and round trip as if the fill had been booked so. Decisions made since do not change."""
    booked = book.booked(event.exec_id)
    if booked is None:
        return _old_corrected(book, event)
    by_price, by_fee = event.price - booked.fill.price, event.fee - booked.fill.fee
    moved = booked.fill.qty * by_price
    amount = (-moved if booked.bought else moved) - by_fee
    weight = trades.weight_of(book.open_trade, ids.root(event.exec_id)) if book.open_trade is not None else 0.0
    if not event.peaks:
        book = _guessed(book, booked, amount)
    account = book.account._replace(cash=book.account.cash + amount, entry=book.account.entry + weight * by_price)
    stated = {*event.parts, *(ids.root(part) for part in event.parts)}
    fill = replace(booked.fill, price=event.price, fee=event.fee, estimated=event.estimated)
    book = replace(book, account=account, executions=book.executions | stated)
    book = _heights(book, ids.root(event.exec_id), amount, follow=event.peaks)
    return _restated(book, replace(booked, fill=fill, parts=tuple(event.parts)), by_price, by_fee)


def _old_corrected(book: Book, event: FillCorrected) -> Book:
    """Changes the money alone: the round trip of so old a fill is not kept, and the peaks do not change."""
    root = ids.root(event.exec_id)
    if root not in book.old:
        return book
    qty, price, fee = book.old[root]
    amount = -qty * (event.price - price) - (event.fee - fee)
    return replace(
        book,
        account=book.account._replace(cash=book.account.cash + amount),
        equity=book.equity + amount,
        realized=book.realized + amount,
        old={**book.old, root: (qty, event.price, event.fee)},
    )


def _heights(book: Book, root: str, amount: float, *, follow: bool) -> Book:
    """Raises the heights of all closes since a fill by ``amount``, and with ``follow`` also equity and peaks."""
    place = book.fills[root].place
    book = replace(book, highs=peaks.corrected(book.highs, place, amount))
    if not follow or not book.highs or book.highs[-1].fills < place:
        return book  # no close has seen the fill yet
    peak, limit = peaks.highest(book.highs)
    return replace(
        book, account=book.account._replace(peak=np.float64(peak)), equity=book.equity + amount, limit_peak=limit
    )


def _guessed(book: Book, booked: Booked, amount: float) -> Book:
    """Equity and peaks after a correction, as an earlier version computed them."""
    if book.marked == booked.marked:
        return book
    equity = book.equity + amount
    peak = np.float64(peak_after(float(book.account.peak), booked.peak, amount, equity))
    limit = peak_after(book.limit_peak, booked.limit_peak, amount, equity)
    return replace(book, equity=equity, account=book.account._replace(peak=peak), limit_peak=limit)


def _restated(book: Book, booked: Booked, by_price: float, by_fee: float) -> Book:
    """Replaces the figures of a fill, in the list of fills and in its round trip."""
    root, qty, sale = ids.root(booked.fill.exec_id), booked.fill.qty, not booked.bought
    left = tuple(e for e in book.estimated if e != root)
    book = replace(book, fills={**book.fills, root: booked}, estimated=(*left, root) if booked.fill.estimated else left)
    if book.open_trade is not None and booked.trade > book.num_trades:
        return replace(book, open_trade=trades.corrected(book.open_trade, root, qty, by_price, by_fee, sale=sale))
    moved = qty * by_price
    realized = book.realized + (moved if sale else -moved) - by_fee
    closed = tuple(
        replace(
            c,
            done=trades.corrected(c.done, root, qty, by_price, by_fee, sale=sale),
            price=c.price + by_price if c.exec_id == root else c.price,
        )
        if c.number == booked.trade
        else c
        for c in book.closed
    )
    last = closed[-1].trade if closed else book.last_trade
    return replace(book, realized=realized, closed=closed, last_trade=last)


def _disputed(book: Book, event: FillDisputed) -> Book:
    """Changes no money; that is left to a person. The report counts as known from now on."""
    return replace(book, executions=book.executions | {event.by})


def _marked(book: Book, event: Marked) -> Book:
    account = rules.mark(book.account, np.float64(event.close))
    equity = float(rules.equity_of(account, np.float64(event.close)))
    oldest = next((booked.place for booked in book.fills.values()), 0)
    return replace(
        book,
        account=account,
        equity=equity,
        close=event.close,
        marked=event.session,
        limit_peak=book.pause.marked(equity).peak,
        highs=peaks.marked(peaks.merged(book.highs, oldest), book.num_fills, equity),
    )


def _paused(book: Book, event: EntriesPaused) -> Book:
    return replace(book, entries_paused=True, paused_closes=0)


def _decided(book: Book, event: Decided) -> Book:
    closes = book.pause.decided().closes
    return book if closes is None else replace(book, paused_closes=closes)


def _resumed(book: Book, event: Event) -> Book:
    """Drawdown counts from here."""
    if not book.entries_paused:
        return book
    highs = peaks.resumed(book.highs, book.equity)
    return replace(book, entries_paused=False, paused_closes=0, limit_peak=book.equity, highs=highs)


def _status(book: Book, event: StatusChanged) -> Book:
    """A person who starts an agent resumes its entries."""
    return _resumed(book, event) if event.status == AgentStatus.RUNNING else book


_APPLY: dict[type, Callable[[Book, Any], Book]] = {
    Deposited: _deposited,
    SplitApplied: _split,
    DividendPaid: _dividend,
    Filled: _filled,
    FeeAdjusted: _fee,
    FillCorrected: _corrected,
    FillDisputed: _disputed,
    Marked: _marked,
    Decided: _decided,
    EntriesPaused: _paused,
    EntriesResumed: _resumed,
    StatusChanged: _status,
}


def apply(book: Book, event: Event) -> Book:
    """The book after an event; events that touch no money leave it as it is."""
    rule = _APPLY.get(type(event))
    return rule(book, event) if rule else book
