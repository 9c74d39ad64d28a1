"""The rules have not changed: random actions make the fills, money and observations that version 1 made, to the bit.

The digests were taken before the environment was written for speed. What differs between machines, the features and
the logarithm, is left out: features are replaced by plain numbers, rewards are held against the equities.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pytest

from livetrading.core import market, rules, scaler
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research.environment import WORST_RATIO, BatchTradingEnv, Task
from tests.doubles.series import eventful, sample, usual_features

ACCOUNTS, STEPS = 32, 1_500
FRAMES = {"AAPL": sample("AAPL"), "GOOG": sample("GOOG"), "NVDA": sample("NVDA"), "eventful": eventful(7)}
TERMS = {
    AgentType.PPO: Terms(),
    AgentType.SAC: Terms(1_500.0, Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=0.5), Costs(multiple=2.0)),
}
# By series and algorithm: accounts and fills; observations, ends and what the last of an episode saw.
GOLDEN = {
    ("AAPL", AgentType.PPO): ("99acc548920de966", "781344ca0e3f3dcf"),
    ("AAPL", AgentType.SAC): ("343f92a5b694d03a", "4e00e2bcfaeabd62"),
    ("GOOG", AgentType.PPO): ("8d22588bb4eb2b3b", "319633890a1f4130"),
    ("GOOG", AgentType.SAC): ("db3b31b60da608b2", "b93f0eeda0e7708b"),
    ("NVDA", AgentType.PPO): ("f913f92cfa97130c", "eedc2b9b3244ff64"),
    ("NVDA", AgentType.SAC): ("9dff43dbe542a23d", "dc1abd004c49ff37"),
    ("eventful", AgentType.PPO): ("2c6adfd4a6152e00", "ddb24dd7d56917e2"),
    ("eventful", AgentType.SAC): ("e37a1fa6871a8406", "85674d379f51e3a5"),
}


@dataclass(frozen=True)
class Spread(Task):
    """Starts that no rule of learning decides: any bar."""

    def start(self, rng, size=None):
        return rng.integers(self.first, self.last, size)


def task(name: str, agent_type: AgentType) -> Task:
    frame = FRAMES[name]
    made = market.build(frame, scaler.fit(usual_features(frame)[500:]))
    plain = (np.arange(made.scaled.size) * 0.37 % 10.0 - 5.0).reshape(made.scaled.shape)
    return Spread(replace(made, scaled=plain), 500, len(made) - 1, agent_type, TERMS[agent_type], episode=40)


def draw(agent_type: AgentType) -> np.ndarray:
    """Integers and quarters: no threshold lies near them."""
    dice = np.random.default_rng(5)
    if agent_type == AgentType.PPO:
        return dice.integers(0, 3, (STEPS, ACCOUNTS))
    return (dice.integers(-4, 5, (STEPS, ACCOUNTS, 1)) / 4.0).astype(np.float32)


def executed(session: rules.Session) -> bytes:
    """Its fills; of an empty one the quantity alone."""
    fills = (session.entry, session.exit, session.stop)
    return b"".join((np.where(fill.qty > 0, field, 0.0) + 0.0).tobytes() for fill in fills for field in fill)


@pytest.mark.parametrize("agent_type", list(AgentType))
@pytest.mark.parametrize("name", list(FRAMES))
def test_random_actions_make_what_they_made_in_version_1(name, agent_type):
    env = BatchTradingEnv(task(name, agent_type), ACCOUNTS, seed=3)
    money, seen = hashlib.sha256(), hashlib.sha256(env.reset().tobytes())
    before, trades = np.full(ACCOUNTS, TERMS[agent_type].capital), 0
    for actions in draw(agent_type):
        view, reward, done, infos = env.step(actions)
        account, session = env.last_account, env.last_session
        money.update(b"".join(np.asarray(field).tobytes() for field in account) + executed(session))
        money.update(session.equity.tobytes())
        seen.update(view.tobytes() + done.tobytes())
        for i in np.flatnonzero(done):
            seen.update(infos[i]["terminal_observation"].tobytes() + bytes([infos[i]["TimeLimit.truncated"]]))
        assert reward.tobytes() == np.log(np.maximum(session.equity / before, WORST_RATIO)).astype("<f4").tobytes()
        before = np.where(done, TERMS[agent_type].capital, session.equity)
        trades += np.count_nonzero(session.entry.qty)
    assert trades > 2_000
    assert (money.hexdigest()[:16], seen.hexdigest()[:16]) == GOLDEN[name, agent_type]
