"""The market as a learning problem: sound for SB3, and one account is n accounts to the bit."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from livetrading.core import market, rules, scaler
from livetrading.core.errors import BadInput
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research import backtest
from livetrading.research.environment import BatchTradingEnv, Task, TradingEnv
from tests.doubles.series import eventful, generated, usual_features
from tests.doubles.worlds import dealt

FRAME = eventful(7)
MARKET = market.build(FRAME, scaler.fit(usual_features(FRAME)[500:]))
LAST = len(MARKET) - 1
BOTH = pytest.mark.parametrize("agent_type", list(AgentType))


def task(agent_type: AgentType = AgentType.PPO, **changes) -> Task:
    return Task(**{"market": MARKET, "first": 500, "last": LAST, "agent_type": agent_type, **changes})


def draw(agent_type: AgentType, rng: np.random.Generator, shape: tuple[int, ...]):
    if agent_type == AgentType.PPO:
        return rng.choice([0, 1, 1, 2, 2], shape)
    return rng.uniform(-1, 1, (*shape, 1)).astype(np.float32)


@BOTH
def test_gymnasium_and_sb3_find_nothing_wrong(agent_type):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*render.*")
        env = TradingEnv(task(agent_type, episode=40, random_start=True))
        gymnasium_check(env, skip_render_check=True)
        sb3_check(env)


@BOTH
def test_batch_and_scalar_make_the_same_fills_money_and_observations_to_the_bit(agent_type):
    """Thousands of steps over splits, reverse splits and dividends, at tight and wide limits."""
    for seed, limits in enumerate((Limits(), Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=0.5))):
        n, rng = 6, np.random.default_rng(seed)
        made = task(agent_type, terms=Terms(25_000.0, limits))
        batch, alone = BatchTradingEnv(made, n), [TradingEnv(made) for _ in range(n)]
        together, apart = batch.reset(), [env.reset()[0] for env in alone]
        assert all(together[i].tobytes() == apart[i].tobytes() for i in range(n))
        fills = 0
        for _ in range(LAST - 500):
            actions = draw(agent_type, rng, (n,))
            seen, reward, done, infos = batch.step(actions)
            for i, env in enumerate(alone):
                view, gain, broke, cut, info = env.step(actions[i])
                shown = infos[i]["terminal_observation"] if done[i] else seen[i]
                assert view.tobytes() == shown.tobytes() and (broke or cut) == done[i]
                assert reward[i] == pytest.approx(gain, rel=1e-6, abs=1e-9)
                assert [float(v[i]) for v in batch.last_account] == [float(v) for v in info["account"]]
                mine = dealt(info["session"])
                assert dealt(batch.last_session, i) == mine
                fills += len(mine)
        assert fills > 500


@BOTH
def test_the_environment_and_the_backtest_do_the_same_with_the_same_actions(agent_type):
    rng = np.random.default_rng(3)
    wished = draw(agent_type, rng, (LAST - 499,))
    answers = iter(wished)
    # The limit's pause waits for a person and is no part of training.
    terms = Terms(10_000.0, Limits(max_drawdown=1.0))
    done = backtest.run(MARKET, range(500, LAST + 1), agent_type, lambda _: float(np.ravel(next(answers))[0]), terms)
    env = TradingEnv(task(agent_type, terms=terms))
    view, _ = env.reset()
    for row, action in zip(done.rows[1:], wished, strict=False):
        view, _, broke, cut, info = env.step(action)
        assert [list(d) for d in dealt(info["session"])] == row["fills"]
        assert (float(info["account"].cash), float(info["account"].shares)) == (row["cash"], row["shares"])
        assert backtest.ledger.obs_sha256(view) == row["obs"]
    assert cut and not broke and done.fills > 40


def test_the_first_decision_fills_at_the_second_sessions_open_and_is_rewarded_at_its_close():
    env = TradingEnv(task())
    env.reset()
    view, reward, _, _, info = env.step(2)
    deal = dealt(info["session"])[0]
    assert deal.leg == "entry" and deal.price == FRAME["open"].iloc[501] * (1 + 5.0 / 10_000)
    assert info["t"] == 501
    assert reward == pytest.approx(np.log(float(info["session"].equity) / 10_000.0), abs=1e-15)


def test_a_step_without_a_position_earns_nothing():
    env = TradingEnv(task())
    env.reset()
    assert all(env.step(1)[1] == 0.0 for _ in range(20))


def test_rewards_add_up_to_the_log_of_the_equitys_growth():
    env, rng, total = TradingEnv(task()), np.random.default_rng(1), 0.0
    env.reset()
    while True:
        _, reward, broke, cut, info = env.step(draw(AgentType.PPO, rng, ()))
        total += reward
        if broke or cut:
            break
    assert total == pytest.approx(np.log(float(info["session"].equity) / 10_000.0), abs=1e-9)


def test_an_episode_ends_by_the_clock_at_its_last_bar_without_a_closing_sale():
    env = TradingEnv(task(episode=10))
    env.reset()
    ends = [env.step(2)[2:4] for _ in range(10)]
    assert ends == [(False, False)] * 9 + [(False, True)]
    batch = BatchTradingEnv(task(episode=10), 2)
    first = batch.reset()
    for _ in range(10):
        seen, _, done, infos = batch.step(np.array([2, 1]))
    assert done.all() and all(info["TimeLimit.truncated"] for info in infos)
    assert seen.tobytes() == first.tobytes()


def test_random_starts_stay_inside_and_repeat_by_seed():
    made = task(episode=30, random_start=True)
    env = TradingEnv(made)
    starts = [env.reset(seed=s)[1]["t"] for s in range(40)]
    assert min(starts) >= 500 and max(starts) <= LAST - 30 and len(set(starts)) > 15
    assert env.reset(seed=3)[1]["t"] == starts[3]
    one, two = BatchTradingEnv(made, 4, seed=9), BatchTradingEnv(made, 4, seed=9)
    assert one.reset().tobytes() == two.reset().tobytes()


def ruined() -> tuple[market.Market, Terms]:
    """A purchase that opens three times as high as decided and closes at a dollar."""
    frame = generated(2, 520)
    close = frame["close"].iloc[500]
    frame.iloc[501, :4] = [3 * close, 3 * close, 1.0, 1.0]
    limits = Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=0.5)
    view = market.build(frame, scaler.fit(usual_features(frame)[490:500]))
    return view, Terms(10_000.0, limits)


def test_a_lost_account_ends_the_episode_with_a_bounded_loss():
    view, terms = ruined()
    made = Task(view, 500, 519, AgentType.PPO, terms)
    env = TradingEnv(made)
    env.reset()
    outcomes = [env.step(2) for _ in range(2)]
    broke = [o for o in outcomes if o[2]]
    assert broke and not broke[0][3] and np.isfinite(broke[0][1]) and broke[0][1] >= np.log(1e-6) - 1e-12
    assert float(broke[0][4]["session"].equity) <= 0 and np.isfinite(broke[0][0]).all()
    batch = BatchTradingEnv(made, 1)
    batch.reset()
    for _ in outcomes:
        _, reward, done, infos = batch.step(np.array([2]))
        if done[0]:
            break
    assert done[0] and not infos[0]["TimeLimit.truncated"] and reward[0] >= np.float32(np.log(1e-6))
    assert batch.step(np.array([1]))[0].shape == (1, 18)


def test_a_task_without_a_step_is_refused():
    with pytest.raises(BadInput, match="no step"):
        task(first=LAST, last=LAST)


def test_an_account_of_the_batch_has_no_settings_of_its_own():
    batch = BatchTradingEnv(task(), 2)
    with pytest.raises(BadInput):
        batch.set_attr("task", None)
    with pytest.raises(BadInput):
        batch.env_method("reset")
    assert batch.get_attr("task") == [batch.task] * 2 and batch.env_is_wrapped(object) == [False, False]


def test_dividends_and_splits_reach_the_learner():
    """Without them the same actions leave another account."""
    bare = FRAME.assign(dividend=0.0)
    plain = market.build(bare, scaler.fit(usual_features(FRAME)[500:]))
    ends = []
    for view in (MARKET, plain):
        env, rng = TradingEnv(task(market=view)), np.random.default_rng(5)
        env.reset()
        for _ in range(LAST - 500):
            info = env.step(draw(AgentType.PPO, rng, ()))[4]
        ends.append(float(rules.equity_of(info["account"], view.columns.close[-1])))
    assert ends[0] > ends[1]
