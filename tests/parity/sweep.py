"""The proofs at full size: ``make parity BARS=DIR`` or ``BARS=DIR python -m tests.parity.sweep``.

DIR holds INTC.csv and TNA.csv (date, open, high, low, close, volume; further
columns are ignored); without it those two are said to be not run. Trains PPO
and SAC on each symbol in a home of its own, which is removed afterwards.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from livetrading.adapters.bars import open_source
from livetrading.adapters.bars.base import BarSet
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core import ledger
from livetrading.core.features import compute
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research import lookahead
from livetrading.research.training import TrainRequest, prepare, train
from tests.parity import stage
from tests.parity.stage import Story

BUNDLED, GIVEN = ("AAPL", "GOOG", "NVDA"), ("INTC", "TNA")
STEPS = {AgentType.PPO: 20_000, AgentType.SAC: 4_000}
LEAST = 500
RESTARTS = 20
SEEDS = 5
PAUSES = Terms(limits=Limits(max_drawdown=0.03, pause_sessions=20))
"""So tight that a run is paused several times."""


def say(*cells: object) -> None:
    print(" | ".join(str(cell) for cell in cells), flush=True)


def sources(directory: str | None) -> Iterator[tuple[str, BarSet]]:
    """Each symbol with its bars; what was not given is said to be not run."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as cache:
        for symbol in (*BUNDLED, *GIVEN):
            spec = "sample" if symbol in BUNDLED else f"csv:{Path(directory or '') / symbol}.csv"
            if symbol in GIVEN and not (directory and Path(directory, f"{symbol}.csv").is_file()):
                say(symbol, "not run: give its bars by BARS=DIR")
                continue
            yield symbol, open_source(spec, Path(cache)).daily(symbol, now=now)


def trained(home: Home, symbol: str, agent_type: AgentType, bars: BarSet) -> Story:
    """A model that trades in its range: the test, or the last 500 sessions where that is shorter."""
    for seed in range(SEEDS):
        request = TrainRequest(symbol, agent_type, timesteps=STEPS[agent_type], seed=seed, folds=0)
        made = train(
            request,
            bars,
            registry=Registry(home),
            store=Store(home),
            clock=lambda: datetime.now(UTC),
            progress=lambda _: None,
        )
        parts = prepare(request, bars).parts
        first = min(parts.test.start, parts.test.stop - LEAST)
        story = Story(made.card, bars.frame, range(first, parts.test.stop), home=str(home.root))
        if story.backtest().trades:
            return story
    raise SystemExit(f"{agent_type} on {symbol} never traded with seeds 0 to {SEEDS - 1}")


def equality(story: Story, root: Path) -> bool:
    """Shell against rules; one row of the table."""
    began = time.monotonic()
    rules = story.backtest()
    shell = stage.through_the_shell(story, root).rows
    found = ledger.differences(shell, rules.rows, ("shell", "backtest"))
    frame = story.frame.iloc[story.bars.start : story.bars.stop]
    events = f"{int((frame['split'] != 1).sum())} splits, {int((frame['dividend'] > 0).sum())} dividends"
    say(
        story.card.model_id[:8],
        f"{story.first}..{story.last}",
        f"{len(rules.rows)} sessions",
        f"{len(rules.trades)} trades",
        f"{rules.fills} fills",
        events,
        f"{len(rules.pauses)} pauses",
        f"{len(found)} differences",
        ledger.sha256(shell)[:12],
        f"{time.monotonic() - began:.0f} s",
    )
    for difference in found[:5]:
        say("   ", difference)
    return not found


def restarts(story: Story, root: Path) -> bool:
    """Killed by SIGKILL twenty times, and rebuilt from the store at every session."""
    expected = ledger.sha256(story.backtest().rows)
    rows, died = stage.killed_and_restarted(story, root / "killed", RESTARTS)
    short = Story(story.card, story.frame, story.bars[:LEAST], Terms(), story.home)
    rebuilt = stage.rebuilt_every_session(short, root / "rebuilt")
    equal = ledger.sha256(rows) == expected
    same = ledger.sha256(rebuilt) == ledger.sha256(short.backtest().rows)
    say(
        story.card.model_id[:8],
        f"{died} processes killed",
        "equal" if equal else "DIFFERENT",
        f"rebuilt at each of {len(rebuilt)} sessions",
        "equal" if same else "DIFFERENT",
    )
    return equal and same and died == RESTARTS


def first_bar(symbol: str, frame: pd.DataFrame) -> bool:
    """Row t of the prefix that ends there equals row t of the whole, for every session."""
    whole = compute(frame)
    wrong = [
        t for t in range(1, len(frame)) if not np.array_equal(compute(frame.iloc[: t + 1])[t], whole[t], equal_nan=True)
    ]
    say(symbol, f"{len(frame) - 1} prefixes", f"{whole.shape[1]} features", f"{len(wrong)} rows differ")
    return not wrong


def no_lookahead(story: Story) -> bool:
    what = lookahead.subject(story.card.scaler, story.card.agent_type, story.policy().raw, story.terms)
    every = story.card.symbol == "GOOG" and story.card.agent_type == AgentType.PPO
    found = lookahead.check(what, story.frame, story.bars, every=every)
    say(
        story.card.model_id[:8],
        f"{'all ' if every else ''}{found.sessions} sessions with 5 other futures each",
        f"{found.values} values",
        f"{found.decisions} decisions",
        f"{found.fills} fills",
        f"{len(found.problems)} problems",
    )
    for problem in found.problems[:5]:
        say("   ", problem["text"])
    return not found.problems


def main(directory: str | None) -> int:
    good = []
    with tempfile.TemporaryDirectory(prefix="livetrading-parity-") as folder:
        root = Path(folder)
        for symbol, bars in sources(directory):
            home = Home.resolve(str(root / symbol))
            for agent_type in AgentType:
                story = trained(home, symbol, agent_type, bars)
                good.append(equality(story, root / f"{symbol}-{agent_type}"))
                good.append(equality(replace(story, terms=PAUSES), root / f"{symbol}-{agent_type}-pauses"))
                if (symbol, agent_type) in (("AAPL", AgentType.PPO), ("NVDA", AgentType.SAC)):
                    good.append(restarts(story, root / f"{symbol}-restarts"))
                good.append(no_lookahead(story))
            good.append(first_bar(symbol, bars.frame))
    say(f"{sum(good)} of {len(good)} proofs hold")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BARS")))
