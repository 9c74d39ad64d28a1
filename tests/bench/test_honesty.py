"""The bench of honesty: its accounts are the backtest's, its markets are what they say, and a slice of its promise."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from livetrading.core import real_money
from livetrading.core.bars import check_series
from livetrading.core.features import FEATURES
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research import gate
from tests.bench.honesty import bench, leaks, lives, series, skilled, summary
from tests.bench.honesty.bounds import Share
from tests.bench.honesty.tries import TRIES, Try, eager
from tests.bench.honesty.verdict import verdict, verdicts

SESSIONS = 500
DOCS = Path(__file__).resolve().parents[2] / "docs"


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def life():
    """A market of real blocks, twenty tries in it and their accounts over 500 sessions."""
    bars = series.resampled(_rng(1), 1, 500 + 3 * SESSIONS, SESSIONS)
    market, lesson = lives.prepared(bars, 0, SESSIONS)
    tries = eager(_rng(2), lesson)
    tight = Limits(max_position=1.0, risk_per_trade=0.1, max_drawdown=0.03, pause_sessions=5)
    tries[0] = replace(tries[0], limits=tight)  # is paused again and again
    return market, tries, lives.lived([market], [tries], SESSIONS)[0]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_an_account_of_the_bench_is_that_of_the_backtest_to_the_bit(life, number):
    market, tries, accounts = life
    bars, terms = range(len(market) - SESSIONS, len(market)), Terms(limits=tries[number].limits)
    run = gate.tested(market, bars, AgentType.PPO, tries[number].raw, terms)
    account = accounts[number]
    assert account.equity.tolist() == run.own.run.equity
    assert account.held.tolist() == run.own.run.held and account.trades == len(run.own.run.trades)
    assert account.always_long.tolist() == run.always_long.run.equity
    assert account.test().measures["sharpe_ratio"] == run.own.measures["sharpe_ratio"]
    assert bool(run.own.run.pauses) or number


def test_the_bench_answers_as_the_gate_does(life):
    market, chosen, accounts = life
    bars = range(len(market) - SESSIONS, len(market))
    for one, account, tries in zip(chosen[:2], accounts, (1, TRIES), strict=False):
        run = gate.tested(market, bars, AgentType.PPO, one.raw, Terms(limits=one.limits))
        asked = real_money.conditions(gate.evidence(run.test, tries, {"problems": []}))
        found = verdict(account, tries)
        assert found.real_money == (not real_money.unmet(asked))
        known = [condition for condition in asked if condition.name != "beats_always_long" or found.p_value is not None]
        assert list(found.unmet) == [condition.name for condition in known if not condition.ok]


def test_bars_of_every_market_pass_the_gate_of_bars():
    made = [drawn(_rng(3), 3, 900, 200) for drawn in lives.MARKETS.values()]
    made += [series.signal(_rng(3), 3, 900, 200, 0.2, kind) for kind in skilled.GAINS]
    for bars in made:
        for number in range(3):
            frame = bars.frame(number)
            check_series(frame, series.sessions(900), "a life")
            assert frame["close"].iloc[-200] == pytest.approx(100.0)


def test_training_and_test_of_a_resampled_life_share_no_bar():
    rng = _rng(4)
    pieces = rng.permutation(series.PIECES)
    one, other = (set(series._blocks(rng, half, 5_000, 2_000)) for half in (pieces[:12], pieces[12:]))
    assert len(one) > 900 and len(other) > 900 and not one & other


def test_a_market_without_drift_has_none_and_one_with_eight_percent_has_eight():
    for drift in (0.0, 0.08):
        close = series.noise(_rng(5), 400, 2_000, 200, drift).close
        yearly = (close[:, 1:] / close[:, :-1] - 1.0).mean() * 252
        assert yearly == pytest.approx(drift, abs=0.012)  # three standard errors
    for kind, gains in skilled.GAINS.items():
        close = series.signal(_rng(6), 400, 2_000, 200, gains[skilled.SHARPE], kind).close
        assert (close[:, 1:] / close[:, :-1] - 1.0).mean() * 252 == pytest.approx(0.0, abs=0.03)


def test_bounds_hold_what_they_say():
    for hits, of in ((0, 200), (3, 200), (200, 200), (150, 200)):
        share = Share(hits, of)
        assert share.lower <= share.rate <= share.upper
        if hits < of:
            assert binom.cdf(hits, of, share.upper) == pytest.approx(0.05)
        if hits:
            assert binom.sf(hits - 1, of, share.lower) == pytest.approx(0.05)


def test_luck_does_not_reach_real_money_and_skill_does():
    """A slice: 25 lives without skill of the kind that comes nearest, and 8 that follow a planted signal."""
    rows = lives.Chunk("real", 500, 0).done()
    assert len(rows) == 25 and sum(row["sharpe"] > real_money.SHARPE for row in rows) > 5
    assert not any(row["any"] for row in rows)
    gain = skilled.GAINS["volume"][3.0]
    bars = series.signal(_rng(7), 8, 500 + 1_000 + skilled.SESSIONS, skilled.SESSIONS, gain)
    made = [lives.prepared(bars, number, skilled.SESSIONS) for number in range(8)]
    follower = Try(np.eye(14)[FEATURES.index("volume_20")], 0.1, -0.1, Limits(stop_atr=4.0))
    accounts = lives.lived([market for market, _ in made], [[follower]] * 8, skilled.SESSIONS)
    assert sum(verdict(account, TRIES).real_money for (account,) in accounts) >= 5


def test_more_looks_never_help(life):
    _, _, accounts = life
    for account in accounts[:4]:
        few, many = verdicts(account, (1, 200))
        assert few.real_money or not many.real_money


def test_what_is_on_file_is_not_done_again_and_a_broken_promise_is_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(leaks, "INJECTED", leaks.INJECTED[:2])
    monkeypatch.setattr(leaks, "CLEAN", leaks.CLEAN[:1])
    arguments = ["--parts", "leaks", "--series", "1", "--processes", "1", "--out", str(tmp_path / "rows.jsonl")]
    assert bench.main([*arguments, "--json", str(tmp_path / "made.json")]) == 0
    shown = capsys.readouterr()
    assert "1 of 1" in shown.err and "BROKEN" not in shown.out
    monkeypatch.setattr(leaks.Series, "done", lambda self: pytest.fail("it was done again"))
    assert bench.main(arguments) == 0
    text = (tmp_path / "rows.jsonl").read_text()
    (tmp_path / "rows.jsonl").write_text(text.replace('"flagged": true', '"flagged": false', 1))
    assert bench.main(arguments) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_rate_above_its_bound_breaks_the_promise():
    row = {"part": "null", "kind": "noise", "sessions": 500, "any": True, "sharpe": 1.0, "n_effective": 2.0}
    rows = [{**row, "real_money": number < 6} for number in range(100)]
    assert summary.summary(rows)["broken"]
    assert not summary.summary([{**one, "real_money": number < 5} for number, one in enumerate(rows)])["broken"]


def test_the_committed_picture_of_power_is_that_of_its_figures():
    spec = importlib.util.spec_from_file_location("draw_power", DOCS / "draw_power.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    figures = json.loads(draw.FIGURES.read_text("utf-8"))
    assert draw.PICTURE.read_text("utf-8") == draw.svg(figures), (
        "run `python docs/draw_power.py` and commit docs/power.svg"
    )
    assert all(line in (DOCS / "EVALUATION.md").read_text("utf-8") for line in draw.table(figures).splitlines())
    assert draw.expected(2.0, 1_150) == pytest.approx(0.76, abs=0.01) and draw.expected(3.0, 499) == 0.0
