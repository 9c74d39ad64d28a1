"""Finds out what listens at TWS's address, with a socket of its own before the real connection.

It sends the greeting of every client, with an unused client id; nothing is ordered or
asked for. Each answer, or none, is explained with what to do. When a real TWS gives
which answer is assumed, not known; see docs/IBKR.md.
"""

import re
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from enum import StrEnum

OLDEST, NEWEST = 157, 178
"""Server versions that ib_async 2.1.0 can speak."""
CONNECT_SECONDS, ANSWER_SECONDS, NUDGE_SECONDS = 2.0, 4.0, 1.0
SPARE_CLIENT_ID = 7
"""Added to the configured client id for the greeting, so that no other connection finds its id taken."""
LONGEST = 0xFF_FFFF
"""Bytes of a message; IB's own clients refuse longer ones."""
_OLD = re.compile(rb"(\d{1,3})\0\d{8} ")
_ACCOUNTS, _NEXT_ID, _ERROR, _TAKEN = "15", "9", "4", 326


class Answer(StrEnum):
    """The outcome of the greeting."""

    SPEAKS = "speaks"
    NOTHING_LISTENS = "nothing listens"
    SILENT = "silent"
    CLOSED = "closed"
    HTTP = "http"
    TLS = "tls"
    OTHER = "other protocol"
    OLD = "too old"
    NEW = "too new"
    COMPLAINT = "complaint"
    NO_ACCOUNTS = "no accounts"
    CLOSED_LATER = "closed later"


@dataclass(frozen=True)
class Handshake:
    """``version`` is the server's, 0 if it sent none; ``said`` is its text or bytes, or the socket's error."""

    answer: Answer
    version: int = 0
    said: str = ""
    own_address: str = ""
    accounts: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.answer == Answer.SPEAKS


def shake(host: str, port: int, client_id: int, answer_seconds: float = ANSWER_SECONDS) -> Handshake:
    """Greet the program that listens there. Never raises; takes about 2.5 times ``answer_seconds`` + 2 s at most."""
    try:
        line = socket.create_connection((host, port), CONNECT_SECONDS)
    except (ConnectionResetError, ConnectionAbortedError) as error:  # it was accepted and closed at once
        return Handshake(Answer.CLOSED, said=str(error), own_address=_own(host, port))
    except (OSError, UnicodeError) as error:  # UnicodeError: an impossible host name
        return Handshake(Answer.NOTHING_LISTENS, said=str(error))
    own = ""
    with line:
        try:
            own = str(line.getsockname()[0])
            found = _greet(_Line(line), client_id, answer_seconds)
        except OSError as error:
            found = Handshake(Answer.CLOSED, said=str(error))
    if found.answer in (Answer.CLOSED, Answer.SILENT) and _speaks_tls(host, port):
        found = Handshake(Answer.TLS)
    return Handshake(found.answer, found.version, found.said, own, found.accounts)


def _own(host: str, port: int) -> str:
    """This computer's address as the other side would see it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


class _Closed(OSError):
    pass


class _Line:
    """Bytes from the other side, with a time limit for each wait."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self.data = line, b""

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def frame(self, end: float) -> bytes | None:
        """The next message; None if it is incomplete at ``end`` or not a message. Raises _Closed at the end."""
        while not (self.readable and len(self.data) >= 4 + self._size()):
            if (len(self.data) >= 4 and not self.readable) or not self._more(end):
                return None
        size = self._size()
        payload, self.data = self.data[4 : 4 + size], self.data[4 + size :]
        return payload

    @property
    def readable(self) -> bool:
        return len(self.data) >= 4 and 0 < self._size() <= LONGEST

    def _size(self) -> int:
        return int(struct.unpack(">I", self.data[:4])[0])

    def _more(self, end: float) -> bool:
        left = end - time.monotonic()
        if left <= 0:
            return False
        self._line.settimeout(left)
        try:
            got = self._line.recv(65_536)
        except TimeoutError:
            return False
        except OSError as error:
            raise _Closed(str(error)) from error
        if not got:
            raise _Closed("the connection was closed")
        self.data += got
        return True


def _greet(line: _Line, client_id: int, seconds: float) -> Handshake:
    offer = b"v%d..%d" % (OLDEST, NEWEST)
    line.send(b"API\0" + struct.pack(">I", len(offer)) + offer)
    try:
        payload = line.frame(time.monotonic() + seconds)
        if payload is None and not line.data:
            line.send(b"\r\n\r\n")  # a web server still waits for the end of its request
            payload = line.frame(time.monotonic() + NUDGE_SECONDS)
    except _Closed as error:
        return _foreign(line.data) if line.data else Handshake(Answer.CLOSED, said=str(error))
    if payload is None:
        return _foreign(line.data) if line.data else Handshake(Answer.SILENT)
    fields = payload.decode(errors="replace").split("\0")
    if payload[0] == 0:
        return Handshake(Answer.NEW, said="binary messages")
    if fields[0] == _ERROR and len(fields) >= 5:
        return Handshake(Answer.COMPLAINT, said=f"{fields[3]} {fields[4]}")
    if len(fields) != 3 or not fields[0].isascii() or not fields[0].isdigit():
        return _foreign(payload)
    version = int(fields[0][:6])
    if not OLDEST <= version <= NEWEST:
        return Handshake(Answer.OLD if version < OLDEST else Answer.NEW, version)
    return _begin(line, version, client_id, seconds)


def _begin(line: _Line, version: int, client_id: int, seconds: float) -> Handshake:
    """Log on and wait for the accounts and the next order id, which TWS sends to every client."""
    start = f"71\0002\000{client_id}\0\0".encode()
    line.send(struct.pack(">I", len(start)) + start)
    end, accounts, ready = time.monotonic() + seconds, None, False
    while accounts is None or not ready:
        try:
            payload = line.frame(end)
        except _Closed as error:
            return Handshake(Answer.CLOSED_LATER, version, str(error))
        if payload is None:
            return Handshake(Answer.NO_ACCOUNTS, version)
        fields = payload.decode(errors="replace").split("\0")
        if fields[0] == _ERROR and len(fields) >= 5 and fields[3].isdigit():
            code = int(fields[3])
            if code == _TAKEN:
                return Handshake(Answer.SPEAKS, version)  # only TWS sends this error
            if code < 1100:  # above are notices
                return Handshake(Answer.COMPLAINT, version, f"{code} {fields[4]}")
        ready = ready or fields[0] == _NEXT_ID
        if fields[0] == _ACCOUNTS and len(fields) > 2:
            accounts = tuple(a for a in fields[2].split(",") if a)
    return Handshake(Answer.SPEAKS, version, accounts=accounts)


def _foreign(data: bytes) -> Handshake:
    """Bytes that are not a message of TWS."""
    shown = repr(data[:40])[1:]
    if data.startswith((b"HTTP/", b"<")):
        return Handshake(Answer.HTTP, said=shown)
    if data[:2] in (b"\x15\x03", b"\x16\x03"):
        return Handshake(Answer.TLS, said=shown)
    old = _OLD.match(data)
    if old:
        return Handshake(Answer.OLD, int(old[1]))
    return Handshake(Answer.OTHER, said=shown)


def _speaks_tls(host: str, port: int) -> bool:
    """Whether a TLS greeting is answered; TLS servers usually close the connection after any other greeting."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), NUDGE_SECONDS) as line:
            line.settimeout(NUDGE_SECONDS)
            context.wrap_socket(line, server_hostname=host or None).close()
    except ssl.SSLError as error:
        return "UNEXPECTED_EOF" not in str(error) and "WRONG_VERSION" not in str(error)
    except (OSError, ValueError):
        return False
    return True


# -- in words -----------------------------------------------------------------

_PORTS = "correct ibkr_port: 7497 (TWS paper), 7496 (TWS live), 4002 (Gateway paper), 4001 (Gateway live)"
_CAN = f"this program can speak {OLDEST} to {NEWEST}"


def explain(found: Handshake, where: str) -> tuple[str, str]:
    """A message about ``where``, and what to do (empty if nothing is wrong)."""
    version = f"server version {found.version}" if found.version else "no version"
    address = found.own_address or "this computer's address"
    trusted = (
        f"in TWS's API settings turn Enable ActiveX and Socket Clients on, and add {address} to Trusted IPs or clear"
        f" Allow connections from localhost only"
    )
    dialog = "look at TWS's window: confirm its dialog about the connection, let its login end, or restart it"
    return {
        Answer.SPEAKS: (f"TWS at {where} speaks {version}; {_CAN}", ""),
        Answer.NOTHING_LISTENS: (
            f"{where} does not answer ({found.said})",
            "start TWS or Gateway and log in, let it accept socket clients, or correct ibkr_host and ibkr_port",
        ),
        Answer.SILENT: (f"{where} accepts the connection and says nothing", dialog),
        Answer.CLOSED: (f"{where} accepts the connection and closes it at once", trusted),
        Answer.HTTP: (f"{where} is a web server and not TWS (it answered {found.said})", _PORTS),
        Answer.TLS: (f"{where} speaks TLS, and TWS's API is not encrypted", _PORTS),
        Answer.OTHER: (f"{where} speaks another protocol than TWS (it answered {found.said})", _PORTS),
        Answer.OLD: (f"TWS at {where} speaks {version}, which is too old; {_CAN}", "update TWS or Gateway"),
        Answer.NEW: (
            f"TWS at {where} speaks {version if found.version else found.said}, which is too new; {_CAN}",
            "install an earlier release of TWS or Gateway, one whose API still takes the older text messages",
        ),
        Answer.COMPLAINT: (
            f"TWS at {where} refuses the connection: {found.said.rstrip('.')}",
            "do what TWS says, then try again",
        ),
        Answer.NO_ACCOUNTS: (f"TWS at {where} greets with {version} and then does not name its accounts", dialog),
        Answer.CLOSED_LATER: (f"TWS at {where} greets with {version} and then closes the connection", trusted),
    }[found.answer]
