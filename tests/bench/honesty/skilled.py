"""Lives with skill: a market without drift, and policies whose own Sharpe ratio there is known.

The market is ``series.signal``. Its twenty tries were taught once, each on sessions of its own, and have terms of their
own, so that they are twenty seeds and terms of one skill; what each is worth is measured on fresh sessions
(``worth``), and ``GAINS`` are the strengths of the market at which it is 1, 1.5, 2, 2.5 and 3.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from livetrading.core import scaler as scalers
from livetrading.core.market import Market
from livetrading.core.metrics import SESSIONS_A_YEAR
from livetrading.core.scaler import Scaler
from livetrading.core.types import WARMUP_BARS
from livetrading.research.scaled import unscaled

from . import series
from .lives import best_of, lived
from .tries import TRIES, Lesson, Try, solved, terms
from .verdict import Account, verdicts

ROOT = 0x0_5C11
GAINS: dict[str, dict[float, float]] = {
    "volume": {1.0: 0.1621, 1.5: 0.2254, 2.0: 0.288, 2.5: 0.3569, 3.0: 0.4273},
    "momentum": {2.0: 0.1375},
}
"""By the kind of signal and the expected Sharpe ratio of the tries; ``worth`` says how near it is."""
CAPITAL = 100_000.0
"""USD: so much that the least commission of an order matters to no choice of terms, and all tries are worth the same."""
SHARPE, SESSIONS = 2.0, 1_150
"""Of the lives that are bounded."""
LENGTHS = (250, 500, 1_150, 2_500, 5_000)
SCHOOLS, SCHOOL = 8, 1_500
"""A try learns from so many series of so many sessions."""
CHUNK = 20
LESSON, FRESH, LIVES = range(3)
"""Roots of what is taught, what measures, and what is lived."""


@dataclass(frozen=True, eq=False)
class Skill:
    """What was taught for one strength of the market: the scaler of all features, and the tries."""

    kind: str
    gain: float
    scaler: Scaler
    tries: tuple[Try, ...]

    def market(self, bars: series.Bars, life: int) -> Market:
        raw = unscaled(bars.frame(life))
        return replace(raw, scaled=self.scaler.transform(raw.scaled))

    def accounts(self, rng: np.random.Generator, lives: int, sessions: int) -> list[list[Account]]:
        """Fresh lives: of each, one account a try over so many sessions."""
        bars = series.signal(rng, lives, WARMUP_BARS + sessions, sessions, self.gain, self.kind)
        markets = [self.market(bars, life) for life in range(lives)]
        return lived(markets, [self.tries] * lives, sessions, CAPITAL)


def _rng(*where: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(ROOT, spawn_key=where))


@lru_cache(maxsize=2)
def skill(kind: str, gain: float) -> Skill:
    """The same for the same strength."""
    rng = _rng(LESSON)
    bars = series.signal(rng, SCHOOLS * TRIES, WARMUP_BARS + SCHOOL, SCHOOL, gain, kind)
    raw = [unscaled(bars.frame(life)) for life in range(SCHOOLS * TRIES)]
    part = range(WARMUP_BARS, WARMUP_BARS + SCHOOL)
    scaler = scalers.fit(np.concatenate([market.scaled[part.start :] for market in raw[:SCHOOLS]]))
    lessons = [Lesson.of(replace(market, scaled=scaler.transform(market.scaled)), part) for market in raw]
    return Skill(kind, gain, scaler, tuple(_taught(rng, Lesson.joined(lessons[k::TRIES])) for k in range(TRIES)))


def _taught(rng: np.random.Generator, lesson: Lesson) -> Try:
    """A ridge of all features with a little inertia, and terms of its own."""
    weights = solved(lesson, np.arange(lesson.seen.shape[1]), float(10.0 ** rng.uniform(1.0, 3.0)))
    inertia = float(rng.uniform(0.1, 0.4)) * float((lesson.seen @ weights).std())
    return Try(weights, inertia, -inertia, replace(terms(rng), stop_atr=float(rng.choice((3.0, 4.0, 5.0)))))


def worth(kind: str, gain: float, lives: int = 100, sessions: int = SESSIONS) -> np.ndarray:
    """``(tries,)``: the yearly Sharpe ratios of all tries on so many fresh series, all sessions pooled."""
    taught, sums, count = skill(kind, gain), np.zeros((2, TRIES)), 0
    for chunk in range(-(-lives // CHUNK)):
        for accounts in taught.accounts(_rng(FRESH, chunk), min(CHUNK, lives - chunk * CHUNK), sessions):
            equity = np.stack([account.equity for account in accounts], axis=1)
            returns = equity[1:] / equity[:-1] - 1.0
            sums += [returns.sum(axis=0), np.square(returns).sum(axis=0)]
            count += len(returns)
    mean = sums[0] / count
    return mean / np.sqrt(sums[1] / count - mean**2) * SESSIONS_A_YEAR**0.5


@dataclass(frozen=True)
class Chunk:
    """Some lives of one kind of signal, expected Sharpe ratio and length of the test."""

    kind: str
    sharpe: float
    sessions: int
    number: int

    @property
    def key(self) -> str:
        return f"skill/{self.kind}/{self.sharpe:g}/{self.sessions}/{self.number}/{self.gain:g}"

    @property
    def gain(self) -> float:
        return GAINS[self.kind][self.sharpe]

    def done(self) -> list[dict[str, Any]]:
        """A row a life: the verdicts on one try, taken before anything was seen, with one recorded look and with twenty;
        and on the best of the twenty with twenty."""
        where = (LIVES, list(GAINS).index(self.kind), round(10 * self.sharpe), self.sessions, self.number)
        rows = []
        for life, accounts in enumerate(skill(self.kind, self.gain).accounts(_rng(*where), CHUNK, self.sessions)):
            best, given = best_of(accounts), accounts[life % TRIES]
            alone, counted = verdicts(given, (1, TRIES))
            chosen = counted if best is given else verdicts(best, (TRIES,))[0]
            rows.append(
                {
                    "kind": self.kind,
                    "expected": self.sharpe,
                    "sessions": self.sessions,
                    "which": next(i for i, account in enumerate(accounts) if account is best),
                    "alone": alone.to_dict(),
                    "counted": counted.to_dict(),
                    "best": chosen.to_dict(),
                }
            )
        return rows


@dataclass(frozen=True)
class Worth:
    """What the tries of one strength are worth by themselves, on 100 fresh series of 1,150 sessions each."""

    kind: str
    sharpe: float

    @property
    def key(self) -> str:
        return f"worth/{self.kind}/{self.sharpe:g}/{GAINS[self.kind][self.sharpe]:g}"

    def done(self) -> list[dict[str, Any]]:
        """One row: a Sharpe ratio a try."""
        found = worth(self.kind, GAINS[self.kind][self.sharpe])
        return [{"kind": self.kind, "expected": self.sharpe, "worth": found.round(3).tolist()}]


def chunks(planted: int, power: int) -> list[Chunk | Worth]:
    """What each strength is worth; so many lives of each kind of signal where they are bounded; and so many of each
    place of the table of power, fewer where they are long."""
    main = next(iter(GAINS))
    wanted = {(kind, SHARPE, SESSIONS): planted for kind in GAINS}
    for sharpe in GAINS[main]:
        for sessions in LENGTHS:
            wanted.setdefault((main, sharpe, sessions), power * SESSIONS // max(SESSIONS, sessions))
    measures = [Worth(kind, sharpe) for kind in GAINS for sharpe in GAINS[kind] if power or sharpe == SHARPE]
    return measures + [Chunk(*place, number) for place, lives in wanted.items() for number in range(-(-lives // CHUNK))]
