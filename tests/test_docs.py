"""What README and the guides name exists: files, modules, commands, make targets, links, test names."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BELOW = (ROOT, ROOT / "livetrading", ROOT / "livetrading" / "execution", ROOT / "docs")
"""Where a path in a guide may begin: people write `core/bars.py` for `livetrading/core/bars.py`."""
FOLDERS = (
    "livetrading|core|adapters|research|execution|dashboard|cli|tests|docs|pages|state|orders|accounts|trading|stopping"
)


@cache
def commands() -> frozenset[str]:
    """What ``python -m livetrading --help`` lists."""
    run = [sys.executable, "-m", "livetrading", "--help"]
    listed = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return frozenset(re.findall(r"^    ?([a-z][a-z-]+)(?:  |$)", listed, re.MULTILINE))


def missing_paths(text: str) -> set[str]:
    """Paths with a suffix, and paths below `livetrading/` and `tests/`, that do not exist."""
    files = set(re.findall(rf"(?<![\w./<-])(?:{FOLDERS})/[\w/.-]*\w\.(?:py|md|svg|png|toml)\b", text))
    folders = set(re.findall(r"(?<![\w./<-])(?:livetrading|tests)/[\w/.-]*\w", text))
    return {path for path in files | folders if not any((base / path).exists() for base in BELOW)}


def missing_modules(text: str) -> set[str]:
    """Names after ``python -m`` that cannot be run."""
    return {name for name in re.findall(r"python3? -m ([\w.]+\w)", text) if importlib.util.find_spec(name) is None}


def missing_commands(text: str) -> set[str]:
    """First words after ``python -m livetrading`` that are no command."""
    named = re.findall(r"-m livetrading (?:--home \S+ )?([a-z][a-z-]+)", text)
    return set(named) - commands()


def missing_targets(text: str) -> set[str]:
    """Targets that guides name between backquotes or at the start of a line in a block."""
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    named = re.findall(r"`make ([a-z][a-z-]+)", text) + re.findall(r"^make ([a-z][a-z-]+)", blocks, re.MULTILINE)
    return set(named) - set(known)


def missing_links(text: str, folder: Path) -> set[str]:
    """Relative links, without their anchors, to files that are not there."""
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    return {link for link in links if link and not (folder / link).exists()}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_what_a_guide_names_exists(guide: Path) -> None:
    text = guide.read_text("utf-8")
    missing = {
        "paths": missing_paths(text),
        "modules": missing_modules(text),
        "commands": missing_commands(text),
        "make targets": missing_targets(text),
        "links": missing_links(text, guide.parent),
    }
    assert not {kind: names for kind, names in missing.items() if names}


def test_every_command_of_the_architecture_recipes_is_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"pytest ((?:tests/[\w/.]+ ?)+)", text)
    assert named, "the recipes name the tests to run"
    assert all((ROOT / path).exists() for group in named for path in group.split())


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`core/no_such.py`", missing_paths),
        ("`livetrading/no_such`", missing_paths),
        ("python -m tests.no_such", missing_modules),
        ("python -m livetrading --home var/demo no-such", missing_commands),
        ("`make no-such`", missing_targets),
    ],
)
def test_a_name_that_is_gone_is_found(text: str, missing: Callable[[str], set[str]]) -> None:
    assert missing(text)
