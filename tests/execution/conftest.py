"""Agents in an account of the TWS double."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.doubles.account_days import DAYS
from tests.doubles.account_life import AccountLife, in_account
from tests.doubles.lives import FIRST, Cycler, crash_bar
from tests.doubles.series import generated
from tests.doubles.tws import TwsDouble


@pytest.fixture(scope="module")
def calm() -> pd.DataFrame:
    return generated(1, FIRST + DAYS + 2)


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    t = FIRST
    frame = generated(1, t + DAYS + 2, splits={t + 3: 2.0, t + 13: 1.5}, dividends={t + 2: 0.25, t + 4: 0.5})
    return crash_bar(frame, t + 11)


@pytest.fixture
def tws() -> Iterator[TwsDouble]:
    with TwsDouble(157) as double:
        yield double


def _led(root: Path, frame: pd.DataFrame, tws: TwsDouble) -> Iterator[AccountLife]:
    made = in_account(root, frame, Cycler(), tws)
    try:
        yield made
    finally:
        made.node.close()


@pytest.fixture
def life(tmp_path: Path, calm: pd.DataFrame, tws: TwsDouble) -> Iterator[AccountLife]:
    yield from _led(tmp_path, calm, tws)


@pytest.fixture
def eventful(tmp_path: Path, bars: pd.DataFrame, tws: TwsDouble) -> Iterator[AccountLife]:
    """Splits, dividends and a stop that is hit."""
    yield from _led(tmp_path, bars, tws)
