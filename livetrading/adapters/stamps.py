"""Instants as text: ISO 8601 in UTC, ended by Z. Standard library only."""

from datetime import UTC, datetime

from ..core.errors import BadInput


def stamp(at: datetime) -> str:
    """``2024-06-03T20:40:00Z``, with microseconds if there are any."""
    if at.tzinfo is None:
        raise BadInput(f"the time {at.isoformat()} has no zone; give it in UTC, ended by Z.")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_stamp(text: str) -> datetime:
    """The instant that ``stamp`` wrote, or any ISO time with a zone, in UTC."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):  # OverflowError: the year does not exist in UTC
        raise BadInput(f"{text!r} is not a time; write it as 2024-06-03T20:40:00Z.") from None
    raise BadInput(f"the time {text!r} has no zone; give it in UTC, ended by Z.")
