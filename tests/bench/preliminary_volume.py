"""``python -m tests.bench.preliminary_volume [--bars DIR] [--out FILE]``: decisions that flip because the volume of
the last bar is not final when it is decided on.

Assumption: at 16:30 New York the day's volume is short of the final one by a fraction from 0.25 % to 20 %. Trades keep
being reported until the consolidated tapes end at 20:00 New York (UTP Vendor Alert 2025-9), late prints of the closing
auction among them; a vendor's closing quote of AAPL on 2018-09-14 was 0.25 % short of the volume that it later stated
(iexg/IEX-API, issue 489), and another vendor's daily volumes changed for days (polygon-io/issues, issue 151). None of
them says how large the shortfall usually is, so a range is measured.

For each symbol and seed an ensemble with the feature set that reads the volume is fitted to the training part as
``train`` does. At each close of the test part it decides twice with the same account: on the final volume, and on one
that is short in the last bar alone.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from livetrading.adapters.bars.csv_file import read_bars  # noqa: E402
from livetrading.adapters.policy import Ensemble  # noqa: E402
from livetrading.core import decide, market  # noqa: E402
from livetrading.core.features import SETS, adjusted  # noqa: E402
from livetrading.core.market import Market  # noqa: E402
from livetrading.core.scaler import CLIP, Scaler  # noqa: E402
from livetrading.core.types import Action, AgentType, Terms  # noqa: E402
from livetrading.research.deep import Deep, ensemble  # noqa: E402
from livetrading.research.evaluation import evaluate  # noqa: E402
from livetrading.research.fitting import member_seeds  # noqa: E402
from livetrading.research.scaled import scaled_by, unscaled  # noqa: E402
from livetrading.research.training import split  # noqa: E402
from tests.doubles.series import sample  # noqa: E402

SHORTFALLS = (0.0025, 0.01, 0.02, 0.05, 0.10, 0.20)
BUNDLED = ("AAPL", "GOOG", "NVDA")
TIMESTEPS, MEMBERS, WINDOW = 50_000, 5, 20
COLUMNS = SETS["daily-1"]
FLOW, RELATIVE = COLUMNS.index("cmf_20"), COLUMNS.index("volume_20")
Doc = dict[str, object]


@dataclass(frozen=True, eq=False)
class Fitted:
    """An ensemble, the market that it sees, and the indexes of its test part."""

    frame: pd.DataFrame
    market: Market
    scaler: Scaler
    test: range
    policy: Ensemble
    agent_type: AgentType


def short_columns(frame: pd.DataFrame, shortfall: float) -> tuple[np.ndarray, np.ndarray]:
    """``cmf_20`` and ``volume_20`` of each row, ``(T,)``, if its own volume alone is short by this fraction."""
    table = adjusted(frame)
    spread = (table["high"] - table["low"]).to_numpy()
    close = table["close"].to_numpy()
    inside = 2.0 * close - table["low"].to_numpy() - table["high"].to_numpy()
    place = np.divide(inside, spread, out=np.zeros(len(table)), where=spread > 0)
    volume = table["volume"]
    flow, whole = (pd.Series(place, table.index) * volume), volume.rolling(WINDOW).sum().to_numpy()
    missing = shortfall * volume.to_numpy()
    sums = whole - missing
    shown = (flow.rolling(WINDOW).sum().to_numpy() - shortfall * flow.to_numpy()) / sums
    return shown, WINDOW * (volume.to_numpy() - missing) / sums


def fitted(frame: pd.DataFrame, agent_type: AgentType, seed: int) -> Fitted:
    """As ``train`` fits it, without folds."""
    raw = unscaled(frame, COLUMNS)
    parts = split(raw.decidable(), "the bench")
    view, scaler = scaled_by(raw, parts.train)
    procedure = Deep(agent_type, TIMESTEPS, MEMBERS)
    models = procedure.models(view, parts.train, Terms(), member_seeds(seed, MEMBERS), lambda taught: None)
    return Fitted(frame, view, scaler, parts.test, ensemble(agent_type, models), agent_type)


class Recorder:
    """A policy that keeps what it was shown."""

    def __init__(self, policy: Ensemble) -> None:
        self.seen: list[np.ndarray] = []
        self._policy = policy

    def raw(self, obs: np.ndarray) -> float:
        self.seen.append(obs.copy())
        return float(self._policy.raw(obs))


def measured(made: Fitted) -> Iterator[Doc]:
    """A row a shortfall: decisions, actions that flip, and orders that flip because of it."""
    recorder = Recorder(made.policy)
    evaluate(made.market, made.test, made.agent_type, recorder.raw, Terms())
    # The measure runs it again where the drawdown limit paused it; the first run is the one that counts.
    seen = recorder.seen[: len(made.test)]
    actions = [_action(made, obs) for obs in seen]
    for shortfall in SHORTFALLS:
        flow, relative = short_columns(made.frame, shortfall)
        others = []
        for t, obs in zip(made.test, seen, strict=True):
            changed = obs.copy()
            changed[FLOW] = _scaled(made.scaler, FLOW, flow[t])
            changed[RELATIVE] = _scaled(made.scaler, RELATIVE, relative[t])
            others.append(_action(made, changed))
        flips = [a != b for a, b in zip(actions, others, strict=True)]
        orders = [_orders(a, obs) != _orders(b, obs) for a, b, obs in zip(actions, others, seen, strict=True)]
        yield {
            "shortfall": shortfall,
            "decisions": len(seen),
            "actions_flipped": sum(flips),
            "orders_flipped": sum(orders),
            "return_change_pct": _return_change(made, shortfall),
        }


def _action(made: Fitted, obs: np.ndarray) -> int:
    return int(decide.action_of(made.agent_type, np.asarray(made.policy.raw(obs))[()]))


def _orders(action: int, obs: np.ndarray) -> bool:
    """Whether an order follows: BUY while flat, SELL while long."""
    return action == (Action.SELL if obs[-4] else Action.BUY)


def _scaled(scaler: Scaler, column: int, value: float) -> np.float32:
    return np.float32(np.clip((value - scaler.mean[column]) / scaler.std[column], -CLIP, CLIP))


def _return_change(made: Fitted, shortfall: float, seed: int = 0) -> float:
    """The test's total return, in points of percent, if every live bar keeps a volume that is short by a random
    fraction up to twice the shortfall: an agent keeps bars as it first saw them."""
    short = made.frame.copy()
    rng = np.random.default_rng(seed)
    rows = slice(made.test.start, made.test.stop)
    short.iloc[rows, short.columns.get_loc("volume")] *= 1.0 - rng.uniform(0.0, 2.0 * shortfall, len(made.test))
    results = [
        evaluate(view, made.test, made.agent_type, made.policy.raw, Terms()).measures["total_return_pct"]
        for view in (made.market, market.build(short, made.scaler, COLUMNS))
    ]
    return float(results[1] - results[0])


def frames(folder: Path | None) -> dict[str, pd.DataFrame]:
    """Bundled bars, and each CSV of a folder that holds enough daily bars."""
    found = {symbol: sample(symbol) for symbol in BUNDLED}
    for path in sorted(folder.glob("*.csv")) if folder else []:
        try:
            frame, _ = read_bars(path)
            split(unscaled(frame, COLUMNS).decidable(), path.stem)
        except Exception as error:
            print(f"{path.name} is left out: {error}")
            continue
        found[f"{path.stem} (folder)"] = frame
    return found


def table(rows: list[Doc]) -> str:
    """Markdown: by agent and shortfall, over all symbols and seeds."""
    lines = [
        "| agent | last volume short by | decisions | actions that flip | orders that flip | return, mean (largest) change |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for agent in dict.fromkeys(row["agent_type"] for row in rows):
        for shortfall in SHORTFALLS:
            some = [row for row in rows if (row["agent_type"], row["shortfall"]) == (agent, shortfall)]
            count, actions, orders = (
                sum(int(row[name]) for row in some)  # type: ignore[call-overload]
                for name in ("decisions", "actions_flipped", "orders_flipped")
            )
            changes = [float(row["return_change_pct"]) for row in some]  # type: ignore[arg-type]
            largest = max(changes, key=abs)
            lines.append(
                f"| {agent} | {100 * shortfall:g} % | {count:,} | {actions} ({100 * actions / count:.2f} %) |"
                f" {orders} ({100 * orders / count:.2f} %) | {np.mean(changes):+.2f} ({largest:+.2f}) points |"
            )
    return "\n".join(lines)


def main(tell: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bars", type=Path, default=None, help="a folder of daily CSV files, beside the bundled bars")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="rows as JSON")
    given = parser.parse_args()
    rows: list[Doc] = []
    for symbol, frame in frames(given.bars).items():
        for agent_type in AgentType:
            for seed in range(given.seeds):
                made = fitted(frame, agent_type, seed)
                rows += [
                    {"symbol": symbol, "agent_type": str(agent_type), "seed": seed, **row} for row in measured(made)
                ]
        tell(f"{symbol} is done")
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(rows))
    tell(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
