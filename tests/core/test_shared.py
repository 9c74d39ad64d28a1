"""What agents of the same bars share is what each would have worked out alone."""

import numpy as np
import pandas as pd
import pytest

from livetrading.core import market, scaler
from livetrading.core.shared import Memory, fingerprint
from tests.doubles.series import generated, usual_features

FRAME = generated(5, 560)
SCALER = scaler.fit(usual_features(FRAME)[300:])


def test_an_answer_is_made_once_and_only_the_newest_are_kept() -> None:
    made: list[int] = []

    def make(n: int) -> int:
        made.append(n)
        return n

    memory: Memory[int] = Memory(2)
    assert [memory.get(n, lambda n=n: make(n)) for n in (1, 1, 2, 3, 3, 1)] == [1, 1, 2, 3, 3, 1]
    assert made == [1, 2, 3, 1]


@pytest.mark.parametrize("column", list(FRAME.columns))
def test_one_bit_or_one_day_makes_another_fingerprint(column: str) -> None:
    other = FRAME.copy()
    other.iloc[100, other.columns.get_loc(column)] = np.nextafter(other[column].iloc[100], 1e9)
    moved = FRAME.set_axis(FRAME.index[:-1].append(FRAME.index[-1:] + pd.Timedelta(days=1)))
    prints = {fingerprint(frame) for frame in (FRAME, other, FRAME.iloc[:-1], FRAME.iloc[1:], moved)}
    assert len(prints) == 5 and fingerprint(FRAME.copy()) in prints


@pytest.mark.parametrize("count", [520, 559, 560])
def test_the_newest_session_is_the_last_of_the_whole_market(count: int) -> None:
    whole = market.build(FRAME.iloc[:count], SCALER)
    for _ in range(2):
        newest = market.newest(FRAME.iloc[:count].copy(), SCALER)
        assert newest.sessions == whole.sessions[-1:]
        assert np.array_equal(newest.scaled, whole.scaled[-1:]) and np.array_equal(newest.atr, whole.atr[-1:])
        assert all(
            np.array_equal(ours, theirs[-1:]) for ours, theirs in zip(newest.columns, whole.columns, strict=True)
        )


def test_another_scaler_gets_another_market() -> None:
    other = scaler.fit(usual_features(FRAME)[200:400])
    ours, theirs = market.newest(FRAME, SCALER), market.newest(FRAME, other)
    assert not np.array_equal(ours.scaled, theirs.scaled)
    assert np.array_equal(theirs.scaled, market.build(FRAME, other).scaled[-1:])
