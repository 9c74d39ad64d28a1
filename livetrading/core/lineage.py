"""Where a model comes from that no plain training made: imported, refitted after its test, or a challenger.

The card's ``lineage`` is a JSON object: ``kind``, and by kind ``of`` (the model that it was made from), ``fitted``
({start, end, sessions}: what a refit learned from), ``rule`` (how a challenger is compared), ``note``, and
``zips_sha256`` (of the zips that an imported model came as; those that are stored are written here).
"""

from collections.abc import Mapping
from typing import Any

from .card import ModelCard

IMPORTED, REFIT, CHALLENGER = "imported", "refit", "challenger"


def kind_of(card: ModelCard) -> str:
    """Empty for a model of a plain training."""
    return str(card.lineage.get("kind", ""))


def parent_of(card: ModelCard) -> str:
    """The model that it was made from; empty if there is none."""
    return str(card.lineage.get("of", ""))


def tested_model(card: ModelCard) -> str:
    """The model whose weights the test of this card measured: for a refit the one that was tested before it."""
    return parent_of(card) if kind_of(card) == REFIT else card.model_id


def tested_weights(card: ModelCard) -> bool:
    """Whether the test measured these weights."""
    return kind_of(card) != REFIT


def trained(card: ModelCard) -> str:
    """What the measured weights were trained on; of a refit these are another model's."""
    span = f"rained on {card.train.start} to {card.train.end}"
    return f"T{span}" if tested_weights(card) else f"Its test measured {parent_of(card)}, t{span}"


def fitted_again(card: ModelCard) -> str:
    """The range that a refit learned from; ``no`` for all others."""
    fitted = card.lineage.get("fitted") or {}
    return f"{fitted.get('start')} to {fitted.get('end')}" if kind_of(card) == REFIT else "no"


def words(card: ModelCard) -> str:
    """A sentence or two for people; empty for a model of a plain training."""
    said: Mapping[str, Any] = card.lineage
    if kind_of(card) == IMPORTED:
        note = str(said.get("note") or "").strip().rstrip(".")
        told = f" ({note})" if note else ""
        came = ", ".join(f"{digest[:12]}…" for digest in said.get("zips_sha256") or ())
        return (
            f"Trained elsewhere{told} and imported{f' from the zip {came}' if came else ''}: only its test was made here,"
            " and how often it was tried is not known."
        )
    if kind_of(card) == REFIT:
        return (
            f"Fitted again on all bars from {fitted_again(card)} by the procedure of {parent_of(card)}: the test measured the"
            " procedure, not these weights."
        )
    if kind_of(card) == CHALLENGER:
        return f"A challenger of {parent_of(card)}, made by the same procedure on later bars. {said.get('rule', {}).get('text', '')}".strip()
    return ""


def short(card: ModelCard) -> str:
    """A few words for a list."""
    if kind_of(card) == REFIT:
        return f"refit of {parent_of(card)}: the test is the procedure's"
    if kind_of(card) == CHALLENGER:
        return f"challenger of {parent_of(card)}"
    return IMPORTED if kind_of(card) == IMPORTED else ""
