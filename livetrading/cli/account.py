"""``confirm-cash``: a part of an account's cash that no agent's trades explain belongs to the user."""

import argparse
from typing import Any

from ..adapters.home import Home
from ..adapters.store import Store
from ..core.agent import AGENT_ID
from ..core.errors import Conflict, NotFound
from ..execution.state import queries
from ..execution.state.status import AgentStatus
from .acting import act

ACCOUNT_SECONDS = 60.0
"""For a request that the broker is asked about first."""


def in_accounts(home: Home) -> list[AgentStatus]:
    """The agents that trade an account at a broker."""
    return [a for a in queries.agents(Store(home)) if a.get("account")]


def confirm_cash(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """``target`` is an account's number or an agent that trades it."""
    agents = in_accounts(home)
    found = [a["agent_id"] for a in agents if options.target in (a["agent_id"], a["account"])]
    if not found and AGENT_ID.fullmatch(options.target):
        queries.agent(Store(home), options.target)  # NotFound, if there is none
        raise Conflict(f"{options.target} does not trade an account at a broker; there is no cash to confirm.")
    if not found:
        raise NotFound(f"No agent trades account {options.target}; list them with `python -m livetrading agents`.")
    args = {} if options.amount is None else {"difference": options.amount}
    return act(home, "confirm_cash", agent_id=found[0], args=args, timeout=ACCOUNT_SECONDS)
