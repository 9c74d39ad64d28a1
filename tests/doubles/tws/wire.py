"""Frames of the TWS protocol: a 4-byte length, then text fields each ended by NUL."""

import asyncio
import struct
from typing import Any

UNSET_INT = "2147483647"
UNSET_DOUBLE = "1.7976931348623157E308"


def text(value: Any) -> str:
    """A value as the protocol writes it; None is an empty field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def frame(*fields: Any) -> bytes:
    """One message, ready for the socket."""
    payload = "".join(text(f) + "\0" for f in fields).encode()
    return struct.pack(">I", len(payload)) + payload


async def read_payload(reader: asyncio.StreamReader) -> bytes:
    """The next frame's payload. IncompleteReadError when the peer has gone."""
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    return await reader.readexactly(size)


def split(payload: bytes) -> list[str]:
    """The fields of a payload; the part after the last NUL is empty."""
    return payload.decode().split("\0")[:-1]


async def greeting(reader: asyncio.StreamReader) -> int:
    """The highest protocol version that the client offers: ``v157..178``."""
    assert await reader.readexactly(4) == b"API\0"
    offer = (await read_payload(reader)).decode().split(" ")[0]
    return int(offer.removeprefix("v").split("..")[-1])


def number(field: str, default: float = 0.0) -> float:
    """A numeric field of the client; empty and the unset marks are the default."""
    if field in ("", UNSET_INT, UNSET_DOUBLE):
        return default
    return float(field)
