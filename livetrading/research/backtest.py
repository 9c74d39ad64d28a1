"""A model over a range of sessions: the same rules, one observation at a time."""

from collections.abc import Callable
from dataclasses import dataclass
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
class Backtest:
    """The result of a run. ``rows`` is the ledger; equity and held have one entry a session.

    ``paused``: the index in them of the session at whose close the drawdown limit
    paused entries, None if it never did; ``buys_lost``: BUY signals that were not followed because of it.
    """

    rows: list[dict[str, Any]]
    equity: list[float]
    held: list[bool]
    trades: list[Trade]
    paused: int | None = None
    buys_lost: int = 0

    @property
    def fills(self) -> int:
        return sum(len(entry["fills"]) for entry in self.rows)

    @property
    def orders(self) -> int:
        return sum(1 for entry in self.rows if entry["qty"])


def run(
    market: Market, bars: range, agent_type: AgentType, policy: RawPolicy, terms: Terms, open_shift_atr: float = 0.0
) -> Backtest:
    """Trade sessions ``bars`` (indexes into the market) from a flat start.

    Every session is decided, also the last, whose order never fills; nothing is
    liquidated at the end. A drawdown beyond the limit ends all further entries,
    as it does live until a person resumes. ``open_shift_atr`` makes each open
    worse for us by so many ATR14 of the decision, for a what-if; 0 in every real test.
    """
    account, plan = rules.open_account(np.float64(terms.capital)), rules.NO_PLAN
    held, equities, rows, tracker = list[bool](), list[float](), list[dict[str, Any]](), _Tracker()
    paused_at, buys_lost = None, 0
    for t in bars:
        fills: list[ledger.LedgerFill] = []
        if t > bars.start:
            before = account
            account, session = rules.step(account, plan, _quote(market, t, plan, open_shift_atr), terms.costs)
            fills = tracker.session(market, t, before, session)
        close = market.columns.close[t]
        equity = rules.equity_of(account, close)
        if paused_at is None and limits.pauses_entries(equity, account.peak, terms.limits):
            paused_at = len(rows)
        seen = observe(market.scaled[t], account, close)
        action = decide.action_of(agent_type, np.asarray(policy(seen))[()])
        intent = decide.intend(action, account, close, market.atr[t], paused_at is not None, terms.limits, terms.costs)
        buys_lost += int(intent.reason == decide.Reason.DRAWDOWN_PAUSE)
        plan = intent.plan
        rows.append(_row(market.sessions[t].isoformat(), int(action), plan, seen, account, float(equity), fills))
        equities.append(float(equity))
        held.append(bool(account.shares > 0))
    return Backtest(rows, equities, held, tracker.closed, paused_at, buys_lost)


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
