"""``python -m tests.bench.training --json FILE``: what training costs, in processor time of one core.

Each figure is a function of ``FIGURES``: called with the number of rounds, it returns its part of the JSON. What is
compared is measured in turn, round after round, so that a machine that changes its pace changes all sides alike; the
median over the rounds is written.

    python -m tests.bench.training --json var/bench/training.json --only env_steps_per_cpu_s
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from livetrading.core import market, scaler  # noqa: E402
from livetrading.core.types import WARMUP_BARS, AgentType  # noqa: E402
from livetrading.research.environment import BatchTradingEnv, Task  # noqa: E402
from tests.doubles.series import sample, usual_features  # noqa: E402

SYMBOL, EPISODE, ACCOUNTS = "AAPL", 252, (16, 32, 128)
STEPS_A_ROUND = 1_000
Round = Callable[[], None]


def processor_seconds(sides: dict[str, Round], rounds: int) -> dict[str, float]:
    """The median processor time of one call of each side, after one call that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            began = time.process_time()
            run()
            if number:
                taken[name].append(time.process_time() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def task(agent_type: AgentType) -> Task:
    """The bundled bars of one symbol, but for the last fifth; random starts, episodes of a year."""
    frame = sample(SYMBOL)
    last = len(frame) * 4 // 5
    made = market.build(frame, scaler.fit(usual_features(frame)[WARMUP_BARS:last]))
    return Task(made, WARMUP_BARS, last, agent_type, episode=EPISODE, random_start=True)


def _actions(agent_type: AgentType, n: int) -> np.ndarray:
    """``(STEPS_A_ROUND, n)``, drawn beforehand: 0 to 2 for PPO, numbers in [-1, 1] for SAC."""
    dice = np.random.default_rng(n)
    if agent_type == AgentType.PPO:
        return dice.integers(0, 3, (STEPS_A_ROUND, n))
    return dice.uniform(-1.0, 1.0, (STEPS_A_ROUND, n, 1)).astype(np.float32)


def stepping(agent_type: AgentType, n: int) -> Round:
    """Random actions on n accounts; the ends of episodes and the starts after them are a part of it."""
    env, actions = BatchTradingEnv(task(agent_type), n, seed=0), _actions(agent_type, n)
    env.reset()

    def run() -> None:
        for action in actions:
            env.step(action)

    return run


def env_steps_per_cpu_s(rounds: int) -> dict[str, Any]:
    """Steps of one account for each second of processor time, by the number of accounts. The figure without a
    suffix is that of PPO's actions; SAC's stand beside it."""
    sides = {f"{kind}/{n}": stepping(kind, n) for n in ACCOUNTS for kind in AgentType}
    seconds = processor_seconds(sides, rounds)
    speed = {name: round(STEPS_A_ROUND * int(name.split("/")[1]) / taken) for name, taken in seconds.items()}
    return {
        "env_steps_per_cpu_s": {str(n): speed[f"{AgentType.PPO}/{n}"] for n in ACCOUNTS},
        "env_steps_per_cpu_s_sac": {str(n): speed[f"{AgentType.SAC}/{n}"] for n in ACCOUNTS},
    }


# A further figure of training is one more function here.
FIGURES: dict[str, Callable[[int], dict[str, Any]]] = {"env_steps_per_cpu_s": env_steps_per_cpu_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--only", help="these figures, separated by commas; what FILE holds besides stays")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each measurement")
    given = parser.parse_args()
    found = json.loads(given.json.read_text("utf-8")) if given.only and given.json.exists() else {}
    for name in given.only.split(",") if given.only else FIGURES:
        part = FIGURES[name](given.rounds)
        found |= part
        print(json.dumps(part), flush=True)
    found["machine"] = {"python": platform.python_version(), "numpy": np.__version__}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
