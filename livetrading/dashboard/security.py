"""Who may call: the token, the hosts and the origins."""

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from livetrading.adapters.files import temporary_for, unavailable, write_durably
from livetrading.adapters.home import Home
from livetrading.core.errors import BadInput, LivetradingError, Unavailable

TOKEN_FILE = "api_token"
TOKEN_BYTES = 32


class Unauthorized(LivetradingError):
    """The caller did not show the token: read it from the home and send it."""

    http_status = 401


def token(home: Home) -> str:
    """The home's bearer token, made on first use, readable by its owner alone.

    Two processes that make it at once agree on one. Raises Unavailable.
    """
    path = home.root / TOKEN_FILE
    try:
        return _existing(path)
    except FileNotFoundError:
        pass
    temporary = temporary_for(path)
    try:
        write_durably(temporary, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n", mode=0o600)
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
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return text


def check_token(headers: Mapping[str, str], expected: str) -> None:
    """Raises Unauthorized unless ``Authorization: Bearer TOKEN`` is there."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), expected.encode())
    if scheme.lower() != "bearer" or not same:
        raise Unauthorized(
            f"The token is missing or wrong; send 'Authorization: Bearer TOKEN' with the one in {TOKEN_FILE} "
            "of the home."
        )


def check_origin(headers: Mapping[str, str], hosts: Sequence[str]) -> None:
    """A page of another origin may not call. Raises BadInput.

    Programs send no Origin; a browser sends it, and our own pages have the
    Host of the request in it.
    """
    origin = headers.get("origin")
    if origin is None:
        return
    try:
        parts = urlsplit(origin)
        known = parts.scheme in ("http", "https") and parts.hostname in hosts
    except ValueError:
        known, parts = False, urlsplit("")
    if not known or parts.netloc != headers.get("host"):
        raise BadInput(
            "Calls from pages of another origin are refused; call from a program or from the dashboard's own address.",
        )


class SafeHeaders:
    """What every answer of the app tells the browser: no frames, no other hosts."""

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
