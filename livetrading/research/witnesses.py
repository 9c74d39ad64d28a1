"""Agents that learn nothing, for a model to be measured by: cash, always long, and chance.

Each answers like a PPO policy, 0 SELL, 1 HOLD or 2 BUY, and knows of the account only what the observation says.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from ..core.market import Market
from ..core.observe import ACCOUNT_FIELDS
from ..core.types import Action, AgentType, Terms
from .backtest import Backtest, RawPolicy
from .ridge import fit_ridge
from .walk_forward import UNWATCHED, Fitted, Procedure, Watching

IN_POSITION = -len(ACCOUNT_FIELDS) + ACCOUNT_FIELDS.index("in_position")
"""Where an observation says whether shares are held."""


def cash(obs: np.ndarray) -> int:
    """Never buys."""
    return Action.SELL


def always_long(obs: np.ndarray) -> int:
    """Buys at once, and again after each stop: what the rules alone make of the symbol."""
    return Action.BUY


@dataclass(frozen=True)
class RandomAgent:
    """Buys and sells by chance: ``enter`` is the probability of BUY at a flat close, ``leave`` of SELL at a held one.

    The chance of a session is a hash of its features and of the seed: the same for every run over the same bars,
    whatever the account.
    """

    seed: int
    enter: float
    leave: float

    def raw(self, obs: np.ndarray) -> int:
        if obs[IN_POSITION] > 0:
            return Action.SELL if self._chance(obs) < self.leave else Action.HOLD
        return Action.BUY if self._chance(obs) < self.enter else Action.HOLD

    def _chance(self, obs: np.ndarray) -> float:
        """Uniform in [0, 1)."""
        features = np.ascontiguousarray(obs[: -len(ACCOUNT_FIELDS)], dtype="<f4").tobytes()
        key = self.seed.to_bytes(8, "little")
        return int.from_bytes(hashlib.blake2b(features, digest_size=8, key=key).digest(), "little") / 2.0**64


@dataclass(frozen=True)
class Plain:
    """A rule that learns nothing, as a procedure."""

    policy: RawPolicy

    def __call__(self, market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
        """See ``walk_forward.Procedure``."""
        return Fitted(AgentType.PPO, self.policy, {})


def ridge(market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
    """The ridge regression as a procedure."""
    found = fit_ridge(market, part)
    return Fitted(AgentType.PPO, found.raw, {"penalty": found.penalty})


def procedures() -> dict[str, Procedure]:
    """What stands beside every agent on its folds, by name."""
    return {"ridge": ridge, "always_long": Plain(always_long), "cash": Plain(cash)}


def as_busy_as(run: Backtest, seed: int) -> RandomAgent:
    """A random agent that holds as often and trades as much as that run did, but for its stops."""
    closes = max(len(run.held), 1)
    held = sum(run.held)
    entries = sum(1 for before, now in zip([False, *run.held], run.held, strict=False) if now and not before)
    exits = sum(1 for before, now in zip(run.held, run.held[1:], strict=False) if before and not now)
    return RandomAgent(seed, min(entries / max(closes - held, 1), 1.0), min(exits / max(held, 1), 1.0))
