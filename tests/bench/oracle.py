"""The agent that knows the planted expectation, under the same rules as any other."""

from dataclasses import dataclass, field

import numpy as np

from livetrading.core.market import Market
from livetrading.core.observe import ACCOUNT_FIELDS
from livetrading.core.types import Action
from livetrading.research.witnesses import IN_POSITION


@dataclass(frozen=True)
class Oracle:
    """Buys above ``enter`` and sells below ``leave``: log returns that ``ahead`` ``(T,)`` expects of one session.

    An observation carries no date: the session is found by its features, which no two sessions share.
    """

    market: Market
    ahead: np.ndarray
    enter: float
    leave: float
    _at: dict[bytes, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        scaled = self.market.scaled
        at = {scaled[t].astype("<f4").tobytes(): t for t in range(len(self.market)) if np.isfinite(scaled[t]).all()}
        if len(at) != int(np.isfinite(scaled).all(axis=1).sum()):
            raise ValueError("two sessions have the same features: the oracle cannot know which it sees")
        object.__setattr__(self, "_at", at)

    def raw(self, obs: np.ndarray) -> int:
        ahead = self.ahead[self._at[obs[: -len(ACCOUNT_FIELDS)].tobytes()]]
        if obs[IN_POSITION] > 0:
            return Action.SELL if ahead < self.leave else Action.HOLD
        return Action.BUY if ahead > self.enter else Action.HOLD
