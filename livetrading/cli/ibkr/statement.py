"""``import-statement``: the books are corrected by a Flex statement of Interactive Brokers."""

import argparse
from pathlib import Path
from typing import Any

from ...adapters.brokers.ibkr import flex
from ...adapters.home import Home
from ...core.agent import AGENT_ID
from ...core.errors import BadInput, Conflict
from ...core.order_key import OrderKey
from ...core.statement import StatementExecution
from ..account import ACCOUNT_SECONDS, in_accounts
from ..acting import act


def import_statement(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Read a Flex statement and correct the books where it states something else."""
    path = Path(options.file)
    rows = flex.read(path)
    traded: dict[str, set[str]] = {}
    for agent in in_accounts(home):
        traded.setdefault(agent["account"] or "", set()).add(agent["symbol"])
    number = _account(path.name, rows, traded, options.account)
    mine = [
        e
        for e in rows
        if e.account == number
        and (e.symbol.replace(" ", "-") in traded[number] or AGENT_ID.fullmatch(OrderKey.owner(e.ref)))
    ]
    if not mine:
        raise BadInput(
            f"{path.name} has no trade of the agents of account {number}; export a statement for the"
            " days of their fills."
        )
    args = {"account": number, "executions": [e.to_dict() for e in mine]}
    return act(home, "import_statement", args=args, timeout=ACCOUNT_SECONDS)


def _account(name: str, rows: list[StatementExecution], traded: dict[str, set[str]], wanted: str | None) -> str:
    """The one account that both the statement and the agents name."""
    stated = sorted({e.account for e in rows})
    if not traded:
        raise Conflict(
            "No agent trades an account at Interactive Brokers, so there is nothing that a statement could correct."
        )
    if not stated:
        raise BadInput(
            f"{name} has no execution of a stock in USD; export a statement for the days of the agents' fills."
        )
    both = [number for number in stated if number in traded and wanted in (None, number)]
    if not both:
        theirs = f"{wanted} was asked for" if wanted else f"the agents trade {', '.join(sorted(traded))}"
        raise BadInput(f"{name} is a statement of {', '.join(stated)}, and {theirs}; export that account's.")
    if len(both) > 1:
        raise BadInput(f"{name} is a statement of the accounts {', '.join(both)}; name one with --account.")
    return both[0]
