"""ib_async's decoder with checks of the numbers that this program uses.

The library only logs a message that it cannot decode: an end marker may be lost, or
an order stays unknown. It also reads an empty number as 0. Here each number that
this program uses is checked, and ``unreadable`` is called for every message that
cannot be read.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ib_async.decoder import Decoder

from .numbers import UNSET, Unreadable, is_number, number

STATUS, ERROR, OPEN_ORDER, ACCOUNT_VALUE, PORTFOLIO, NEXT_ID, CONTRACT, EXECUTION = 3, 4, 5, 6, 7, 9, 10, 11
HISTORY, TIME, COMMISSION, POSITION, COMPLETED = 17, 49, 59, 61, 101

LAST_ID = 2**31 - 1_000_000
"""Ids are 32-bit integers, and this program continues from the next valid one."""

NEEDED: dict[int, dict[int, str]] = {
    STATUS: {3: "filled quantity", 6: "permId"},
    OPEN_ORDER: {2: "contract id", 14: "quantity", 25: "permId"},
    EXECUTION: {1: "request", 19: "shares", 20: "price", 21: "permId", 24: "cumulative quantity"},
    POSITION: {3: "contract id", 14: "position"},
    COMPLETED: {1: "contract id", 13: "quantity", 23: "permId"},
}
"""Fields of a message that must be numbers, at the server versions 157 to 178."""

UNUSED: dict[int, dict[int, str]] = {
    STATUS: dict.fromkeys((1, 4, 5, 7, 8, 9, 11), "0"),
    ERROR: {2: "-1"},
    OPEN_ORDER: {1: "0", 16: "", 24: "0"},
    EXECUTION: dict.fromkeys((2, 3, 7, 22, 23, 25, 30), "0") | {28: ""},
    COMMISSION: dict.fromkeys((5, 6, 7), "0"),
    POSITION: {7: "0", 15: "0"},
    COMPLETED: {15: ""},
}
"""Numbers that this program does not need, with the value that replaces an unreadable one. A missing average
price becomes 0."""

BAR_FIELDS, FIRST_BAR = ("open", "high", "low", "close", "volume"), 5
REF: dict[int, int] = {OPEN_ORDER: 23, EXECUTION: 26, COMPLETED: 22}
"""The field of a message about an order that has our key."""


class CheckedDecoder(Decoder):
    """Calls ``unreadable(fields, why)`` for each message that could not be processed."""

    def __init__(self, wrapper: Any, unreadable: Callable[[list[str], Exception], None]) -> None:
        super().__init__(wrapper, 0)
        self._unreadable = unreadable

    def wrap(self, method: str, types: list[type], skip: int = 2) -> Callable[[list[str]], None]:
        """Like the library's method, but errors are raised."""

        def read(kind: type, text: str) -> Any:
            if kind is str:
                return text
            return float(text or 0) if kind is float else kind(int(text or 0))

        def handler(fields: list[str]) -> None:
            called = getattr(self.wrapper, method, None)
            if called is not None:
                called(*[read(kind, text) for kind, text in zip(types, fields[skip:], strict=False)])

        return handler

    def interpret(self, fields: list[str]) -> None:
        """Check and decode a message and call the wrapper. Never raises."""
        original = list(fields)
        try:
            message = int(fields[0])
            if message == PORTFOLIO:
                return  # not used: position messages have the same shares
            if message not in self.handlers:
                raise Unreadable(f"message {message} is of a kind that is not known")
            _check(message, fields)
            self.handlers[message](fields)
        except Exception as error:  # one bad message must not stop the next
            self._unreadable(original, error)


def key_of(fields: list[str]) -> str | None:
    """The order reference of a message about an order; None if it has none."""
    at = REF.get(int(fields[0])) if fields and fields[0].isdigit() else None
    return fields[at] if at is not None and at < len(fields) else None


def _check(message: int, fields: list[str]) -> None:
    """Raise Unreadable for an unreadable number that is needed; replace one that is not needed in place."""
    for at, name in NEEDED.get(message, {}).items():
        if at >= len(fields) or not is_number(fields[at]):
            raise Unreadable(f"{name} is {fields[at] if at < len(fields) else 'missing'!r}")
    for at, neutral in UNUSED.get(message, {}).items():
        if at < len(fields) and not _plain(fields[at]):
            fields[at] = neutral
    if message == NEXT_ID:
        number(fields[2], "next order id", 0, LAST_ID)
    elif message == TIME:
        number(fields[2], "time of the server", 1e9, 1e10)
    elif message == EXECUTION:
        number(fields[20], "price", 0.0)
    elif message == COMMISSION and not is_number(fields[3]):
        fields[3] = repr(UNSET)  # not known yet: the library would read an empty field as a fee of 0
    elif message == HISTORY:
        _check_bars(fields)


def _plain(text: str) -> bool:
    return text == "" or (is_number(text) and float(text) != UNSET)


def _check_bars(fields: list[str]) -> None:
    for start, bar in _bars(fields):
        for name, text in zip(BAR_FIELDS, bar[1:6], strict=True):
            number(text, f"{name} of {bar[0]}", 0.0)
        for at in (6, 7):  # the average price and the count of trades
            if not is_number(bar[at]):
                fields[start + at] = "0"


def _bars(fields: list[str]) -> Iterator[tuple[int, list[str]]]:
    count = int(number(fields[4], "number of bars", 0, 1e7))
    if len(fields) < FIRST_BAR + 8 * count:
        raise Unreadable(f"{count} bars are announced and {(len(fields) - FIRST_BAR) // 8} were sent")
    for n in range(count):
        start = FIRST_BAR + 8 * n
        yield start, fields[start : start + 8]
