"""The one rule of liveness."""

import pytest

from livetrading.core.liveness import Liveness, Watch, judge


@pytest.mark.parametrize(
    ("exists", "still", "state"),
    [
        (True, 0.0, "alive"),
        (True, 14.9, "alive"),
        (True, 15.0, "late"),
        (True, 29.9, "late"),
        (True, 30.0, "hung"),
        (True, 1e9, "hung"),
        (False, 0.0, "dead"),
        (False, 1e9, "dead"),
    ],
)
def test_late_at_15_seconds_hung_at_30(exists: bool, still: float, state: str) -> None:
    assert judge(exists, still) == state
    assert judge(exists, still).works is (state in ("alive", "late"))


def test_every_state_is_reached() -> None:
    assert {judge(True, s) for s in (0, 20, 40)} | {judge(False, 0)} == set(Liveness)


def test_a_watch_counts_what_it_sees_and_no_sleep() -> None:
    watch, now = Watch(), 0.0
    for _ in range(100):
        now += 0.2
        watch.observe("beat", now)
    assert watch.still == pytest.approx(19.8)
    assert watch.observe("beat", now + 36_000) == pytest.approx(20.8)
    assert watch.observe("beat", now) == pytest.approx(20.8), "nor one that goes back"
    assert watch.observe("another", now + 1) == 0.0
