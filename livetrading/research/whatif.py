"""The same test under other conditions: no costs, double costs, worse opens, other terms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..core.market import Market
from ..core.types import AgentType, Terms
from .backtest import RawPolicy
from .evaluation import evaluate

OPEN_SHIFT_ATR = 1.0 / 20.0
"""How far our fill may be from the price of the opening auction, in ATR14."""


@dataclass(frozen=True)
class Scenario:
    """One condition. ``open_shift_atr``: every open is worse for us by so many ATR14."""

    name: str
    terms: Terms
    open_shift_atr: float = 0.0


def scenarios(terms: Terms, agents: Mapping[str, Terms]) -> list[Scenario]:
    """As tested; at no and at double costs; at worse opens; and with each agent's own terms."""

    def costing(multiple: float) -> Terms:
        return replace(terms, costs=replace(terms.costs, multiple=terms.costs.multiple * multiple))

    found = [
        Scenario("as tested", terms),
        Scenario("no costs", costing(0.0)),
        Scenario("costs twice as high", costing(2.0)),
        Scenario("opens worse by ATR/20", terms, OPEN_SHIFT_ATR),
    ]
    return found + [Scenario(f"{name}'s capital and limits", own) for name, own in agents.items()]


def report(
    market: Market, bars: range, agent_type: AgentType, policy: RawPolicy, wanted: list[Scenario]
) -> list[dict[str, Any]]:
    """One JSON-ready row for each scenario: its terms, the fees paid, and the test's measures."""
    rows = []
    for scenario in wanted:
        done = evaluate(market, bars, agent_type, policy, scenario.terms, scenario.open_shift_atr)
        terms = scenario.terms
        rows.append(
            {
                "scenario": scenario.name,
                "capital": terms.capital,
                "max_position": terms.limits.max_position,
                "risk_per_trade": terms.limits.risk_per_trade,
                "stop_atr": terms.limits.stop_atr,
                "max_drawdown": terms.limits.max_drawdown,
                "pause_sessions": terms.limits.pause_sessions,
                **terms.costs.named,
                "cost_multiple": terms.costs.multiple,
                "open_shift_atr": scenario.open_shift_atr,
                "fees": sum(fill[3] for row in done.run.rows for fill in row["fills"]),
                **done.measures,
                "buy_and_hold_return_pct": done.hold_measures["total_return_pct"],
            }
        )
    return rows
