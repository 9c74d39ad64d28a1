"""``backtest`` and ``replay``: the trading rules alone, and the whole live system, over the same range."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..adapters import openings
from ..adapters.bars import agreement, ask_once
from ..adapters.files import NAMED, atomic_write
from ..adapters.home import Home
from ..adapters.policy import Policy
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import ledger, lineage, market, significance
from ..core.bars import overlap_problem
from ..core.card import ModelCard
from ..core.errors import BadBars, BadInput
from ..core.market import Market
from ..core.range_content import content_of
from ..core.types import Terms
from ..core.wording import counted
from ..execution import replay_run
from ..research.evaluation import Evaluation, evaluate
from . import cost_options
from .acting import report_pause

SHOW_EVERY = 25


@dataclass(frozen=True)
class Scene:
    """A model, the bars it runs on and the sessions it decides."""

    card: ModelCard
    policy: Policy
    frame: pd.DataFrame
    market: Market
    bars: range


def scene(home: Home, options: argparse.Namespace) -> Scene:
    """What a run needs; BadInput or BadBars when the range or the source does not fit."""
    registry = Registry(home)
    card, policy = registry.load(options.model_id)
    frame = _series(home, registry.bars(card.model_id), card, options.source)
    view = market.build(frame, card.scaler, card.features)
    start = options.start or card.test.start
    end = options.end or (card.test.end if options.start is None else None)
    bars = view.decidable(start, end)
    if len(bars) < 2:
        raise BadInput(
            f"{card.model_id} has {counted(len(bars), 'session')} to decide from {start} to {end or frame.index[-1].date()}; "
            f"its bars can be decided from {view.sessions[min(500, len(view) - 1)]} to {view.sessions[-1]}."
        )
    return Scene(card, policy, frame, view, bars)


def _series(home: Home, own: pd.DataFrame, card: ModelCard, spec: str | None) -> pd.DataFrame:
    """The model's bars, and those that a source has after them."""
    if spec is None:
        return own
    bars = ask_once(spec, home.cache, card.symbol, now=datetime.now(UTC))
    fresh = bars.frame
    problem = overlap_problem(own, fresh, agreement.tolerance(card, bars))
    if problem:
        raise BadBars(f"{spec} disagrees with the bars that the model was trained on: {problem}")
    later = fresh[fresh.index > own.index[-1]]
    if own.index.intersection(fresh.index).empty or (len(later) and own.index[-1] not in fresh.index):
        raise BadBars(
            f"{spec} has bars from {fresh.index[0].date()} on and the model's end at {own.index[-1].date()}: "
            "give a source that overlaps them, so that they can be compared."
        )
    problem = agreement.undecidable(card, spec, own, bars) if len(later) else None
    if problem:
        raise BadBars(f"{spec} cannot continue the model's bars: {problem}; run it without --source.")
    return pd.concat([own, later])


def run(made: Scene, terms: Terms) -> Evaluation:
    """The rules alone."""
    return evaluate(made.market, made.bars, made.card.agent_type, made.policy.raw, terms)


@contextmanager
def opened(home: Home, made: Scene, kind: str, terms: Terms) -> Iterator[Callable[[Evaluation], None]]:
    """Counts a look at the sessions that the model was not fitted on, before it happens. Give what it showed to the
    function that this yields. A run inside the training part is no look at a test."""
    if not lineage.tested_weights(made.card):
        print(f"{lineage.words(made.card)} So what this shows is no test.", file=sys.stderr)
    bars = openings.opened_range(made.card, made.market, made.bars)
    if not bars:
        yield lambda shown: None
        return
    known = openings.Openings(Store(home))
    content = content_of(made.market, bars)
    look = known.record(
        kind, made.card.symbol, content, now=datetime.now(UTC), model_id=made.card.model_id, terms=terms
    )

    def keep(shown: Evaluation) -> None:
        first = bars.start - made.bars.start
        known.keep(look, shown.sessions[first + 1 :], significance.returns_of(shown.run.equity[first:]))

    yield keep


def backtest(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    terms = cost_options.terms(options)
    made = scene(home, options)
    with opened(home, made, openings.BACKTEST, terms) as keep:
        done = run(made, terms)
        keep(done)
    _write(options.ledger, done.run.rows)
    report_pause(done.measures)
    return {
        "model_id": made.card.model_id,
        "start": done.sessions[0],
        "end": done.sessions[-1],
        "sessions": len(done.run.rows),
        "trades": len(done.run.trades),
        "orders": done.run.orders,
        "fills": done.run.fills,
        "final_equity": done.run.equity[-1],
        "metrics": done.measures,
        "buy_and_hold": done.hold_measures,
        "ledger_sha256": ledger.sha256(done.run.rows),
    }


def replay(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The whole live system in a temporary home, even while the emergency stop is set; no agent remains."""
    terms = cost_options.terms(options)
    made = scene(home, options)
    with opened(home, made, openings.REPLAY, terms) as keep:
        expected = run(made, terms)
        keep(expected)
    first, last = (made.market.sessions[t] for t in (made.bars[0], made.bars[-1]))
    root = Path(tempfile.mkdtemp(prefix="livetrading-replay-"))
    try:
        done = replay_run.rehearse(root, made.card, made.frame, made.policy, terms, first, last, _progress)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    _write(options.ledger, done.rows)
    found = ledger.differences(done.rows, expected.run.rows, ("replay", "backtest"))
    return {
        "model_id": made.card.model_id,
        "start": first.isoformat(),
        "end": last.isoformat(),
        "sessions": len(done.rows),
        "decisions": done.decisions,
        "orders": done.orders,
        "fills": done.fills,
        "trades": done.state.book.num_trades,
        "final_equity": done.rows[-1]["equity"],
        "ledger_sha256": ledger.sha256(done.rows),
        "differences": found,
        **_verdict(found),
    }


def _verdict(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Nothing for equal ledgers; else an error with the first difference."""
    if not found:
        return {}
    first = f"{found[0]['field']} of {found[0]['bar']}"
    return {"error": f"Replay and backtest differ in {counted(len(found), 'place')}, first in {first}.", "exit_code": 1}


def _progress(done: int, total: int) -> None:
    if done % SHOW_EVERY == 0 or done == total:
        end = "\n" if done == total else "\r"
        print(f"replayed {done} of {total} sessions", end=end, file=sys.stderr, flush=True)


def _write(path: str | None, rows: list[dict[str, Any]]) -> None:
    if path:
        atomic_write(Path(path), ledger.text(rows).encode(), mode=NAMED)
