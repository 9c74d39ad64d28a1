"""Several agents on one account: a slice of the generated histories, and Hypothesis' own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.shared_account import History, run


def test_agents_and_the_rest_are_the_account_after_every_event_and_money_agrees_to_the_cent() -> None:
    counts, wrongs = run(range(80))
    assert wrongs == []
    assert all(counts[what] for what in ("fill", "by_hand", "split", "dividend", "close", "cancel"))


@settings(max_examples=25, deadline=None)
@given(st.integers(10**6, 10**9))
def test_any_history_keeps_the_agents_apart(seed: int) -> None:
    history = History(seed)
    history.live()
    assert history.wrongs == []
