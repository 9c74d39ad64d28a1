"""Exact values: the plain recursion's, and their gradient is that of the reward itself."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.research.advantages import values
from livetrading.research.all_actions import AllActions, joined


def problem(seed: int, n: int) -> tuple[AllActions, np.ndarray]:
    """Random rewards, moves and a random policy."""
    rng = np.random.default_rng(seed)
    table = AllActions(rng.normal(0.0, 0.02, (n, 2, 3)), rng.random((n, 2, 3)) < 0.5, np.arange(n) == n - 1)
    return table, rng.dirichlet([1.0, 1.0, 1.0], (n, 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 70), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_values_and_visits_are_those_of_the_plain_recursion(seed, n, gamma):
    table, policy = problem(seed, n)
    found = values(table, policy, gamma)
    later = np.zeros(2)
    for t in range(n - 1, -1, -1):
        worth = table.reward[t] + gamma * later[table.long[t].astype(int)]
        assert np.allclose(found.action[t], worth, rtol=0.0, atol=1e-12)
        later = (policy[t] * worth).sum(axis=-1)
        assert np.allclose(found.state[t], later, rtol=0.0, atol=1e-12)
    held = 0.0
    for t in range(n):
        assert np.allclose(found.visits[t], [1.0 - held, held], rtol=0.0, atol=1e-12)
        stays = (policy[t] * table.long[t]).sum(axis=-1)
        held = (1.0 - held) * stays[0] + held * stays[1]


def test_visits_times_advantages_are_the_gradient_of_the_mean_reward():
    """Against autograd through the whole unrolled life of an account, by the logits of each bar and state."""
    table, policy = problem(3, 60)
    logits = torch.tensor(np.log(policy), requires_grad=True)
    chance, held, total = torch.softmax(logits, -1), torch.tensor(0.0, dtype=torch.float64), 0.0
    for t in range(60):
        at = torch.stack([1.0 - held, held])
        total = total + (at[:, None] * chance[t] * torch.tensor(table.reward[t])).sum()
        held = (at[:, None] * chance[t] * torch.tensor(table.long[t].astype(float))).sum()
    total.backward()
    found = values(table, policy, 1.0)
    ours = found.visits[..., None] * policy * found.advantage  # the softmax's own gradient
    assert np.allclose(ours, logits.grad.numpy(), rtol=0.0, atol=1e-12)


def test_advantages_of_a_policy_have_mean_zero():
    table, policy = problem(5, 500)
    assert np.abs((policy * values(table, policy, 0.9).advantage).sum(axis=-1)).max() < 1e-12


def test_several_policies_on_several_tasks_are_valued_as_each_alone():
    first, second = problem(7, 40), problem(8, 33)
    both = joined([first[0], second[0]])
    policies = np.stack([np.concatenate([first[1], second[1]]), np.concatenate([first[1], second[1]])[:, :, ::-1]])
    together = values(both, policies, 0.97)
    for number, turned in ((0, 1), (1, -1)):
        for part, (table, policy) in ((slice(0, 40), first), (slice(40, 73), second)):
            alone = values(table, policy[:, :, ::turned], 0.97)
            assert np.allclose(together.action[number, part], alone.action, rtol=0.0, atol=1e-12)
            assert np.allclose(together.state[number, part], alone.state, rtol=0.0, atol=1e-12)
            assert np.allclose(together.visits[number, part], alone.visits, rtol=0.0, atol=1e-12)
