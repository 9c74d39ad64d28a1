"""The gate's answer to a model's stored test, at this moment, for pages."""

from functools import lru_cache
from typing import Any

from livetrading.adapters.home import Home
from livetrading.adapters.openings import Count, Openings
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.card import ModelCard

Doc = dict[str, Any]


def answer(home: Home, card: ModelCard) -> Doc:
    """As ``gate MODEL_ID`` answers for the terms of the training; counted now, computed anew when the count or the
    look-ahead check is another."""
    count = Openings(Store(home)).of_model(card.model_id)
    checked = (Registry(home).lookahead(card.model_id) or {}).get("at", "")
    return _answer(home, card.model_id, count, checked)


@lru_cache(32)
def _answer(home: Home, model_id: str, count: Count, checked: str) -> Doc:
    from livetrading.research import gate  # the bootstrap's library takes a second

    registry = Registry(home)
    return gate.answer(gate.stored(registry.test(model_id)), count, registry.lookahead(model_id))
