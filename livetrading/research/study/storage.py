"""The database of studies: Optuna's RDB storage, embedded (SQLite) or shared by many machines (PostgreSQL).

Its URL may carry a password. Nothing here says more of it than ``address.shown``.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import optuna
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from ...adapters import private
from ...adapters.files import unavailable
from ...adapters.home import Home
from ...core.errors import BadInput, Refused, Unavailable
from .address import masked, parsed, shown
from .tables import OURS

BEAT_SECONDS = 10
MISSED = 3
"""A worker that missed so many beats counts as dead."""
_LOCK = 5_711_001
"""Of the advisory lock under which PostgreSQL's tables are made."""
_PATIENCE = 60.0
"""Seconds for which SQLite waits for another process's write."""
_SERVER: dict[str, Any] = {"connect_args": {"connect_timeout": 10}, "pool_size": 1, "max_overflow": 2}
"""One connection stays open: a server has few, and there may be many workers."""


def default_url(home: Home) -> str:
    """The embedded database of a home."""
    return str(URL.create("sqlite", database=str(home.studies / "studies.db")))


class Storage:
    """An open database. ``rdb`` is Optuna's view of it; ``engine`` is for what has to happen in one step."""

    def __init__(self, url: str, beat_seconds: int = BEAT_SECONDS) -> None:
        """Makes the tables if there are none. BadInput for a URL that cannot be used, Unavailable if the database does
        not answer, Refused if another version of Optuna made it."""
        if beat_seconds < 1:
            raise BadInput(f"beat is {beat_seconds}; it must be at least 1 second.")
        self.url = parsed(url)
        self.shown = shown(self.url)
        self.beat_seconds = beat_seconds
        with self.answering(), _alone(self.url):
            self.rdb = _opened(self.url, beat_seconds)
            self.engine: Engine = self.rdb.engine
            OURS.create_all(self.engine)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turns what the database says into one sentence. Unavailable, or Refused for another version's tables."""
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            why = masked(_why(error), self.url)
            raise Unavailable(
                f"The storage {self.shown} does not answer ({why}): nothing is lost; check that it runs and that the "
                "address is right, then start the same command again."
            ) from None
        except RuntimeError as error:
            if "optuna" not in str(error):
                raise
            raise Refused(
                f"The storage {self.shown} was made by another version of Optuna than {optuna.__version__}: choose "
                "another, or upgrade it with `optuna storage upgrade`."
            ) from None

    def close(self) -> None:
        self.rdb.remove_session()
        self.engine.dispose()


def _opened(url: URL, beat_seconds: int) -> RDBStorage:
    sqlite = url.drivername == "sqlite"
    kept = {"connect_args": {"timeout": _PATIENCE}} if sqlite else {**_SERVER, "pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url.render_as_string(hide_password=False),
            engine_kwargs=kept,
            heartbeat_interval=beat_seconds,
            grace_period=MISSED * beat_seconds,
        )


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """While tables are made: two processes that make them at once leave half of them."""
    if url.drivername == "sqlite":
        path = Path(str(url.database))
        _prepare(path)
        with filelock.FileLock(f"{path}.lock", mode=private.FILE):
            yield
        return
    engine = create_engine(url, **_SERVER)
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            yield
    finally:
        engine.dispose()


def _prepare(path: Path) -> None:
    """The file, for its owner alone. Raises Unavailable."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, private.FILE))
    except OSError as error:
        raise unavailable(error, path) from None


def _why(error: BaseException) -> str:
    """The first line of what the database itself said: SQLAlchemy's own text repeats statements and values."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DBAPIError | NoSuchModuleError):
        cause = cause.__cause__
    said = str(getattr(cause, "orig", None) or cause or type(error).__name__)
    return said.strip().splitlines()[0].rstrip(".") if said.strip() else type(error).__name__
