"""Settings of one home: ``settings.toml``, and ``LIVETRADING_*`` over it."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..core.errors import BadInput
from .files import atomic_write, read_file
from .home import Home

Value = str | int | tuple[str, ...]
_HOST = re.compile(r"[A-Za-z0-9.:_\-\[\]*]+")


@dataclass(frozen=True)
class Settings:
    """Validated at birth: BadInput names the key.

    ``address``, ``port`` and ``allowed_hosts`` are the dashboard's; a check
    runs ``check_delay_minutes`` after the close, for delayed bars need 15.
    """

    address: str = "127.0.0.1"
    port: int = 8501
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    check_delay_minutes: int = 30
    ibkr_host: str = "127.0.0.1"
    ibkr_port: int = 7497
    ibkr_client_id: int = 17
    ibkr_account: str = ""

    def __post_init__(self) -> None:
        _text("address", self.address, _HOST, "a host name or an IP address")
        _whole("port", self.port, 1, 65535)
        if not isinstance(self.allowed_hosts, tuple) or not self.allowed_hosts:
            raise BadInput(f"allowed_hosts is {self.allowed_hosts!r}; it must be a list of host names.")
        for host in self.allowed_hosts:
            _text("allowed_hosts", host, _HOST, "a list of host names")
        # 900 minutes after 16:00 is 07:00, with time left before the open.
        _whole("check_delay_minutes", self.check_delay_minutes, 15, 900)
        _text("ibkr_host", self.ibkr_host, _HOST, "a host name or an IP address")
        _whole("ibkr_port", self.ibkr_port, 1, 65535)
        _whole("ibkr_client_id", self.ibkr_client_id, 0, 2**31 - 1)
        _text("ibkr_account", self.ibkr_account, re.compile(r"[A-Za-z0-9]{0,32}"), "an account number or empty")


def load(home: Home, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises BadInput for an unknown key or a bad value."""
    values = _from_file(home)
    for field in fields(Settings):
        text = environ.get(f"LIVETRADING_{field.name.upper()}")
        if text is not None:
            values[field.name] = _from_text(field.name, text)
    return Settings(**values)


def save(home: Home, key: str, value: Value) -> Settings:
    """Store one setting in the file, the other keys and comments kept.

    Returns the settings of the file. Raises BadInput and writes nothing if the
    key or the value is wrong, Unavailable if the disk refuses.
    """
    values = _from_file(home)
    _require_known(key)
    values[key] = value
    settings = Settings(**values)
    path = home.root / "settings.toml"
    old = (read_file(path) or b"").decode()
    line = f"{key} = {_toml(value)}"
    pattern = re.compile(rf"^[ \t]*{key}[ \t]*=.*$", re.MULTILINE)
    new = pattern.sub(lambda _: line, old, count=1) if pattern.search(old) else _with_line(old, line)
    if _parsed_or_none(new) != _parsed_or_none("\n".join(f"{k} = {_toml(v)}" for k, v in values.items())):
        # A value over several lines cannot be replaced by its first one.
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
        raise BadInput(f"{path} is not TOML ({error}); mend it or delete it.") from None
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


def _toml(value: Value) -> str:
    """A TOML literal: of texts without control characters JSON's form is one."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _with_line(old: str, line: str) -> str:
    return f"{old}{'' if not old or old.endswith(chr(10)) else chr(10)}{line}\n"


def _parsed_or_none(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
