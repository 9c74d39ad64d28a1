"""Other programs at TWS's port: silent, another protocol, too old, too new, or closing at once."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Act = Callable[[socket.socket], None]


def message(*fields: object) -> bytes:
    payload = "".join(f"{f}\0" for f in fields).encode()
    return struct.pack(">I", len(payload)) + payload


@contextmanager
def listening(act: Act) -> Iterator[int]:
    """A port where ``act`` handles every connection, which stays open until the end unless ``act`` closes it."""
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):  # the server was closed
            while True:
                line, _ = server.accept()
                kept.append(line)
                threading.Thread(target=_acted, args=(act, line), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        for line in kept:
            line.close()


def _acted(act: Act, line: socket.socket) -> None:
    with suppress(OSError):  # the client has gone
        act(line)


def silent(line: socket.socket) -> None:
    pass


def closing(line: socket.socket) -> None:
    line.close()


def resetting(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def closing_after_the_greeting(line: socket.socket) -> None:
    """Reads a client's first message, then closes."""
    line.recv(100)
    line.close()


def saying(data: bytes) -> Act:
    def act(line: socket.socket) -> None:
        line.recv(100)
        line.sendall(data)

    return act


def greeting(version: int, then: Act = silent) -> Act:
    """A TWS that sends its greeting, receives the client's start, and does ``then``."""

    def act(line: socket.socket) -> None:
        line.recv(100)
        line.sendall(message(version, "20240603 09:30:00 EST"))
        line.recv(100)
        then(line)

    return act


def complaining(code: int, text: str) -> Act:
    return saying(message(4, 2, -1, code, text))


@contextmanager
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def encrypted(line: socket.socket) -> None:
    """A server of TLS. It has no certificate, so it answers with an alert and stops."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(line, server_side=True)
    except ssl.SSLError:
        line.close()
