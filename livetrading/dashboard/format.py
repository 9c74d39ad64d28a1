"""Numbers and times as a person reads them. None is shown as a dash."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
DASH = "–"


def money(value: float | None) -> str:
    """``$100,523.04``; cents are always shown."""
    if value is None:
        return DASH
    return f"−${-value:,.2f}" if round(value, 2) < 0 else f"${abs(value):,.2f}"


def signed_money(value: float | None) -> str:
    """``+$523.04``, ``−$559.50``; a rounded zero has no sign."""
    if value is None:
        return DASH
    return f"{_sign(value, 2)}${abs(value):,.2f}"


def price(value: float | None) -> str:
    """Dollars a share: cents from 1 USD up, four digits below."""
    if value is None:
        return DASH
    return f"${value:,.2f}" if abs(value) >= 1 else f"${value:,.4f}"


def percent(value: float | None, digits: int = 2) -> str:
    """A percentage that is already in percent."""
    if value is None:
        return DASH
    return f"{'−' if round(value, digits) < 0 else ''}{abs(value):,.{digits}f}%"


def signed_percent(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{_sign(value, 2)}{abs(value):,.2f}%"


def number(value: float | None, digits: int = 2) -> str:
    if value is None:
        return DASH
    return f"{'−' if round(value, digits) < 0 else ''}{abs(value):,.{digits}f}"


def sharpe(value: float | None) -> str:
    """A Sharpe ratio, which is undefined for an equity that never moves."""
    return "undefined" if value is None else number(value)


def signed(value: float) -> str:
    """``+0.58``, ``−0.47``"""
    return f"{_sign(value, 2)}{abs(value):,.2f}"


def count(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f}"


def markdown(text: str) -> str:
    """For Markdown, where a dollar sign starts a formula and a line may break after a minus."""
    return text.replace("−$", "−\u2060$").replace("$", r"\$")


def tone(value: float | None) -> str:
    """The style class of a gain, a loss, or neither."""
    if value is None or round(value, 2) == 0:
        return "lt-muted"
    return "lt-up" if value > 0 else "lt-down"


def moment(value: str | datetime) -> datetime:
    """An aware UTC time from ``2024-06-03T20:40:00Z``."""
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def new_york(value: str | datetime | None) -> str:
    """``Mon 3 Jun 2024, 16:40 New York``."""
    if value is None:
        return DASH
    local = moment(value).astimezone(NEW_YORK)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} New York"


def day_and_time(value: str | datetime | None) -> str:
    """``3 Jun 2024, 16:40 New York``: without the weekday."""
    return new_york(value).partition(" ")[2] or DASH


def clock(value: str | datetime) -> str:
    """``2024-06-03 16:40:05`` in New York; the heading of the column says so."""
    return f"{moment(value).astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"


def masked(account: str | None) -> str:
    """``•••4567``: only the last four characters of an account's number."""
    return f"•••{account[-4:]}" if account else DASH


def duration(seconds: float | None) -> str:
    """``8 s``, ``2 min 05 s``, ``3 h 10 min``, ``4 d``."""
    if seconds is None:
        return DASH
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d"


def _sign(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return "+" if rounded > 0 else "−" if rounded < 0 else ""
