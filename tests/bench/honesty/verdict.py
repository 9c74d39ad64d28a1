"""The gate's answer for an account of a walk, by the product's own conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from livetrading.core import metrics, real_money, significance
from livetrading.research import gate

PASSED = {"problems": []}
"""A look-ahead check without a finding: what is asked here is luck, not leaks."""
SHOWN = [""]


@dataclass(frozen=True, eq=False)
class Account:
    """One account's equity at each close and its closed trades, and always-long's equity with the same terms."""

    equity: np.ndarray
    held: np.ndarray
    trades: int
    always_long: np.ndarray

    def test(self) -> gate.Test:
        measures = metrics.measure(self.equity, [], self.held.tolist())
        return gate.Test({**measures, "num_trades": self.trades}, SHOWN, self.equity, self.always_long)


@dataclass(frozen=True)
class Verdict:
    """``real_money``, and the conditions that were not met. ``p_value`` None: another condition had failed before the
    bootstrap, the dearest, was asked."""

    real_money: bool
    unmet: tuple[str, ...]
    sharpe: float | None
    deflated: float | None
    p_value: float | None
    exposure: float

    def to_dict(self) -> dict[str, Any]:
        return vars(self) | {"unmet": list(self.unmet)}


def verdict(account: Account, tries: int) -> Verdict:
    """Whether it may trade real money, with so many recorded tries."""
    return verdicts(account, (tries,))[0]


def verdicts(account: Account, counts: Sequence[int]) -> list[Verdict]:
    """The same for several counts.

    The paired bootstrap is left out where a cheaper condition has failed, since the answer is no in any case. For all
    counts it is made once, as finely as the highest asks.
    """
    test, exposure = account.test(), float(account.held.mean())
    cheap = [_without_bootstrap(test, tries) for tries in counts]
    whole = gate.evidence(test, max(counts), PASSED) if not all(map(_missing, cheap)) else None
    found = []
    for evidence in cheap:
        missing, p_value = _missing(evidence), None
        if not missing and whole is not None:
            missing, p_value = _missing(replace(evidence, p_value=whole.p_value)), whole.p_value
        found.append(Verdict(not missing, missing, evidence.sharpe, evidence.deflated, p_value, exposure))
    return found


def _without_bootstrap(test: gate.Test, tries: int) -> real_money.Evidence:
    """The evidence as if always-long were beaten."""
    return real_money.Evidence(
        sharpe=test.measures["sharpe_ratio"],
        sessions=int(test.measures["sessions"]),
        round_trips=int(test.measures["num_trades"]),
        deflated=significance.deflated(significance.record(test.returns), tries),
        p_value=0.0,
        tries=tries,
        lookahead=True,
    )


def _missing(found: real_money.Evidence) -> tuple[str, ...]:
    return tuple(condition.name for condition in real_money.conditions(found) if not condition.ok)


def sharpes(equity: np.ndarray) -> np.ndarray:
    """Yearly Sharpe ratios of ``(T, n)`` equities; minus infinity where nothing moved."""
    returns = equity[1:] / equity[:-1] - 1.0
    spread = returns.std(axis=0, ddof=1)
    found = np.full(equity.shape[1], -np.inf)
    np.divide(returns.mean(axis=0), spread, out=found, where=spread > metrics.NO_DEVIATION)
    return np.where(np.isfinite(found), found * metrics.SESSIONS_A_YEAR**0.5, -np.inf)
