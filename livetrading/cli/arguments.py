"""The options of each command. Only the syntax of their values is checked here."""

import argparse
import math
from datetime import date
from typing import Any

from ..adapters.brokers.registry import names
from ..core import deployment
from . import broker_rooms, cost_options, life_options, report_options, search_options

_Commands = Any


def add_all(commands: _Commands, common: argparse.ArgumentParser) -> None:
    """Declare every command."""

    def add(name: str, module: str, function: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=text, description=text)
        made.set_defaults(module=module, function=function)
        return made

    _processes(add)
    _models(add)
    report_options.add_commands(add)
    _trading(add)
    _safety(add)
    life_options.add_commands(add)
    for options in broker_rooms.modules("options"):
        options.add_commands(add)


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write YYYY-MM-DD") from None


def _sources() -> str:
    """The bar sources that there are. No broker's code is imported for it."""
    return f"sample, yahoo, csv:PATH or the bars of a broker ({', '.join(names())})"


def _source(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"it is empty; give {_sources()}, or leave it out")
    return text


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _processes(add: Any) -> None:
    up = add("up", "up", "up", "scheduler and dashboard together, each restarted if it dies or hangs")
    up.add_argument("--port", type=int, default=None, help="port of the dashboard (default 8501)")
    up.add_argument("--demo", action="store_true", help="also train an agent on bundled bars and let it trade history")
    add("scheduler", "processes", "scheduler", "the trading process alone")


def _models(add: Any) -> None:
    train = add("train", "training", "train", "train a model and test it once on bars that it has not seen")
    train.add_argument("symbol", nargs="?")
    train.add_argument("--agent", required=True, choices=["PPO", "SAC", "any"], help="any: a study chooses (--trials)")
    train.add_argument("--source", type=_source, default=None, help=_sources())
    train.add_argument(
        "--features",
        default=None,
        choices=["all", "price"],
        help="what the model sees; price leaves the volume out, so that Yahoo's bars can replace a broker's"
        " (default for Yahoo's and a broker's bars, whose last volume is preliminary)",
    )
    train.add_argument("--timesteps", type=int, default=50_000)
    train.add_argument("--seed", type=int, default=0, help="of which the members' seeds are made")
    train.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="members of the ensemble (default 5; 1 is a quick try)"
    )
    train.add_argument(
        "--folds", type=int, default=4, metavar="N", help="walk-forward folds inside the training part (default 4)"
    )
    train.add_argument(
        "--also", default="", metavar="SYMBOL,…", help="learn from these symbols' bars too, up to where the test begins"
    )
    train.add_argument("--start", type=day, default=None, help="first decided session")
    train.add_argument("--end", type=day, default=None, help="last decided session")
    train.add_argument("--job", default=None, help=argparse.SUPPRESS)
    search_options.add_to_train(train)
    search_options.add_worker(add)
    add("models", "models", "models", "list the models")
    add("model", "models", "model", "show a model's card").add_argument("model_id")
    for name, text in (
        ("backtest", "run a model over a range of history, by the trading rules alone"),
        ("replay", "run a model over a range of history through the whole live system, and compare with backtest"),
    ):
        made = add(name, "runs", name, text)
        made.add_argument("model_id")
        made.add_argument("--source", type=_source, default=None)
        made.add_argument("--start", type=day, default=None)
        made.add_argument("--end", type=day, default=None)
        made.add_argument("--ledger", default=None, metavar="FILE", help="write the ledger here")
        cost_options.add(made)
    whatif = add("whatif", "proofs", "whatif", "a model's test at other costs, worse opens and its agents' terms")
    whatif.add_argument("model_id")
    whatif.add_argument("--agent", default=None, metavar="AGENT_ID", help="with this agent's own terms")
    cost_options.add(whatif)


def _trading(add: Any) -> None:
    _deploy(add("deploy", "trading", "deploy", "test a model with your terms, create an agent and start it"))
    _deploy(add("gate", "gate", "gate", "what a model's test says for and against real money, with your terms"))
    add("agents", "trading", "agents", "list the agents")
    for name, text in (
        ("start", "start an agent, or resume it"),
        ("pause", "pause an agent; its stop stays"),
        ("close", "sell an agent's position"),
        ("remove", "remove an agent from the list; its journal stays"),
        ("adopt", "book the difference to the broker's account as the agent's own"),
        ("ignore", "count the difference to the broker's account as your own; no agent ever touches it"),
    ):
        add(name, "trading", name, text).add_argument("agent_id")
    confirm = add(
        "confirm-cash",
        "account",
        "confirm_cash",
        "count the unexplained part of an account's cash as your own: interest, a deposit, a trade by hand",
    )
    confirm.add_argument("target", metavar="ACCOUNT|AGENT")
    confirm.add_argument(
        "--amount",
        type=float,
        default=None,
        metavar="USD",
        help="the unexplained amount that you saw; refused if it has changed since",
    )
    ledger = add("ledger", "trading", "show_ledger", "show what an agent really did, session by session")
    ledger.add_argument("agent_id")
    ledger.add_argument("--ledger", default=None, metavar="FILE", help="write the ledger here")
    check = add("check", "trading", "check", "one pass over all paper agents")
    check.add_argument("--now", default=None, metavar="ISO", help="as of this time, such as 2024-06-03T20:40:00Z")


def _deploy(deploy: argparse.ArgumentParser) -> None:
    deploy.add_argument("model_id")
    deploy.add_argument("--capital", type=float, default=deployment.CAPITAL, help="USD")
    deploy.add_argument("--max-position", type=float, default=deployment.LIMITS.max_position, help="fraction of equity")
    deploy.add_argument(
        "--risk-per-trade", type=float, default=deployment.LIMITS.risk_per_trade, help="fraction of equity"
    )
    deploy.add_argument(
        "--max-drawdown",
        type=float,
        default=deployment.LIMITS.max_drawdown,
        help="fraction below the peak; pauses entries until you resume",
    )
    deploy.add_argument(
        "--pause-sessions",
        type=deployment.pause_sessions,
        default=deployment.LIMITS.pause_sessions,
        metavar="N|none",
        help="how many decided sessions that pause lasts; none: until you resume"
        f" (default {deployment.pause_option(deployment.LIMITS.pause_sessions)})",
    )
    deploy.add_argument(
        "--stop-atr", type=float, default=deployment.LIMITS.stop_atr, help="distance of the protective stop in ATR14"
    )
    cost_options.add(deploy)
    deploy.add_argument("--time-frame", default=deployment.TIME_FRAME, choices=[deployment.TIME_FRAME])
    deploy.add_argument("--mode", default=str(deployment.MODE), choices=["paper", "replay", *names()])
    deploy.add_argument("--source", type=_source, default=None)
    deploy.add_argument("--pace", type=_finite, default=deployment.PACE, help="seconds a session, in replay")
    deploy.add_argument("--confirm", default=None, metavar="ACCOUNT", help="the account number, for real money")
    deploy.add_argument(
        "--late-entry",
        default=deployment.LATE_ENTRY,
        choices=deployment.LATE_ENTRIES,
        help="an entry that missed the open, at a broker: skip it, or send it until 10:00 New York",
    )
    deploy.add_argument("--old-bars", default="warn", choices=["warn", "refuse"], help=argparse.SUPPRESS)
    deploy.add_argument("--agent-type", default=None, choices=["PPO", "SAC"], help=argparse.SUPPRESS)
    deploy.add_argument("--symbol", default=None, help=argparse.SUPPRESS)
    deploy.add_argument("--request-id", default=None, help=argparse.SUPPRESS)
    deploy.add_argument("--by", default="command line", help=argparse.SUPPRESS)
    deploy.add_argument("--job", default=None, help=argparse.SUPPRESS)


def _safety(add: Any) -> None:
    stop = add(
        "emergency-stop",
        "safety",
        "emergency_stop",
        "stop every agent, cancel its orders, sell its position; exit 0 only when everything is flat",
    )
    stop.add_argument("--reason", default="emergency stop")
    stop.add_argument("--all-orders", action="store_true", help="cancel the broker's other orders too")
    stop.add_argument("--by", default="command line", help=argparse.SUPPRESS)
    stop.add_argument("--request-id", default=None, help=argparse.SUPPRESS)
    add("rearm", "safety", "rearm", "clear the emergency stop; agents stay stopped")
    verify = add("verify", "safety", "verify", "check journals, files, books, and make every decision again")
    verify.add_argument(
        "--lookahead", default=None, metavar="MODEL", help="check instead whether a model sees the future"
    )
    verify.add_argument("--sessions", type=int, default=40, metavar="N", help="with --lookahead: how many to check")
    verify.add_argument("--all", action="store_true", help="with --lookahead: at every session")
    doctor = add("doctor", "doctor", "doctor", "check versions, calendar, bars, broker, clock and disk")
    for options in broker_rooms.modules("options"):
        options.add_checks(doctor)
