"""A quick ``replace`` for the frozen values of a fold, which is run over whole journals."""

from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """As ``dataclasses.replace`` for a frozen dataclass without slots; several times as fast.

    A ``__post_init__`` still judges the new value. TypeError for a field that is none.
    """
    fields = vars(value)
    if not changes.keys() <= fields.keys():
        unknown = ", ".join(sorted(changes.keys() - fields.keys()))
        raise TypeError(f"{type(value).__name__} has no field {unknown}")
    new = object.__new__(type(value))
    new.__dict__.update(fields, **changes)
    judge = getattr(new, "__post_init__", None)
    if judge is not None:
        judge()
    return new
