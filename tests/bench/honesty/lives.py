"""Lives without skill: a market in which nothing is to be learned, and a user who tries twenty times in it.

Each life draws its bars, makes twenty tries on the training part (``tries``), lets each trade the test part by the real
rules with its own terms, beside always-long with the same terms, and takes the try with the best test Sharpe ratio to
the gate with a count of twenty. ``any`` is a user without shame: real money if one of the twenty would pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from livetrading.core.market import Market
from livetrading.core.significance import effective_tries
from livetrading.core.types import WARMUP_BARS, Terms
from livetrading.research.scaled import scaled_by, unscaled

from . import series
from .series import Bars
from .tries import Lesson, Try, always_long, eager, seen_of
from .verdict import Account, sharpes, verdict
from .walk import Walked, walk

ROOT = 0x0_1EE7
LENGTHS = (500, 1_150)
CHUNK = 25
"""Lives of one unit of work."""
Drawing = Callable[[np.random.Generator, int, int, int], Bars]
MARKETS: dict[str, Drawing] = {
    "noise": series.noise,
    "drift": lambda rng, n, count, test: series.noise(rng, n, count, test, 0.08),
    "real": series.resampled,
    "real, shared": lambda rng, n, count, test: series.resampled(rng, n, count, test, shared=True),
}
NULLS = ("noise", "drift", "real")
"""Those that are bounded; in ``real, shared`` a pattern of the training part is met again in the test, so that there
is something to be earned."""


@dataclass(frozen=True)
class Chunk:
    """Some lives of one kind of market and length of the test."""

    kind: str
    sessions: int
    number: int

    @property
    def key(self) -> str:
        return f"null/{self.kind}/{self.sessions}/{self.number}"

    def done(self) -> list[dict[str, Any]]:
        """A row a life."""
        where = (list(MARKETS).index(self.kind), self.sessions, self.number)
        rng = np.random.default_rng(np.random.SeedSequence(ROOT, spawn_key=where))
        bars = MARKETS[self.kind](rng, CHUNK, WARMUP_BARS + 5 * self.sessions, self.sessions)
        markets, tries = [], []
        for life in range(CHUNK):
            market, lesson = prepared(bars, life, self.sessions)
            markets.append(market)
            tries.append(eager(rng, lesson))
        return [self._row(accounts) for accounts in lived(markets, tries, self.sessions)]

    def _row(self, accounts: Sequence[Account]) -> dict[str, Any]:
        found = verdict(best_of(accounts), len(accounts))
        luckiest = found.real_money or any(verdict(account, len(accounts)).real_money for account in accounts)
        return {
            "kind": self.kind,
            "sessions": self.sessions,
            **found.to_dict(),
            "any": luckiest,
            "n_effective": round(alike(accounts), 2),
        }


def prepared(bars: Bars, life: int, test: int) -> tuple[Market, Lesson]:
    """A life's market, scaled by its training part, and what is to be learned there."""
    raw = unscaled(bars.frame(life))
    train = range(WARMUP_BARS, len(raw) - test)
    market, _ = scaled_by(raw, train)
    return market, Lesson.of(market, train)


def lived(
    markets: Sequence[Market], tries: Sequence[Sequence[Try]], test: int, capital: float = Terms().capital
) -> list[list[Account]]:
    """Each life's accounts over the last ``test`` sessions, one a try."""
    bars = range(len(markets[0]) - test, len(markets[0]))
    seen = [seen_of(market, bars) for market in markets]
    own = [one.actions(seen[life]) for life, some in enumerate(tries) for one in some]
    long = [always_long(seen[life]) for life, some in enumerate(tries) for one in some]
    limits = [one.limits for some in tries for one in some]
    place = np.repeat(np.arange(len(markets)), [len(some) for some in tries])
    actions = np.stack([*own, *long], axis=1)
    walked = walk(markets, bars, np.tile(place, 2), actions, limits * 2, capital, Terms().costs)
    return [[_account(walked, i, len(own) + i) for i in np.flatnonzero(place == life)] for life in range(len(markets))]


def _account(walked: Walked, own: int, long: int) -> Account:
    equity = walked.equity
    return Account(equity[:, own], walked.held[:, own], int(walked.trades[own]), equity[:, long])


def best_of(accounts: Sequence[Account]) -> Account:
    """The one with the best Sharpe ratio."""
    return accounts[int(np.argmax(sharpes(np.stack([account.equity for account in accounts], axis=1))))]


def alike(accounts: Sequence[Account]) -> float:
    """How many independent tries their returns amount to."""
    equity = np.stack([account.equity for account in accounts])
    returns = equity[:, 1:] / equity[:, :-1] - 1.0
    moving = returns[returns.std(axis=1) > 0.0]
    likeness = np.maximum(np.atleast_2d(np.corrcoef(moving)), 0.0) if len(moving) > 1 else np.eye(len(moving))
    return effective_tries(likeness) + len(returns) - len(moving)


def chunks(kinds: Sequence[str], lives: int) -> list[Chunk]:
    """So many lives of each kind and length, rounded up to whole chunks."""
    return [Chunk(kind, length, k) for k in range(-(-lives // CHUNK)) for kind in kinds for length in LENGTHS]
