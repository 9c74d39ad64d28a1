"""What ``up --demo`` adds: it trains on bundled bars and deploys in replay mode."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from ..adapters import logs
from ..adapters.home import CHECKOUT, Home
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..execution.state import queries

log = logging.getLogger(__name__)
SYMBOL, AGENT, SEED, TIMESTEPS, PACE = "AAPL", "PPO", 0, 50_000, 1.0


def run(home: Home, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Train once per home and deploy, unless a demo agent is trading already. An error ends the demo and nothing else."""
    try:
        _run(home, stop, say)
    except Exception as error:
        say(f"the demo continues without its agent: {logs.caught(log, 'the demo', error)}")


def _run(home: Home, stop: threading.Event, say: Callable[[str], None]) -> None:
    if any(a["mode"] == "replay" and a["status"] == "running" for a in queries.agents(Store(home))):
        say("the demo's agent is trading already")
        return None
    models = [c for c in Registry(home).list() if (c.symbol, str(c.agent_type), c.seed) == (SYMBOL, AGENT, SEED)]
    if not models:
        say(f"training {AGENT} on the bundled {SYMBOL} bars: one seed and no folds, a quick try")
        train = [
            "train",
            SYMBOL,
            "--agent",
            AGENT,
            "--source",
            "sample",
            "--timesteps",
            str(TIMESTEPS),
            "--seed",
            str(SEED),
            "--seeds",
            "1",
            "--folds",
            "0",
        ]
        if _call(home, train, stop) != 0:
            return say("the demo's training did not finish; train on the Training page instead")
        models = Registry(home).list()
    deploy = ["deploy", models[0].model_id, "--mode", "replay", "--pace", str(PACE), "--by", "demo"]
    if _call(home, deploy, stop) != 0:
        return say("the demo's agent was not deployed; deploy it on the Training page instead")
    return say("the demo's agent trades: one session of history a second, on the Live Trading page")


def _call(home: Home, arguments: list[str], stop: threading.Event) -> int:
    """A command as its own process; ended when ``up`` ends."""
    environment = {**os.environ, "LIVETRADING_HOME": str(home.root)}
    process = subprocess.Popen(
        [sys.executable, "-m", "livetrading", *arguments], cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL
    )
    while process.poll() is None:
        if stop.wait(0.2):
            process.terminate()
            process.wait()
            return 1
    return process.returncode
