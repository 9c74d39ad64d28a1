"""Exact policy gradients: of the right thing, of every bar alike, and the same for the same seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import market, scaler
from livetrading.core.observe import ACCOUNT_FIELDS
from livetrading.core.types import AgentType
from livetrading.research import learner
from livetrading.research.all_actions import FLAT, LONG, AllActions
from livetrading.research.environment import Task
from livetrading.research.fitting import HYPERPARAMETERS, fit, lessons, member_seeds
from livetrading.research.learner import Rates, learn
from livetrading.research.members import EDGE, Members, thirds
from tests.doubles.series import generated, usual_features

FRAME = generated(5, 900)
MARKET = market.build(FRAME, scaler.fit(usual_features(FRAME)[500:]))
BOTH = pytest.mark.parametrize("agent_type", list(AgentType))


def task(agent_type: AgentType, last: int = 700) -> Task:
    return Task(MARKET, 500, last, agent_type)


def untaught(agent_type: AgentType, seeds=(1, 2, 3), last: int = 700) -> tuple[Members, list, Task]:
    """Members with their own initial weights, and their models."""
    made = task(agent_type, last)
    models = fit(lessons([made]), made, 1, seeds)  # one update
    return Members(agent_type, models, HYPERPARAMETERS[agent_type].policy.activation), models, made


def observations(rows: np.ndarray, held: bool) -> torch.Tensor:
    tail = np.zeros((len(rows), len(ACCOUNT_FIELDS)))
    tail[:, 0] = held
    return torch.from_numpy(np.concatenate([rows, tail], axis=1).astype(np.float32))


@BOTH
def test_stacked_members_answer_as_each_model_alone(agent_type):
    members, models, made = untaught(agent_type)
    rows = lessons([made]).features
    with torch.no_grad():
        together = members.log_probabilities(torch.from_numpy(rows)).exp()
        for number, model in enumerate(models):
            for state in (FLAT, LONG):
                seen = observations(rows, state == LONG)
                if agent_type == AgentType.PPO:
                    alone = model.policy.get_distribution(seen).distribution.probs
                else:
                    mean, log_std, _ = model.actor.get_action_dist_params(seen)
                    alone = thirds(mean, log_std).exp()
                assert torch.allclose(together[number, :, state], alone, atol=1e-5)


def test_the_thirds_of_sac_are_where_its_actions_fall():
    """Against a million draws of the squashed Gaussian."""
    mean, log_std = torch.tensor([0.3]), torch.tensor([-0.4])
    drawn = torch.tanh(mean + log_std.exp() * torch.randn(1_000_000, generator=torch.Generator().manual_seed(1)))
    share = [(drawn < -1 / 3).float().mean(), (drawn.abs() <= 1 / 3).float().mean(), (drawn > 1 / 3).float().mean()]
    assert torch.allclose(thirds(mean, log_std).exp(), torch.stack(share), atol=2e-3)
    assert np.tanh(EDGE) == pytest.approx(1.0 / 3.0, abs=1e-15)


@BOTH
def test_the_gradient_is_that_of_the_reward_of_a_whole_life(agent_type):
    """Against automatic differentiation through the unrolled account, bar by bar; undiscounted, without entropy."""
    members, _, made = untaught(agent_type, last=620)
    given_ = lessons([made])
    rows, table = torch.from_numpy(given_.features), given_.table
    rates = Rates(gamma=1.0, entropy=0.0, noise=0.0)
    target = learner._target(members, members.log_probabilities(rows).detach(), table, rates)
    ours = torch.autograd.grad(
        target.loss(members.log_probabilities(rows), rates), members.parameters, allow_unused=True
    )
    chances = members.log_probabilities(rows).exp().double()
    reward, long = torch.from_numpy(table.reward), torch.from_numpy(table.long.astype(float))
    held, total = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for t in range(len(table)):
        at = torch.stack([1.0 - held, held], dim=-1)[..., None] * chances[:, t]
        total = total + (at * reward[t]).sum(dim=(-1, -2))
        held = (at * long[t]).sum(dim=(-1, -2))
    scale = torch.from_numpy(_scale(members, rows, table, rates)) * len(table)
    theirs = torch.autograd.grad(-(total / scale).sum(), members.parameters, allow_unused=True)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            assert torch.allclose(mine, other, atol=1e-5, rtol=0.0)


def _scale(members: Members, rows: torch.Tensor, table: AllActions, rates: Rates) -> np.ndarray:
    with torch.no_grad():
        policy = members.log_probabilities(rows).exp().double().numpy()
    policy = policy / policy.sum(axis=-1, keepdims=True)
    return learner._scale(learner.values(table, policy, rates.gamma), policy)


@BOTH
def test_every_bar_weighs_the_same(agent_type):
    members, _, made = untaught(agent_type)
    given_ = lessons([made, task(agent_type, 620)])
    logs = members.log_probabilities(torch.from_numpy(given_.features)).detach()
    target = learner._target(members, logs, given_.table, Rates())
    for member in target.weights.sum(dim=-1):
        assert torch.allclose(member, torch.full_like(member, 1.0 / len(given_.table)), rtol=1e-5)


@BOTH
def test_the_same_seeds_give_the_same_bytes_and_no_other(agent_type):
    made = task(agent_type)
    given_, hyper = lessons([made]), 2_000

    def weights(seeds: tuple[int, ...]) -> list[bytes]:
        return [
            b"".join(tensor.numpy().tobytes() for tensor in model.policy.state_dict().values())
            for model in fit(given_, made, hyper, seeds)
        ]

    first = weights((7, 8))
    assert first == weights((7, 8)) and first[0] != first[1]
    assert first[0] != weights((9, 8))[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_two_seeds_share_no_member(one, other):
    members, others = member_seeds(one, 5), member_seeds(other, 5)
    assert len(set(members)) == 5
    if one != other:
        assert not set(members) & set(others)
    assert member_seeds(one, 3) == members[:3]


@BOTH
def test_learning_raises_the_expected_reward_of_each_member(agent_type):
    made = task(agent_type, 880)
    news = []
    fit(lessons([made]), made, 20_000, (1, 2), news.append, lessons([task(agent_type, 620)]))
    assert [taught.updates for taught in news] == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    assert all(last > first for first, last in zip(news[0].reward, news[-1].reward, strict=True))
    assert all(len(taught.sharpe) == 2 and np.isfinite(taught.sharpe).all() for taught in news)


def test_the_parts_of_the_account_that_tell_nothing_have_no_weight():
    """Of the account the reward depends on whether shares are held alone."""
    members, models, _ = untaught(AgentType.PPO)
    weight = models[0].policy.mlp_extractor.policy_net[0].weight
    idle = [number for number, name in enumerate(ACCOUNT_FIELDS, -len(ACCOUNT_FIELDS)) if name != "in_position"]
    assert (weight[:, idle] == 0.0).all() and (weight[:, -len(ACCOUNT_FIELDS)] != 0.0).any()
    assert (members.weights[0][:, idle] == 0.0).all()


def test_a_table_without_a_difference_teaches_nothing_and_breaks_nothing():
    made = task(AgentType.PPO)
    given_ = lessons([made])
    flat = replace(given_.table, reward=np.zeros_like(given_.table.reward))
    models = fit(replace(given_, table=flat), made, 2_000, (1,))
    assert all(torch.isfinite(tensor).all() for tensor in models[0].policy.state_dict().values())
    members = Members(AgentType.PPO, models, "tanh")
    learn(members, given_.features, flat, Rates(updates=2), (1,))
