"""Numbers in sentences."""


def ordinal(n: int) -> str:
    """``1st``, ``2nd``, ``13th``."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th") if n % 100 not in (11, 12, 13) else "th"
    return f"{n:,}{ending}"


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 problem``, ``2 problems``; ``plural`` where it is not the noun and an s."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
