"""The options of studies: those of ``train``, and ``worker``."""

import argparse
from typing import Any


def add_to_train(train: argparse.ArgumentParser) -> None:
    """Declare what makes a training a study, or one of many."""
    train.add_argument("--symbols", default=None, metavar="FILE", help="train every symbol of a file, one a line")
    train.add_argument(
        "--trials", type=int, default=None, metavar="N", help="try N settings on the folds, then train the best once"
    )
    _storage(train, "where the study is kept, for workers of other machines too (default: in the home)")
    train.add_argument("--study", default=None, metavar="NAME", help="of the study (default: made of its settings)")
    train.add_argument(
        "--trial-seeds", type=int, default=3, metavar="N", help="seeds by which each trial is judged (default 3)"
    )
    train.add_argument(
        "--generation",
        type=int,
        default=4,
        metavar="N",
        help="trials that can run at the same time; each knows of the generations before it (default 4)",
    )
    train.add_argument(
        "--processes", type=int, default=None, metavar="N", help="of this machine (default: one for each core)"
    )


def add_worker(add: Any) -> None:
    """Declare ``worker``."""
    worker = add("worker", "worker", "worker", "work on the trials of studies that other machines have begun")
    _storage(worker, "where the studies are kept")
    worker.add_argument("--study", default=None, metavar="NAME", help="this study alone (default: all that are open)")
    worker.add_argument(
        "--wait", type=float, default=60.0, metavar="S", help="seconds to wait for a study to begin (default 60)"
    )


def _storage(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--storage",
        default=None,
        metavar="URL",
        help=f"{text}: sqlite:///PATH or postgresql://USER@HOST/DATABASE. $LIVETRADING_STORAGE holds it out of the list"
        " of processes",
    )
    parser.add_argument("--beat", type=int, default=10, help=argparse.SUPPRESS)
