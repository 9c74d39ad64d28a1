"""Numbers in sentences."""


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 problem``, ``2 problems``; ``plural`` where it is not the noun and an s."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
