"""What a study's database holds beside Optuna's tables: bars by their SHA-256, and each trial's returns."""

import zlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from sqlalchemy import Connection, insert, select

from ...core.bars import bars_sha256, from_rows, to_rows
from ...core.errors import Damaged
from .storage import Storage
from .tables import BARS

_PIECE = 200_000
"""Bytes of a row: no database refuses that."""


def add_bars(connection: Connection, frames: Iterable[pd.DataFrame]) -> None:
    """Each series once, whoever needs it. One transaction: all of a series or nothing."""
    for frame in frames:
        digest = bars_sha256(frame)
        if connection.execute(select(BARS.c.piece).where(BARS.c.sha256 == digest)).first():
            continue
        content = zlib.compress(_text(frame).encode())
        pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)]
        rows = [{"sha256": digest, "piece": number, "content": piece} for number, piece in enumerate(pieces)]
        connection.execute(insert(BARS), rows)


def bars(storage: Storage, digest: str) -> pd.DataFrame:
    """The canonical bars of that SHA-256, exact to the bit. Damaged if they are not there or are others."""
    with storage.answering(), storage.engine.connect() as connection:
        found = connection.execute(select(BARS.c.content).where(BARS.c.sha256 == digest).order_by(BARS.c.piece))
        content = b"".join(row.content for row in found)
    try:
        rows = [line.split(",") for line in zlib.decompress(content).decode().splitlines()]
        frame = from_rows([[row[0], *map(float, row[1:])] for row in rows])
        same = bars_sha256(frame) == digest
    except (zlib.error, ValueError, IndexError):
        same = False
    if not same:
        raise Damaged(
            f"The bars {digest[:12]}… in the storage {storage.shown} are not those that the study began with: begin "
            "another study with --study NAME."
        )
    return frame


def packed(returns: np.ndarray) -> bytes:
    """Float64 as bytes, compressed."""
    return zlib.compress(np.ascontiguousarray(returns, dtype="<f8").tobytes())


def unpacked(content: bytes) -> np.ndarray:
    return np.frombuffer(zlib.decompress(content), dtype="<f8")


def _text(frame: pd.DataFrame) -> str:
    return "\n".join(",".join([row[0], *map(repr, row[1:])]) for row in to_rows(frame))
