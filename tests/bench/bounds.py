"""``python -m tests.bench.bounds``: which draw of each planted series has an oracle of the strength that is wanted.

Prints the table ``planted.DRAWS``. It was made before anything was tuned, and knows of no agent but the oracle and
always-long: the oracle's test Sharpe lies between 1.5 and 4 and well above always-long's.
"""

import sys
from dataclasses import dataclass

from livetrading.core.market import Market
from livetrading.core.types import AgentType, Terms
from livetrading.research import witnesses
from livetrading.research.backtest import RawPolicy
from livetrading.research.evaluation import evaluate
from livetrading.research.scaled import scaled_by, unscaled

from .oracle import Oracle
from .planted import KINDS, Name, Planted, drawn, names

LOWEST, HIGHEST, ABOVE_ALWAYS_LONG = 1.5, 4.0, 1.0
MARGIN = 0.05
"""A draw is taken only well within the bounds: another machine's last bits must not push it out."""
TRAIN_SHARE = 0.8
MOST_DRAWS = 30


@dataclass(frozen=True, eq=False)
class Problem:
    """A planted series made ready: ``unscaled`` features, and its training and test part as ``train`` cuts them."""

    planted: Planted
    unscaled: Market
    train: range
    test: range

    def scaled(self) -> Market:
        """Standardised by the training part."""
        return scaled_by(self.unscaled, self.train)[0]

    def oracle(self, market: Market) -> RawPolicy:
        kind = KINDS[self.planted.name.kind]
        return Oracle(market, self.planted.ahead, kind.enter, kind.leave).raw


def problem(planted: Planted) -> Problem:
    """Features and parts of a planted series."""
    market = unscaled(planted.frame)
    decidable = market.decidable()
    cut = decidable.start + int(TRAIN_SHARE * len(decidable))
    return Problem(planted, market, range(decidable.start, cut), range(cut, decidable.stop))


def sharpe(market: Market, bars: range, policy: RawPolicy) -> float:
    """The Sharpe ratio of a policy on these bars by the default terms; 0 where it is undefined."""
    return evaluate(market, bars, AgentType.PPO, policy, Terms()).measures["sharpe_ratio"] or 0.0


def strength(made: Planted) -> tuple[float, float]:
    """Test Sharpe of the oracle and of always-long."""
    given = problem(made)
    market = given.scaled()
    return sharpe(market, given.test, given.oracle(market)), sharpe(market, given.test, witnesses.always_long)


def fits(made: Planted, margin: float = 0.0) -> bool:
    """Whether the oracle is as strong as wanted."""
    oracle, long = strength(made)
    return LOWEST + margin <= oracle <= HIGHEST - margin and oracle - long >= ABOVE_ALWAYS_LONG + margin


def first_fitting(name: Name) -> int:
    """The first draw that fits."""
    return next(draw for draw in range(MOST_DRAWS) if fits(drawn(name, draw), MARGIN))


def main() -> None:
    for split in ("develop", "report"):
        for name in names(split):
            draw = first_fitting(name)
            if draw:
                print(f'    ("{name.kind}", "{name.split}", {name.index}): {draw},', flush=True)
        print(f"{split} done", file=sys.stderr)


if __name__ == "__main__":
    main()
