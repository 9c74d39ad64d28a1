"""What a planted series obeys: the expected next return as a function of the returns so far.

A law sees one realised log return (close to close) after the other and says what the next one
is drawn with: its mean and its deviation. So everything that the oracle knows is known at the
close of t, and an agent that sees the bars up to t could know it as well (the cycle: the time).
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Next(NamedTuple):
    """The next session's log return, close to close; ``ahead`` is the part of its mean that outlives the session."""

    mean: float
    deviation: float
    ahead: float


class Law(Protocol):
    """Takes the newest log return and says what the next one is drawn with."""

    def after(self, ret: float) -> Next: ...


def sure(mean: float, deviation: float) -> Next:
    """A next return whose whole mean is worth a trade."""
    return Next(mean, deviation, mean)


def bounded(value: float, limit: float) -> float:
    """``value`` within +- ``limit``."""
    return max(-limit, min(limit, value))


@dataclass
class Garch:
    """Variance that follows the squared surprises (Bollerslev 1986), around ``sigma`` squared."""

    sigma: float
    react: float
    keep: float
    variance: float = field(init=False)

    def __post_init__(self) -> None:
        self.variance = self.sigma**2

    def after(self, surprise: float) -> float:
        """The next session's deviation. A surprise beyond 5 deviations counts as 5."""
        square = min(surprise * surprise, 25.0 * self.variance)
        calm = (1.0 - self.react - self.keep) * self.sigma**2
        self.variance = calm + self.react * square + self.keep * self.variance
        return math.sqrt(self.variance)

    def state(self) -> float:
        """The log of the variance over its usual, on a scale of about -1 (calm) to +2 (wild), 0 at its median."""
        return 2.0 * (math.log(self.variance / self.sigma**2) + 0.38)


@dataclass
class Autocorrelation:
    """The mean is ``keep`` times itself plus ``gain`` times the surprise: AR(1) for keep = gain, else slow momentum."""

    sigma: float
    drift: float
    keep: float
    gain: float
    _signal: float = 0.0

    def after(self, ret: float) -> Next:
        surprise = ret - self.drift - self._signal
        self._signal = self.keep * self._signal + self.gain * surprise
        return sure(self.drift + self._signal, self.sigma)


@dataclass
class Cycle:
    """The mean is a sine of the time."""

    sigma: float
    drift: float
    amplitude: float
    period: float
    phase: float
    _t: int = 0

    def after(self, ret: float) -> Next:
        self._t += 1
        angle = 2.0 * math.pi * self._t / self.period + self.phase
        return sure(self.drift + self.amplitude * math.sin(angle), self.sigma)


@dataclass
class VolatilityRegime:
    """The calmer the market, the better the next return: linear in the log of the variance, within bounds."""

    garch: Garch
    drift: float
    slope: float
    _mean: float = 0.0

    def after(self, ret: float) -> Next:
        deviation = self.garch.after(ret - self._mean)
        self._mean = self.drift - self.slope * bounded(self.garch.state(), 2.0)
        return Next(self._mean, deviation, self._mean)


@dataclass
class Threshold:
    """Far from its moving average (in deviations) the price returns; within the threshold nothing is to be known."""

    sigma: float
    drift: float
    pull: float
    beyond: float
    sessions: int
    _distance: float = 0.0

    def after(self, ret: float) -> Next:
        keep = 1.0 - 1.0 / self.sessions
        self._distance = keep * (self._distance + ret)
        usual = self.sigma * keep / math.sqrt(1.0 - keep * keep)
        far = self._distance / usual
        push = -math.copysign(self.pull, far) if abs(far) > self.beyond else 0.0
        return sure(self.drift + push, self.sigma)


@dataclass
class Interaction:
    """Wild times go on, calm times turn back: the sign of the autocorrelation follows the volatility."""

    garch: Garch
    drift: float
    strength: float
    _mean: float = 0.0

    def after(self, ret: float) -> Next:
        deviation = self.garch.after(ret - self._mean)
        follow = self.strength * math.tanh(2.0 * self.garch.state())
        # Within a deviation, so that nothing runs away.
        self._mean = self.drift + bounded(follow * (ret - self.drift), deviation)
        return Next(self._mean, deviation, self._mean)


@dataclass
class HeldThroughCosts:
    """A slow signal worth holding, under a fast one that is as large and costs more to follow than it pays."""

    sigma: float
    drift: float
    keep: float
    slow: float
    fast: float
    _slow: float = 0.0
    _mean: float = 0.0

    def after(self, ret: float) -> Next:
        surprise = ret - self._mean
        self._slow = self.keep * self._slow + self.slow * surprise
        self._mean = self.drift + self._slow - self.fast * surprise
        return Next(self._mean, self.sigma, self.drift + self._slow)
