"""``train``: one training, a study, or many symbols."""

import argparse
from typing import Any

from ..adapters.home import Home
from ..core.errors import BadInput
from . import models, search, symbols

OF_A_STUDY = {"storage": "--storage", "study": "--study"}


def train(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Whatever the options ask for."""
    _check(options)
    if options.symbols is not None:
        return symbols.train(home, options)
    return models.train(home, options) if options.trials is None else search.train(home, options)


def _check(options: argparse.Namespace) -> None:
    if (options.symbol is None) == (options.symbols is None):
        raise BadInput("Name what to train: one symbol, or a file of symbols with --symbols FILE.")
    if options.processes is not None and options.processes < 1:
        raise BadInput(f"processes is {options.processes}; it must be at least 1.")
    if options.trials is not None:
        search.check(options)
        return
    if options.agent == "any":
        raise BadInput("--agent any lets a study choose the algorithm: add --trials N, or name PPO or SAC.")
    for name, option in OF_A_STUDY.items():
        if getattr(options, name) is not None:
            raise BadInput(f"{option} belongs to a study: add --trials N.")
