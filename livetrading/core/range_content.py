"""Whether two test ranges are the same test, by what their bars say: another name, scale or file changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from .errors import BadInput
from .market import Market

ALIKE = 0.95
"""Ranges whose returns correlate at least so much are one test: also a vendor's other closes, or a fund's twin."""
LEAST_BY_DATE, LEAST_SHIFTED = 20, 60
"""Common sessions from which a correlation is evidence: on the same dates, and after a shift of the dates."""
EQUAL, SHARE = 2e-4, 0.3
"""Returns that differ by less are equal; where so large a share of the common sessions is equal, it is one test.
By chance a return of 1 % deviation equals another in 1 of 100 sessions."""
FEW = 0.8
"""The share on fewer common dates, which are too few for a correlation."""
SHIFTS = 3


@dataclass(frozen=True, eq=False)
class Content:
    """A range's sessions and, of each, the log return from the close before, splits taken out: ``(N,)`` float64."""

    sessions: tuple[date, ...]
    returns: np.ndarray

    def __post_init__(self) -> None:
        if len(self.sessions) != len(self.returns) or not np.isfinite(self.returns).all():
            raise BadInput("A test range's content needs one finite return for each of its sessions.")


def content_of(market: Market, bars: range) -> Content:
    """The content of sessions ``bars`` of a market; a first bar of the series has return 0."""
    columns, chosen = market.columns, slice(bars.start, bars.stop)
    ratio = columns.close[chosen] * columns.split[chosen] / columns.previous_close[chosen]
    return Content(market.sessions[bars.start : bars.stop], np.log(ratio))


def cut(content: Content, start: date, end: date) -> Content:
    """The part of a content between two dates, both included."""
    kept = [i for i, session in enumerate(content.sessions) if start <= session <= end]
    return Content(tuple(content.sessions[i] for i in kept), content.returns[kept])


def same_test(one: Content, other: Content) -> bool:
    """Whether the ranges share sessions, by date or, if the dates were moved, by their returns."""
    return _by_date(one, other) or _by_shift(one.returns, other.returns)


def _by_date(one: Content, other: Content) -> bool:
    place = {session: i for i, session in enumerate(other.sessions)}
    pairs = [(i, place[session]) for i, session in enumerate(one.sessions) if session in place]
    if not pairs:
        return False
    mine, yours = (
        content.returns[list(at)] for content, at in zip((one, other), zip(*pairs, strict=True), strict=True)
    )
    if len(pairs) < LEAST_BY_DATE:
        return _equal_share(mine, yours) >= FEW
    return _alike(mine, yours)


def _by_shift(one: np.ndarray, other: np.ndarray) -> bool:
    """The shifts at which the two agree best are looked at; found by a fast Fourier transform."""
    size = len(one) + len(other) - 1
    if min(len(one), len(other)) < LEAST_SHIFTED:
        return False
    first, second = (np.fft.rfft(_bounded(values), size) for values in (one, other))
    agreement = np.fft.irfft(first * np.conj(second), size)
    return any(_alike(*_shifted(one, other, int(at), size)) for at in np.argsort(agreement)[-SHIFTS:])


def _bounded(values: np.ndarray) -> np.ndarray:
    """Standardised, and cut at three deviations: one crash must not outweigh a year."""
    spread = values.std()
    return np.clip((values - values.mean()) / spread, -3.0, 3.0) if spread > 0.0 else np.zeros_like(values)


def _shifted(one: np.ndarray, other: np.ndarray, at: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The common part when ``other`` begins at index ``at`` of ``one``; indexes wrap around at ``size``."""
    lag = at if at < len(one) else at - size
    start, stop = max(lag, 0), min(len(one), lag + len(other))
    return one[start:stop], other[start - lag : stop - lag]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    if len(one) < LEAST_BY_DATE:
        return False
    moved = one.std() > 0.0 and other.std() > 0.0
    if moved and len(one) >= LEAST_BY_DATE and float(np.corrcoef(one, other)[0, 1]) >= ALIKE:
        return True
    return _equal_share(one, other) >= SHARE


def _equal_share(one: np.ndarray, other: np.ndarray) -> float:
    """The share of sessions with equal returns; where neither moved says nothing, unless nothing moves anywhere."""
    moving = (np.abs(one) > EQUAL) | (np.abs(other) > EQUAL)
    equal = np.abs(one - other) <= EQUAL
    return float(equal[moving].mean()) if moving.any() else float(equal.mean())


def likeness(series: Sequence[tuple[Sequence[str], np.ndarray]]) -> np.ndarray:
    """``(N, N)`` correlations of tries' returns, each with its sessions, times the share of common sessions.

    1 on the diagonal, 0 between tries without 60 common sessions or where one never moved, and never negative.
    """
    found = np.eye(len(series))
    places = [{session: i for i, session in enumerate(sessions)} for sessions, _ in series]
    for i in range(len(series)):
        for j in range(i):
            common = [(places[i][s], places[j][s]) for s in series[i][0] if s in places[j]]
            if len(common) < LEAST_SHIFTED:
                continue
            at = np.array(common)
            one, other = series[i][1][at[:, 0]], series[j][1][at[:, 1]]
            if one.std() > 0.0 and other.std() > 0.0:
                share = len(common) / min(len(series[i][0]), len(series[j][0]))
                found[i, j] = found[j, i] = share * max(0.0, float(np.corrcoef(one, other)[0, 1]))
    return found
