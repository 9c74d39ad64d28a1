"""The quick replace: as the standard library's, for what a fold is made of."""

from dataclasses import FrozenInstanceError, dataclass, fields
from dataclasses import replace as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.agent import AgentState
from livetrading.core.book import Book
from livetrading.core.frozen import replace
from livetrading.core.orders import Order
from livetrading.core.types import Leg


@dataclass(frozen=True)
class Judged:
    share: float

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("more than all")


@given(st.integers(), st.text(), st.booleans())
def test_it_makes_what_the_standard_library_makes(qty: int, reason: str, flag: bool) -> None:
    order, book, state = Order("k", Leg.ENTRY, 1, "2012-01-26"), Book(), AgentState()
    assert replace(order, qty=qty, reason=reason) == standard(order, qty=qty, reason=reason)
    assert replace(book, num_trades=qty, entries_paused=flag) == standard(book, num_trades=qty, entries_paused=flag)
    assert replace(state, status_reason=reason) == standard(state, status_reason=reason)
    assert (order.qty, book.num_trades, state.status_reason) == (1, 0, "")


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="Book has no field money"):
        replace(Book(), money=1)


def test_a_wrong_value_cannot_be_born() -> None:
    with pytest.raises(ValueError, match="more than all"):
        replace(Judged(0.5), share=2.0)


def test_what_it_made_is_frozen_and_whole() -> None:
    made = replace(Book(), capital=1.0)
    assert vars(made).keys() == {f.name for f in fields(Book)}
    with pytest.raises(FrozenInstanceError):
        made.capital = 2.0  # type: ignore[misc]
