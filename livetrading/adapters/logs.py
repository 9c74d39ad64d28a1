"""The log file: one for all processes of a home, rotated, without secrets.

People send logs to others. So the log never contains the home's token, even if it is
part of a reason, an id or an address, and only the last four digits of a broker
account's number.
"""

import fcntl
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path

from ..core.errors import LivetradingError, Unforeseen, in_a_line
from . import private
from .files import make_directory
from .home import Home

MAX_BYTES = 5_000_000
KEPT = 5
_HIDDEN = "***"
_PATTERNS = (
    re.compile(r"(?i)(bearer\s+)[^\s\"',;]+"),
    re.compile(r"(?i)((?:token|password|passwd|secret|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)(?!bearer\b)[^\s\"',;&]+"),
)
FOREIGN = ("asyncio", "eventkit", "ib_async")
"""Loggers that report errors in callbacks of ours."""
AGAIN_SECONDS = 3600.0
"""The same unforeseen error is logged again, with its traceback, after this long."""
logged: dict[tuple[str, ...], float] = {}
_ACCOUNT = re.compile(r"\b(DU|DF|DI|U|F|I)\d{2,5}(\d{4})\b")
"""Numbers of accounts at Interactive Brokers."""
_LONG_ENOUGH = 8
"""Characters; a shorter text would also be found in ordinary words."""
secrets: dict[Path, tuple[object, str]] = {}
"""Files that ``hide`` named, with the state in which each was last read and its content then."""
_mutex = threading.Lock()


def hide(path: Path) -> None:
    """The content of this file is never written to the log, also when the file is made or changed later."""
    secrets.setdefault(path, (None, ""))


def _hidden() -> Iterator[str]:
    """The present secrets; of a file that cannot be read, the last known one."""
    for path, (seen, secret) in list(secrets.items()):
        with suppress(OSError):
            found = os.stat(path)
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            if state != seen:
                secret = path.read_text(errors="replace").strip()
                secrets[path] = (state, secret)
        if len(secret) >= _LONG_ENOUGH:
            yield secret


def caught(logger: logging.Logger, doing: str, error: Exception) -> LivetradingError:
    """A caught error as one of ours; an unforeseen error is logged with its traceback.

    ``doing`` says where it happened, such as "the pass of PPO_INTC_001". The same error
    at the same place is logged once an hour, because a loop may cause it every second.
    """
    if isinstance(error, LivetradingError):
        return error
    key, now = (logger.name, doing, type(error).__name__, _place(error)), time.monotonic()
    if now - logged.get(key, -AGAIN_SECONDS) >= AGAIN_SECONDS:
        for old in [k for k, at in list(logged.items()) if now - at >= AGAIN_SECONDS]:
            logged.pop(old, None)
        logged[key] = now
        logger.error("an error of the program in %s", doing, exc_info=error)
    return Unforeseen(f"An error of the program in {doing}: {in_a_line(error)}; the log holds its traceback.")


def _place(error: Exception) -> str:
    """File and line where it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""


def setup(home: Home, role: str, level: int = logging.INFO) -> Path:
    """Log the package's loggers to ``logs/livetrading.log``; returns its path.

    May be called repeatedly, as a dashboard's script does; the last call
    counts. ``role`` names the process. Raises Unavailable.
    """
    make_directory(home.logs)
    hide(home.token)
    path = home.logs / "livetrading.log"
    with _mutex:
        _attach(path, role, level)
    return path


def _attach(path: Path, role: str, level: int) -> None:
    logging.getLogger("livetrading").setLevel(level)
    for name in ("livetrading", *FOREIGN):
        _attach_to(logging.getLogger(name), path, role)
    threading.excepthook = _thread_died


def _thread_died(args: threading.ExceptHookArgs) -> None:
    """Logs the error that ended a thread."""
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread is not None else "unknown"
        logging.getLogger(__name__).critical("the thread %s ended", name, exc_info=args.exc_value)


def _attach_to(logger: logging.Logger, path: Path, role: str) -> None:
    ours = [handler for handler in logger.handlers if isinstance(handler, SharedFileHandler)]
    if len(ours) == 1 and ours[0].baseFilename == os.path.abspath(path):
        ours[0].setFormatter(_Formatter(role))
        return
    for handler in ours:
        logger.removeHandler(handler)
        handler.close()
    handler = SharedFileHandler(path)
    handler.setFormatter(_Formatter(role))
    logger.addHandler(handler)


class SharedFileHandler(WatchedFileHandler):
    """Rotates by size although several processes write.

    The standard rotating handler continues to write to a file that another
    process has renamed. This one reopens the file by name and renames under a lock.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.max_bytes = max_bytes
        self.kept = kept

    def _open(self) -> TextIOWrapper:
        """Opens the log with rights for its owner alone, whatever the umask."""
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, private.FILE)
        return TextIOWrapper(os.fdopen(fd, "ab"), encoding=self.encoding, errors=self.errors)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; if the disk refuses, the line is lost and the caller continues."""
        try:
            if self._too_long():
                self._rotate()
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """One line on standard error instead of the standard traceback."""
        error = sys.exc_info()[1]
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(
                    f"{self.baseFilename} cannot be written ({error}); free some disk space or correct the path.\n"
                )

    def _too_long(self) -> bool:
        try:
            return os.stat(self.baseFilename).st_size >= self.max_bytes
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        fd = os.open(f"{self.baseFilename}.lock", os.O_RDWR | os.O_CREAT, private.FILE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if self._too_long():  # checked again: another process may have rotated it
                for n in range(self.kept - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        os.rename(f"{self.baseFilename}.{n}", f"{self.baseFilename}.{n + 1}")
                os.rename(self.baseFilename, f"{self.baseFilename}.1")
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


class _Formatter(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {role}[%(process)d] %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        # A message stays on one line, so that it cannot imitate another record. A traceback may have several.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in _hidden():
            text = text.replace(secret, _HIDDEN)
        text = _ACCOUNT.sub(rf"\g<1>{_HIDDEN}\g<2>", text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{_HIDDEN}", text)
        return text
