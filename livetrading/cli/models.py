"""``train``, ``models``, ``model``."""

import argparse
from typing import Any

from ..adapters import logs
from ..adapters.bars import ask_once, check_symbol, sample
from ..adapters.brokers.registry import names, words_of
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import drawdown_pause
from ..core.errors import BadInput
from ..core.features import FEATURE_SET, PRICE_SET
from ..core.types import AgentType
from ..research import jobs
from ..research.progress import Progress, TerminalProgress
from .acting import report_pause, utc_now


def train(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Train, test once, register; recorded as a job that every process can watch."""
    logs.setup(home, "train")
    store, symbol = Store(home), check_symbol(options.symbol)
    with jobs.running(store, "train", symbol, options.agent, options.timesteps, job_id=options.job) as job:
        done = _train(home, store, symbol, job, options)
        job.finish(done)
    report_pause(done["test"])
    return done


def _train(home: Home, store: Store, symbol: str, job: jobs.Reporter, options: argparse.Namespace) -> dict[str, Any]:
    source = options.source or ("sample" if symbol in sample.symbols() else "yahoo")
    barset = ask_once(source, home.cache, symbol, now=utc_now())
    also = [ask_once(source, home.cache, other, now=utc_now()) for other in _others(options.also, source)]
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
    shown = TerminalProgress()

    def progress(step: Progress) -> None:
        job(step)
        shown(step)

    done = training.train(
        request, barset, registry=Registry(home), store=store, clock=utc_now, progress=progress, also=also
    )
    return {**done.to_dict(), "source": barset.source, "source_note": barset.note}


def _others(text: str, source: str) -> list[str]:
    """The symbols of ``--also``, each once. A CSV file holds one symbol, so it has no others."""
    symbols = [check_symbol(part.strip()) for part in text.split(",") if part.strip()]
    if symbols and source.startswith("csv:"):
        raise BadInput("A CSV file holds one symbol: --also needs a source that knows others, such as yahoo.")
    if repeated := sorted({symbol for symbol in symbols if symbols.count(symbol) > 1}):
        raise BadInput(f"{repeated[0]} is named twice in --also: name each symbol once.")
    return symbols


def feature_set(wanted: str | None, source: str) -> str:
    """The features of a model, by ``all`` or ``price``. The default for a broker's bars is price, so that the
    model can decide on another vendor's bars where the broker has none."""
    at_broker = source in {words_of(name).bars for name in names()}
    return PRICE_SET if (wanted or ("price" if at_broker else "all")) == "price" else FEATURE_SET


def models(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    registry = Registry(home)
    shown, damaged = [_short(card.to_dict()) for card in registry.list()], registry.damaged()
    lines = [
        f"{m['model_id']}  Sharpe {_number(m['test']['sharpe_ratio'])}  "
        f"return {_number(m['test']['total_return_pct'])} %  trades {m['test']['num_trades']}"
        + _paused(drawdown_pause.spans(m["test"].get("pause")))
        for m in shown
    ]
    lines += [f"{model_id}: {why}" for model_id, why in damaged.items()]
    text = "\n".join(lines) or "No models. Train one: python -m livetrading train AAPL --agent PPO"
    return {"models": shown, "damaged": damaged, "text": text}


def _paused(spans: list[tuple[str, str | None]]) -> str:
    """When the drawdown limit first paused a test, and how often it did."""
    if not spans:
        return ""
    return f"  paused {spans[0][0]}" + (f" ({len(spans):,} pauses)" if len(spans) > 1 else "")


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
        "train",
        "test",
    )
    return {**{name: card[name] for name in names}, "test_range": card["test"], **card["metrics"]}


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def model(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return Registry(home).card(options.model_id).to_dict()
