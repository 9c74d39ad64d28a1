"""The options of the commands that follow a model and its bars over their life."""

import argparse
from typing import Any

from ..core.challenge import HORIZON


def add_commands(add: Any) -> None:
    """``add`` declares a command: its name, the module and the function that run it, and its help."""
    _bars(add)
    _models(add)
    _later(add)


def _bars(add: Any) -> None:
    bars = add("bars", "bars", "bars", "what an agent's source has corrected in bars that are booked; accept it")
    bars.add_argument(
        "what",
        choices=["diff", "accept"],
        help="diff: what changed, and which decisions it would have changed; accept: go on with the corrected bars",
    )
    bars.add_argument("agent_id")
    bars.add_argument(
        "--doubtful", action="store_true", help="accept: even if a corrected bar would be refused, were it new"
    )
    bars.add_argument("--now", default=None, metavar="ISO", help="compare as of this time")


def _models(add: Any) -> None:
    imported = add(
        "import-model",
        "importing",
        "import_model",
        "test and register a model that was trained elsewhere with Stable-Baselines3",
    )
    imported.add_argument("file", metavar="FILE", nargs="*", help="its zip; for an ensemble each member's, in order")
    imported.add_argument("--card", default=None, metavar="CARD", help="JSON: what it was trained on; see --template")
    imported.add_argument("--source", default=None, help="bars to test it on (default: the card's source)")
    imported.add_argument(
        "--template",
        nargs="?",
        const="",
        default=None,
        metavar="MODEL",
        help="print a card to fill in instead, or the one that would import this model elsewhere",
    )
    compare = add("compare", "comparing", "compare", "models side by side, from their stored tests")
    compare.add_argument("model_id", metavar="MODEL", nargs="+")


def _later(add: Any) -> None:
    retrain = add("retrain", "lifelong", "retrain", "make a challenger of a model: the same procedure on later bars")
    _with_job(retrain)
    retrain.add_argument(
        "--horizon",
        type=int,
        default=HORIZON,
        metavar="N",
        help=f"sessions after the bars that decide between the two; declared now (default {HORIZON})",
    )
    challenge = add(
        "challenge", "lifelong", "challenge", "how a challenger stands against its model, by the declared rule"
    )
    challenge.add_argument("model_id", metavar="CHALLENGER")
    challenge.add_argument("--source", default=None, help="later bars (default: the challenger's source)")
    _with_job(add("refit", "lifelong", "refit", "fit a tested model's procedure again, on all bars up to the last"))


def _with_job(command: argparse.ArgumentParser) -> None:
    command.add_argument("model_id", metavar="MODEL")
    command.add_argument(
        "--source", default=None, help="bars that go on (default: the model's source; refit: its bars)"
    )
    command.add_argument("--job", default=None, help=argparse.SUPPRESS)
