"""``python -m tests.bench.search --json FILE``: what a search costs in seconds, by all the cores of this machine.

A whole ``train --trials 20`` on AAPL as it is by default: each trial 3 seeds on 4 folds at 50,000 steps, then the training
of what was chosen with its 5 members, its folds and its test. In a home that is gone afterwards.

    python -m tests.bench.search --json var/bench/search.json --agents PPO
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from livetrading.adapters.home import Home
from livetrading.cli import training
from livetrading.cli.main import parser

SYMBOL, TRIALS, SEEDS, FOLDS, TIMESTEPS = "AAPL", 20, 3, 4, 50_000
AGENTS = ("PPO", "SAC")


def measured(agent: str, trials: int = TRIALS, timesteps: int = TIMESTEPS) -> dict[str, Any]:
    """One search in a home of its own: ``seconds`` in all and ``study_seconds`` without the last training."""
    with tempfile.TemporaryDirectory() as root:
        words = f"train {SYMBOL} --agent {agent} --trials {trials} --trial-seeds {SEEDS} --folds {FOLDS}".split()
        options = parser().parse_args([*words, "--timesteps", str(timesteps), "--json"])
        began = time.monotonic()
        found = training.train(Home.resolve(root), options)
        seconds = time.monotonic() - began
    study = found["study"]
    return {
        "seconds": round(seconds, 1),
        "study_seconds": round(seconds - found["seconds"], 1),
        "trials": study["trials"],
        "complete": study["complete"],
        "pruned": study["pruned"],
        "failed": study["failed"],
        "best": study["best"]["value"],
        "seeds": SEEDS,
        "folds": FOLDS,
        "timesteps": timesteps,
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--json", type=Path, required=True)
    asked.add_argument("--agents", default=",".join(AGENTS))
    options = asked.parse_args()
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load_before": round(os.getloadavg()[0], 2)}
    found: dict[str, Any] = {"machine": machine}
    for agent in options.agents.split(","):
        found[agent.lower()] = measured(agent)
        print(agent, json.dumps(found[agent.lower()]), flush=True)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
