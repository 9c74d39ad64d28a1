"""One canonical line for each decided session, so that two runs (backtest and live) can be compared."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

LedgerFill = tuple[str, int, float, float]
"""leg, quantity, price in USD, fee in USD"""


def obs_sha256(observation: np.ndarray) -> str:
    """SHA-256 of a little-endian float32 observation."""
    return hashlib.sha256(np.ascontiguousarray(observation, dtype="<f4").tobytes()).hexdigest()


def row(
    bar: str,
    action: int | None,
    qty: int,
    obs: str | None,
    cash: float,
    equity: float,
    shares: int,
    fills: Iterable[LedgerFill],
) -> dict[str, Any]:
    """A session's ledger row; a MISSED session has neither action nor observation."""
    return {
        "action": None if action is None else int(action),
        "bar": bar,
        "cash": float(cash),
        "equity": float(equity),
        "fills": [[str(leg), int(q), float(price), float(fee)] for leg, q, price, fee in fills],
        "obs": obs,
        "qty": int(qty),
        "shares": int(shares),
    }


def line(entry: dict[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces, shortest floats, ended by a newline."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def text(rows: Iterable[dict[str, Any]]) -> str:
    """A whole ledger."""
    return "".join(map(line, rows))


def sha256(rows: Iterable[dict[str, Any]]) -> str:
    """The ledger's fingerprint: equal ledgers, equal runs."""
    return hashlib.sha256(text(rows).encode()).hexdigest()


def differences(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], names: tuple[str, str]
) -> list[dict[str, Any]]:
    """Each field of each session that differs, with the bar and both sides."""
    found = []
    mine, other = ({entry["bar"]: entry for entry in side} for side in (ours, theirs))
    for bar in sorted(mine.keys() | other.keys()):
        a, b = mine.get(bar), other.get(bar)
        if a is None or b is None:
            found.append({"bar": bar, "field": "session", names[0]: a, names[1]: b})
            continue
        found += [{"bar": bar, "field": key, names[0]: a[key], names[1]: b[key]} for key in a if a[key] != b[key]]
    return found
