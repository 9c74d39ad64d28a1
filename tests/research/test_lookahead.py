"""The checker catches every planted leak, and accuses nothing that is honest."""

import numpy as np
import pytest

from livetrading.core.features import FEATURES, compute
from livetrading.core.scaler import fit
from livetrading.core.types import AgentType, Terms
from livetrading.research import lookahead, perturb
from tests.doubles.probes import Probe
from tests.doubles.series import generated, sample, usual_features
from tests.parity.leaks import HONEST, LEAKS

FRAME = generated(21, 620, splits={560: 2.0, 590: 0.5}, dividends={540: 0.4, 575: 0.5, 601: 0.3})
BARS = range(500, 619)


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught(name: str):
    report = lookahead.check(LEAKS[name](FRAME), FRAME, BARS, samples=3)
    assert report.problems, f"{name} went unseen"
    assert all(p["text"] and p["what"] and p["session"] for p in report.problems)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_feature_raises_no_alarm(name: str):
    report = lookahead.check(HONEST[name](FRAME), FRAME, BARS, samples=3)
    assert report.problems == []


def test_there_are_more_than_thirty_leaks_of_every_kind():
    assert len(LEAKS) >= 30


@pytest.mark.parametrize(("symbol", "agent_type"), [("AAPL", "PPO"), ("NVDA", "SAC"), ("GOOG", "PPO")])
def test_what_ships_is_clean_on_real_bars(symbol, agent_type):
    frame, agent_type = sample(symbol).iloc[-1600:], AgentType(agent_type)
    scaler = fit(usual_features(frame)[500:1000])
    what = lookahead.subject(scaler, agent_type, Probe(agent_type).raw, Terms())
    report = lookahead.check(what, frame, range(500, 1599), samples=6)
    assert report.problems == [] and report.sessions >= 4
    assert report.decisions > 500 and report.fills > 50 and report.values > 100_000


def test_every_session_means_every_session():
    what = lookahead.subject(fit(usual_features(FRAME)[300:500]), AgentType.PPO, Probe().raw, Terms())
    seen = []
    report = lookahead.check(what, FRAME, range(610, 620), every=True, progress=lambda n, of: seen.append((n, of)))
    assert report.sessions == 10 and seen[-1] == (10, 10) and report.problems == []


@pytest.mark.parametrize("cause", perturb.LATER)
def test_a_changed_future_leaves_the_past_and_changes_what_follows(cause: str):
    changed = perturb.LATER[cause](FRAME, 550)
    assert changed.iloc[:551].equals(FRAME.iloc[:551])
    if len(changed) == len(FRAME):
        assert not changed.iloc[551:].equals(FRAME.iloc[551:])
        prices = changed[["open", "high", "low", "close"]].to_numpy()
        assert (prices > 0).all() and (changed["low"] <= changed["close"]).all()
        assert not np.array_equal(compute(changed)[551:], compute(FRAME)[551:], equal_nan=True)


def test_a_problem_names_what_moved_when_and_both_values():
    report = lookahead.check(LEAKS["a centred window of three"](FRAME), FRAME, BARS, samples=4)
    planted = next(p for p in report.problems if p["what"] == "planted")
    assert planted["check"] == "future" and planted["times"] >= 1
    assert planted["session"] in planted["text"] and " when after " in planted["text"]
    assert "obs" in {p["what"] for p in report.problems if p["check"] == "decision"}
    assert not {p["what"] for p in report.problems} & {"return", "ATR14"}


def test_the_sample_holds_the_sessions_around_splits_and_dividends():
    picked = lookahead.spread(FRAME, BARS, 40)
    assert {559, 560, 589, 590, 539, 540} <= set(picked) and picked == sorted(set(picked))
    assert len(FEATURES) == compute(FRAME).shape[1]
