"""The morning's look: an entry leaves only if the bar that it was decided on still stands."""

from pathlib import Path

import pandas as pd
import pytest

from livetrading.core.types import Action
from tests.doubles.lives import FIRST, Always, Life, at, deployed, write_csv
from tests.doubles.series import generated


@pytest.fixture
def bars() -> pd.DataFrame:
    return generated(5, FIRST + 6)


@pytest.fixture
def life(tmp_path: Path, bars: pd.DataFrame) -> Life:
    life = deployed(tmp_path, bars, Always(Action.BUY))
    assert life.check(at(life.sessions[FIRST], "16:40")).planned
    return life


def retold(life: Life, bars: pd.DataFrame, factor: float) -> None:
    """The source now tells another close of the decision's bar, within its range."""
    changed = bars.copy()
    row = changed.index[FIRST]
    changed.loc[row, "close"] *= factor
    changed.loc[row, "high"] = max(changed.loc[row, "high"], changed.loc[row, "close"])
    write_csv(Path(life.state.agent.source.removeprefix("csv:")), changed)


def entry_states(life: Life) -> dict[str, str]:
    return {str(o.leg): f"{o.state}: {o.reason}" for o in (*life.state.orders, *life.state.recent)}


def test_a_bar_that_stands_lets_the_entry_leave(life: Life) -> None:
    assert [s["leg"] for s in life.check(at(life.sessions[FIRST + 1], "08:00")).sent] == ["entry"]


def test_a_bar_that_changed_by_more_than_a_thousandth_cancels_the_entry_and_its_stop(
    life: Life, bars: pd.DataFrame
) -> None:
    retold(life, bars, 1.002)
    assert life.check(at(life.sessions[FIRST + 1], "08:00")).sent == []
    told = entry_states(life)
    assert set(told) == {"entry", "stop"}
    assert all(text.startswith("CANCELED: the close of") for text in told.values())
    assert life.check(at(life.sessions[FIRST + 1], "08:05")).sent == []


def test_a_smaller_correction_does_not_cancel(life: Life, bars: pd.DataFrame) -> None:
    retold(life, bars, 1.0005)
    assert len(life.check(at(life.sessions[FIRST + 1], "08:00")).sent) == 1


def test_a_source_that_cannot_be_asked_keeps_the_entry_until_it_can_or_the_window_ends(
    life: Life, bars: pd.DataFrame
) -> None:
    path = Path(life.state.agent.source.removeprefix("csv:"))
    path.rename(path.with_suffix(".away"))
    assert life.check(at(life.sessions[FIRST + 1], "08:00")).sent == []
    assert entry_states(life)["entry"].startswith("PLANNED")
    path.with_suffix(".away").rename(path)
    assert len(life.check(at(life.sessions[FIRST + 1], "09:00")).sent) == 1


def test_an_entry_that_could_never_be_looked_at_expires_with_that_reason(life: Life) -> None:
    path = Path(life.state.agent.source.removeprefix("csv:"))
    path.rename(path.with_suffix(".away"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    life.check(at(life.sessions[FIRST + 1], "09:21"))
    assert entry_states(life)["entry"].startswith("EXPIRED: its bar could not be checked again")
