"""Who may call: the token, the hosts and the origins."""

import hmac
import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from livetrading.adapters import private
from livetrading.adapters.files import temporary_for, unavailable, write_durably
from livetrading.adapters.home import Home
from livetrading.core.errors import BadInput, LivetradingError, Unavailable

TOKEN_BYTES = 32
POLICY_VIOLATION = 1008
"""RFC 6455, 7.4.1."""
ELSEWHERE = "The pages have no sign-in, so they are shown on this computer alone; use an SSH tunnel to 127.0.0.1."


class Unauthorized(LivetradingError):
    """The caller did not send the token, which is in the home."""

    http_status = 401


def token(home: Home) -> str:
    """The home's bearer token, made on first use, readable only by its owner.

    If two processes make it at the same time, both get the same one. Raises Unavailable.
    """
    path = home.token
    try:
        return _existing(path)
    except FileNotFoundError:
        pass
    temporary = temporary_for(path)
    try:
        write_durably(temporary, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        with suppress(FileExistsError):  # a link, unlike a rename, never replaces
            os.link(temporary, path)
        return _existing(path)
    except OSError as error:
        raise unavailable(error, path) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _existing(path: Path) -> str:
    text = path.read_text().strip()
    if len(text) < TOKEN_BYTES:
        raise Unavailable(f"{path} does not hold a token; delete it and a new one is made.")
    if path.stat().st_mode & private.OTHERS:
        path.chmod(private.FILE)
    return text


def check_token(headers: Mapping[str, str], expected: str) -> None:
    """Raises Unauthorized unless ``Authorization: Bearer TOKEN`` is there."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), expected.encode())
    if scheme.lower() != "bearer" or not same:
        raise Unauthorized(
            "The token is missing or wrong; send 'Authorization: Bearer TOKEN' with the one in api_token of the home."
        )


def check_origin(headers: Mapping[str, str], hosts: Sequence[str]) -> None:
    """A page of another origin may not call. Raises BadInput.

    Programs send no Origin; a browser sends it, and our own pages have the
    Host of the request in it.
    """
    origin = headers.get("origin")
    if origin is not None and not _own_page(origin, headers.get("host"), hosts):
        raise BadInput(
            "Calls from pages of another origin are refused; call from a program or from the dashboard's own address."
        )


def _own_page(origin: str, host: str | None, hosts: Sequence[str]) -> bool:
    """Whether a page with this Origin came from the Host that it calls, and that host is allowed."""
    try:
        parts = urlsplit(origin)
        known = parts.scheme in ("http", "https") and any(_matches(parts.hostname or "", one) for one in hosts)
    except ValueError:
        return False
    return known and host is not None and parts.netloc.lower() == host.lower()


def _matches(name: str, allowed: str) -> bool:
    """``*.example.com`` allows every name below it, as in Starlette's own check."""
    return name == allowed.lower() or (allowed.startswith("*.") and name.endswith(allowed[1:].lower()))


class OwnPages:
    """Accepts web sockets only from the app's own pages, and connections only from this computer.

    Streamlit accepts a web socket from a page of any other port of this computer, and from programs,
    which send no Origin; and a web socket can press every button. Programs have the REST routes and
    their token. The address is checked with every connection, because the app may have been started
    by another command than ours.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind in ("http", "websocket") and not _from_this_machine(scope):
            await _refuse(kind, scope, receive, send)
        elif kind == "websocket" and not self._own(Headers(scope=scope)):
            await _refuse(kind, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _own(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        return origin is not None and _own_page(origin, headers.get("host"), self.hosts)


def _from_this_machine(scope: Scope) -> bool:
    """Whether the connection was made to a loopback address."""
    try:
        return ipaddress.ip_address((scope.get("server") or ("",))[0]).is_loopback
    except ValueError:
        return False


async def _refuse(kind: str, scope: Scope, receive: Receive, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # before it was accepted: 403
        return
    await PlainTextResponse(ELSEWHERE, 403)(scope, receive, send)


class SafeHeaders:
    """Adds headers to every answer of the app: no frames, no content from other hosts."""

    POLICY = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: data: blob:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self.POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "DENY"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self.app(scope, receive, send_marked if scope["type"] == "http" else send)
