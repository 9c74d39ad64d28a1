"""The gate: everything that a model's test says for or against trading real money, at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..adapters.openings import Count
from ..core import real_money, significance
from ..core.errors import Damaged
from ..core.market import Market
from ..core.real_money import Condition, Evidence
from ..core.types import AgentType, Terms
from . import chance, skill, witnesses
from .backtest import RawPolicy
from .evaluation import Evaluation, evaluate
from .ridge import fit_ridge

Doc = dict[str, Any]
BASELINE = ("sharpe_ratio", "total_return_pct", "max_drawdown_pct", "num_trades", "exposure_pct")


@dataclass(frozen=True)
class Test:
    """A model's test with an agent's terms: its measures, its equity at each session's close, always-long's with the
    same terms, and how agents without skill did (``chance.Chance.summary``). The last two are empty for stored tests
    of versions that did not run them."""

    measures: Mapping[str, Any]
    sessions: Sequence[str]
    equity: Sequence[float]
    always_long: Sequence[float]
    chance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def returns(self) -> np.ndarray:
        return significance.returns_of(self.equity)


@dataclass(frozen=True)
class Run:
    """The runs."""

    own: Evaluation
    always_long: Evaluation
    chance: Mapping[str, Any]

    @property
    def test(self) -> Test:
        own = self.own
        return Test(own.measures, own.sessions, own.run.equity, self.always_long.run.equity, self.chance)


def tested(market: Market, bars: range, agent_type: AgentType, raw: RawPolicy, terms: Terms) -> Run:
    """Runs the model, always-long and agents without skill over ``bars``."""
    own = evaluate(market, bars, agent_type, raw, terms)
    long = evaluate(market, bars, AgentType.PPO, witnesses.always_long, terms)
    return Run(own, long, chance.agents(market, bars, own.run, terms).summary(own.measures["sharpe_ratio"]))


def stored(document: Mapping[str, Any]) -> Test:
    """The test that the registry stored at the training, with the terms of the training. Raises Damaged without one."""
    try:
        long = document.get("witnesses", {}).get("always_long", {}).get("equity", [])
        sessions, equity = zip(*document["equity"], strict=True)
        lucky = document.get("chance", {}).get("summary", {})
        return Test(document["metrics"], sessions, equity, [value for _, value in long], lucky)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged("The stored test of this model holds no equity of this form: train it again.") from error


def evidence(test: Test, tries: int, lookahead: Mapping[str, Any] | None, same_weights: bool = True) -> Evidence:
    """What the conditions ask for. ``lookahead`` is the stored result of its check."""
    measures, returns = test.measures, test.returns
    found = significance.record(returns)
    return Evidence(
        sharpe=measures["sharpe_ratio"],
        sessions=int(measures["sessions"]),
        round_trips=int(measures["num_trades"]),
        deflated=significance.deflated(found, tries),
        p_value=skill.p_value(returns, significance.returns_of(test.always_long), tries),
        tries=tries,
        lookahead=None if lookahead is None else not lookahead["problems"],
        same_weights=same_weights,
    )


def answer(test: Test, count: Count, lookahead: Mapping[str, Any] | None, same_weights: bool = True) -> Doc:
    """``real_money``, ``conditions``, ``openings``, ``deflated_sharpe``, and the figures beside them."""
    found = evidence(test, count.tries, lookahead, same_weights)
    asked = real_money.conditions(found)
    record = significance.record(test.returns)
    interval = skill.sharpe_interval(test.returns)
    return {
        "real_money": not real_money.unmet(asked),
        "conditions": [condition.to_dict() for condition in asked],
        "openings": count.to_dict(),
        "deflated_sharpe": found.deflated,
        "probabilistic_sharpe": significance.probabilistic(record),
        "sharpe_interval": None if interval is None else list(interval),
        "minimum_track_record": significance.minimum_track_record(record),
        "lucky_of_100": lucky(test, count.tries),
        "chance": dict(test.chance) or None,
        "p_value": found.p_value,
        "p_value_corrected": found.corrected,
        "words": words(test, count.tries, asked),
    }


def baselines(run: Run, market: Market, train: range, bars: range, terms: Terms) -> Doc:
    """What stands beside the model over the same sessions with the same terms. ``market`` is scaled by ``train``."""
    plain = {"cash": witnesses.cash, "ridge": fit_ridge(market, train).raw}
    found = {name: evaluate(market, bars, AgentType.PPO, raw, terms).measures for name, raw in plain.items()}
    found |= {"always_long": run.always_long.measures, "buy_and_hold": run.own.hold_measures}
    shown = {name: {key: measures.get(key) for key in BASELINE} for name, measures in sorted(found.items())}
    return {**shown, "random": dict(run.chance)}


def lucky(test: Test, tries: int) -> int | None:
    """Of 100 agents without skill, each tried so often and its best try shown, how many look at least this good.

    The larger of two counts: by the agents that traded the same sessions by chance, and by the distribution of a ratio
    without skill, which also holds what another market might have been. None where the ratio is undefined.
    """
    share = significance.as_good_by_luck(significance.record(test.returns), tries)
    if share is None:
        return None
    if (percentile := test.chance.get("percentile")) is not None:
        # Of n agents at least one is never excluded.
        once = max(1.0 - percentile / 100.0, 1.0 / test.chance["agents"])
        share = max(share, 1.0 - (1.0 - once) ** tries)
    return round(100.0 * share)


def words(test: Test, tries: int, asked: tuple[Condition, ...]) -> str:
    """The whole in a trader's words."""
    often = "each tried once" if tries == 1 else f"each tried {tries} times as this one was looked at"
    count = lucky(test, tries)
    parts = ["The Sharpe ratio is undefined: nothing can be said about skill."]
    if count is not None:
        parts = [f"Of 100 agents without skill, {often}, {count} look at least this good."]
        parts += filter(None, [real_money.too_few(len(test.equity))])
    missing = real_money.unmet(asked)
    parts.append("Real money: yes." if not missing else f"Real money: no ({'; '.join(missing)}).")
    return " ".join(parts)
