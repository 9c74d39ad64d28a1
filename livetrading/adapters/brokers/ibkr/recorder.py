"""A recording (cassette) of a connection to TWS: messages both ways, without private data, as JSON lines.

The connection only puts bytes into a queue; a separate thread divides them into
messages, scrubs and writes them. An error there ends the recording with a log entry,
and never the connection.

A header, then one line per message: ``t`` seconds since the start, ``c`` the number of
the connection, ``d`` its direction (``>`` to TWS, ``<`` from it, ``!`` an event
``e``), ``f`` the fields.
"""

import atexit
import json
import logging
import os
import queue
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ....core.errors import Unavailable
from ...files import unavailable
from ...stamps import stamp
from .scrub import Scrubber

log = logging.getLogger(__name__)
VARIABLE = "LIVETRADING_IBKR_RECORD"
VERSION = 1
LIMIT_BYTES = 50_000_000
LONGEST = 0xFF_FFFF
"""Bytes of a message of the protocol."""
MOST_HELD = 1_000
"""Lines that wait for the server's version, which belongs in the header."""
MOST_FILES = 1_000
CLOSE_SECONDS = 5.0
_START = b"API\0"


class Recorder:
    """One file for all connections of a process. Opened by the first of them, or by ``open``."""

    def __init__(
        self,
        path: Path,
        *,
        values: bool = False,
        limit: int = LIMIT_BYTES,
        room: int = LIMIT_BYTES,
        source: str = "TWS or Gateway",
    ) -> None:
        """``limit``: bytes of the file; ``room``: bytes that may wait for the disk."""
        self.path, self._limit, self._room, self._source = path, limit, room, source
        self.frames, self.connections, self.trouble = 0, 0, ""
        """Messages written, connections seen, and why the recording ended early, if it did."""
        self._values, self._scrub = values, Scrubber(values)
        self._queue: queue.SimpleQueue[tuple[float, int, str, bytes] | None] = queue.SimpleQueue()
        self._begin, self._waiting, self._written = time.monotonic(), 0, 0
        self._fd, self._mutex = -1, threading.Lock()
        self._thread: threading.Thread | None = None
        self._over, self._held = False, list[bytes]()
        self._headed = False
        self._lines: dict[tuple[int, str], _Cutter] = {}

    # -- in the connection's loop -------------------------------------------

    def tap(self, conn: Any) -> None:
        """Record a connection of ib_async from its first byte. Never raises."""
        try:
            self.open()
        except Unavailable as error:
            self._stop(str(error))
            return
        with self._mutex:
            self.connections += 1
            number = self.connections
        receive, send = conn.data_received, conn.sendMsg

        def data_received(data: bytes) -> None:
            self._put(number, "<", data)
            receive(data)

        def send_message(data: bytes) -> None:
            if conn.transport:
                self._put(number, ">", data)
            send(data)

        # asyncio and the library look up both attributes at each call.
        conn.data_received, conn.sendMsg = data_received, send_message
        conn.disconnected.connect(lambda _: self._put(number, "!", b"closed"), keep_ref=True)

    def _put(self, number: int, direction: str, data: bytes) -> None:
        if self.trouble or self._over:
            return
        self._waiting += len(data)
        if self._waiting > self._room:
            self._stop("the disk is too slow for it")
        else:
            self._queue.put((time.monotonic() - self._begin, number, direction, data))

    # -- the file -----------------------------------------------------------

    def open(self) -> None:
        """Create the file, under a new name if one exists already. Raises Unavailable."""
        with self._mutex:
            if self._thread is not None:
                return
            self.path, self._fd = _created(self.path)
            self._thread = threading.Thread(target=self._work, name="ibkr recorder", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what is in the queue, for some seconds at most."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(CLOSE_SECONDS)

    def _stop(self, why: str) -> None:
        if not self.trouble:
            self.trouble = why
            log.warning("The recording of TWS in %s ended: %s", self.path, why)

    def _work(self) -> None:
        """The thread: no exception of it may reach anybody, and none may be silent."""
        try:
            while (item := self._queue.get()) is not None:
                self._waiting -= len(item[3])
                if not self.trouble:
                    self._take(*item)
            self._header()
        except OSError as error:
            self._stop(str(unavailable(error, self.path)))
        except Exception:
            log.exception("The recording of TWS failed.")
            self._stop("it failed; the log has the traceback")
        finally:
            self._over = True
            os.close(self._fd)

    def _take(self, at: float, number: int, direction: str, data: bytes) -> None:
        line = {"t": round(at, 3), "c": number, "d": direction}
        if direction == "!":
            self._line({**line, "e": data.decode()})
            return
        cutter = self._lines.setdefault((number, direction), _Cutter(direction == ">"))
        for payload in cutter.cut(data):
            if payload is None:
                self._line({**line, "e": "unreadable"})
                continue
            text = payload.decode(errors="backslashreplace")
            fields = text.removesuffix("\0").split("\0")
            version = self._version(number, direction, fields)
            self.frames += 1
            plain = version or (text.startswith("v") and direction == ">")
            self._line({**line, "f": fields if plain else self._scrub.frame(direction == ">", fields)})
            if version:
                self._header(version)

    def _version(self, number: int, direction: str, fields: list[str]) -> int:
        """The server's, if this is its greeting: the first message of a connection."""
        cutter = self._lines[number, direction]
        if direction == "<" and cutter.count == 1 and len(fields) == 2 and fields[0].isdigit():
            self._scrub.version = int(fields[0])
            return int(fields[0])
        return 0

    def _line(self, doc: Mapping[str, Any]) -> None:
        data = json.dumps(doc, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"
        if not self._headed:
            self._held.append(data)
            if len(self._held) > MOST_HELD:
                self._header()
        else:
            self._write(data)

    def _header(self, server_version: int | None = None) -> None:
        if self._headed:
            return
        held, self._held, self._headed = self._held, [], True
        self._line(
            {
                "cassette": "livetrading ibkr",
                "version": VERSION,
                "created": stamp(datetime.now(UTC)),
                "server_version": server_version,
                "client": f"ib_async {metadata.version('ib_async')}",
                "source": self._source,
                "money": "as told" if self._values else "rounded to one digit",
            }
        )
        for data in held:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self.trouble:
            return
        if self._written + len(data) > self._limit:
            self._stop(f"it has reached {self._limit:,} bytes")
            data = b'{"t":0,"c":0,"d":"!","e":"full"}\n'
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._written += len(data)


@dataclass
class _Cutter:
    """Bytes of one direction into messages; None once if they cannot be messages."""

    greets: bool
    data: bytes = b""
    count: int = 0
    foreign: bool = field(default=False)

    def cut(self, data: bytes) -> list[bytes | None]:
        if self.foreign:
            return []
        self.data += data
        if self.greets and len(self.data) >= len(_START):
            self.data, self.greets = self.data.removeprefix(_START), False
        found: list[bytes | None] = []
        while not self.greets and len(self.data) >= 4:
            size = int(struct.unpack(">I", self.data[:4])[0])
            if size > LONGEST:
                self.foreign, self.data = True, b""
                return [*found, None]
            if len(self.data) < 4 + size:
                break
            found.append(self.data[4 : 4 + size])
            self.data, self.count = self.data[4 + size :], self.count + 1
        return found


def _created(path: Path) -> tuple[Path, int]:
    """A new file that only this user can read; no recording is overwritten."""
    for n in range(1, MOST_FILES):
        chosen = path if n == 1 else path.with_name(f"{path.stem}-{n}{path.suffix}")
        try:
            return chosen, os.open(chosen, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise unavailable(error, chosen) from None
    raise Unavailable(f"{path} and {MOST_FILES} files beside it exist; move recordings away.")


_mutex = threading.Lock()
_of_process: dict[str, Recorder] = {}


def from_environment(environ: Mapping[str, str] = os.environ) -> Recorder | None:
    """This process's recorder, if the environment variable names a file. Does not access the disk."""
    name = environ.get(VARIABLE, "").strip()
    if not name:
        return None
    with _mutex:
        if name not in _of_process:
            _of_process[name] = Recorder(Path(os.path.abspath(os.path.expanduser(name))))
            atexit.register(_of_process[name].close)
        return _of_process[name]
