"""The command line, run as a process of its own: JSON in, JSON out.

A command has an id. A second start of the same id with the same arguments (a double click,
a repeated call) gets the answer of the first. The output goes to files of the home, so that
a command runs to its end when a page is closed or the dashboard restarts.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from livetrading.adapters import private, processes, request_ids
from livetrading.adapters.files import atomic_write, make_directory, unavailable
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.core.errors import BadInput, Conflict, Unavailable

KEPT = 200
POLL_SECONDS = 0.05


class OtherArguments(Conflict):
    """The id was used before, with other arguments."""


@dataclass(frozen=True)
class Answer:
    """The output of a finished command: its JSON object, and its error in one sentence if it failed."""

    values: dict[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class Command:
    """A started command: its answer, log and pid are files named by its id."""

    home: Home
    id: str

    @property
    def out(self) -> Path:
        return self.home.root / "commands" / f"{self.id}.out"

    @property
    def log(self) -> Path:
        return self.out.with_suffix(".log")

    @property
    def pid(self) -> int:
        return int(self.out.with_suffix(".pid").read_text())

    def running(self) -> bool:
        return is_ours(self.pid, self.id)

    def wait(self, timeout: float) -> Answer:
        """The answer. Raises Unavailable if the command takes longer; the command runs on."""
        deadline = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The command still runs after {timeout:.0f} seconds (process {self.pid}); "
                    f"it runs on, and its log is {self.log}."
                )
            time.sleep(POLL_SECONDS)
        return _answer(self.out, self.log)

    def until(self, ready: Callable[[], bool], timeout: float) -> int:
        """Its pid, once ``ready``. Raises Unavailable if it ends or time runs out first."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running():
                raise Unavailable(
                    _answer(self.out, self.log).error or f"The command ended at once; its log is {self.log}."
                )
            if time.monotonic() > deadline:
                raise Unavailable(f"The command is not ready after {timeout:.0f} seconds; its log is {self.log}.")
            time.sleep(POLL_SECONDS)
        return self.pid


def start(home: Home, arguments: Sequence[str], command_id: str | None = None) -> Command:
    """Start ``python -m livetrading ARGUMENTS`` once for an id.

    Raises OtherArguments if the id was used with other arguments, Unavailable if the process cannot be started.
    """
    command = Command(home, _checked(command_id or request_ids.new()))
    make_directory(command.out.parent)
    with FileLock(command.out.parent / "start.lock", mode=private.FILE):
        if not command.out.with_suffix(".pid").exists():
            _forget_old(command.out.parent)
            _launch(command, arguments)
        elif _fingerprint(arguments) != _stored_fingerprint(command, arguments):
            raise OtherArguments(f"The request id {command.id} was used before with another body; give a new id.")
    return command


def _fingerprint(arguments: Sequence[str]) -> str:
    """A fingerprint of the arguments, because a number typed to confirm must not be stored."""
    return hashlib.sha256("\0".join(arguments).encode()).hexdigest()


def _stored_fingerprint(command: Command, arguments: Sequence[str]) -> str:
    """The fingerprint that was stored at the start; a command without one counts as started with these arguments."""
    try:
        return command.out.with_suffix(".words").read_text()
    except FileNotFoundError:
        return _fingerprint(arguments)


def run(home: Home, arguments: Sequence[str], timeout: float, command_id: str | None = None) -> Answer:
    """Start, wait, answer. Raises Unavailable as ``start`` and ``wait`` do."""
    return start(home, [*arguments, "--json"], command_id).wait(timeout)


def interrupt(pid: int, marker: str) -> None:
    """Ask a process of ours to stop, as Ctrl-C would. Raises Conflict if it has ended."""
    if not is_ours(pid, marker):
        raise Conflict(f"Process {pid} has ended already; nothing is left to cancel.")
    os.kill(pid, signal.SIGTERM)  # SIGINT may be ignored, inherited from a background shell


def is_ours(pid: int, marker: str) -> bool:
    """Whether the process is alive and was started by us under this id.

    The system gives a pid again, so its command line must carry the id.
    """
    process = _children.get(pid)
    if process is not None:
        return process.poll() is None
    return processes.carries(pid, marker)


_children: dict[int, subprocess.Popen[bytes]] = {}


def _launch(command: Command, arguments: Sequence[str]) -> None:
    # Python ignores an unknown -X option; ps shows it, and so the id of the command.
    line = [sys.executable, "-X", f"livetrading={command.id}", "-m", "livetrading", *arguments]
    environment = {**os.environ, "LIVETRADING_HOME": str(command.home.root)}
    atomic_write(command.out.with_suffix(".words"), _fingerprint(arguments).encode())
    try:
        with _created(command.out) as out, _created(command.log) as log:
            process = subprocess.Popen(
                line,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the dashboard must not end a training or an emergency stop
            )
    except OSError as error:
        raise unavailable(error, command.out, "started") from None
    _children[process.pid] = process
    threading.Thread(target=_reap, args=(process,), name="reap", daemon=True).start()
    atomic_write(command.out.with_suffix(".pid"), str(process.pid).encode())


def _created(path: Path) -> BinaryIO:
    """An empty file that only its owner can read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, private.FILE), "wb")


def _reap(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    _children.pop(process.pid, None)


def _answer(out: Path, log: Path) -> Answer:
    try:
        values = json.loads(out.read_bytes())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return Answer({}, _last_line(log) or f"The command ended without an answer; its log is {log}.")
    return Answer(values, values.get("error"))


def _last_line(log: Path) -> str | None:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else None


def _checked(command_id: str) -> str:
    if not request_ids.COMMAND.allows(command_id):
        raise BadInput("A request id is 8 to 64 letters, digits, '-' or '_'; leave it out to have one made.")
    return command_id


def _forget_old(directory: Path) -> None:
    newest_first = sorted(directory.glob("*.pid"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[KEPT:]:
        for suffix in (".pid", ".out", ".log", ".words"):
            with suppress(OSError):  # it does no harm if an old file stays
                path.with_suffix(suffix).unlink()
