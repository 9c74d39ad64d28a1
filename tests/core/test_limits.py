"""The drawdown pause: never longer than agreed, the limit counts anew after it, and without a length a person ends it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core import limits
from livetrading.core.agent import AgentConfig
from livetrading.core.book import Book, apply
from livetrading.core.errors import BadInput
from livetrading.core.events import Decided, Deposited, EntriesPaused, EntriesResumed, Marked, Missed, StatusChanged
from livetrading.core.frozen import replace
from livetrading.core.limits import Pause, Turn
from livetrading.core.types import MAX_PAUSE, AgentType, Limits, Mode, Terms

EQUITIES = st.lists(st.floats(50.0, 200.0), min_size=1, max_size=60)
CAPITAL = 100.0


def lived(equities: list[float], bounds: Limits) -> list[tuple[Pause, Turn]]:
    """How the limit stands at the decision of each close, and what the close changed."""
    pause, found = Pause(CAPITAL), []
    for equity in equities:
        pause, turn = limits.at_close(pause.marked(equity), equity, bounds)
        found.append((pause, turn))
        pause = pause.decided()
    return found


@given(EQUITIES, st.integers(1, 8), st.floats(0.01, 0.4))
def test_a_pause_refuses_exactly_its_closes_and_then_the_limit_counts_from_there(equities, length, limit):
    refused = 0
    for equity, (pause, turn) in zip(
        equities, lived(equities, Limits(max_drawdown=limit, pause_sessions=length)), strict=True
    ):
        if turn is Turn.BEGINS:
            assert refused == 0
        if turn is Turn.ENDS:
            assert refused == length and pause == Pause(equity)
        refused = refused + 1 if pause.on else 0
        assert refused <= length
        assert pause.on or (1 - equity / pause.peak) < limit


@given(EQUITIES, st.floats(0.01, 0.4))
def test_without_a_length_the_first_fall_pauses_for_good(equities, limit):
    peaks = np.maximum.accumulate([CAPITAL, *equities])[1:]
    fallen = np.logical_or.accumulate(1.0 - np.array(equities) / peaks >= limit)
    found = lived(equities, Limits(max_drawdown=limit, pause_sessions=None))
    assert [pause.on for pause, _ in found] == fallen.tolist()
    assert sum(turn is Turn.BEGINS for _, turn in found) == fallen.any()
    assert not any(turn is Turn.ENDS for _, turn in found)


@given(st.lists(st.tuples(st.floats(50.0, 200.0), st.booleans(), st.booleans()), max_size=50), st.integers(1, 6))
def test_the_books_fold_of_the_journals_events_is_the_rule(days, length):
    """Some sessions are missed and a person resumes after some: only decided sessions count."""
    bounds = Limits(max_drawdown=0.05, pause_sessions=length)
    pause, book = Pause(CAPITAL), apply(Book(), Deposited(CAPITAL))
    book = replace(book, account=book.account._replace(shares=np.float64(1), cash=np.float64(0)))
    for place, (equity, missed, resumed) in enumerate(days):
        session = f"s{place}"
        pause, book = pause.marked(equity), apply(book, Marked(session, equity))
        assert (book.pause, book.equity) == (pause, equity)
        if missed:
            book = apply(book, Missed(session, "the machine slept"))
        else:
            pause, turn = limits.at_close(pause, equity, bounds)
            for event in limits.recorded(turn, session, bounds):
                book = apply(book, event)
            assert book.pause == pause
            pause, book = pause.decided(), apply(book, Decided(session, "", 1.0, 1, 0, ""))
        if resumed:
            pause = Pause(equity) if pause.on else pause
            book = apply(book, StatusChanged("running", "", "a person"))
        assert book.pause == pause
    assert book.account.peak == max([CAPITAL, *(equity for equity, *_ in days)])


def test_the_end_of_a_pause_leaves_the_peak_that_an_agent_observes():
    book = apply(Book(), Deposited(1_000.0))
    book = replace(apply(apply(book, Marked("s1", 1.0)), EntriesPaused("s1", "drawdown")), equity=800.0)
    after = apply(book, EntriesResumed("s2", "over"))
    assert (after.limit_peak, after.account.peak) == (800.0, 1_000.0) and not after.entries_paused
    assert apply(after, EntriesResumed("s2", "over")) is after


def test_what_is_left_is_said_with_its_number():
    bounds = Limits(pause_sessions=3)
    said = [limits.words(Pause(1.0, closes).left(bounds)) for closes in (1, 2, 3)]
    assert said == [
        "entries are paused by the drawdown limit for 2 more sessions or until you resume",
        "entries are paused by the drawdown limit for 1 more session or until you resume",
        "entries are paused by the drawdown limit until the next session's close or until you resume",
    ]
    for_good = limits.words(Pause(1.0, 3).left(Limits(pause_sessions=None)))
    assert for_good == "entries are paused by the drawdown limit until a person resumes"


@pytest.mark.parametrize("wrong", [0, -1, MAX_PAUSE + 1, 2.0, "20", True, float("nan")])
def test_a_length_that_is_no_number_of_sessions_is_refused_with_its_bounds(wrong):
    with pytest.raises(BadInput, match="pause sessions is .*; it must be a whole number of sessions from 1 to 10,000"):
        Limits(pause_sessions=wrong)


def test_an_agent_that_an_earlier_version_deployed_keeps_its_pause_whatever_the_default_is(monkeypatch):
    config = AgentConfig("PPO_TEST_001", "m", AgentType.PPO, "TEST", Mode.PAPER, "sample", Terms())
    stored = config.to_dict()
    del stored["terms"]["limits"]["pause_sessions"]
    monkeypatch.setattr(Limits.__init__, "__defaults__", (*Limits.__init__.__defaults__[:-1], 20))
    assert Limits().pause_sessions == 20
    assert AgentConfig.from_dict(stored).terms.limits.pause_sessions is None
    chosen = {**stored, "terms": {**stored["terms"], "limits": {**stored["terms"]["limits"], "pause_sessions": 7}}}
    assert AgentConfig.from_dict(chosen).terms.limits.pause_sessions == 7
