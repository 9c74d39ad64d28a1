"""The measures of a run, compared with buying and holding at the same costs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import drawdown_pause, metrics, rules
from ..core.market import Market
from ..core.types import AgentType, Terms
from . import backtest
from .backtest import Backtest, RawPolicy

NO_LIMIT = 1.0
"""A drawdown limit that an account without debt never reaches."""


@dataclass(frozen=True)
class Evaluation:
    """A model's run and its measures; ``hold`` is buy-and-hold's equity, one a session.

    If the drawdown limit paused the run, ``measures`` has it under ``pause`` (``core.drawdown_pause``) and
    ``unpaused`` is the equity of the same run without the limit; otherwise both are None.
    """

    run: Backtest
    sessions: list[str]
    measures: dict[str, Any]
    hold: list[float]
    hold_measures: dict[str, Any]
    unpaused: list[float] | None = None

    def summary(self) -> dict[str, Any]:
        """Measures with their range, and those of buy-and-hold."""
        span = {"start": self.sessions[0], "end": self.sessions[-1]}
        return {"test": {**self.measures, **span}, "buy_and_hold": {**self.hold_measures, **span}}

    def document(self) -> dict[str, Any]:
        """The test as the registry stores it, for charts and tables."""
        return {
            "equity": [list(pair) for pair in zip(self.sessions, self.run.equity, strict=True)],
            "buy_and_hold": [list(pair) for pair in zip(self.sessions, self.hold, strict=True)],
            "unpaused": [list(pair) for pair in zip(self.sessions, self.unpaused or [], strict=False)],
            "held": [int(held) for held in self.run.held],
            "trades": [trade.to_dict() for trade in self.run.trades],
            "metrics": self.measures,
            "buy_and_hold_metrics": self.hold_measures,
        }


def evaluate(
    market: Market, bars: range, agent_type: AgentType, policy: RawPolicy, terms: Terms, open_shift_atr: float = 0.0
) -> Evaluation:
    """Run a policy over ``bars`` from a flat start and measure it; ``open_shift_atr`` as in ``backtest.run``."""
    run = backtest.run(market, bars, agent_type, policy, terms, open_shift_atr)
    hold = buy_and_hold(market, bars, terms)
    held = [False] + [True] * (len(hold) - 1)
    sessions = [market.sessions[t].isoformat() for t in bars]
    found, unpaused = None, None
    if run.pauses:
        free = replace(terms, limits=replace(terms.limits, max_drawdown=NO_LIMIT))
        other = backtest.run(market, bars, agent_type, policy, free, open_shift_atr)
        unpaused = other.equity
        without = metrics.measure(other.equity, other.trades, other.held)
        found = drawdown_pause.document(_spans(run, sessions), terms.limits, without)
    return Evaluation(
        run=run,
        sessions=sessions,
        measures={**metrics.measure(run.equity, run.trades, run.held), "pause": found},
        hold=hold,
        hold_measures=metrics.measure(hold, [], held),
        unpaused=unpaused,
    )


def _spans(run: Backtest, sessions: list[str]) -> list[dict[str, Any]]:
    """The pauses of a run by their sessions."""
    return [
        drawdown_pause.span(sessions[p.start], sessions[p.stop] if p.ended else None, p.stop - p.start, p.buys_lost)
        for p in run.pauses
    ]


def buy_and_hold(market: Market, bars: range, terms: Terms) -> list[float]:
    """Equity at each close: the most whole shares at the second session's open.

    Same costs; splits apply, dividends stay as cash, nothing is sold.
    """
    account = rules.open_account(np.float64(terms.capital))
    equity = [float(account.cash)]
    for t in bars[1:]:
        quote = market.quote(t)
        account = rules.apply_split(account, quote.split, quote.previous_close)
        account = rules.credit_dividend(account, account.shares, quote.dividend)
        if t == bars[1]:
            fill = _affordable(float(account.cash), float(quote.open), terms)
            account = rules.settle_buy(account, fill, np.float64(0.0))
        equity.append(float(rules.equity_of(account, quote.close)))
    return equity


def _affordable(cash: float, price: float, terms: Terms) -> rules.Fill:
    """The largest purchase that cash pays for, fee included."""
    qty = np.floor(cash / price)
    while qty > 0:
        fill = rules.buy_at(np.float64(qty), np.float64(price), terms.costs)
        if fill.qty * fill.price + fill.fee <= cash:
            return fill
        qty -= 1
    return rules.buy_at(np.float64(0.0), np.float64(price), terms.costs)
