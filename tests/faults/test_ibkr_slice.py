"""A slice of ``make faults-ibkr``: the whole sweep takes minutes, this one seconds."""

import random

import pytest

from livetrading.adapters.brokers.ibkr_orders import OrderDesk
from tests.doubles.ibkr import VERSIONS
from tests.doubles.tws import Fault

from .ibkr_outages import outage
from .ibkr_story import LEGS, random_life, tell


@pytest.mark.parametrize("leg", LEGS)
def test_a_life_passes_nine_points_or_more_and_ends_well(leg):
    names, wrongs = tell(157, leg, 0, [])
    assert len(names) >= 9 and not wrongs


@pytest.mark.parametrize(("leg", "target", "kind", "message"), [
    ("entry", 5, "drop_after", 3), ("entry", 7, "swallow", 3), ("entry", 9, "drop_before", 3), ("entry", 10, "mute", 3),
    ("exit", 6, "drop_after", 4), ("exit", 12, "swallow", 3), ("exit", 14, "drop_after", 3),
    ("stop replaced", 8, "drop_after", 3), ("stop replaced", 10, "mute", 3)])
def test_a_kill_and_a_fault_lose_and_double_nothing(leg, target, kind, message):
    assert tell(178, leg, target, [Fault(kind, message=message)])[1] == []


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_random_life_loses_and_doubles_nothing(seed):
    assert random_life(VERSIONS[seed % 2], random.Random(seed)).wrongs == []


@pytest.mark.parametrize(("seconds", "seed"), [(1, 0), (60, 1), (600, 3), (3_600, 2)])
def test_fills_during_an_outage_are_booked_once(seconds, seed):
    assert outage(VERSIONS[seed % 2], seconds, seed, roll_back=seed % 3 == 0).wrongs == []


def test_the_sweep_sees_a_doubled_order(monkeypatch):
    place = OrderDesk._place

    async def twice(desk, *order):
        await place(desk, *order)
        return await place(desk, *order)

    monkeypatch.setattr(OrderDesk, "_place", twice)
    try:
        wrongs = tell(157, "entry", 0, [])[1]
    except AssertionError as error:  # it never came to rest
        wrongs = [str(error)]
    assert any("doubled" in w or "settled" in w for w in wrongs)
