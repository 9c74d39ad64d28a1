"""``python -m tests.bench.quality --out FILE``: our fit of one member beside SB3's default PPO, over seeds, on folds.

Each run is the whole walk-forward inside the training part of one bundled symbol; what is on file is not run again.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import torch  # noqa: E402
from stable_baselines3 import PPO  # noqa: E402

from livetrading.adapters.policy import policy_of  # noqa: E402
from livetrading.core.market import Market  # noqa: E402
from livetrading.core.types import AgentType, Terms  # noqa: E402
from livetrading.research.crew import each  # noqa: E402
from livetrading.research.deep import Deep  # noqa: E402
from livetrading.research.environment import BatchTradingEnv, Task  # noqa: E402
from livetrading.research.folds import expanding  # noqa: E402
from livetrading.research.scaled import unscaled  # noqa: E402
from livetrading.research.training import split  # noqa: E402
from livetrading.research.walk_forward import UNWATCHED, Fitted, Watching, walk_forward  # noqa: E402
from tests.doubles.series import sample  # noqa: E402

TIMESTEPS, ENVIRONMENTS, EPISODE = 50_000, 8, 252


@dataclass(frozen=True)
class Default:
    """Stable-Baselines3's PPO, untouched."""

    def __call__(self, market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
        torch.set_num_threads(1)
        task = Task(market, part.start, part.stop - 1, AgentType.PPO, terms, EPISODE, random_start=True)
        model = PPO("MlpPolicy", BatchTradingEnv(task, ENVIRONMENTS, seed), seed=seed, device="cpu")
        model.learn(TIMESTEPS)
        return Fitted(AgentType.PPO, policy_of(AgentType.PPO, model.policy).raw, {})


SIDES = {"ours": Deep(AgentType.PPO, TIMESTEPS, 1), "sb3": Default()}


def run(item: tuple[str, str, int], tell: Callable[[object], None]) -> dict[str, object]:
    """The walk-forward Sharpe of one side, symbol and seed."""
    side, symbol, seed = item
    market = unscaled(sample(symbol))
    folds = expanding(split(market.decidable(), symbol).train)
    sharpe = walk_forward(market, folds, SIDES[side], Terms(), seed).measures["sharpe_ratio"]
    row = {"side": side, "symbol": symbol, "seed": seed, "sharpe": sharpe}
    tell(row)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--symbol", default="AAPL")
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    known = {(row["side"], row["symbol"], row["seed"]) for row in rows}
    wanted = [(side, given.symbol, seed) for seed in range(given.seeds) for side in SIDES]

    def keep(row: object) -> None:
        rows.append(row)
        with given.out.open("a") as file:
            file.write(json.dumps(row) + "\n")

    each(run, [item for item in wanted if item not in known], 2, keep)
    for side in SIDES:
        found = sorted(row["sharpe"] or 0.0 for row in rows if (row["side"], row["symbol"]) == (side, given.symbol))
        quarters = statistics.quantiles(found, n=4)
        print(
            f"{side:5} {len(found)} seeds  mean {statistics.mean(found):.2f}  quartiles",
            [round(q, 2) for q in quarters],
        )
        print("     ", " ".join(f"{value:.2f}" for value in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
