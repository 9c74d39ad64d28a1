"""``import-statement`` and ``confirm-cash``: what a person tells of an account's money."""

import argparse
from pathlib import Path
from typing import Any

from ..adapters.brokers.ibkr import flex
from ..adapters.home import Home
from ..adapters.store import Store
from ..core.agent import AGENT_ID
from ..core.errors import BadInput, Conflict, NotFound
from ..core.order_key import OrderKey
from ..core.stated import Stated
from ..execution.state import queries
from .acting import act

IMPORT_SECONDS = 60.0


def import_statement(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Read a Flex statement and let the books be corrected by what it states."""
    rows, path = flex.read(Path(options.file)), Path(options.file)
    traded = {a["account"]: set[str]() for a in _in_accounts(home)}
    for agent in _in_accounts(home):
        traded[agent["account"]].add(agent["symbol"])
    number = _account(path.name, rows, traded, options.account)
    mine = [e for e in rows if e.account == number and (
        e.symbol.replace(" ", "-") in traded[number] or AGENT_ID.fullmatch(OrderKey.owner(e.ref)))]
    if not mine:
        raise BadInput(f"{path.name} holds no trade of the agents of account {number}; export a statement for the"
                       " days of their fills.")
    args = {"account": number, "executions": [e.to_dict() for e in mine]}
    return act(home, "import_statement", args=args, timeout=IMPORT_SECONDS)


def _in_accounts(home: Home) -> list[dict[str, Any]]:
    return [a for a in queries.agents(Store(home)) if a.get("account")]


def _account(name: str, rows: list[Stated], traded: dict[str, set[str]], wanted: str | None) -> str:
    """The one account that both the statement and agents name."""
    stated = sorted({e.account for e in rows})
    if not traded:
        raise Conflict("No agent trades an account at Interactive Brokers, so there is nothing that a statement could correct.")
    if not stated:
        raise BadInput(f"{name} holds no execution of a stock in USD; export a statement for the days of the agents' fills.")
    both = [number for number in stated if number in traded and wanted in (None, number)]
    if not both:
        theirs = f"{wanted} was asked for" if wanted else f"the agents trade {', '.join(sorted(traded))}"
        raise BadInput(f"{name} is a statement of {', '.join(stated)}, and {theirs}; export that account's.")
    if len(both) > 1:
        raise BadInput(f"{name} holds the accounts {', '.join(both)}; name one with --account.")
    return both[0]


def confirm_cash(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """What is unexplained of an account's cash is the user's own; by account number or by an agent of it."""
    agents = _in_accounts(home)
    found = [a["agent_id"] for a in agents if options.target in (a["agent_id"], a["account"])]
    if not found and AGENT_ID.fullmatch(options.target):
        queries.agent(Store(home), options.target)  # NotFound, if there is none
        raise Conflict(f"{options.target} does not trade an account at Interactive Brokers; there is no cash to confirm.")
    if not found:
        raise NotFound(f"No agent trades account {options.target}; list them with `python -m livetrading agents`.")
    args = {} if options.amount is None else {"difference": options.amount}
    return act(home, "confirm_cash", agent_id=found[0], args=args, timeout=IMPORT_SECONDS)
