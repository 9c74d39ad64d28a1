"""The gate's answer to a model's stored test, at this moment, for pages."""

from functools import lru_cache
from typing import Any

from livetrading.adapters.files import signature
from livetrading.adapters.home import Home
from livetrading.adapters.openings import NAME, Count, Openings
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core import lineage
from livetrading.core.card import ModelCard

Doc = dict[str, Any]


def answer(home: Home, card: ModelCard) -> Doc:
    """As ``gate MODEL_ID`` answers for the terms of the training; counted now, computed anew when the count or the
    look-ahead check is another."""
    return at(home, card.model_id, *asked(home, card))


def asked(home: Home, card: ModelCard) -> tuple[Count, str]:
    """What the answer depends on: the looks so far, and when look-ahead was checked (empty: never)."""
    places = (home.root / f"{NAME}.json", home.root / NAME, home.models, home.model(card.model_id))
    return _asked(home, card.model_id, tuple(map(signature, places)))


@lru_cache(32)
def _asked(home: Home, model_id: str, changed: tuple[tuple[int, ...], ...]) -> tuple[Count, str]:
    """Counted again when a look, what it showed, a model or its check was added: ``changed`` says so by the files."""
    count = Openings(Store(home)).of_model(model_id)
    return count, (Registry(home).lookahead(model_id) or {}).get("at", "")


@lru_cache(32)
def at(home: Home, model_id: str, count: Count, checked: str) -> Doc:
    """The answer to ``asked``."""
    from livetrading.research import gate  # the bootstrap's library takes a second

    registry = Registry(home)
    same = lineage.tested_weights(registry.card(model_id))
    return gate.answer(gate.stored(registry.test(model_id)), count, registry.lookahead(model_id), same)
