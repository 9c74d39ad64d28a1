"""Checks the HTTP bridge's answers: any JSON in, values or an error with one sentence out."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ....core.errors import Refused, Unavailable

MOST_BYTES = 20_000_000
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,32}")
_PRICES = ("open", "high", "low", "close")


def encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, allow_nan=False).encode()


def decoded(text: bytes, path: str, url: str) -> Any:
    """The JSON of an answer, ``{}`` for an empty one. Unavailable for anything else."""
    try:
        return json.loads(text or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else short(error)
        raise Unavailable(
            f"The bridge's answer to {path} is not JSON ({why}); check that {url} is the bridge."
        ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def short(value: Any) -> str:
    """A value of the bridge for a message: one line, at most 200 characters."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a very large number"
    try:
        text = value if isinstance(value, str) else str(value) if isinstance(value, Exception) else repr(value)
    except RecursionError:
        text = "something nested too deeply"
    return " ".join(text.split())[:200] or "an empty text"


def finite(value: Any) -> float | None:
    """A number, or a text that is one; None for everything else, truth values and NaN included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def lower(answer: Any) -> dict[str, Any]:
    """A mapping with keys in lower case and without underscores; empty for anything else."""
    return {str(k).lower().replace("_", ""): v for k, v in answer.items()} if isinstance(answer, Mapping) else {}


def mapping(answer: Any, path: str) -> dict[str, Any]:
    if not isinstance(answer, Mapping):
        raise Unavailable(f"The bridge's answer to {path} is {short(answer)} and not a JSON object; check its version.")
    return lower(answer)


def rows(answer: Any, path: str) -> list[Any]:
    """A list, also if it is wrapped in an object. Unavailable if there is none."""
    found = answer
    if isinstance(answer, Mapping):
        found = next((v for v in answer.values() if isinstance(v, list)), None)
    if not isinstance(found, list):
        raise Unavailable(
            f"The bridge's answer to {path} holds no list ({short(answer)}); check that it is connected to TWS."
        )
    return found


def accounts(answer: Any) -> list[str]:
    """Account numbers, from texts or from objects that contain them."""
    found = []
    for row in rows(answer, "/accounts"):
        named = lower(row)
        number = named.get("account") or named.get("id") if named else row
        if not isinstance(number, str) or not _ACCOUNT.fullmatch(number):
            raise Unavailable(
                f"The bridge names {short(number)} as an account, which is not an account number; check that"
                f" it is connected to TWS."
            )
        found.append(number)
    return found


def positions(answer: Any) -> dict[str, int]:
    """Whole shares by symbol. Refused for a fraction of a share, Unavailable for anything but a number."""
    found: dict[str, int] = {}
    for row in map(lower, rows(answer, "/portfolio")):
        symbol, quantity = row.get("symbol"), row.get("position", row.get("quantity"))
        if not isinstance(symbol, str) or not symbol.strip():
            raise Unavailable(f"The bridge reports a position without its symbol ({short(symbol)}); look in TWS.")
        shares = finite(quantity)
        if shares is None:
            raise Unavailable(
                f"The bridge reports {short(quantity)} as the position in {short(symbol)}, which is not a number;"
                f" look in TWS."
            )
        if shares != int(shares):
            raise Refused(
                f"The account holds {shares} shares of {short(symbol)}; only whole shares are traded: sell the"
                f" fraction in TWS."
            )
        found[symbol] = found.get(symbol, 0) + int(shares)
    return found


def bars(answer: Any) -> list[dict[str, Any]]:
    """Bars with keys in lower case; each price in them is a number above 0."""
    inner = answer
    if isinstance(answer, Mapping):
        inner = next((v for k, v in answer.items() if str(k).lower() == "bars"), answer)
    found = [mapping(row, "/historical") for row in rows(inner, "/historical")]
    for bar in found:
        for name in _PRICES:
            price = finite(bar[name]) if name in bar else 1.0
            if price is None or price <= 0:
                raise Unavailable(
                    f"The bridge reports {short(bar[name])} as a bar's {name}; a price is a number above 0."
                )
    return found


def tags(answer: Any) -> dict[str, tuple[float, str]]:
    """tag in lower case -> (value, currency), for tags whose value is a finite number."""
    inner = next((v for v in answer.values() if isinstance(v, list)), None) if isinstance(answer, Mapping) else answer
    if isinstance(inner, list):
        entries = [lower(row) for row in inner]
    else:
        entries = [
            {"tag": tag, **(lower(v) if isinstance(v, Mapping) else {"value": v})}
            for tag, v in (answer.items() if isinstance(answer, Mapping) else ())
        ]
    found: dict[str, tuple[float, str]] = {}
    for row in entries:
        tag, value, currency = row.get("tag"), finite(row.get("value")), row.get("currency", "USD")
        # Some tags, such as AccountType, have a text as value.
        if isinstance(tag, str) and value is not None and isinstance(currency, str):
            found[tag.lower()] = (value, currency)
    return found
