"""Where a study is kept: a URL that may carry a password, of which nothing is told."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ...core.errors import BadInput

FORMS = "give sqlite:///PATH or postgresql://USER@HOST/DATABASE"
HIDDEN = "***"
SHORTEST = 3
"""Characters of a piece of a password that is masked in what a driver says; shorter ones are in any sentence."""
_BOUNDS = re.compile(r"[/?#]")
_PIECES = re.compile(r"[@:/?#&=%\s]+")


def parsed(url: str) -> URL:
    """Raises BadInput, without the URL, if it names no database that can hold studies."""
    _check_escapes(url)
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise BadInput(f"The storage is not a URL: {FORMS}.") from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise BadInput(f"A storage of the kind {found.drivername} cannot hold studies: {FORMS}.")
    if found.drivername == "sqlite":
        _check_file(found.database)
    return found


def _check_escapes(url: str) -> None:
    """An unescaped separator ends the password early: what is left of it would be taken for the host and be told."""
    scheme, found, rest = url.partition("://")
    if not found or scheme.startswith("sqlite"):
        return
    before, at, after = rest.partition("@")
    if at and ("@" in after or _BOUNDS.search(before)):
        raise BadInput(
            "The storage's user or password has a character that a URL needs for itself: write @ in the password as %40,"
            " / as %2F, ? as %3F and # as %23."
        )


def _check_file(path: str | None) -> None:
    if path in (None, "", ":memory:"):
        raise BadInput(f"A storage in memory cannot be resumed: {FORMS}.")
    folder = Path(str(path)).parent
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder} for the storage: make it, or correct the path.")


def shown(url: URL) -> str:
    """The URL without its password, for people, logs and records."""
    return url.set(query={}).render_as_string(hide_password=True)


def masked(said: str, url: URL) -> str:
    """What a driver said, without the pieces of the URL's password and options."""
    for piece in sorted(set(_pieces(url)), key=len, reverse=True):
        said = said.replace(piece, HIDDEN)
    return said


def _pieces(url: URL) -> Iterator[str]:
    for secret in map(str, (url.password or "", *_flat(url.query.values()))):
        for text in (secret, unquote(secret), quote(secret, safe="")):
            yield from (part for part in (text, *_PIECES.split(text)) if len(part) >= SHORTEST)


def _flat(values: Any) -> Iterator[str]:
    for value in values:
        yield from (value if isinstance(value, tuple) else (value,))
