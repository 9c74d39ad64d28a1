"""Policy gradients without sampling: what every action at every bar is worth is known, so nothing is drawn.

Both algorithms take turns of the same two steps. First the members' present policies are valued exactly on the table
of all actions (``advantages``): in place of rollouts and of a critic. Then the actors take a few gradient steps over
all bars, both states and all three actions at once:

- PPO: the clipped surrogate (J. Schulman et al., "Proximal Policy Optimization Algorithms", 2017, eq. 7), its
  expectation over the actions taken exactly (K. Ciosek and S. Whiteson, "Expected Policy Gradients", 2018).
- SAC: soft policy improvement (T. Haarnoja et al., "Soft Actor-Critic", 2018, eq. 10) with exact soft values, whose
  entropy is that of the three actions.

Every bar weighs the same: its two states share a weight of one by how likely the member is to be there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.metrics import SESSIONS_A_YEAR
from ..core.types import AgentType, Limits
from .advantages import Values, values
from .all_actions import AllActions
from .members import Members
from .paused_table import with_pauses

SMALLEST = 1e-12
NOISE_SEED = 2**32


@dataclass(frozen=True)
class Rates:
    """How the members learn. ``epochs`` gradient steps follow each valuation, ``updates`` in all.

    ``noise`` is the deviation of Gaussian noise added to the scaled features, drawn anew for each member and each
    valuation and kept for the steps that follow it. ``entropy`` is in units of the advantages' root mean square. ``limits``
    are those of the table's accounts: their drawdown limit pauses entries in training as in the test.
    """

    updates: int = 100
    epochs: int = 4
    learning_rate: float = 3e-3
    weight_decay: float = 3.0
    gamma: float = 0.9
    clip: float = 0.2
    entropy: float = 0.01
    noise: float = 0.3
    limits: Limits = Limits()


@dataclass(frozen=True)
class Taught:
    """How far the members are: ``updates`` done of ``total``. ``reward``: each one's expected log return of a year of
    the part that it learns from; ``sharpe``: each one's on the validation, as it would act; empty without one."""

    updates: int
    total: int
    reward: tuple[float, ...]
    sharpe: tuple[float, ...]


Watch = Callable[[Taught], None]
"""Called after each valuation."""


def learn(
    members: Members,
    features: np.ndarray,
    table: AllActions,
    rates: Rates,
    seeds: Sequence[int],
    watch: Watch = lambda taught: None,
    validation: tuple[np.ndarray, AllActions] | None = None,
) -> None:
    """Improves the members in place. ``features`` ``(n, features)`` are the scaled rows of the table's decisions.

    The same members, table, rates and seeds give the same weights. A validation, features and table as well, is
    only watched.
    """
    rows = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
    # Not the seeds of the initial weights themselves: these drew from the same generator.
    noises = [torch.Generator().manual_seed(int(seed) + NOISE_SEED) for seed in seeds]
    # Decay pulls a member back to what it does whatever it sees; that itself is free.
    groups: list[dict[str, Any]] = [{"params": members.weights}, {"params": members.biases, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=rates.learning_rate, weight_decay=rates.weight_decay, fused=True)
    done = 0
    while done < rates.updates:
        seen = _noisy(rows, noises, rates.noise)
        logs = members.log_probabilities(seen)
        target = _target(members, logs.detach(), table, rates)
        watch(Taught(done, rates.updates, target.yearly, sharpe(members, validation)))
        for epoch in range(min(rates.epochs, rates.updates - done)):
            # The first step uses what was computed for the valuation.
            loss = target.loss(members.log_probabilities(seen) if epoch else logs, rates)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            done += 1
    members.put_back()
    with torch.no_grad():
        last = _target(members, members.log_probabilities(rows), table, rates)
    watch(Taught(done, rates.updates, last.yearly, sharpe(members, validation)))


def sharpe(members: Members, judged: tuple[np.ndarray, AllActions] | None) -> tuple[float, ...]:
    """Each member's Sharpe ratio of a year on these decisions, by its likeliest actions and the table; 0 if undefined."""
    if judged is None:
        return ()
    with torch.no_grad():
        logs = members.log_probabilities(torch.from_numpy(np.ascontiguousarray(judged[0], dtype=np.float32)))
    policy = np.eye(logs.shape[-1])[logs.argmax(dim=-1).numpy()]
    table = judged[1]
    gained = (values(table, policy, 0.0).visits * (policy * table.reward).sum(axis=-1)).sum(axis=-1)
    deviation = gained.std(axis=-1)
    ratio = gained.mean(axis=-1) / np.where(deviation > SMALLEST, deviation, np.inf)
    return tuple((SESSIONS_A_YEAR**0.5 * ratio).tolist())


def _noisy(rows: Tensor, noises: Sequence[torch.Generator], deviation: float) -> Tensor:
    """``(member, n, features)``"""
    drawn = torch.stack([torch.randn(rows.shape, generator=noise) for noise in noises])
    return torch.add(rows, drawn, alpha=deviation)


@dataclass(frozen=True)
class Target:
    """What the next steps aim at. Tensors ``(member, n, state, action)`` float32: the present ``probabilities``, and
    their ``advantages`` over the root mean square; ``weights`` ``(member, n, state)`` sum to 1 for each member."""

    agent_type: AgentType
    probabilities: Tensor
    advantages: Tensor
    weights: Tensor
    yearly: tuple[float, ...]

    def loss(self, logs: Tensor, rates: Rates) -> Tensor:
        """Of the logarithms of the new probabilities: the sum over the members, who share no weight."""
        new = logs.exp()
        entropy = -(new * logs).sum(dim=-1)
        if self.agent_type == AgentType.PPO:
            kept = self.probabilities * (1.0 + rates.clip), self.probabilities * (1.0 - rates.clip)
            clipped = torch.minimum(torch.maximum(new, kept[1]), kept[0])
            gained = torch.minimum(new * self.advantages, clipped * self.advantages)
        else:
            gained = new * self.advantages
        return -(self.weights * (gained.sum(dim=-1) + rates.entropy * entropy)).sum()


def _target(members: Members, logs: Tensor, table: AllActions, rates: Rates) -> Target:
    """Of the members' present logarithms of probabilities, which carry no gradient."""
    policy = logs.exp().double().numpy()
    policy = policy / policy.sum(axis=-1, keepdims=True)
    table = with_pauses(table, policy, rates.limits)
    found = values(table, policy, rates.gamma)
    scale = _scale(found, policy)
    if members.agent_type == AgentType.SAC:
        bonus = -rates.entropy * scale[:, None, None, None] * logs.double().numpy()
        found = values(table, policy, rates.gamma, bonus)
        advantage = found.action - bonus  # the entropy of this very step is in the loss
    else:
        advantage = found.advantage
    daily = (found.visits * (policy * table.reward).sum(axis=-1)).sum(axis=-1).mean(axis=-1)
    weights = found.visits / len(table)
    return Target(
        members.agent_type,
        logs.exp(),
        torch.from_numpy((advantage / scale[:, None, None, None]).astype(np.float32)),
        torch.from_numpy(weights.astype(np.float32)),
        tuple((SESSIONS_A_YEAR * daily).tolist()),
    )


def _scale(found: Values, policy: np.ndarray) -> np.ndarray:
    """``(member,)``: root mean square of the advantages over what the policy does and where it is."""
    square = (policy * np.square(found.advantage)).sum(axis=-1)
    return np.sqrt((found.visits * square).sum(axis=-1).mean(axis=-1)) + SMALLEST
