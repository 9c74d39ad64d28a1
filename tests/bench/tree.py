"""The non-linear witness: gradient-boosted trees on the same scaled features, for the bench alone.

scikit-learn's HistGradientBoostingRegressor (after LightGBM, Ke et al. 2017). The number of rounds is chosen on the
same folds as the ridge's penalty, by the same squared error. It is no requirement of the product: the bench says
what to install where it is missing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from livetrading.core.market import Market
from livetrading.core.types import Action
from livetrading.research.folds import expanding
from livetrading.research.ridge import CHOICE_EMBARGO, CHOICE_FOLDS, next_returns

MOST_ROUNDS = 200
SETTINGS = {
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}
CURE = "The tree needs scikit-learn: pip install scikit-learn==1.9.1 (51 MB; no requirement of the product)."


@dataclass(frozen=True)
class Tree:
    """``model`` forecasts the next return; ``rounds`` as chosen, 0: the mean alone."""

    model: Any
    mean: float
    rounds: int
    width: int

    def raw(self, obs: np.ndarray) -> int:
        row = np.asarray(obs[: self.width], dtype=np.float64).reshape(1, -1)
        forecast = self.model.predict(row)[0] if self.rounds else self.mean
        return Action.BUY if forecast > 0.0 else Action.SELL


def fit_tree(market: Market, part: range) -> Tree:
    """Trees on a training part; no label reaches past its last bar."""
    rows, labels = market.scaled, next_returns(market)
    errors = np.zeros(MOST_ROUNDS + 1)
    for fold in expanding(part, CHOICE_FOLDS, CHOICE_EMBARGO):
        judged = slice(fold.validation.start, fold.validation.stop - 1)
        errors += _errors(rows, labels, slice(fold.fit.start, fold.fit.stop), judged)
    rounds = int(errors.argmin())
    learned = slice(part.start, part.stop - 1)
    mean = float(labels[learned].mean())
    model = _model(rounds).fit(rows[learned], labels[learned]) if rounds else None
    return Tree(model, mean, rounds, rows.shape[1])


def _errors(rows: np.ndarray, labels: np.ndarray, fit: slice, judged: slice) -> np.ndarray:
    """``(MOST_ROUNDS + 1,)``: the sum of squared errors after each number of rounds, first without any."""
    model = _model(MOST_ROUNDS).fit(rows[fit], labels[fit])
    stages = [np.square(stage - labels[judged]).sum() for stage in model.staged_predict(rows[judged])]
    return np.array([np.square(labels[fit].mean() - labels[judged]).sum(), *stages])


def _model(rounds: int) -> Any:
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError as error:
        raise SystemExit(CURE) from error
    return HistGradientBoostingRegressor(max_iter=rounds, **SETTINGS)
