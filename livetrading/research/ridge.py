"""The witness of every deep agent: a ridge regression of the next return on the same scaled features.

Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems" (1970). It buys when its forecast
is positive and sells otherwise, knows nothing of costs or of its position, and has one constant, the penalty, which
is chosen on expanding folds inside the part that it learns from. Plain NumPy in float64.
"""

from dataclasses import dataclass

import numpy as np

from ..core.errors import BadInput
from ..core.market import Market
from ..core.types import Action
from .folds import Fold, expanding

PENALTIES = tuple(10.0 ** (k / 2.0) for k in range(-2, 13))
"""0.1 to a million, on features of unit variance: from none to one that leaves the mean alone."""
CHOICE_FOLDS = 4
CHOICE_EMBARGO = 1
"""A label reaches one session past its features, and a regression holds no position."""
LEAST_ROWS = 20


@dataclass(frozen=True)
class Ridge:
    """Next return = ``intercept`` + scaled features · ``weights``, a fraction; ``penalty`` as chosen.

    ``errors`` are the mean squared errors of all ``PENALTIES`` on the folds, None where it was given.
    """

    weights: tuple[float, ...]
    intercept: float
    penalty: float
    errors: tuple[float, ...] | None = None

    def forecast(self, scaled: np.ndarray) -> np.ndarray:
        """``(n_features,)`` or ``(n, n_features)`` -> the expected next return, ``()`` or ``(n,)``."""
        rows = np.asarray(scaled, dtype=np.float64)
        return (rows * np.array(self.weights)).sum(axis=-1) + self.intercept

    def raw(self, obs: np.ndarray) -> int:
        """2 BUY for a positive forecast, else 0 SELL, from one observation: features, then the account."""
        return Action.BUY if self.forecast(obs[: len(self.weights)]) > 0.0 else Action.SELL


def next_returns(market: Market) -> np.ndarray:
    """``(T,)``: what a share held from the close of t to that of t + 1 gains, splits and dividends included; last NaN."""
    bars = market.columns
    gained = bars.split[1:] * (bars.close[1:] + bars.dividend[1:]) / bars.close[:-1] - 1.0
    return np.concatenate([gained, [np.nan]])


def fit_ridge(market: Market, part: range, penalty: float | None = None) -> Ridge:
    """The regression on a training part; no label reaches past its last bar.

    Without a penalty the one with the smallest squared error on expanding folds is taken, the larger of equals.
    """
    decisions = range(part.start, part.stop - 1)
    if len(decisions) < LEAST_ROWS:
        raise BadInput(f"A regression on {len(part)} sessions says nothing; choose a wider range.")
    rows, labels = market.scaled, next_returns(market)
    if penalty is not None:
        return _solved(rows, labels, decisions, (penalty,))[0]
    errors = _errors(rows, labels, _folds(part))
    best = max(np.flatnonzero(errors == errors.min()))
    chosen = _solved(rows, labels, decisions, (PENALTIES[best],))[0]
    return Ridge(chosen.weights, chosen.intercept, chosen.penalty, tuple(errors.tolist()))


def _folds(part: range) -> tuple[Fold, ...]:
    return expanding(part, CHOICE_FOLDS, CHOICE_EMBARGO, least=(LEAST_ROWS, LEAST_ROWS // 4))


def _errors(rows: np.ndarray, labels: np.ndarray, folds: tuple[Fold, ...]) -> np.ndarray:
    """``(len(PENALTIES),)``: mean squared error over all validations, each session counting the same."""
    total, count = np.zeros(len(PENALTIES)), 0
    for fold in folds:
        judged = range(fold.validation.start, fold.validation.stop - 1)
        seen, truth = rows[judged.start : judged.stop], labels[judged.start : judged.stop]
        fits = _solved(rows, labels, fold.fit, PENALTIES)
        total += [float(np.square(fit.forecast(seen) - truth).sum()) for fit in fits]
        count += len(judged)
    return total / count


def _solved(rows: np.ndarray, labels: np.ndarray, part: range, penalties: tuple[float, ...]) -> list[Ridge]:
    """The regression on the decisions ``part`` for each penalty; the intercept is free of it.

    Sums by einsum, whose order no number of threads changes.
    """
    x, y = rows[part.start : part.stop], labels[part.start : part.stop]
    middle, mean = x.mean(axis=0), float(y.mean())
    away = x - middle
    values, vectors = np.linalg.eigh(np.einsum("ti,tj->ij", away, away))
    along = np.einsum("ij,i->j", vectors, np.einsum("ti,t->i", away, y - mean))
    found = []
    for penalty in penalties:
        weights = np.einsum("ij,j->i", vectors, along / (np.maximum(values, 0.0) + penalty))
        found.append(Ridge(tuple(weights.tolist()), mean - float((weights * middle).sum()), penalty))
    return found
