"""A study is a function of its definition: what a trial tries depends on the generations before it and on nothing else."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.errors import BadInput
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research.environment import Task
from livetrading.research.fitting import HYPERPARAMETERS, lessons
from livetrading.research.study import search
from livetrading.research.study.definition import Definition, Series, feature_names
from livetrading.research.study.insight import importance, objective_history
from livetrading.research.study.matrix import matrix
from livetrading.research.study.proposals import COMPLETE, FAILED, PRUNED, Ended, best, proposed
from livetrading.research.study.space import FEATURES, choice, distributions, usual
from livetrading.research.study.trial import judge
from tests.doubles.studies import barset, definition

PPO, BOTH = ("PPO",), ("PPO", "SAC")
ALL = ("all", "price")
SPACE = distributions(BOTH, ALL)


def drawn(number: int, seed: int, history: list[Ended] | tuple[Ended, ...] = ()) -> dict:
    return proposed(number, seed, SPACE, list(history), usual(BOTH, ALL), 4).params


def life(count: int, seed: int = 3) -> list[Ended]:
    """Trials with values that follow from their parameters."""
    found: list[Ended] = []
    for number in range(count):
        params = drawn(number, seed, found[: number // 4 * 4])
        value = params["gamma"] - params["noise"]
        state = PRUNED if number % 5 == 4 else COMPLETE
        steps = {0: value, 1: value + 0.1}
        found.append(Ended(number, state, value if state == COMPLETE else None, params, steps))
    return found


LIFE = life(16)


def test_the_first_trial_is_what_a_training_without_a_study_does() -> None:
    for agents in (PPO, ("SAC",), BOTH):
        settings = choice(proposed(0, 7, distributions(agents, ALL), [], usual(agents, ALL), 4).params)
        assert settings.agent_type == AgentType(agents[0]) and settings.feature_set == FEATURES["all"]
        assert settings.hyper == HYPERPARAMETERS[settings.agent_type]


@given(st.integers(1, 15), st.randoms(use_true_random=False))
def test_a_proposal_does_not_depend_on_who_ended_first(number: int, dice: random.Random) -> None:
    known = LIFE[: number // 4 * 4]
    shuffled = [replace(trial, steps=dict(reversed(trial.steps.items()))) for trial in known]
    dice.shuffle(shuffled)
    assert drawn(number, 3, shuffled) == drawn(number, 3, known) == LIFE[number].params


def test_another_seed_and_another_number_propose_other_settings() -> None:
    assert drawn(1, 3) != drawn(2, 3) and drawn(1, 3) != drawn(1, 4)


def test_a_trial_that_is_worse_on_every_fold_and_seed_is_given_up_and_a_better_one_never() -> None:
    known = [Ended(0, COMPLETE, 1.0, usual(BOTH, ALL), {step: 1.0 + step / 100 for step in range(12)})]
    for step_by, given_up in ((-1.0, True), (1.0, False), (0.0, False)):
        trial = proposed(4, 0, SPACE, known, usual(BOTH, ALL), 6)
        asked = []
        for step in range(12):
            trial.report(known[0].steps[step] + step_by * (1 + step / 50), step)
            asked.append(trial.should_prune())
        assert any(asked) == given_up and not any(asked[:5]), "nothing is given up before two folds of three seeds"


def test_the_choice_is_the_largest_complete_value_and_of_equals_the_first() -> None:
    trials = [
        Ended(0, COMPLETE, 0.5, {}),
        Ended(3, COMPLETE, 0.9, {}),
        Ended(1, COMPLETE, 0.9, {}),
        Ended(2, PRUNED, None, {}),
        Ended(4, FAILED, None, {}),
    ]
    found = best(trials)
    assert found is not None and found.number == 1
    assert best(trials[3:]) is None


def test_what_is_learned_by_may_differ_from_what_is_judged_by() -> None:
    hyper = replace(HYPERPARAMETERS[AgentType.PPO], cost_multiple=2.0, pauses=False)
    learned = hyper.learned_by(Terms())
    assert learned.costs.multiple == 2.0 and learned.limits == replace(Limits(), max_drawdown=1.0)
    assert HYPERPARAMETERS[AgentType.PPO].learned_by(Terms()) == Terms()


def test_risk_takes_half_of_the_square_from_every_reward() -> None:
    ready = search.check(definition(), [barset()])
    task = Task(ready.market, ready.parts.train.start, ready.parts.train.start + 50, AgentType.PPO)
    plain, cautious = lessons([task]).table.reward, lessons([task], risk=3.0).table.reward
    assert np.array_equal(cautious, plain - 1.5 * np.square(plain)) and (cautious <= plain).all()


def test_a_trial_is_the_median_over_its_seeds_and_keeps_that_seeds_returns() -> None:
    ready = search.check(definition(trial_seeds=3), [barset()])
    told: list = []
    outcome = judge(ready, choice(usual(PPO, ALL)), lambda step, score: True, told.append)
    judged = sum(len(fold.validation) for fold in ready.folds)
    assert sorted(outcome.steps) == list(range(6)) and len(outcome.returns) == judged - 1
    gains = outcome.returns
    assert outcome.value == pytest.approx(252**0.5 * gains.mean() / gains.std(ddof=1), rel=1e-9)
    assert {what for what, _ in told} == {"taught", "judged", "fold"}
    again = judge(ready, choice(usual(PPO, ALL)), lambda step, score: True, told.append)
    assert again.steps == outcome.steps and np.array_equal(again.returns, outcome.returns)


def test_a_trial_that_is_given_up_keeps_the_returns_of_the_folds_that_were_judged() -> None:
    ready = search.check(definition(), [barset()])
    outcome = judge(ready, choice(usual(PPO, ALL)), lambda step, score: False, lambda told: None)
    assert (outcome.state, outcome.value) == (PRUNED, None)
    assert len(outcome.returns) == len(ready.folds[0].validation) - 1


def test_the_test_part_chooses_nothing() -> None:
    """Other prices after the training part: the same scores."""
    frame = barset().frame.copy()
    ready = search.check(definition(), [barset()])
    frame.loc[frame.index > np.datetime64(ready.raw.sessions[ready.parts.train.stop - 1]), "close"] *= 0.999
    changed = replace(barset(), frame=frame)
    other = search.check(definition(bars=Series.of(changed)), [changed])
    found = [judge(r, choice(usual(PPO, ALL)), lambda s, v: True, lambda told: None).steps for r in (ready, other)]
    assert found[0] == found[1]


def test_the_matrix_has_a_column_a_trial_and_nothing_where_one_was_given_up() -> None:
    sessions = ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"]
    found = matrix(sessions, {2: np.array([0.1]), 0: np.array([0.1, 0.2, -0.1])})
    assert found.sessions == tuple(sessions[1:]) and found.numbers == (0, 2) and found.values.shape == (3, 2)
    assert np.isnan(found.values[1:, 1]).all() and found.values[0, 1] == 0.1
    assert found.complete.numbers == (0,) and np.array_equal(found.complete.values[:, 0], [0.1, 0.2, -0.1])


def test_history_tells_the_best_so_far_and_importance_sums_to_one() -> None:
    told = objective_history(LIFE)
    bests = [point["best"] for point in told]
    assert [point["number"] for point in told] == list(range(16)) and bests == sorted(bests)
    shares = importance(LIFE, SPACE)
    assert set(shares) == set(SPACE) and sum(shares.values()) == pytest.approx(1.0)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert importance(LIFE[:3], SPACE) == {}


@given(
    st.builds(
        definition,
        agents=st.sampled_from([PPO, ("SAC",), BOTH]),
        features=st.sampled_from([ALL, ("price",)]),
        trials=st.integers(1, 50),
        seed=st.integers(0, 2**32 - 1),
        also=st.sampled_from([(), (Series("AAPL", "sample", "", "0" * 64),)]),
    )
)
def test_a_definition_reads_back_as_it_was_written(wanted: Definition) -> None:
    again = Definition.from_dict(wanted.to_dict())
    assert again == wanted and again.usual_name == wanted.usual_name and again.differences(wanted) == []


def test_what_differs_is_named_and_the_source_of_equal_bars_is_no_difference() -> None:
    wanted = definition()
    assert replace(wanted, bars=replace(wanted.bars, source="csv:x", note="")).differences(wanted) == []
    assert replace(wanted, trials=9, agents=("SAC",)).differences(wanted) == [
        "agents SAC and not PPO",
        "trials 9 and not 4",
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"trials": 10_001}, "from 1 to 10,000"),
        ({"folds": 0}, "folds is 0"),
        ({"trial_seeds": 0}, "trial seeds is 0"),
        ({"generation": 0}, "generation is 0"),
        ({"agents": ()}, "algorithms"),
        ({"features": ("volume",)}, "feature sets"),
    ],
)
def test_a_study_that_cannot_be_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        definition(**wrong)


def test_a_wish_for_a_feature_set_leaves_nothing_to_choose() -> None:
    assert feature_names(None) == ALL
    assert [feature_names(known) for known in FEATURES.values()] == [("all",), ("price",)]
