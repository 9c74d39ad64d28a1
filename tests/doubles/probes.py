"""Policies that are pure functions of the observation's bits: they trade often, and one changed bit changes the decision."""

import hashlib

import numpy as np

from livetrading.core.types import AgentType


class Probe:
    """Decides by a hash of the observation: any changed bit changes nearly every later decision.

    ``eager`` is the share of BUY and also of SELL; all others are HOLD.
    """

    def __init__(self, agent_type: AgentType = AgentType.PPO, seed: int = 0, eager: float = 1 / 3) -> None:
        self._type, self._salt, self._eager = agent_type, str(seed).encode(), eager

    def raw(self, obs: np.ndarray) -> float:
        assert obs.dtype == np.float32 and obs.ndim == 1
        digest = hashlib.blake2b(self._salt + obs.astype("<f4").tobytes(), digest_size=8).digest()
        draw = int.from_bytes(digest, "little") / 2**64
        if self._type == AgentType.SAC:
            return float(np.float32(2.0 * draw - 1.0))
        return 2 if draw < self._eager else 0 if draw < 2 * self._eager else 1
