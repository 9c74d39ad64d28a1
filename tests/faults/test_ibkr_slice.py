"""A slice of ``make faults-ibkr``: the whole sweep takes minutes, this one seconds."""

import random

import pytest

from livetrading.adapters.brokers.ibkr.orders import OrderBuilder
from tests.doubles.ibkr import VERSIONS
from tests.doubles.tws import Fault, Spoil

from . import ibkr_life, ibkr_pair, ibkr_questions, ibkr_stop
from .ibkr_outages import outage
from .ibkr_story import LEGS, random_life, run_life


@pytest.mark.parametrize("leg", LEGS)
def test_a_life_passes_nine_points_or_more_and_ends_well(leg):
    names, wrongs = run_life(157, leg, 0, [])
    assert len(names) >= 9 and not wrongs


@pytest.mark.parametrize(
    ("leg", "target", "kind", "message"),
    [
        ("entry", 5, "drop_after", 3),
        ("entry", 7, "swallow", 3),
        ("entry", 9, "drop_before", 3),
        ("entry", 10, "mute", 3),
        ("exit", 6, "drop_after", 4),
        ("exit", 12, "swallow", 3),
        ("exit", 14, "drop_after", 3),
        ("stop replaced", 8, "drop_after", 3),
        ("stop replaced", 10, "mute", 3),
    ],
)
def test_a_kill_and_a_fault_lose_and_double_nothing(leg, target, kind, message):
    assert run_life(178, leg, target, [Fault(kind, message=message)])[1] == []


@pytest.mark.parametrize(
    ("leg", "message", "kind"),
    [
        ("entry", 99, "swallow"),
        ("entry", 16, "end_first"),
        ("entry", 61, "no_end"),
        ("exit", 7, "no_end"),
        ("exit", 61, "end_twice"),
        ("exit", 99, "late"),
        ("stop replaced", 5, "swallow"),
        ("stop replaced", 7, "late"),
    ],
)
def test_a_question_answered_badly_loses_and_doubles_nothing(leg, message, kind):
    times = 2 if message in ibkr_questions.NEEDED and kind in ibkr_questions.SILENT else ibkr_questions.FOR_EVER
    assert ibkr_questions.wrongs_of(178, leg, Fault(kind, message, times=times, seconds=0.5)) == []


@pytest.mark.parametrize(
    ("leg", "message", "field", "value"),
    [
        ("entry", 61, 14, "n/a"),
        ("entry", 11, 19, ""),
        ("exit", 3, 3, "NaN"),
        ("exit", 5, 25, "n/a"),
        ("stop replaced", 5, 14, "10.5"),
    ],
)
def test_a_number_that_is_none_loses_and_doubles_nothing(leg, message, field, value):
    assert ibkr_questions.wrongs_of(157, leg, spoil=Spoil(message, field, value, times=2)) == []


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_random_life_loses_and_doubles_nothing(seed):
    assert random_life(VERSIONS[seed % 2], random.Random(seed)).wrongs == []


@pytest.mark.parametrize("seed", [1, 22, 27, 152])
def test_a_life_beside_a_tws_that_tells_things_late_twice_or_not_at_all_loses_and_doubles_nothing(seed):
    assert random_life(VERSIONS[seed % 2], random.Random(seed), rude=True).wrongs == []


@pytest.mark.parametrize(("seconds", "seed"), [(1, 0), (60, 1), (600, 3), (3_600, 2)])
def test_fills_during_an_outage_are_booked_once(seconds, seed):
    assert outage(VERSIONS[seed % 2], seconds, seed, roll_back=seed % 3 == 0).wrongs == []


# -- through the whole shell -------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return ibkr_life.undisturbed(tmp_path_factory.mktemp("life"), 157)


def test_an_undisturbed_life_passes_every_kind_of_point_and_sells_no_more_than_it_holds(base):
    kinds = {p.what.split(" ", 1)[1] for p in base.points}
    assert kinds == {"commit", "account commit", "latch", "placeOrder", "cancelOrder"} and not base.wrongs
    assert base.after[-1]["status"][0] == "removed" and len(base.messages) >= 20


@pytest.mark.parametrize("share", [0.05, 0.3, 0.55, 0.8])
def test_a_kill_a_lost_connection_and_a_lost_message_change_nothing(base, share, tmp_path):
    message = base.messages[int(share * len(base.messages))]
    point = [p for p in base.points if p.step == message.step][int(share * 8)]
    assert ibkr_life.after_kill(base, point, tmp_path / "a") == []
    assert ibkr_life.after_drop(base, point, tmp_path / "b") == []
    assert ibkr_life.after_fault(base, message, ibkr_life.KINDS[int(share * 3)], tmp_path / "c") == []
    assert ibkr_life.after_crossing(base, point, tmp_path / "d") == []


@pytest.mark.parametrize("seed", [3, 8])
def test_a_random_life_of_the_shell_books_what_the_account_did(base, seed, tmp_path):
    assert ibkr_life.at_random(base, seed, tmp_path / "work") == []


@pytest.mark.parametrize(("seed", "version"), [(0, 157), (5, 178), (20, 157)])
def test_two_agents_on_one_symbol_stay_apart(seed, version):
    assert ibkr_pair.Two(seed, version).live().wrongs == []


@pytest.mark.parametrize(("trouble", "everything", "fatal"), [("drop", True, -1), ("kill", False, 60)])
def test_an_emergency_stop_of_twenty_agents_leaves_what_is_a_persons_own(trouble, everything, fatal):
    stop = ibkr_stop.Stop(157, trouble, everything, fatal).run()
    assert [w for w in stop.wrongs if not w.startswith("took")] == []  # how long it takes is the sweep's figure


def test_the_sweep_sees_a_doubled_order(monkeypatch):
    place = OrderBuilder._place

    async def twice(node, *order):
        await place(node, *order)
        return await place(node, *order)

    monkeypatch.setattr(OrderBuilder, "_place", twice)
    try:
        wrongs = run_life(157, "entry", 0, [])[1]
    except AssertionError as error:  # it never finished
        wrongs = [str(error)]
    assert any("doubled" in w or "never finished" in w for w in wrongs)
