"""A model's report at this moment, for pages: made once for each count of looks."""

from functools import lru_cache
from typing import Any

from livetrading.adapters.home import Home
from livetrading.adapters.openings import Count
from livetrading.core.card import ModelCard

from . import gate

Doc = dict[str, Any]


def document(home: Home, card: ModelCard) -> Doc:
    """As ``report MODEL_ID --json`` answers. Do not change it: it is kept. Raises what reading a model raises."""
    count, checked = gate.asked(home, card)
    return _document(home, card.model_id, count, checked)


@lru_cache(16)
def _document(home: Home, model_id: str, count: Count, checked: str) -> Doc:
    from livetrading.research import stored_report  # the bootstrap's library takes a second

    return stored_report.load(home, model_id, count, gate.at(home, model_id, count, checked))


def html(home: Home, card: ModelCard) -> bytes:
    """The report's file."""
    from . import report_html

    return report_html.page(document(home, card)).encode()
