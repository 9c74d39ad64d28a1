"""A model over a range of sessions: the same rules, one observation at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import decide, ledger, limits, rules, trades
from ..core.market import Market
from ..core.observe import observe
from ..core.trades import OpenTrade, Trade
from ..core.types import AgentType, Leg, Terms

RawPolicy = Callable[[np.ndarray], float]
"""From one float32 observation to the policy's raw output."""


@dataclass(frozen=True)
class Paused:
    """One pause of a run, as indexes of its sessions: entries were refused at the closes of ``start`` up to, but
    without, ``stop``. ``ended``: at the close of ``stop`` they were allowed again; False where the run
    ended first. ``buys_lost``: BUY signals that were not followed because of it."""

    start: int
    stop: int
    ended: bool = False
    buys_lost: int = 0


@dataclass(frozen=True)
class Backtest:
    """The result of a run. ``rows`` is the ledger; equity and held have one entry a session.
    ``pauses`` are those of the drawdown limit, oldest first."""

    rows: list[dict[str, Any]]
    equity: list[float]
    held: list[bool]
    trades: list[Trade]
    pauses: tuple[Paused, ...] = ()

    @property
    def paused(self) -> int | None:
        """The index of the session at whose close the drawdown limit first paused entries, None if it never did."""
        return self.pauses[0].start if self.pauses else None

    @property
    def buys_lost(self) -> int:
        """BUY signals of all pauses that were not followed."""
        return sum(pause.buys_lost for pause in self.pauses)

    @property
    def fills(self) -> int:
        return sum(len(entry["fills"]) for entry in self.rows)

    @property
    def orders(self) -> int:
        return sum(1 for entry in self.rows if entry["qty"])


def paused_sessions(run: Backtest) -> list[bool]:
    """For each session of a run, whether the drawdown limit refused entries at its close."""
    found = [False] * len(run.equity)
    for pause in run.pauses:
        found[pause.start : pause.stop] = [True] * (pause.stop - pause.start)
    return found


def run(
    market: Market, bars: range, agent_type: AgentType, policy: RawPolicy, terms: Terms, open_shift_atr: float = 0.0
) -> Backtest:
    """Trade sessions ``bars`` (indexes into the market) from a flat start.

    Every session is decided, also the last, whose order never fills; nothing is
    liquidated at the end. A drawdown beyond the limit pauses entries for the sessions of
    ``terms``, or for good where live a person has to resume them (``core.limits``). ``open_shift_atr``
    makes each open worse for us by so many ATR14 of the decision, for a what-if; 0 in every real test.
    """
    account, plan = rules.open_account(np.float64(terms.capital)), rules.NO_PLAN
    held, equities, rows, tracker = list[bool](), list[float](), list[dict[str, Any]](), _Tracker()
    limit, pauses = limits.Pause(terms.capital), list[Paused]()
    for t in bars:
        fills: list[ledger.LedgerFill] = []
        if t > bars.start:
            before = account
            account, session = rules.step(account, plan, _quote(market, t, plan, open_shift_atr), terms.costs)
            fills = tracker.session(market, t, before, session)
        close = market.columns.close[t]
        equity = float(rules.equity_of(account, close))
        limit, turn = limits.at_close(limit.marked(equity), equity, terms.limits)
        seen = observe(market.scaled[t], account, close)
        action = decide.action_of(agent_type, np.asarray(policy(seen))[()])
        intent = decide.intend(action, account, close, market.atr[t], limit.on, terms.limits, terms.costs)
        _note(pauses, len(rows), turn, limit.on, intent)
        limit, plan = limit.decided(), intent.plan
        rows.append(_row(market.sessions[t].isoformat(), int(action), plan, seen, account, equity, fills))
        equities.append(equity)
        held.append(bool(account.shares > 0))
    return Backtest(rows, equities, held, tracker.closed, tuple(pauses))


def _note(pauses: list[Paused], at: int, turn: limits.Turn, on: bool, intent: decide.Intent) -> None:
    """Adds the decided session ``at`` to the pauses of a run."""
    if turn is limits.Turn.BEGINS:
        pauses.append(Paused(at, at))
    elif turn is limits.Turn.ENDS:
        pauses[-1] = replace(pauses[-1], ended=True)
    if on:
        lost = pauses[-1].buys_lost + int(intent.reason == decide.Reason.DRAWDOWN_PAUSE)
        pauses[-1] = replace(pauses[-1], stop=at + 1, buys_lost=lost)


def _row(
    bar: str,
    action: int,
    plan: rules.Plan,
    seen: np.ndarray,
    account: rules.Account,
    equity: float,
    fills: list[ledger.LedgerFill],
) -> dict[str, Any]:
    """The ledger row of a decided session; ``account`` at its close, ``fills`` of its open."""
    shares = int(account.shares)
    qty = shares if plan.exit else int(plan.qty)
    return ledger.row(bar, action, qty, ledger.obs_sha256(seen), float(account.cash), equity, shares, fills)


def _quote(market: Market, t: int, plan: rules.Plan, open_shift_atr: float) -> rules.Quote:
    """The quote of session ``t``, its open worse for the plan by so many ATR14 of the decision."""
    quote = market.quote(t)
    return _worse_open(quote, plan, open_shift_atr * market.atr[t - 1]) if open_shift_atr else quote


def _worse_open(quote: rules.Quote, plan: rules.Plan, shift: rules.Num) -> rules.Quote:
    """The quote with its open ``shift`` USD (in shares of the session before) worse for the plan."""
    moved = shift / quote.split
    worse = quote.open + moved if plan.qty > 0 else np.maximum(quote.open - moved, quote.open * 0.01)
    return quote._replace(open=worse)


class _Tracker:
    """Round trips from a run's sessions."""

    def __init__(self) -> None:
        self.open: OpenTrade | None = None
        self.closed: list[Trade] = []

    def session(self, market: Market, t: int, before: rules.Account, session: rules.Session) -> list[ledger.LedgerFill]:
        """Book one session's split and fills; returns the fills for the ledger."""
        name = market.sessions[t].isoformat()
        self._split(name, before, market.quote(t))
        fills: list[ledger.LedgerFill] = []
        for leg, fill in ((Leg.ENTRY, session.entry), (Leg.EXIT, session.exit), (Leg.STOP, session.stop)):
            qty = int(fill.qty)
            if qty == 0:
                continue
            price, fee = float(fill.price), float(fill.fee)
            fills.append((str(leg), qty, price, fee))
            if leg == Leg.ENTRY:
                self.open = trades.bought(self.open, name, qty, price, fee)
            elif self.open is not None:
                self._close(*trades.sold(self.open, name, str(leg), qty, price, fee))
        return fills

    def _split(self, name: str, before: rules.Account, quote: rules.Quote) -> None:
        if self.open is None or quote.split == 1.0:
            return
        after = rules.apply_split(before, quote.split, quote.previous_close)
        self._close(
            *trades.split(
                self.open,
                name,
                float(quote.split),
                int(after.shares),
                float(after.cash - before.cash),
                float(quote.previous_close / quote.split),
            )
        )

    def _close(self, left: OpenTrade | None, trade: Trade | None) -> None:
        self.open = left
        if trade is not None:
            self.closed.append(trade)
