"""The folder of a broker's own commands: ``cli/NAME`` for the broker that is registered as NAME."""

import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType

from ..adapters.brokers.registry import names


def modules(part: str) -> Iterator[ModuleType]:
    """Module ``part`` of every registered broker that has one; a broker without commands of its own has no folder."""
    for name in names():
        room = f"{__package__}.{name}"
        if find_spec(room) is not None and find_spec(f"{room}.{part}") is not None:
            yield importlib.import_module(f"{room}.{part}")
