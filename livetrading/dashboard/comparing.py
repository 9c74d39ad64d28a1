"""Models side by side, for the command and the page: their stored tests, and which agents trade them."""

from typing import Any

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.execution.state import queries

Doc = dict[str, Any]
CLEAR = 2.0
"""Standard errors from which a difference is called one."""


def compared(home: Home, model_ids: list[str]) -> Doc:
    """The comparison as JSON. Raises NotFound or Damaged for a model that cannot be read."""
    from livetrading.research import comparison  # arch loads slowly

    registry, agents = Registry(home), queries.agents(Store(home))
    subjects = []
    for model_id in model_ids:
        traded = [
            {"agent_id": agent["agent_id"], "mode": agent["mode"], "status": agent["status"]}
            for agent in agents
            if agent.get("model_id") == model_id
        ]
        subjects.append(comparison.Subject(registry.card(model_id), registry.test(model_id), traded))
    return comparison.compare(subjects)


def verdict(pair: Doc) -> str:
    """A paired difference in a sentence; empty where it is undefined."""
    if pair["one_test_of"]:
        return (
            f"{pair['model_id']} and {pair['against']} have one and the same test, which measured {pair['one_test_of']}:"
            " it says nothing of how they differ."
        )
    if pair["difference_pct"] is None:
        return ""
    clear = pair["t"] is not None and abs(pair["t"]) > CLEAR
    return (
        f"{pair['model_id']} made {pair['difference_pct']:+.2f} % a year against {pair['against']}, standard error"
        f" {pair['se_pct']:.2f} % ({pair['returns']} paired daily returns): "
        + ("they differ." if clear else "luck alone explains such a difference.")
    )
