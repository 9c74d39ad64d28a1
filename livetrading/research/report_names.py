"""How tables and charts call an agent and what stands beside it, everywhere in the same order."""

from typing import Any

AGENT = "agent"
WITNESSES = {"ridge": "Ridge", "always_long": "Always long", "buy_and_hold": "Buy and hold", "cash": "Cash"}

LEGS = {"exit": "the model's signal", "stop": "the protective stop", "split": "a reverse split"}
"""What ended a trade."""


def named(agent_type: str) -> dict[str, str]:
    """Names by key: the agent's type first."""
    return {AGENT: str(agent_type), **WITNESSES}


def tests(metrics: dict[str, Any]) -> dict[str, Any]:
    """The measures in the test, by the same keys as a walk-forward's; a card of before has no ridge, always-long and
    cash."""
    found = {AGENT: metrics["test"], **(metrics.get("witnesses") or {}), "buy_and_hold": metrics["buy_and_hold"]}
    return {key: found[key] for key in (AGENT, *WITNESSES) if key in found}
