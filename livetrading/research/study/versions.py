"""What must be the same on every machine of a study: packages, Python, and the code that fits and judges."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import livetrading

from ...adapters import packages
from ...core.errors import Refused

ROOT = Path(livetrading.__file__).parent
CODE = ("core", "research", "adapters/policy.py")
"""Below the package: what a trial's outcome follows from."""
OF_A_STUDY = ("optuna", "scipy")


@cache
def ours() -> dict[str, str]:
    """Versions by name; that of livetrading carries a digest of its code."""
    found = {**packages.versions(), **{name: metadata.version(name) for name in OF_A_STUDY}}
    python = ".".join(platform.python_version_tuple()[:2])
    return {**found, "python": python, "livetrading": f"{livetrading.__version__}+{code()}"}


def code() -> str:
    """The first digits of the SHA-256 of the files of CODE, in order of their names."""
    digest = hashlib.sha256()
    for part in CODE:
        path = ROOT / part
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def check(recorded: Mapping[str, str], study: str) -> None:
    """Refused, naming what differs, unless all versions are those that the study began with."""
    here = ours()
    wrong = [
        f"{name} {here.get(name, 'none')} in place of {recorded.get(name, 'none')}"
        for name in sorted(here.keys() | recorded.keys())
        if here.get(name) != recorded.get(name)
    ]
    if wrong:
        raise Refused(
            f"The study {study} began with other versions, and trials of both could not be compared: here is "
            f"{'; '.join(wrong)}. Install those versions, or begin another study with --study NAME."
        )
