"""What an eager user tries: cheap policies of other seeds and settings, each with terms that ``deploy`` offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from livetrading.core.market import Market
from livetrading.core.types import Action, Limits
from livetrading.research.ridge import PENALTIES, next_returns

TRIES = 20
POSITIONS, RISKS, STOPS = (0.25, 0.5, 0.75, 1.0), (0.01, 0.02, 0.05, 0.1), (1.0, 1.5, 2.0, 3.0, 5.0)
DRAWDOWNS, PAUSES = (0.1, 0.15, 0.25, 1.0), (5, 20, 60)
SHARES = (0.6, 0.25, 0.15)
"""Of the tries: ridges, linear rules by chance, and rules that stay long."""


@dataclass(frozen=True, eq=False)
class Try:
    """Buys when features · weights is above ``enter``, sells when it is below ``leave``, else holds."""

    weights: np.ndarray
    enter: float
    leave: float
    limits: Limits

    def raw(self, obs: np.ndarray) -> int:
        """0 SELL, 1 HOLD or 2 BUY from one observation: features, then the account."""
        return int(self.actions(obs[None, : len(self.weights)])[0])

    def actions(self, seen: np.ndarray) -> np.ndarray:
        """``(T, F)`` features as an observation has them, float32 -> ``(T,)`` actions."""
        forecast = (seen.astype(np.float64) * self.weights).sum(axis=1)
        return np.where(forecast > self.enter, Action.BUY, np.where(forecast < self.leave, Action.SELL, Action.HOLD))


def always_long(seen: np.ndarray) -> np.ndarray:
    """``witnesses.always_long`` for ``(T, F)`` features."""
    return np.full(len(seen), int(Action.BUY))


def seen_of(market: Market, bars: range) -> np.ndarray:
    """The features' part of the observations of these sessions."""
    return market.scaled[bars.start : bars.stop].astype("<f4")


@dataclass(frozen=True, eq=False)
class Lesson:
    """A training part: ``(T, F)`` features at a close, and the return to the next."""

    seen: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, market: Market, train: range) -> "Lesson":
        part = range(train.start, train.stop - 1)
        return cls(seen_of(market, part).astype(np.float64), next_returns(market)[part.start : part.stop])

    @classmethod
    def joined(cls, lessons: Sequence["Lesson"]) -> "Lesson":
        return cls(*(np.concatenate([getattr(one, name) for one in lessons]) for name in ("seen", "labels")))

    @cached_property
    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """What a regression asks for: the features' products with each other and with the return."""
        away = self.seen - self.seen.mean(axis=0)
        return away.T @ away, away.T @ (self.labels - self.labels.mean())


def eager(rng: np.random.Generator, lesson: Lesson, tries: int = TRIES) -> list[Try]:
    """So many tries on one training part: other features, parts, penalties, thresholds and terms each."""
    kinds = rng.choice(len(SHARES), tries, p=SHARES)
    return [(_ridge, _by_chance, _mostly_long)[kind](rng, lesson) for kind in kinds]


def terms(rng: np.random.Generator) -> Limits:
    """Limits as a user may deploy with."""
    return Limits(
        max_position=float(rng.choice(POSITIONS)),
        risk_per_trade=float(rng.choice(RISKS)),
        stop_atr=float(rng.choice(STOPS)),
        max_drawdown=float(rng.choice(DRAWDOWNS)),
        pause_sessions=int(rng.choice(PAUSES)),
    )


def solved(lesson: Lesson, chosen: np.ndarray, penalty: float) -> np.ndarray:
    """The ridge's weights on the features ``chosen``; the others are 0."""
    products, along = lesson.sums
    weights = np.zeros(len(along))
    part = products[np.ix_(chosen, chosen)] + penalty * np.eye(len(chosen))
    weights[chosen] = np.linalg.solve(part, along[chosen])
    return weights


def _ridge(rng: np.random.Generator, lesson: Lesson) -> Try:
    """A regression on some features of a part of the sessions."""
    width = lesson.seen.shape[1]
    chosen = rng.choice(width, int(rng.integers(2, width + 1)), replace=False)
    first = int(rng.integers(0, len(lesson.labels) // 2))
    last = int(rng.integers(first + len(lesson.labels) // 3, len(lesson.labels)))
    part = Lesson(lesson.seen[first:last], lesson.labels[first:last])
    return _cut(rng, lesson, solved(part, chosen, float(rng.choice(PENALTIES))), terms(rng))


def _by_chance(rng: np.random.Generator, lesson: Lesson) -> Try:
    """A direction that nothing taught."""
    width = lesson.seen.shape[1]
    weights = rng.normal(size=width) * (rng.random(width) < rng.uniform(0.1, 1.0))
    return _cut(rng, lesson, weights, terms(rng))


def _mostly_long(rng: np.random.Generator, lesson: Lesson) -> Try:
    """Long but for the lowest forecasts, or always."""
    weights = solved(lesson, np.arange(lesson.seen.shape[1]), float(rng.choice(PENALTIES)))
    low = float(np.quantile(lesson.seen @ weights, rng.uniform(0.0, 0.15)))
    return Try(weights, low, low, terms(rng))


def _cut(rng: np.random.Generator, lesson: Lesson, weights: np.ndarray, limits: Limits) -> Try:
    """Thresholds at quantiles of the training part's forecasts."""
    share = rng.uniform(0.15, 0.97)
    forecasts = lesson.seen @ weights
    enter, leave = np.quantile(forecasts, [share, share * rng.uniform(0.5, 1.0)])
    return Try(weights, float(enter), float(leave), limits)
