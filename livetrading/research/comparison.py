"""Models side by side: what their stored tests measured, over all of each and over the sessions that they share.

Nothing is run again, so comparing opens no test.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import lineage, metrics
from ..core.card import ModelCard
from ..core.metrics import SESSIONS_A_YEAR
from ..core.significance import returns_of
from . import skill

Doc = dict[str, Any]
MEASURES = (
    "sharpe_ratio",
    "sharpe_se",
    "total_return_pct",
    "max_drawdown_pct",
    "calmar_ratio",
    "volatility_pct",
    "num_trades",
    "exposure_pct",
    "sessions",
)
SHARED = ("sharpe_ratio", "sharpe_se", "total_return_pct", "max_drawdown_pct", "sessions")
LEAST_SHARED = 3


@dataclass(frozen=True)
class Subject:
    """A model with its stored test; ``agents`` that trade it, each with ``agent_id``, ``mode`` and ``status``."""

    card: ModelCard
    test: Mapping[str, Any]
    agents: Sequence[Mapping[str, Any]] = ()

    @property
    def equity(self) -> dict[str, float]:
        """USD by session."""
        return {str(session): float(value) for session, value in self.test["equity"]}


def compare(subjects: Sequence[Subject]) -> Doc:
    """JSON-ready. ``models`` in the given order, ``common`` sessions, ``paired`` differences from the first model,
    ``settings`` that differ, ``curves`` by model."""
    shared = common_sessions(subjects)
    return {
        "models": [_model(subject, shared) for subject in subjects],
        "common": {"start": shared[0], "end": shared[-1], "sessions": len(shared)} if shared else None,
        "paired": [_paired(subjects[0], other) for other in subjects[1:]],
        "settings": settings([subject.card for subject in subjects]),
        "curves": {subject.card.model_id: curves(subject) for subject in subjects},
    }


def common_sessions(subjects: Sequence[Subject]) -> list[str]:
    """Sessions that all tests hold, in order; empty if there are too few to compare."""
    shared = set.intersection(*(set(subject.equity) for subject in subjects)) if subjects else set()
    return sorted(shared) if len(shared) >= LEAST_SHARED else []


def _model(subject: Subject, shared: Sequence[str]) -> Doc:
    card, measures = subject.card, subject.test["metrics"]
    equity = subject.equity
    interval = skill.sharpe_interval(returns_of(list(equity.values())))
    part = [equity[session] for session in shared]
    common = metrics.measure(part, [], [False] * len(part)) if shared else {}
    return {
        "model_id": card.model_id,
        "agent_type": str(card.agent_type),
        "symbol": card.symbol,
        "test_range": {"start": str(card.test.start), "end": str(card.test.end)},
        "opened": card.opened,
        "measures": {name: measures.get(name) for name in MEASURES},
        "sharpe_interval": None if interval is None else list(interval),
        "common": {name: common.get(name) for name in SHARED} if shared else None,
        "lineage": lineage.words(card),
        "deployed_by": [dict(agent) for agent in subject.agents],
    }


def _paired(first: Subject, other: Subject) -> Doc:
    """The yearly difference of daily returns over the sessions that these two share, other minus first, with its
    standard error for independent days. ``one_test_of``: the model whose test both of them tell, None if each has its
    own."""
    shared = common_sessions([first, other])
    mine, yours = ([subject.equity[session] for session in shared] for subject in (first, other))
    found = paired(returns_of(mine), returns_of(yours))
    tested = [lineage.tested_model(subject.card) for subject in (first, other)]
    of = tested[0] if tested[0] == tested[1] else None
    return {"model_id": other.card.model_id, "against": first.card.model_id, "one_test_of": of, **found}


def paired(first: np.ndarray, other: np.ndarray) -> Doc:
    """``(N,)`` daily returns of the same sessions: how many, ``difference_pct`` and ``se_pct`` (percent a year), and
    ``t``, their ratio. None where too few or one of them is undefined."""
    if len(first) != len(other) or len(first) < LEAST_SHARED - 1:
        return {"returns": 0, "difference_pct": None, "se_pct": None, "t": None}
    difference = other - first
    mean, error = float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return {
        "returns": len(difference),
        "difference_pct": 100.0 * SESSIONS_A_YEAR * mean,
        "se_pct": 100.0 * SESSIONS_A_YEAR * error,
        "t": mean / error if error > metrics.NO_DEVIATION else None,
    }


def settings(cards: Sequence[ModelCard]) -> list[Doc]:
    """What the models were made with, where that differs: ``name`` and ``values`` in the models' order."""
    tables = [dict(_settings(card)) for card in cards]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [{"name": name, "values": [table.get(name) for table in tables]} for name in names]
    return [row for row in rows if _differ([value for value in row["values"] if value is not None])]


def _differ(known: Sequence[Any]) -> bool:
    """What a card of an earlier version does not say is no difference."""
    return any(value != known[0] for value in known)


def _settings(card: ModelCard) -> Iterator[tuple[str, Any]]:
    yield "agent type", str(card.agent_type)
    yield "symbol", card.symbol
    yield "features", card.feature_set
    yield "network", f"{list(card.policy.net_arch)} {card.policy.activation}"
    for name in ("timesteps", "seed", "seeds", "trials", "source", "rules_version"):
        yield name.replace("_", " "), getattr(card, name)
    yield "training part", f"{card.train.start} to {card.train.end}"
    yield "fitted again on", lineage.fitted_again(card)
    yield "test", f"{card.test.start} to {card.test.end}"
    yield "also learned from", ", ".join(other.symbol for other in card.also)
    yield from sorted((f"hyperparameter {name}", value) for name, value in card.hyperparameters.items())
    yield from sorted((f"term {name}", value) for name, value in (card.metrics.get("terms") or {}).items())
    yield from sorted(("package " + name, version) for name, version in card.packages.items())


def curves(subject: Subject) -> Doc:
    """``sessions``, and of each the equity (USD), the drawdown (a positive percent) and whether shares were held."""
    equity = subject.equity
    return {
        "sessions": list(equity),
        "equity": list(equity.values()),
        "drawdown_pct": (100.0 * metrics.drawdown(list(equity.values()))).tolist(),
        "held": held(subject.test, list(equity)),
    }


def held(test: Mapping[str, Any], sessions: Sequence[str]) -> list[int]:
    """1 for each close with shares. Tests of earlier versions tell only the closed trades: a position that was open
    at their end is not seen."""
    stored = test.get("held")
    if isinstance(stored, list) and len(stored) == len(sessions):
        return [int(bool(value)) for value in stored]
    spans = [(trade["entry_session"], trade["exit_session"]) for trade in test.get("trades", [])]
    return [int(any(start <= session < end for start, end in spans)) for session in sessions]
