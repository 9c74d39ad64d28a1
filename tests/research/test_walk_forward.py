"""A procedure in every fold: scaled by its own rows, judged by the pure rules, whatever the number of processes."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from livetrading.core.errors import BadInput
from livetrading.core.market import Market
from livetrading.core.types import AgentType, Terms
from livetrading.research import witnesses
from livetrading.research.evaluation import evaluate
from livetrading.research.folds import expanding
from livetrading.research.ridge import fit_ridge
from livetrading.research.scaled import scaled_by, unscaled
from livetrading.research.walk_forward import UNWATCHED, Fitted, Watching, walk_forward
from tests.doubles.series import generated

MARKET = unscaled(generated(8, 1_700))
PART = range(500, 1_600)
FOLDS = expanding(PART)


@dataclass(frozen=True)
class Ridge:
    def __call__(self, market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
        found = fit_ridge(market, part)
        return Fitted(AgentType.PPO, found.raw, {"penalty": found.penalty, "seed": seed})


def long(market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
    return Fitted(AgentType.PPO, witnesses.always_long, {})


def test_the_result_does_not_depend_on_the_number_of_processes():
    alone = walk_forward(MARKET, FOLDS, Ridge(), Terms(), seed=3)
    together = walk_forward(MARKET, FOLDS, Ridge(), Terms(), seed=3, processes=3)
    assert json.dumps(alone.to_dict()) == json.dumps(together.to_dict())


def test_a_fold_is_what_its_procedure_alone_would_have_been():
    """Nothing of a later bar, of another fold or of the test reaches it."""
    whole = walk_forward(MARKET, FOLDS, Ridge(), Terms())
    for fold, run in zip(FOLDS, whole.folds, strict=True):
        cut = _cut(MARKET, fold.validation.stop)
        scaled, _ = scaled_by(cut, fold.fit)
        alone = evaluate(scaled, fold.validation, AgentType.PPO, fit_ridge(scaled, fold.fit).raw, Terms())
        assert run.evaluation.run.rows == alone.run.rows
        assert run.evaluation.sessions == alone.sessions


def _cut(market: Market, stop: int) -> Market:
    columns = type(market.columns)(*(column[:stop] for column in market.columns))
    return replace(
        market, sessions=market.sessions[:stop], columns=columns, atr=market.atr[:stop], scaled=market.scaled[:stop]
    )


def test_the_stitched_equity_goes_on_from_fold_to_fold():
    whole = walk_forward(MARKET, FOLDS, long, Terms())
    assert len(whole.sessions) == len(whole.equity) == len(PART) - len(PART) // 2
    assert whole.sessions == [MARKET.sessions[t].isoformat() for t in range(FOLDS[0].validation.start, PART.stop)]
    gains = [run.evaluation.run.equity[-1] / 10_000.0 for run in whole.folds]
    assert whole.equity[-1] == pytest.approx(10_000.0 * np.prod(gains), rel=1e-12)
    assert whole.measures["num_trades"] == sum(run.evaluation.measures["num_trades"] for run in whole.folds)


def test_years_and_regimes_hold_each_return_once():
    report = walk_forward(MARKET, FOLDS, long, Terms()).to_dict()
    total = 100.0 * (report["equity"][-1][1] / report["equity"][0][1] - 1.0)
    for part in ("years", "regimes"):
        assert sum(row["sessions"] for row in report[part]) == len(report["equity"]) - 1
        product = np.prod([1.0 + row["total_return_pct"] / 100.0 for row in report[part]])
        assert 100.0 * (product - 1.0) == pytest.approx(total, rel=1e-9)
    assert [row["regime"] for row in report["regimes"]] == ["calm", "middle", "wild"]


def test_each_fold_has_a_seed_of_its_own():
    seeds = [run.notes["seed"] for run in walk_forward(MARKET, FOLDS, Ridge(), Terms(), seed=1).folds]
    again = [run.notes["seed"] for run in walk_forward(MARKET, FOLDS, Ridge(), Terms(), seed=1).folds]
    others = [run.notes["seed"] for run in walk_forward(MARKET, FOLDS, Ridge(), Terms(), seed=2).folds]
    assert seeds == again and len({*seeds, *others}) == 8


def test_a_series_without_variance_is_refused_in_one_sentence():
    still = replace(MARKET, columns=MARKET.columns._replace(close=np.full(len(MARKET), 50.0)))
    with pytest.raises(BadInput, match="never moves"):
        walk_forward(still, FOLDS, long, Terms())


def test_a_fold_without_variance_is_named_with_the_way_out():
    """The first folds stand still, the last does not."""
    close = MARKET.columns.close.copy()
    close[: FOLDS[1].fit.stop] = 50.0
    still = replace(MARKET, columns=MARKET.columns._replace(close=close))
    with pytest.raises(BadInput, match=r"sessions of fold 1 from .* or train without folds: --folds 0\.$"):
        walk_forward(still, FOLDS, long, Terms())
    with pytest.raises(BadInput, match="sessions of fold 2 from"):
        walk_forward(still, FOLDS[1:], long, Terms())


def test_no_fold_is_no_walk():
    with pytest.raises(BadInput, match="no fold"):
        walk_forward(MARKET, (), long, Terms())
