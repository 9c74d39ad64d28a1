"""Settings of one home: ``settings.toml``; ``LIVETRADING_*`` in the environment overrides it."""

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..core.errors import BadInput
from .files import atomic_write, read_file
from .home import Home

Value = str | int | tuple[str, ...]
_HOST = re.compile(r"[A-Za-z0-9.:_\-\[\]*]+")
_ACCOUNT = re.compile(r"[A-Za-z0-9]{0,32}")
_RESTART = re.compile(r"(([01][0-9]|2[0-3]):[0-5][0-9])?")
_USD = 1_000_000_000
LAST_CLIENT_ID = 2_000_000_000
"""The ids after it are used for connection tests and bars. TWS gives orders made by hand to client 0."""
ACCOUNT_MODES = ("paper", "live")
PAPER_OPENS = ("day", "auction")


@dataclass(frozen=True)
class Settings:
    """Validated when made: BadInput names the key.

    ``address`` (see ``check_address``), ``port`` and ``allowed_hosts`` are the dashboard's; a pass
    runs ``check_delay_minutes`` after the close, because delayed bars need 15 minutes.
    ``ibkr_*`` say where TWS listens and which account is traded there:
    ``ibkr_restart`` is its daily restart (HH:MM, empty for none) in
    ``ibkr_timezone`` (an IANA zone, empty for this computer's);
    ``ibkr_paper_open`` says how a paper account trades the open: by DAY orders,
    or in the auction if the paper account was seen to simulate one. ``max_*`` are limits of
    the whole account; 0 means the account's net liquidation for ``max_capital``
    (USD) and no limit for ``max_order_notional`` (USD).
    """

    address: str = "127.0.0.1"
    port: int = 8501
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    check_delay_minutes: int = 30
    ibkr_host: str = "127.0.0.1"
    ibkr_port: int = 7497
    ibkr_client_id: int = 17
    ibkr_account: str = ""
    ibkr_mode: str = "paper"
    ibkr_restart: str = "23:45"
    ibkr_timezone: str = ""
    ibkr_paper_open: str = "day"
    max_capital: int = 0
    max_day_loss_pct: int = 5
    max_orders_a_day: int = 50
    max_order_notional: int = 0

    def __post_init__(self) -> None:
        _text("address", self.address, _HOST, "a host name or an IP address")
        _whole("port", self.port, 1, 65535)
        if not isinstance(self.allowed_hosts, tuple) or not self.allowed_hosts:
            raise BadInput(f"allowed_hosts is {self.allowed_hosts!r}; it must be a list of host names.")
        for host in self.allowed_hosts:
            _text("allowed_hosts", host, _HOST, "a list of host names")
        # 900 minutes after 16:00 is 07:00, with time left before the open.
        _whole("check_delay_minutes", self.check_delay_minutes, 15, 900)
        self._check_ibkr()
        _whole("max_capital", self.max_capital, 0, _USD)
        _whole("max_day_loss_pct", self.max_day_loss_pct, 1, 100)
        _whole("max_orders_a_day", self.max_orders_a_day, 1, 10_000)
        _whole("max_order_notional", self.max_order_notional, 0, _USD)

    def _check_ibkr(self) -> None:
        _text("ibkr_host", self.ibkr_host, _HOST, "a host name or an IP address")
        _resolvable("ibkr_host", self.ibkr_host)
        _whole("ibkr_port", self.ibkr_port, 1, 65535)
        _whole("ibkr_client_id", self.ibkr_client_id, 1, LAST_CLIENT_ID)
        _text("ibkr_account", self.ibkr_account, _ACCOUNT, "an account number or empty")
        _one_of("ibkr_mode", self.ibkr_mode, ACCOUNT_MODES)
        _text("ibkr_restart", self.ibkr_restart, _RESTART, "a time as HH:MM, such as 23:45, or empty for none")
        _zone("ibkr_timezone", self.ibkr_timezone)
        _one_of("ibkr_paper_open", self.ibkr_paper_open, PAPER_OPENS)


def check_address(address: str | None) -> str:
    """The address under which the dashboard listens, if this computer alone can reach it, else BadInput.

    The pages have no sign-in. A host name can change its address, so localhost is the only name
    accepted. Only the process that serves pages checks this, so a wrong address does not stop a
    scheduler or an emergency stop.
    """
    if address is not None and (address.lower() == "localhost" or _is_loopback(address)):
        return address
    what = (
        "is not set, so every computer on the network" if address is None else f"is {address!r}, which other computers"
    )
    raise BadInput(
        f"The dashboard's address {what} may reach, and its pages have no sign-in; set address to 127.0.0.1 (settings.toml,"
        " LIVETRADING_ADDRESS or --server.address). To see it from elsewhere, make an SSH tunnel there: ssh -L"
        " 8501:127.0.0.1:8501 USER@THIS-COMPUTER, then open http://127.0.0.1:8501."
    )


def _is_loopback(address: str) -> bool:
    """IPv4 only: the pages are not served under ::1."""
    try:
        return ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def load(home: Home, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises BadInput for an unknown key or a bad value."""
    values = _from_file(home)
    for field in fields(Settings):
        text = environ.get(f"LIVETRADING_{field.name.upper()}")
        if text is not None:
            values[field.name] = _from_text(field.name, text)
    return Settings(**values)


def overridden(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Values of the keys that the environment overrides, as text."""
    names = {field.name: f"LIVETRADING_{field.name.upper()}" for field in fields(Settings)}
    return {key: environ[name] for key, name in names.items() if name in environ}


def ibkr_configured(settings: Settings, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether any setting of Interactive Brokers was set."""
    plain = Settings()
    mine = [field.name for field in fields(Settings) if field.name.startswith("ibkr_")]
    said = any(getattr(settings, key) != getattr(plain, key) for key in mine)
    return said or any(key in mine for key in overridden(environ))


def save(home: Home, key: str, value: Value) -> Settings:
    """As ``save_all``, for one setting."""
    return save_all(home, {key: value})


def save_all(home: Home, changes: Mapping[str, Value]) -> Settings:
    """Store settings in the file in one step; other keys and comments are kept.

    Returns the settings of the file. Raises BadInput and writes nothing if a
    key or a value is wrong, Unavailable if the disk refuses.
    """
    values = _from_file(home)
    for key in changes:
        _require_known(key)
    values |= changes
    settings = Settings(**values)
    if "address" in changes:
        check_address(settings.address)
    path = home.root / "settings.toml"
    new = (read_file(path) or b"").decode()
    for key, value in changes.items():
        new = _with_value(new, key, value)
    if _parsed_or_none(new) != _parsed_or_none("\n".join(f"{k} = {_toml(v)}" for k, v in values.items())):
        # Replacing the first line of a value of several lines would break the file.
        new = "".join(f"{k} = {_toml(v)}\n" for k, v in values.items())
    atomic_write(path, new.encode())
    return settings


def _from_file(home: Home) -> dict[str, Any]:
    path = home.root / "settings.toml"
    data = read_file(path)
    if data is None:
        return {}
    try:
        values = tomllib.loads(data.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise BadInput(f"{path} is not valid TOML ({error}); correct it or delete it.") from None
    for key in values:
        _require_known(key)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _from_text(key: str, text: str) -> Value:
    kind = type(getattr(Settings, key))
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise BadInput(f"LIVETRADING_{key.upper()} is {text!r}; it must be a whole number.") from None
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _require_known(key: str) -> None:
    known = [field.name for field in fields(Settings)]
    if key not in known:
        raise BadInput(f"the setting {key} is not known; choose among {', '.join(known)}.")


def _whole(key: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise BadInput(f"{key} is {value!r}; it must be a whole number from {low} to {high}.")


def _text(key: str, value: Any, pattern: re.Pattern[str], what: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadInput(f"{key} is {value!r}; it must be {what}.")


def _resolvable(key: str, host: str) -> None:
    """Refuses a name that no computer can have: parts between its dots are empty or too long (IDNA)."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise BadInput(f"{key} is {host!r}, which cannot be the name of a computer ({error}); correct it.") from None


def _one_of(key: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadInput(f"{key} is {value!r}; it must be {' or '.join(choices)}.")


def _zone(key: str, value: Any) -> None:
    try:
        known = isinstance(value, str) and (not value or bool(ZoneInfo(value)))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, no name of a file, a directory
        known = False
    if not known:
        raise BadInput(
            f"{key} is {value!r}; it must be a zone such as America/New_York or Europe/Berlin, or empty for"
            f" this computer's."
        )


def _toml(value: Value) -> str:
    """A TOML literal: for a text without control characters, JSON's form is valid TOML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _with_value(old: str, key: str, value: Value) -> str:
    line = f"{key} = {_toml(value)}"
    pattern = re.compile(rf"^[ \t]*{key}[ \t]*=.*$", re.MULTILINE)
    if pattern.search(old):
        return pattern.sub(lambda _: line, old, count=1)
    return f"{old}{'' if not old or old.endswith(chr(10)) else chr(10)}{line}\n"


def _parsed_or_none(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
