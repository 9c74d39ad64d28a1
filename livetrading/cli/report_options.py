"""The options of ``report``."""

from typing import Any


def add_commands(add: Any) -> None:
    report = add("report", "report", "report", "a model's test in full: what it is worth beside luck and the baselines")
    report.add_argument("model_id")
    report.add_argument(
        "--html", default=None, metavar="FILE", help="write it here as one file that any browser opens, offline"
    )
