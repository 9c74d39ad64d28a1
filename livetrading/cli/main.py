"""The parser and the one place where errors become sentences and exit codes."""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..adapters.home import Home
from ..core.errors import LivetradingError
from . import arguments

INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Run one command. 0 done, 1 refused or failed, 2 usage."""
    options = parser().parse_args(list(argv))
    try:
        home = Home.resolve(getattr(options, "home", None))
        module = importlib.import_module(f".{options.module}", __package__)
        answer = getattr(module, options.function)(home, options)
    except LivetradingError as error:
        return _failed(str(error), options.json, error.exit_code, error.http_status)
    except KeyboardInterrupt:
        return _failed("Interrupted; nothing half-done was kept.", options.json, INTERRUPTED)
    except BrokenPipeError:
        return 1
    _show(answer, options)
    return int(answer.get("exit_code", 0)) if isinstance(answer, dict) else 0


def _failed(sentence: str, as_json: bool, code: int, http_status: int = 503) -> int:
    """The status is for the REST routes, which run commands as processes."""
    print(sentence, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": sentence, "http_status": http_status}))
    return code


def _show(answer: dict[str, Any] | None, options: argparse.Namespace) -> None:
    if answer is None:
        return
    if answer.get("error"):
        print(answer["error"], file=sys.stderr)
    shown = {k: v for k, v in answer.items() if k not in ("exit_code", "text")}
    if options.json:
        print(json.dumps(shown, allow_nan=False))
    else:
        print(answer.get("text") or json.dumps(shown, indent=2, allow_nan=False))
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """Every command with its options; each names the module and function that run it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", default=argparse.SUPPRESS, metavar="DIR",
                        help="where everything is kept (default: $LIVETRADING_HOME, else var/)")
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                        help="one JSON object on standard output")
    top = argparse.ArgumentParser(prog="python -m livetrading", parents=[common],
                                  description="Train agents on daily bars and trade them end-of-day.")
    top.set_defaults(json=False)
    top.add_argument("--version", action="version", version=f"livetrading {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments.add_all(commands, common)
    return top
