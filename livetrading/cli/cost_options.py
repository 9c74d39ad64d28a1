"""The options that set what a trade costs: an agent's own terms, and those of a run."""

import argparse

from ..core import deployment
from ..core.frozen import replace
from ..core.types import COST_FIELDS, Costs, Terms

HELP = {
    "slippage_bps": "basis points of the price by which every simulated fill is worse",
    "commission_per_share": "USD a share",
    "commission_minimum": "USD an order",
}
"""At a broker the test and estimates go by them; what is booked in the end is what the broker reports."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare them; without a value the default costs hold, in ``whatif --agent`` the agent's own."""
    for name, default in deployment.COSTS.named.items():
        option, text = f"--{name.replace('_', '-')}", f"{HELP[name]} (default {default:g})"
        parser.add_argument(option, type=float, default=None, metavar="X", help=text)


def given(options: argparse.Namespace) -> dict[str, float]:
    """The costs that were set, by the names of ``Costs``."""
    values = {field: getattr(options, name, None) for name, field in COST_FIELDS.items()}
    return {field: value for field, value in values.items() if value is not None}


def terms(options: argparse.Namespace, base: Terms | None = None) -> Terms:
    """``base``, or the default terms, at the costs that were set. Raises BadInput out of bounds."""
    base = base or Terms()
    changed: Costs = replace(base.costs, **given(options))
    return replace(base, costs=changed)
