"""An error that crosses a border between processes comes back as itself, a subclass as its nearest known kind."""

import pytest

from livetrading.adapters.bars.background import StillFetching
from livetrading.adapters.brokers.ibkr.config import Denied
from livetrading.core import errors
from livetrading.core.errors import (
    BadBars,
    BadInput,
    Conflict,
    Damaged,
    LivetradingError,
    NotFound,
    Refused,
    Unavailable,
    Unforeseen,
    in_a_line,
    kind_of,
    revived,
)

ALL = (LivetradingError, BadInput, BadBars, NotFound, Conflict, Refused, Unavailable, Damaged, Unforeseen)


def test_every_kind_of_this_module_is_known() -> None:
    here = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, LivetradingError)}
    assert here == set(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_comes_back_as_itself(kind: type[LivetradingError]) -> None:
    back = revived(kind_of(kind("why")), "why")
    assert (type(back), str(back), back.http_status) == (kind, "why", kind.http_status)


@pytest.mark.parametrize(
    ("error", "nearest"),
    [
        (Denied("positions", 321, "no"), Unavailable),
        (StillFetching("not yet"), Unavailable),
        (RuntimeError("x"), Unforeseen),
        (KeyError("x"), Unforeseen),
    ],
)
def test_a_subclass_comes_back_as_its_nearest_kind_and_a_foreign_one_as_unforeseen(
    error: Exception, nearest: type[LivetradingError]
) -> None:
    assert type(revived(kind_of(error), "why")) is nearest


@pytest.mark.parametrize("stored", ["", None, "Denied", "SomethingNew", 5, ["Conflict"]])
def test_a_name_of_another_version_is_a_plain_refusal(stored: object) -> None:
    assert type(revived(stored, "why")) is LivetradingError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("two\nlines"), "RuntimeError: two lines"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
    ],
)
def test_any_error_is_told_in_one_line(error: Exception, line: str) -> None:
    assert in_a_line(error) == line
    assert len(in_a_line(RuntimeError("x" * 10_000))) == 200
