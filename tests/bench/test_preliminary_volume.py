"""The bench of preliminary volumes changes what the features themselves would show, and nothing where nothing is short."""

import numpy as np
import pytest

from livetrading.core.features import FEATURES, compute
from livetrading.core.types import AgentType
from tests.bench import preliminary_volume as bench
from tests.doubles.series import sample


@pytest.mark.parametrize("shortfall", [0.0, 0.01, 0.2])
def test_a_short_last_volume_gives_the_features_of_such_a_bar(shortfall: float) -> None:
    frame = sample("NVDA")
    flow, relative = bench.short_columns(frame, shortfall)
    for t in (600, 1_100, 2_000):
        short = frame.iloc[: t + 1].copy()
        short.iloc[-1, short.columns.get_loc("volume")] *= 1.0 - shortfall
        row = compute(short)[-1]
        assert flow[t] == pytest.approx(row[FEATURES.index("cmf_20")], abs=1e-12)
        assert relative[t] == pytest.approx(row[FEATURES.index("volume_20")], abs=1e-12)


def test_without_a_shortfall_no_decision_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SHORTFALLS", (0.0,))
    monkeypatch.setattr(bench, "TIMESTEPS", 500)
    monkeypatch.setattr(bench, "MEMBERS", 1)
    (row,) = bench.measured(bench.fitted(sample("NVDA"), AgentType.PPO, 0))
    assert (row["actions_flipped"], row["orders_flipped"], row["return_change_pct"]) == (0, 0, 0.0)
    assert np.isfinite(row["decisions"]) and row["decisions"] > 400
