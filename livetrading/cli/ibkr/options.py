"""The commands and options that only Interactive Brokers has."""

import argparse
from typing import Any


def add_commands(add: Any) -> None:
    """``add`` declares a command: its name, the module and the function that run it, and its help."""
    imported = add(
        "import-statement",
        "ibkr.statement",
        "import_statement",
        "correct the books by an IB Flex statement (XML or CSV)",
    )
    imported.add_argument("file", metavar="FILE")
    imported.add_argument("--account", default=None, metavar="ACCOUNT", help="if the statement has several")


def add_checks(doctor: argparse.ArgumentParser) -> None:
    """What ``doctor`` takes for this broker."""
    doctor.add_argument("--ibkr", action="store_true", help="check Interactive Brokers alone, configured or not")
    doctor.add_argument(
        "--probe-open",
        action="store_true",
        help="buy one share on a paper account at the next open, to see whether it simulates the auction;"
        " or end what an earlier probe left",
    )
    doctor.add_argument(
        "--confirm", default=None, metavar="ACCOUNT", help="with --probe-open: the paper account's number"
    )
    doctor.add_argument("--symbol", default=None, help="the stock to ask about, or to probe with (INTC)")
    doctor.add_argument(
        "--record",
        default=None,
        metavar="FILE",
        help="record the messages of the connection to TWS, without account numbers and names",
    )
    doctor.add_argument("--record-values", action="store_true", help="with --record: amounts of money as they are")
    doctor.add_argument(
        "--assumptions",
        action="store_true",
        help="what is assumed of TWS, each with the probe that proves it, and what was proved",
    )
    doctor.add_argument("--proved", default=None, metavar="KEY", help="note that you saw this assumption hold")
    doctor.add_argument("--disproved", default=None, metavar="KEY", help="note that you saw this assumption fail")
    doctor.add_argument(
        "--note", default=None, metavar="TEXT", help="with --proved or --disproved: how, and TWS's build"
    )
