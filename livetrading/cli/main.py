"""The parser and the one place where errors become sentences and exit codes."""

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from .. import __version__
from ..adapters import logs
from ..adapters.home import Home
from ..core.errors import BadInput, LivetradingError, Unavailable, kind_of
from . import arguments

log = logging.getLogger(__name__)
USAGE, INTERRUPTED = 2, 130


class Misused(Exception):
    """Arguments that no command accepts; the usage is printed already."""


class Parser(argparse.ArgumentParser):
    """argparse's parser, but an error does not end the process: with ``--json`` it is answered as JSON, too."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise Misused(f"{self.prog}: error: {message}")


def main(argv: Sequence[str]) -> int:
    """Run one command. 0 done, 1 refused or failed, 2 usage."""
    home = None
    try:
        # The default of --json is given here: one in the parser would replace a --json before the command's name.
        options = parser().parse_args(list(argv), argparse.Namespace(json=False))
    except Misused as error:
        raise SystemExit(_failed(BadInput(str(error)), "--json" in argv, USAGE)) from None
    try:
        home = Home.resolve(getattr(options, "home", None))
        module = importlib.import_module(f".{options.module}", __package__)
        answer = getattr(module, options.function)(home, options)
        _show(answer, options)
    except KeyboardInterrupt:
        return _failed(Unavailable("Interrupted; nothing half-done was kept."), options.json, INTERRUPTED)
    except BrokenPipeError:
        return 1
    except Exception as error:
        if home is not None and not isinstance(error, LivetradingError):
            with suppress(LivetradingError):  # a log that cannot be written must not hide what happened
                logs.setup(home, options.command)
        problem = logs.caught(log, f"the command {options.command}", error)
        return _failed(problem, options.json, problem.exit_code)
    return int(answer.get("exit_code", 0)) if isinstance(answer, dict) else 0


def _failed(error: LivetradingError, as_json: bool, code: int) -> int:
    """Kind and status are for the pages and REST routes, which run commands as processes."""
    print(error, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": str(error), "error_type": kind_of(error), "http_status": error.http_status}))
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
    common.add_argument(
        "--home",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="where everything is kept (default: $LIVETRADING_HOME, else var/)",
    )
    common.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object on standard output"
    )
    top = Parser(
        prog="python -m livetrading",
        parents=[common],
        description="Train agents on daily bars and trade them end-of-day.",
    )
    top.add_argument("--version", action="version", version=f"livetrading {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments.add_all(commands, common)
    return top
