"""Walk-forward folds: where a training part is cut, so that choices are made on sessions that no fit has seen.

The fit's part grows from fold to fold and always begins with the training part. After it lies an embargo, which
no fit and no validation touches, and then the sessions on which the fold is judged. These follow one another
without a gap, so that the judged equity of all folds is one history.
"""

from dataclasses import dataclass
from itertools import pairwise

from ..core.errors import BadInput

FOLDS = 4
FIRST_SHARE = 0.5
"""Of the training part, what lies before the first validation: a half learns from the start, a half judges."""
EMBARGO = 60
"""Sessions. A reward reaches one session past its decision, a position about 20, and the longest window of a
feature 55 back (``donchian_55``): after 60 sessions a validation's features read no bar that a fit was rewarded for.
Recursive features (``ema_200``) remember longer, with weights that fall."""
MIN_FIT, MIN_VALIDATION = 252, 63
"""Sessions, a year and a quarter: a Sharpe ratio of less says nothing."""


@dataclass(frozen=True)
class Fold:
    """Indexes of the decided sessions that one fit learns from, and of those on which it is judged."""

    number: int
    fit: range
    validation: range


def expanding(
    part: range, count: int = FOLDS, embargo: int = EMBARGO, least: tuple[int, int] = (MIN_FIT, MIN_VALIDATION)
) -> tuple[Fold, ...]:
    """``count`` folds of a training part, in order of time.

    The second half of the part is cut into ``count`` validations whose lengths differ by at most one session.
    Raises BadInput, in one sentence, if ``count`` or the embargo is below 1, or a fold has fewer sessions to
    learn from and to be judged on than ``least``.
    """
    if count < 1:
        raise BadInput(f"folds is {count}; it must be at least 1.")
    if embargo < 1:
        raise BadInput(f"embargo is {embargo}; it must be at least 1 session, as long as a reward reaches.")
    first = int(FIRST_SHARE * len(part))
    judged = len(part) - first
    starts = [part.start + first + judged * number // count for number in range(count + 1)]
    folds = tuple(
        Fold(number, range(part.start, start - embargo), range(start, stop))
        for number, (start, stop) in enumerate(pairwise(starts))
    )
    _check(folds, part, embargo, least)
    return folds


def _check(folds: tuple[Fold, ...], part: range, embargo: int, least: tuple[int, int]) -> None:
    fit = len(folds[0].fit)
    shortest = min(len(fold.validation) for fold in folds)
    if fit < least[0] or shortest < least[1]:
        raise BadInput(
            f"A training part of {len(part)} sessions is too short for {len(folds)} folds: the first would learn from "
            f"{fit} ({least[0]} needed, after an embargo of {embargo}) and the shortest be judged on {shortest} "
            f"({least[1]} needed); choose fewer folds or a wider range."
        )
