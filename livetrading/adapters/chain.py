"""The form of a line in the journal: how it is written and checked.

One line is one transaction of at least one event, as canonical JSON (sorted
keys, no spaces) ended by a newline::

    {"at":"2024-06-03T20:40:00Z","events":[...],"hash":H,"prev":P,"seq":N}

``H`` is the SHA-256 of the line without ``"hash"``, ``P`` the hash of the line
before (64 zeros in the first), ``N`` counts from 1 and is the line's number.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from ..core.errors import BadInput
from .jsonio import dump, load
from .stamps import parse_stamp, stamp

GENESIS = "0" * 64
_END = re.compile(rb',"hash":"([0-9a-f]{64})"(,"prev":"([0-9a-f]{64})","seq":([1-9][0-9]*)\})\Z')
_END_BYTES = 200


@dataclass(frozen=True)
class Line:
    """One transaction as it is on disk."""

    seq: int
    at: datetime
    events: list[dict[str, Any]]
    hash: str


@dataclass(frozen=True)
class Tail:
    """The end of a journal: last line, bytes up to its newline, bytes after it."""

    seq: int = 0
    hash: str = GENESIS
    size: int = 0
    torn: int = 0


def encode(events: list[dict[str, Any]], at: datetime, before: Tail) -> tuple[bytes, Line]:
    """The line after ``before``, with its newline. Raises BadInput."""
    if not events or not all(isinstance(event, dict) for event in events):
        raise BadInput("a journal line needs at least one event; give a list of documents.")
    seq = before.seq + 1
    body = dump({"at": stamp(at), "events": events, "prev": before.hash, "seq": seq}, "transaction", sort=True)
    digest = hashlib.sha256(body).hexdigest()
    end = f',"prev":"{before.hash}","seq":{seq}}}'.encode()
    raw = body.removesuffix(end) + f',"hash":"{digest}"'.encode() + end
    return raw + b"\n", decode(raw, seq, digest)


def decode(raw: bytes, seq: int, digest: str) -> Line:
    """A line whose hash was verified. Raises ValueError if it is not a transaction."""
    try:
        fields = load(raw)
        return Line(seq, parse_stamp(fields["at"]), fields["events"], digest)
    except (KeyError, TypeError, BadInput) as error:
        raise ValueError(f"does not hold a transaction ({error})") from None


def verify(line: bytes, before: Tail) -> str:
    """The hash of a line without its newline, if it is whole and continues ``before``.

    Raises ValueError that says what is wrong.
    """
    end = _END.search(line, max(0, len(line) - _END_BYTES))
    if end is None:
        raise ValueError("is not a journal line")
    body = hashlib.sha256(memoryview(line)[: end.start()])
    body.update(end[2])
    if body.hexdigest().encode() != end[1]:
        raise ValueError("does not match its checksum")
    if int(end[4]) != before.seq + 1:
        raise ValueError(f"is numbered {int(end[4])} where {before.seq + 1} is due")
    if end[3].decode() != before.hash:
        raise ValueError("does not continue the line before it")
    return end[1].decode()


def scan(file: BinaryIO) -> Iterator[tuple[bytes, Tail]]:
    """Each verified line without its newline, and the tail that it makes.

    An unfinished last line comes as ``b""`` with its bytes in ``Tail.torn``:
    a line without newline was never acknowledged. Raises ValueError for any
    other fault, in the line after the last one that was yielded.
    """
    tail = Tail()
    for raw in file:
        if raw.endswith(b"\n"):
            digest = verify(raw[:-1], tail)
            tail = Tail(tail.seq + 1, digest, tail.size + len(raw))
            yield raw[:-1], tail
        elif _whole(raw[:-1], tail):  # an interrupted write never leaves a byte after a whole line
            raise ValueError("has another byte where its newline was")
        else:
            yield b"", Tail(tail.seq, tail.hash, tail.size, len(raw))
            return


def _whole(line: bytes, before: Tail) -> bool:
    try:
        verify(line, before)
    except ValueError:
        return False
    return True
