"""Backtest and live shell are the same ledger, whatever happens in between."""

import json
from datetime import UTC, datetime

import pytest

from livetrading.adapters.bars.base import BarSet
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core import ledger
from livetrading.core.bars import bars_sha256
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research import backtest
from livetrading.research.training import TrainRequest, train
from tests.doubles.series import eventful, sample
from tests.parity import stage
from tests.parity.stage import Story, probed

BOTH = pytest.mark.parametrize("agent_type", list(AgentType))
NAMES = ("shell", "backtest")


def equal(shell: stage.Rows, story: Story, least: int) -> None:
    expected = story.backtest()
    assert ledger.differences(shell, expected.rows, NAMES) == []
    assert ledger.sha256(shell) == ledger.sha256(expected.rows)
    assert expected.fills >= least


@BOTH
def test_the_shell_repeats_a_story_of_splits_and_dividends(agent_type, tmp_path):
    story = probed(eventful(11, 600), range(500, 600), agent_type, Terms(100_000.0, Limits(max_drawdown=1.0)))
    done = stage.through_the_shell(story, tmp_path)
    equal(done.rows, story, 20)
    assert done.decisions == 100 and done.state.book.num_trades == len(story.backtest().trades)


@pytest.mark.parametrize(
    ("symbol", "day"), [("AAPL", "2005-02-28"), ("AAPL", "2014-06-09"), ("NVDA", "2021-07-20"), ("GOOG", "2022-07-18")]
)
def test_the_shell_repeats_real_splits(symbol, day, tmp_path):
    frame = sample(symbol)
    t = frame.index.get_loc(day)
    assert frame["split"].iloc[t] > 1
    story = probed(frame.iloc[: t + 12], range(t - 12, t + 12), AgentType.PPO)
    equal(stage.through_the_shell(story, tmp_path).rows, story, 3)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(3_000.0, Limits(1.0, 0.2, 0.5, 0.05), Costs(slip_bps=20, multiple=2.0)),
        Terms(250_000.0, Limits(1.0, 0.2, 1.0, 1.0), Costs(multiple=0.0)),
    ],
)
def test_the_shell_repeats_other_terms_and_a_drawdown_pause(terms, tmp_path):
    story = probed(eventful(12, 570), range(500, 570), AgentType.PPO, terms)
    equal(stage.through_the_shell(story, tmp_path).rows, story, 6)


PAUSES = Terms(50_000.0, Limits(1.0, 0.2, 1.0, 0.03, pause_sessions=20))
"""A limit so tight that it pauses several times in a story."""


@BOTH
def test_the_shell_repeats_several_pauses_that_end_by_themselves(agent_type, tmp_path):
    story = probed(eventful(12, 640), range(500, 640), agent_type, PAUSES)
    done = stage.through_the_shell(story, tmp_path)
    equal(done.rows, story, 6)
    pauses = story.backtest().pauses
    assert sum(pause.ended for pause in pauses) >= 2 and story.backtest().buys_lost > 5
    assert done.state.book.entries_paused is backtest.paused_sessions(story.backtest())[-1]
    assert stage.turns_of(tmp_path, story) == stage.expected_turns(story)


def test_pauses_end_alike_in_processes_killed_anywhere_and_rebuilt_at_every_session(tmp_path):
    story = probed(eventful(12, 620), range(500, 620), AgentType.PPO, PAUSES)
    assert sum(pause.ended for pause in story.backtest().pauses) >= 2
    rows, died = stage.killed_and_restarted(story, tmp_path / "killed", 6)
    assert died == 6
    equal(rows, story, 6)
    equal(stage.rebuilt_every_session(story, tmp_path / "rebuilt"), story, 6)
    for folder in ("killed", "rebuilt"):
        assert stage.turns_of(tmp_path / folder, story) == stage.expected_turns(story)


@BOTH
def test_nothing_but_the_store_is_needed_from_one_session_to_the_next(agent_type, tmp_path):
    story = probed(eventful(13, 560), range(500, 540), agent_type)
    equal(stage.rebuilt_every_session(story, tmp_path), story, 8)


def test_processes_killed_anywhere_leave_the_same_ledger(tmp_path):
    story = probed(eventful(14, 560), range(500, 560), AgentType.PPO)
    rows, died = stage.killed_and_restarted(story, tmp_path, 3)
    assert died == 3
    equal(rows, story, 12)


@pytest.fixture(scope="module", params=[(AgentType.PPO, 10_000, 1), (AgentType.SAC, 10_000, 1)], ids=["PPO", "SAC"])
def trained(request, tmp_path_factory) -> Story:
    """A small ensemble of real networks, registered and loaded again."""
    agent_type, steps, seed = request.param
    home = Home.resolve(str(tmp_path_factory.mktemp("home")))
    frame = sample("NVDA").iloc[:1400]
    bars = BarSet("NVDA", frame, "sample", "bundled", bars_sha256(frame))
    now = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
    made = train(
        TrainRequest("NVDA", agent_type, timesteps=steps, seed=seed, seeds=3, folds=0),
        bars,
        registry=Registry(home),
        store=Store(home),
        clock=lambda: now,
        progress=lambda _: None,
    )
    first = frame.index.get_loc(str(made.card.test.start))
    return Story(made.card, frame, range(first, first + 45), home=str(home.root))


def test_the_shell_repeats_a_trained_network(trained, tmp_path):
    equal(stage.through_the_shell(trained, tmp_path).rows, trained, 1)


def test_a_difference_is_shown_with_its_bar_and_both_sides():
    story = probed(eventful(15, 560), range(500, 530), AgentType.PPO)
    ours = story.backtest().rows
    theirs = json.loads(json.dumps(ours))
    theirs[7]["cash"] += 0.01
    found = ledger.differences(theirs, ours, NAMES)
    assert [(d["bar"], d["field"]) for d in found] == [(ours[7]["bar"], "cash")]
    assert found[0]["shell"] == theirs[7]["cash"] and found[0]["backtest"] == ours[7]["cash"]
