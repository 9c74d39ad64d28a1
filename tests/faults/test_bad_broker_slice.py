"""A slice of the schedules against a broker that answers badly."""

from tests.doubles.scripted_broker import ALL
from tests.faults.bad_broker import run


def test_book_equals_broker_or_the_agent_is_blocked_whatever_the_broker_says() -> None:
    counts, wrongs = run(range(60), verbose=False)
    assert wrongs == []
    assert all(counts[fault] for fault in ALL), "every kind of fault struck"
    assert counts["fills"] > 60 and counts["restarts"] > 0
