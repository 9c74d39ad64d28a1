"""A stored model's report, read from its home."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..adapters.home import Home
from ..adapters.openings import Count, Opening, Openings
from ..adapters.registry import TEST, Registry
from ..adapters.store import Store
from ..core import lineage
from ..core.errors import Damaged, LivetradingError, in_a_line
from . import gate, report_document, trials
from .report_document import Stored
from .study import files
from .trials import Trials

Doc = dict[str, Any]
log = logging.getLogger(__name__)


def load(home: Home, model_id: str, count: Count | None = None, answer: Doc | None = None) -> Doc:
    """The report at this moment, as ``report_document.build`` makes it. ``count`` and ``answer``: the looks and what the
    gate says of the stored test, where they are known already. Raises NotFound or Damaged."""
    registry, openings = Registry(home), Openings(Store(home))
    card, test, lookahead = registry.card(model_id), registry.test(model_id), registry.lookahead(model_id)
    count = count or openings.of_model(model_id)
    bars, shown = _bars(registry, model_id), [_series(*kept) for kept in openings.kept(count)]
    try:
        answer = answer or gate.answer(gate.stored(test), count, lookahead, lineage.tested_weights(card))
        tries = trials.aligned(shown, [session for session, _ in test["equity"]][1:])
        study = _study(home, model_id)
        return report_document.build(Stored(card, test, bars, answer, lookahead, tries, study))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"{TEST} of {model_id} is not usable ({in_a_line(error)}): train it again.") from error


def _series(look: Opening, sessions: Sequence[str], returns: np.ndarray) -> trials.Series:
    return f"{look.kind} {look.model_id or look.symbol} {look.at[:16]}", sessions, returns


def _study(home: Home, model_id: str) -> Trials | None:
    """The trials of the search that made this model; None if there was none, or its returns are not in this home."""
    for found in files.summaries(home):
        if (found.get("result") or {}).get("model_id") == model_id:
            try:
                known = files.returns(home, found["name"]).complete
            except LivetradingError as error:
                log.warning("The report of %s goes without the trials of its search: %s", model_id, error)
                return None
            columns = zip(known.numbers, known.values.T, strict=True)
            return trials.aligned([(f"trial {at}", known.sessions, each) for at, each in columns], known.sessions)
    return None


def _bars(registry: Registry, model_id: str) -> pd.DataFrame | None:
    """None, with a line in the log, where they cannot be read: the rest of the report can be shown."""
    try:
        return registry.bars(model_id)
    except LivetradingError as error:
        log.warning("The report of %s goes without its bars: %s", model_id, error)
        return None
