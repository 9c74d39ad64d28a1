"""``train`` without a study, ``models``, ``model``."""

import argparse
import sys
from typing import Any

from ..adapters import logs
from ..adapters.bars import BarSet, ask_once, check_symbol, sample
from ..adapters.brokers.registry import names, words_of
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import lineage
from ..core.card import ModelCard
from ..core.errors import BadInput
from ..core.features import FEATURE_SET, PRICE_SET
from ..core.types import AgentType
from ..research import jobs
from ..research.progress import Progress, TerminalProgress, duration
from . import report_text
from .acting import report_pause, utc_now


def train(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Train, test once, register; recorded as a job that every process can watch."""
    logs.setup(home, "train")
    store, symbol = Store(home), check_symbol(options.symbol)
    with jobs.running(store, "train", symbol, options.agent, options.timesteps, job_id=options.job) as job:
        done = _train(home, store, symbol, job, options)
        job.finish(done)
    if options.json:
        report_pause(done["test"])
    return {**done, "text": text_of(done, options.agent)}


def text_of(done: dict[str, Any], agent_type: str) -> str:
    warnings = [f"Warning: {text}" for text in done["warnings"]]
    head = f"{done['model_id']} in {duration(done['seconds'])}, bars from {done['source']}. {done['source_note']}"
    return "\n".join([head, "", report_text.test(done, agent_type), *warnings])


def _train(home: Home, store: Store, symbol: str, job: jobs.Reporter, options: argparse.Namespace) -> dict[str, Any]:
    source, barset, also = series(home, symbol, options)
    from ..research import training  # torch: two seconds, so only when it is certain

    request = training.TrainRequest(
        symbol,
        AgentType(options.agent),
        options.timesteps,
        options.seed,
        options.start,
        options.end,
        feature_set(options.features, source),
        options.seeds,
        options.folds,
    )
    shown = Shown(options.agent, options.json)

    def progress(step: Progress) -> None:
        job(step)
        shown(step)

    try:
        done = training.train(
            request, barset, registry=Registry(home), store=store, clock=utc_now, progress=progress, also=also
        )
    finally:
        shown.line.close()
    return {**done.to_dict(), "source": barset.source, "source_note": barset.note}


def series(home: Home, symbol: str, options: argparse.Namespace) -> tuple[str, BarSet, list[BarSet]]:
    """The source that is asked, the symbol's bars, and those of ``--also``."""
    source = options.source or ("sample" if symbol in sample.symbols() else "yahoo")
    barset = ask_once(source, home.cache, symbol, now=utc_now())
    return (
        source,
        barset,
        [ask_once(source, home.cache, other, now=utc_now()) for other in _others(options.also, source)],
    )


class Shown:
    """Progress on standard error: a line that redraws itself and, once the folds are judged, their table."""

    def __init__(self, agent_type: str, as_json: bool) -> None:
        self.line = TerminalProgress()
        self._agent, self._wanted = agent_type, not as_json

    def __call__(self, step: Progress) -> None:
        if step.walk_forward and self._wanted:
            self._wanted = False
            self.line.close()
            table = report_text.folds(step.walk_forward, self._agent, step.curves)
            print(f"\n{table}\n", file=sys.stderr, flush=True)
        self.line(step)


def _others(text: str, source: str) -> list[str]:
    """The symbols of ``--also``, each once. A CSV file holds one symbol, so it has no others."""
    symbols = [check_symbol(part.strip()) for part in text.split(",") if part.strip()]
    if text and not symbols:
        raise BadInput(f"--also is {text!r} and names no symbol: write them as in --also GOOG,NVDA, or leave it out.")
    if symbols and source.startswith("csv:"):
        raise BadInput("A CSV file holds one symbol: --also needs a source that knows others, such as yahoo.")
    if repeated := sorted({symbol for symbol in symbols if symbols.count(symbol) > 1}):
        raise BadInput(f"{repeated[0]} is named twice in --also: name each symbol once.")
    return symbols


def feature_set(wanted: str | None, source: str) -> str:
    """The features of a model, by ``all`` or ``price``. The default for sources that go on from day to day is price:
    a volume is not final when the agent decides (docs/MODELS.md), and a broker's is not another vendor's."""
    goes_on = source in {"yahoo", *(words_of(name).bars for name in names())}
    return PRICE_SET if (wanted or ("price" if goes_on else "all")) == "price" else FEATURE_SET


def models(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    registry = Registry(home)
    cards, damaged = registry.list(), registry.damaged()
    lines = [_line(card) for card in cards]
    lines += [f"{model_id}: {why}" for model_id, why in damaged.items()]
    text = "\n".join(lines) or "No models. Train one: python -m livetrading train AAPL --agent PPO"
    shown = [_short(card.to_dict()) for card in cards]
    return {"models": shown, "damaged": damaged, "text": text}


def _line(card: ModelCard) -> str:
    test = card.metrics["test"]
    parts = [
        f"{card.model_id}  Sharpe {report_text.number(test['sharpe_ratio'])}",
        f"return {report_text.number(test['total_return_pct'])} %",
        f"trades {test['num_trades']}",
        report_text.seeds(card),
        report_text.paused(test.get("pause")),
        report_text.short_test(card.test.sessions),
        lineage.short(card),
    ]
    return "  ".join(part for part in parts if part)


def _short(card: dict[str, Any]) -> dict[str, Any]:
    names = (
        "model_id",
        "agent_type",
        "symbol",
        "version",
        "created",
        "source",
        "seed",
        "timesteps",
        "opened",
        "trials",
        "lineage",
        "train",
        "test",
    )
    # "train" stays the range of the training part, which has its measures under the same name in the metrics.
    measures = {name: value for name, value in card["metrics"].items() if name != "train"}
    trained = {"train_metrics": card["metrics"]["train"]} if "train" in card["metrics"] else {}
    return {**{name: card[name] for name in names}, "test_range": card["test"], **measures, **trained}


def model(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    card = Registry(home).card(options.model_id)
    return {**card.to_dict(), "text": report_text.card(card)}
