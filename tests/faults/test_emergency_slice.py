"""A slice of the emergency trials: each kind of scheduler, a dozen states, and real processes."""

from pathlib import Path

from tests.faults import emergency_processes
from tests.faults.emergency_trials import KINDS, Tally, trial


def test_whatever_state_and_scheduler_a_stop_finds_it_holds_and_tells_the_truth(tmp_path: Path) -> None:
    tally = Tally()
    for number in range(0, 60, 11):
        trial(number, tmp_path, {}, tally)
        (tmp_path / "templates").rename(tmp_path / f"done-{number}")
    assert tally.wrong == []
    assert {f"scheduler {kind}" for kind in KINDS} <= tally.seen.keys() and tally.seen["said exit queued"]


def test_processes_that_live_are_dead_or_hang_are_stopped_alike(tmp_path: Path) -> None:
    tally = Tally()
    emergency_processes.run(3, tmp_path, tally)
    assert tally.wrong == [] and len(tally.latch) == 3
