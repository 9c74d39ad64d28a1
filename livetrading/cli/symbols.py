"""``train --symbols``: every symbol of a file, each alone; what is trained is not trained again."""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..adapters import logs
from ..adapters.bars import check_symbol
from ..adapters.files import atomic_write, make_directory, read_file
from ..adapters.home import Home
from ..adapters.jsonio import dump, load
from ..adapters.registry import Registry
from ..core.errors import BadInput, Damaged, LivetradingError
from . import models, report_text, search

log = logs.logging.getLogger(__name__)
SETTINGS = (
    "agent",
    "source",
    "features",
    "timesteps",
    "seed",
    "seeds",
    "folds",
    "also",
    "start",
    "end",
    "trials",
    "study",
    "trial_seeds",
    "generation",
)
"""Options that a symbol's result follows from: with others it is trained anew."""
PLACE = "{symbol}"
"""In a source it stands for each symbol, as in csv:bars/{symbol}.csv."""


def train(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """All symbols in their order. Exit code 1 if one failed; a second call goes on with those that are not trained."""
    logs.setup(home, "train")
    names = read(Path(options.symbols))
    if options.source and options.source.startswith("csv:") and PLACE not in options.source:
        raise BadInput(f"A CSV file holds one symbol: write csv:FOLDER/{PLACE}.csv, or choose another source.")
    done = Results(home, options)
    left = [name for name in names if not done.has(name)]
    if options.trials is not None:
        _begin_all(home, options, left, done)
    for name in [name for name in left if not done.failed_now(name)]:
        done.note(name, _one(home, options, name))
    return _answer(done, names, left)


def read(path: Path) -> list[str]:
    """The symbols of a file, one a line; what follows a # is a remark. BadInput if there is none or one twice."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise BadInput(f"{path} cannot be read ({why.lower()}): give a file of symbols, one a line.") from None
    names = [check_symbol(text) for line in lines if (text := line.partition("#")[0].strip())]
    if not names:
        raise BadInput(f"{path} names no symbol: write one a line, such as AAPL.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{path} names {repeated[0]} twice: name each symbol once.")
    return names


class Results:
    """What became of each symbol under these settings, in a file that is written after each."""

    def __init__(self, home: Home, options: argparse.Namespace) -> None:
        self._registry = Registry(home)
        settings = {name: str(getattr(options, name)) for name in SETTINGS}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        self.path = home.studies / f"symbols-{digest[:10]}.json"
        self._known = _read(self.path)
        self._failed: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether it is trained, and its model is still there."""
        model_id = self._known.get(name, {}).get("model_id")
        return model_id is not None and self._registry.home.model(model_id).is_dir()

    def failed_now(self, name: str) -> bool:
        return name in self._failed

    def note(self, name: str, found: dict[str, Any]) -> None:
        self._known[name] = found
        if "error" in found:
            self._failed.add(name)
        make_directory(self.path.parent)
        atomic_write(self.path, dump({"symbols": self._known}, self.path.name))

    def of(self, name: str) -> dict[str, Any]:
        return {"symbol": name, **self._known.get(name, {})}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    content = read_file(path)
    if content is None:
        return {}
    try:
        return {str(name): dict(found) for name, found in load(content)["symbols"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Damaged(f"{path} cannot be read: remove it to train all symbols again.") from None


def _of(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """The options of one symbol alone."""
    source = options.source and options.source.replace(PLACE, name)
    study = options.study and f"{options.study}-{name}"
    return argparse.Namespace(**{**vars(options), "symbol": name, "source": source, "study": study, "job": None})


def _begin_all(home: Home, options: argparse.Namespace, names: Sequence[str], done: Results) -> None:
    """All studies before the first trial: workers of other machines need not wait for this one."""
    for name in names:
        try:
            search.begun(home, name, _of(options, name))[0].close()
        except Exception as error:
            done.note(name, _failure(name, error))


def _one(home: Home, options: argparse.Namespace, name: str) -> dict[str, Any]:
    print(f"{name} …", file=sys.stderr, flush=True)
    run = models.train if options.trials is None else search.train
    try:
        found = run(home, _of(options, name))
    except Exception as error:  # each symbol fails alone
        return _failure(name, error)
    short = {key: found["test"].get(key) for key in ("sharpe_ratio", "total_return_pct", "num_trades")}
    study = {"study": found["study"]["name"]} if "study" in found else {}
    return {"model_id": found["model_id"], "seconds": found["seconds"], **short, **study}


def _failure(name: str, error: Exception) -> dict[str, Any]:
    said: LivetradingError = logs.caught(log, f"the training of {name}", error)
    return {"error": str(said)}


def _answer(done: Results, names: Sequence[str], left: Sequence[str]) -> dict[str, Any]:
    rows = [done.of(name) for name in names]
    failed = [row for row in rows if "error" in row]
    head = f"{len(left) - len(failed)} trained, {len(names) - len(left)} were trained before, {len(failed)} failed."
    text = "\n".join([*map(_line, rows), head])
    return {
        "symbols": rows,
        "trained": len(left) - len(failed),
        "known": len(names) - len(left),
        "failed": len(failed),
        "text": text,
        "exit_code": 1 if failed else 0,
    }


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['symbol']:<10} {row['error']}"
    return f"{row['symbol']:<10} {row['model_id']}  Sharpe {report_text.number(row['sharpe_ratio'])}, {row['num_trades']} trades"
