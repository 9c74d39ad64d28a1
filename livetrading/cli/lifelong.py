"""``retrain``, ``challenge`` and ``refit``: what becomes of a model when there are later bars."""

import argparse
import sys
from typing import Any

from ..adapters import logs
from ..adapters.bars import BarSet, ask_once
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import challenge as rules
from ..core import lineage
from ..core.card import ModelCard
from ..core.errors import BadInput, Conflict
from ..core.wording import counted
from ..research import jobs
from ..research.progress import Progress
from . import models, report_text
from .acting import report_pause, utc_now

Doc = dict[str, Any]


def retrain(home: Home, options: argparse.Namespace) -> Doc:
    """A challenger by the same procedure on later bars. The rule of the comparison is told before it is made."""
    logs.setup(home, "retrain")
    registry, store = Registry(home), Store(home)
    card = registry.card(options.model_id)
    from ..research import challenger, training  # torch: two seconds

    request = challenger.request_of(card)
    barset = _bars(home, card, options.source)
    also = _also(home, card)
    made_by = challenger.declared(card, registry.bars(card.model_id), barset.frame, options.horizon)
    print(made_by["rule"]["text"], file=sys.stderr, flush=True)
    with (
        jobs.running(store, "train", card.symbol, str(card.agent_type), card.timesteps, job_id=options.job) as job,
        _Watch(card, options, job) as watch,
    ):
        done = training.train(
            request, barset, registry=registry, store=store, clock=utc_now, progress=watch, also=also, lineage=made_by
        )
        told = {**done.to_dict(), "source": barset.source, "source_note": barset.note}
        job.finish(told)
    if options.json:
        report_pause(told["test"])
    answer = {**told, "challenges": card.model_id, "rule": made_by["rule"]}
    then = (
        f"{card.model_id} is kept. When {counted(options.horizon, 'later session')} have passed:"
        f" python -m livetrading challenge {told['model_id']}"
    )
    return {**answer, "text": "\n".join([models.text_of(told, str(card.agent_type)), made_by["rule"]["text"], then])}


def challenge(home: Home, options: argparse.Namespace) -> Doc:
    """How a challenger stands by the rule on its card; before its horizon is over nothing is run."""
    registry, store = Registry(home), Store(home)
    card = registry.card(options.model_id)
    if lineage.kind_of(card) != lineage.CHALLENGER:
        raise Conflict(f"{card.model_id} challenges no model; `retrain` makes a challenger.")
    from ..research import challenger

    rule = rules.stored(card.lineage)
    barset = _bars(home, card, options.source)
    pair = [challenger.Contender(*registry.load(name)) for name in (lineage.parent_of(card), card.model_id)]
    found = challenger.standing(pair[0], pair[1], barset.frame, store, utc_now)
    answer: Doc = {
        "model_id": card.model_id,
        "challenges": pair[0].card.model_id,
        "rule": rule.to_dict(pair[0].card.model_id),
        "sessions": len(found.sessions),
        "decided": found.decided,
        "ahead": found.ahead,
        "difference": found.difference,
        "measures": {c.card.model_id: e.measures for c, e in zip(pair, (found.first, found.other), strict=True) if e},
        "source": barset.source,
    }
    return {**answer, "text": _standing(answer)}


def _standing(answer: Doc) -> str:
    lines = [answer["rule"]["text"], ""]
    if not answer["decided"]:
        lines.append(
            f"{answer['sessions']} of {answer['rule']['horizon']} sessions have passed. Nothing is shown before all have:"
            " to look early and often is to choose by luck."
        )
        return "\n".join(lines)
    for name, measures in answer["measures"].items():
        error = measures["sharpe_se"]
        ratio = report_text.number(measures["sharpe_ratio"]) + ("" if error is None else f" ± {error:.2f}")
        lines.append(f"{name:<30} Sharpe {ratio:>16}  return {report_text.number(measures['total_return_pct'], ' %')}")
    found = answer["difference"]
    if found["difference_pct"] is not None:
        lines.append(
            f"Paired difference {found['difference_pct']:+.2f} % a year, standard error {found['se_pct']:.2f} %"
            f" ({found['returns']} days)."
        )
    lines.append(
        f"{answer['model_id']} is {'' if answer['ahead'] else 'not '}ahead by the rule. Replacing is your act: deploy the"
        " model that you want and remove the other agent; both models are kept."
    )
    return "\n".join(lines)


def refit(home: Home, options: argparse.Namespace) -> Doc:
    """The procedure of a tested model, fitted on all bars; opens no test."""
    logs.setup(home, "refit")
    registry, store = Registry(home), Store(home)
    card = registry.card(options.model_id)
    from ..research import challenger, refitting

    challenger.request_of(card)
    refitting.check(card)
    barset = _bars(home, card, options.source) if options.source else _own(registry, card)
    also = _also(home, card)
    with (
        jobs.running(store, "train", card.symbol, str(card.agent_type), card.timesteps, job_id=options.job) as job,
        _Watch(card, options, job) as watch,
    ):
        done = refitting.refit(card, barset, registry=registry, clock=utc_now, progress=watch, also=tuple(also))
        made = done.card
        answer = {
            "model_id": made.model_id,
            "known": done.known,
            "of": lineage.parent_of(made),
            "fitted": made.lineage["fitted"],
            "source": made.source,
            "lineage": lineage.words(made),
            "test": made.metrics["test"],
            "buy_and_hold": made.metrics["buy_and_hold"],
            "warnings": [lineage.words(made)],
        }
        job.finish(answer)
    before = " It was made before from the same bars; nothing was fitted now." if done.known else ""
    return {**answer, "text": f"{made.model_id}: {lineage.words(made)}{before}"}


def _bars(home: Home, card: ModelCard, source: str | None) -> BarSet:
    return ask_once(source or card.source, home.cache, card.symbol, now=utc_now())


def _own(registry: Registry, card: ModelCard) -> BarSet:
    """The model's own bars, its test included."""
    return BarSet(card.symbol, registry.bars(card.model_id), card.source, card.source_note)


def _also(home: Home, card: ModelCard) -> list[BarSet]:
    """The other symbols that the model learned from, from their sources. A CSV file that is gone is named."""
    found = []
    for other in card.also:
        if other.symbol == card.symbol:
            raise BadInput(f"The card of {card.model_id} names its own symbol among the others: train it anew.")
        found.append(ask_once(other.source, home.cache, other.symbol, now=utc_now()))
    return found


class _Watch:
    """Progress for the job's record and the terminal."""

    def __init__(self, card: ModelCard, options: argparse.Namespace, job: jobs.Reporter) -> None:
        self._job, self._shown = job, models.Shown(str(card.agent_type), options.json)

    def __call__(self, step: Progress) -> None:
        self._job(step)
        self._shown(step)

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.line.close()
