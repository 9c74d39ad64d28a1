"""A model's test with an agent's terms, counted as a look where it is a new one, and the gate's answer to it."""

import argparse
from dataclasses import dataclass
from typing import Any

from ..adapters.brokers.registry import words_of
from ..adapters.home import Home
from ..adapters.openings import Openings
from ..adapters.registry import Registry
from ..adapters.settings import load
from ..adapters.store import Store
from ..core import lineage, stored_before
from ..core.range_content import content_of
from ..core.types import Terms
from ..dashboard import kinds
from ..research import gate as gates
from . import runs
from .acting import utc_now

Doc = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A model's test with an agent's terms, and the gate's answer to it."""

    scene: runs.Scene
    run: gates.Run
    answer: Doc


def judge(home: Home, model_id: str, terms: Terms, kind: str) -> Judged:
    """Runs the test with these terms. With terms that this model was not tested with before, it counts as a look.
    Of a refit the model that was tested before it is run: its own weights have learned from the test."""
    own = Registry(home).card(model_id)
    tested = lineage.tested_model(own)
    made = runs.scene(home, argparse.Namespace(model_id=tested, source=None, start=None, end=None))
    card, known = made.card, Openings(Store(home))
    content = content_of(made.market, made.bars)
    look = None
    if not (_as_trained(card.metrics, terms) or known.known(tested, terms, card.test.start, card.test.end)):
        look = known.record(kind, card.symbol, content, now=utc_now(), model_id=tested, terms=terms)
    run = gates.tested(made.market, made.bars, card.agent_type, made.policy.raw, terms)
    if look is not None:
        known.keep(look, run.own.sessions[1:], run.test.returns)
    count = known.of(card.symbol, content)
    checked, same = Registry(home).lookahead(model_id), lineage.tested_weights(own)
    return Judged(made, run, gates.answer(run.test, count, checked, same))


def _as_trained(metrics: Doc, terms: Terms) -> bool:
    """Whether these are the terms of the test that the training made. Cards of earlier versions do not say them: they
    were the default ones, which have another length of the drawdown pause since; that matters where it came to one."""
    told = metrics.get("terms")
    limits = vars(terms.limits)
    if told is None:
        told = {"capital": Terms().capital, **vars(Terms().limits)}
        if metrics["test"].get("pause"):
            told |= stored_before.LIMITS
    return bool(told == {"capital": terms.capital, **limits}) and terms.costs == Terms().costs


def is_real_money(home: Home, mode: str) -> bool:
    """Whether a deployment in this mode would trade real money, by the broker's settings; unknown counts as real."""
    if not kinds.at_broker(mode):
        return False
    setup = words_of(mode).setup
    return setup is None or setup.is_real_money(load(home))
