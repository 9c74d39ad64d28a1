"""``train --trials``: a study, the choice, one training with one test."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from ..adapters import logs
from ..adapters.bars import check_symbol
from ..adapters.files import make_directory
from ..adapters.home import Home
from ..adapters.store import Store
from ..core.errors import BadInput
from ..core.types import AgentType
from ..research import jobs
from ..research.progress import Progress, duration
from . import report_text
from .acting import report_pause, utc_now
from .models import Shown, feature_set, series

if TYPE_CHECKING:
    from ..research.study.catalogue import Study
    from ..research.study.storage import Storage

STORAGE = "LIVETRADING_STORAGE"
SHOWN = ("name", "storage", "trials", "complete", "pruned", "failed", "best", "importance", "history")
"""Of a study's summary, what the answer holds."""


def train(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Runs the study's trials that have not ended, then trains and tests what they chose; recorded as a job."""
    logs.setup(home, "train")
    store, symbol = Store(home), check_symbol(options.symbol)
    check(options)
    with jobs.running(store, "train", symbol, options.agent, options.timesteps, job_id=options.job) as job:
        found = _search(home, store, symbol, job, options)
        done = {**found["result"], "study": {name: found[name] for name in SHOWN}}
        job.finish({**found["result"], "study": found["name"]})
    if options.json:
        report_pause(done["test"])
    return {**done, "text": _text(done)}


def check(options: argparse.Namespace) -> None:
    """Before torch is loaded, bars are fetched or a job is begun; the rest is the definition's to refuse. BadInput."""
    if options.trials < 1:
        raise BadInput(
            f"trials is {options.trials}; it must be at least 1, or leave --trials out to train without a study."
        )
    if url := asked(options):
        from ..research.study import address

        address.parsed(url)


def _search(home: Home, store: Store, symbol: str, job: jobs.Reporter, options: argparse.Namespace) -> dict[str, Any]:
    from ..research.study import search

    storage, study = begun(home, symbol, options)
    shown = Shown(options.agent, options.json)

    def progress(step: Progress) -> None:
        job(step)
        shown(step)

    place = search.Place(home, store, utc_now)
    try:
        return search.search(place, study, options.seeds, progress, options.processes)
    finally:
        shown.line.close()
        storage.close()


def begun(home: Home, symbol: str, options: argparse.Namespace) -> "tuple[Storage, Study]":
    """The study that the options define, begun or found as it was left, and its open storage."""
    from ..research.study import catalogue, search
    from ..research.study.definition import Definition, Series, feature_names

    check(options)
    storage = opened(home, options)
    source, barset, also = series(home, symbol, options)
    # Without a wish a study chooses; the bars of a broker allow the price set alone.
    wanted = feature_set(options.features, source)
    chosen = wanted if options.features or feature_set(None, source) != feature_set("all", source) else None
    definition = Definition(
        symbol,
        tuple(map(str, AgentType)) if options.agent == "any" else (options.agent,),
        feature_names(chosen),
        Series.of(barset),
        options.trials,
        tuple(map(Series.of, also)),
        options.generation,
        options.trial_seeds,
        options.folds,
        options.timesteps,
        options.seed,
        options.start,
        options.end,
    )
    search.check(definition, [barset, *also])
    return storage, catalogue.begin(storage, options.study or definition.usual_name, definition, [barset, *also])


def opened(home: Home, options: argparse.Namespace) -> "Storage":
    """The storage of ``--storage``, of the environment, or of the home."""
    from ..research.study.storage import Storage, default_url

    url = asked(options)
    if url is None:
        make_directory(home.studies)
    return Storage(url or default_url(home), options.beat)


def asked(options: argparse.Namespace) -> str | None:
    """The URL of ``--storage`` or of the environment; None for the storage of the home."""
    return options.storage or os.environ.get(STORAGE) or None


def _text(done: dict[str, Any]) -> str:
    study, best = done["study"], done["study"]["best"]
    settings = ", ".join(f"{name} {_short(value)}" for name, value in best["params"].items())
    lines = [
        (
            f"{done['model_id']} in {duration(done['seconds'])}, the choice of {study['trials']} trials "
            f"({study['complete']} complete, {study['pruned']} given up, {study['failed']} failed) of the study {study['name']}."
        ),
        f"Trial {best['number']}, walk-forward Sharpe {report_text.number(best['value'])}: {settings}.",
        "",
        report_text.test(done, done["model_id"].partition("_")[0]),
        *(f"Warning: {text}" for text in done["warnings"]),
    ]
    return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
