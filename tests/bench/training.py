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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from stable_baselines3 import PPO, SAC  # noqa: E402

from livetrading.core import market, scaler  # noqa: E402
from livetrading.core.types import WARMUP_BARS, AgentType  # noqa: E402
from livetrading.research.environment import BatchTradingEnv, Task  # noqa: E402
from livetrading.research.fitting import fit, lessons  # noqa: E402
from tests.doubles.series import sample, usual_features  # noqa: E402

SYMBOL, EPISODE, ACCOUNTS = "AAPL", 252, (16, 32, 128)
STEPS_A_ROUND = 1_000
TIMESTEPS, SB3_ENVIRONMENTS = 50_000, 8
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


def ours(agent_type: AgentType) -> Round:
    """The default fit of one member, the table of all actions included."""
    given = task(agent_type)

    def run() -> None:
        fit(lessons([given]), given, TIMESTEPS, (0,))

    return run


def environment(agent_type: AgentType) -> Round:
    """What of a fit is the environment: the table of all actions."""
    given = task(agent_type)

    def run() -> None:
        lessons([given])

    return run


@dataclass
class Theirs:
    """Stable-Baselines3's untouched defaults with 8 environments, on the batch environment."""

    agent_type: AgentType
    steps: int
    done: int = 0

    def __call__(self) -> None:
        env = BatchTradingEnv(task(self.agent_type), SB3_ENVIRONMENTS, seed=0)
        algorithm = PPO if self.agent_type == AgentType.PPO else SAC
        model = algorithm("MlpPolicy", env, seed=0, device="cpu")
        model.learn(self.steps)
        self.done = model.num_timesteps


def ppo50k_ratio(rounds: int) -> dict[str, Any]:
    """Processor time of our default fit over that of SB3's PPO for as many steps.

    SB3 rounds 50,000 up to whole rollouts of 16,384; its time is scaled down to 50,000.
    """
    return _ratio("ppo50k", AgentType.PPO, TIMESTEPS, min(rounds, 3))


def sac_ratio(rounds: int) -> dict[str, Any]:
    """The same of SAC. SB3's runs 4,000 steps and is scaled up: every step costs the same once it learns."""
    return _ratio("sac", AgentType.SAC, 4_000, min(rounds, 3))


def _ratio(name: str, agent_type: AgentType, steps: int, rounds: int) -> dict[str, Any]:
    theirs = Theirs(agent_type, steps)
    seconds = processor_seconds({"ours": ours(agent_type), "theirs": theirs}, rounds)
    whole = seconds["theirs"] * TIMESTEPS / theirs.done
    detail = {"ours_s": round(seconds["ours"], 3), "sb3_s": round(whole, 3), "sb3_steps": theirs.done}
    return {f"{name}_ratio": round(seconds["ours"] / whole, 4), name: detail}


def env_share(rounds: int) -> dict[str, Any]:
    """The environment's share of the processor time of our default PPO fit."""
    seconds = processor_seconds({"fit": ours(AgentType.PPO), "table": environment(AgentType.PPO)}, min(rounds, 5))
    return {"env_share": round(seconds["table"] / seconds["fit"], 4)}


FIGURES: dict[str, Callable[[int], dict[str, Any]]] = {
    function.__name__: function for function in (env_steps_per_cpu_s, ppo50k_ratio, sac_ratio, env_share)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--only", help="these figures, separated by commas; what FILE holds besides stays")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each measurement")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(given.json.read_text("utf-8")) if given.only and given.json.exists() else {}
    for name in given.only.split(",") if given.only else FIGURES:
        part = FIGURES[name](given.rounds)
        found |= part
        print(json.dumps(part), flush=True)
    found["machine"] = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
