"""What a model is called, and how many seeds it was made with."""

from livetrading.core import lineage
from livetrading.core.card import QUICK_TRY, ModelCard
from livetrading.dashboard.format import sharpe
from livetrading.dashboard.markup import Fact


def label(card: ModelCard) -> str:
    """One line to choose a model by."""
    test = card.metrics["test"]
    paused = test.get("pause")
    parts = [
        card.model_id,
        f"Sharpe {sharpe(test.get('sharpe_ratio'))}",
        f"paused {paused['session']}" if paused else "",
        QUICK_TRY if card.is_quick_try else "",
        lineage.short(card),
    ]
    return "  ·  ".join(part for part in parts if part)


def seeds(card: ModelCard) -> list[Fact]:
    """Nothing for a card of before, which had no choice."""
    if not card.members:
        return []
    return [Fact("Seeds", str(card.seeds), QUICK_TRY if card.is_quick_try else "members of the ensemble")]
