"""A quick ``replace`` for the frozen values of a fold, which is run over whole journals."""

from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """As ``dataclasses.replace`` for a frozen dataclass without slots; several times as fast.

    ``__post_init__`` still checks the new value. TypeError for an unknown field.
    """
    fields = vars(value)
    if not changes.keys() <= fields.keys():
        unknown = ", ".join(sorted(changes.keys() - fields.keys()))
        raise TypeError(f"{type(value).__name__} has no field {unknown}")
    new = object.__new__(type(value))
    new.__dict__.update(fields, **changes)
    check = getattr(new, "__post_init__", None)
    if check is not None:
        check()
    return new
