"""One check of ``doctor``: its name, whether it is passed, what was found, and what to do."""

from typing import Any

Check = dict[str, Any]


def check(name: str, ok: bool, detail: str, cure: str = "") -> Check:
    """``cure`` is what to do; beside a passed check it is advice."""
    return {"name": name, "ok": ok, "detail": detail, "cure": cure}


def failed(name: str, sentence: str) -> Check:
    """A check from an error's sentence: what is wrong; what to do."""
    what, _, cure = sentence.partition("; ")
    return check(name, False, what, cure or "correct what the sentence names")
