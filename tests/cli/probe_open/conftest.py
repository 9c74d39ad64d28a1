"""A paper account on a virtual morning."""

from collections.abc import Iterator
from datetime import time
from pathlib import Path

import pytest
from ib_async.client import Client

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.core import windows
from tests.doubles.probe_mornings import MONDAY, Morning
from tests.doubles.tws import TwsDouble


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sends at most 45 messages a second; a virtual morning takes less than that."""
    monkeypatch.setattr(Client, "MaxRequests", 0)


@pytest.fixture
def morning() -> Morning:
    return Morning(windows.at(MONDAY, time(9, 10)))


@pytest.fixture(params=(157, 178))
def tws(request: pytest.FixtureRequest, morning: Morning) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=morning) as double:
        morning.tws = double
        yield double


@pytest.fixture
def home(tmp_path: Path, tws: TwsDouble) -> Home:
    made = Home.resolve(str(tmp_path))
    settings.save_all(made, {"ibkr_port": tws.port, "ibkr_restart": ""})
    return made
