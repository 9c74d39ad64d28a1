"""JSON that reads back as it was written: no NaN, only plain types."""

import math
from typing import Any

import orjson

from ..core.errors import BadInput


def plain(value: Any, where: str = "value") -> Any:
    """A copy made of dict, list, str, int, float, bool and None alone.

    orjson would write NaN and infinity as null, and a price must not become null
    silently, so they are refused. Subclasses (enums, NumPy's float64) become their
    base. Raises BadInput that names the place.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise BadInput(f"{where} is {float(value)}, which JSON cannot hold; give a finite number or nothing.")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise BadInput(f"{where} has the key {key!r}; keys of a document must be text.")
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise BadInput(f"{where} is a {kind.__name__}, which JSON cannot hold; convert it to a number or to text.")


def dump(value: Any, where: str = "value", *, sort: bool = False) -> bytes:
    """Compact UTF-8 JSON of ``plain(value)``; floats by their shortest repr."""
    try:
        clean = value if _is_plain(value) else plain(value, where)
        return orjson.dumps(clean, option=orjson.OPT_SORT_KEYS if sort else 0)
    except TypeError as error:  # integers beyond 64 bits, lone surrogates
        raise BadInput(
            f"{where} cannot be written as JSON ({error}); shorten the number or correct the text."
        ) from None


def _is_plain(value: Any) -> bool:
    """The usual case, checked without a copy and without naming places."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    if kind is list:
        return all(map(_is_plain, value))
    return kind is str or kind is int or value is None or kind is bool


def load(data: bytes) -> Any:
    """Raises ValueError if the bytes are not JSON."""
    return orjson.loads(data)
