"""Sources asked beside the pass: a silent one keeps nothing waiting, and is not asked in a hurry."""

import threading
from datetime import datetime
from pathlib import Path

import pytest

from livetrading.adapters.bars import background
from livetrading.adapters.bars.background import BackgroundSource, StillFetching
from livetrading.adapters.bars.base import BarSet
from livetrading.adapters.bars.history import HistorySource
from livetrading.adapters.calendar import calendar
from livetrading.core.errors import NotFound, Unavailable
from livetrading.core.types import Leg
from livetrading.execution import pass_runner
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, until
from tests.doubles.series import generated


class Silent:
    """A source that answers when it is let."""

    name = "silent"

    def __init__(self, life: Life) -> None:
        self.gate, self.asked = threading.Event(), 0
        self._bars = HistorySource(life.frame)

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        self.asked += 1
        assert self.gate.wait(30)
        return self._bars.daily(symbol, now=now)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 20), Cycler())


def test_a_silent_source_neither_blocks_the_pass_nor_counts_as_held(life: Life) -> None:
    source, now = Silent(life), at(life.sessions[FIRST], "16:40")
    trader = life.node.trader(AGENT)
    trader.source = BackgroundSource(source, calendar(), patience=0.01)
    lines = life.repository.seq
    done, failed = pass_runner.run(life.node, now)
    assert done.more and (done.held, done.decided, failed) == ([], [], {}) and life.repository.seq == lines
    source.gate.set()
    trader.source.patience = 30.0
    assert len(pass_runner.run(life.node, now)[0].decided) == 1
    assert source.asked == 1


def test_an_entry_waits_for_a_silent_source_and_leaves_when_it_answers(life: Life) -> None:
    """Its bar is looked at once more before it is sent."""
    life.check(at(life.sessions[FIRST], "16:40"))
    trader, source = life.node.trader(AGENT), Silent(life)
    trader.source = BackgroundSource(source, calendar(), patience=0.01)
    assert pass_runner.run(life.node, at(life.sessions[FIRST + 1], "08:00"))[0].sent == []
    source.gate.set()
    trader.source.patience = 30.0
    assert len(pass_runner.run(life.node, at(life.sessions[FIRST + 1], "08:01"))[0].sent) == 1


def test_a_silent_source_never_keeps_an_exit(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    trader, source = life.node.trader(AGENT), Silent(life)
    trader.source = BackgroundSource(source, calendar(), patience=0.01)
    sent = pass_runner.run(life.node, at(life.sessions[t], "08:00"))[0].sent
    assert [order["leg"] for order in sent] == ["exit"] and source.asked == 0


def test_agents_of_one_symbol_share_an_answer_and_a_new_session_asks_anew(life: Life) -> None:
    source = Silent(life)
    source.gate.set()
    beside = BackgroundSource(source, calendar(), patience=30.0)
    for clock in ("16:40", "16:45", "16:50"):
        beside.daily("TEST", now=at(life.sessions[FIRST], clock))
    assert source.asked == 1
    beside.daily("TEST", now=at(life.sessions[FIRST + 1], "16:40"))
    assert source.asked == 2


def test_an_old_answer_is_asked_for_again(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Silent(life)
    source.gate.set()
    beside = BackgroundSource(source, calendar(), patience=30.0)
    beside.daily("TEST", now=at(life.sessions[FIRST], "16:40"))
    monkeypatch.setattr(background, "KEEP_SECONDS", -1.0)
    beside.daily("TEST", now=at(life.sessions[FIRST], "16:40"))
    assert source.asked == 2


def test_a_refusal_of_the_source_is_handed_on(life: Life) -> None:
    class Refusing:
        name = "refusing"

        def daily(self, symbol: str, *, now: datetime) -> BarSet:
            raise NotFound(f"no symbol {symbol}")

    with pytest.raises(NotFound, match="TEST"):
        BackgroundSource(Refusing(), calendar(), patience=30.0).daily("TEST", now=at(life.sessions[FIRST], "16:40"))


def test_waiting_is_a_kind_of_unavailable() -> None:
    assert issubclass(StillFetching, Unavailable)


def test_a_thread_that_dies_of_what_nobody_foresaw_says_so_in_the_log_and_to_whoever_asked(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        name = "broken"

        def daily(self, symbol: str, *, now: datetime) -> BarSet:
            raise UnicodeError("label empty or too long")

    source = BackgroundSource(Broken(), calendar(), patience=30.0)
    with pytest.raises(Unavailable, match="broken failed for TEST .*UnicodeError: label empty or too long.*the log"):
        source.daily("TEST", now=at(life.sessions[FIRST], "16:40"))
    (told,) = [record for record in caplog.records if record.exc_info]
    assert "broken's bars of TEST" in told.getMessage()
