"""Account gates: may this program trade this account? A Refused says what to do.

Pure functions. They are called when an agent is deployed, at every start and after
every reconnect, before the first order can be sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from ....core.errors import Refused
from ....core.windows import NEW_YORK

AccountMode = Literal["paper", "live"]
PAPER_PORTS = {7497: "TWS", 4002: "Gateway"}
LIVE_PORTS = {7496: "TWS", 4001: "Gateway"}
PAPER_PREFIX = "DU"
"""Paper account numbers seen so far begin with it; Interactive Brokers does not guarantee it."""

RESTART_BEFORE, RESTART_AFTER = timedelta(minutes=5), timedelta(minutes=10)
TRADING_FROM, TRADING_UNTIL = time(4, 0), time(16, 10)


@dataclass(frozen=True)
class Gate:
    """The configuration: for paper ``account`` may be empty, and the only paper account is used.

    ``confirmed`` is the account number that the user typed for real money. A ``read_only``
    connection does not need it: nothing is ever ordered through it.
    """

    mode: AccountMode
    port: int
    client_id: int
    account: str = ""
    confirmed: str = ""
    read_only: bool = False


def is_paper(account: str) -> bool:
    return account.upper().startswith(PAPER_PREFIX)


def check_settings(gate: Gate) -> None:
    """Raise Refused unless mode, port, account prefix and typed confirmation agree."""
    if gate.mode not in ("paper", "live"):
        raise Refused(f"ibkr_mode is {gate.mode!r}; set it to paper or live.")
    _check_port(gate)
    if gate.mode == "paper":
        if gate.account and not is_paper(gate.account):
            raise Refused(
                f"Account {gate.account} is not a paper account ({PAPER_PREFIX}…), but the mode is paper;"
                f" correct ibkr_account, or set ibkr_mode to live and confirm the account."
            )
        return
    if not gate.account:
        raise Refused("The mode is live but no account is configured; set ibkr_account to its number.")
    if is_paper(gate.account):
        raise Refused(f"Account {gate.account} is a paper account, but the mode is live; set ibkr_mode to paper.")
    if gate.confirmed != gate.account and not gate.read_only:
        typed = f"{gate.confirmed} was typed" if gate.confirmed else "nothing was typed"
        raise Refused(
            f"Real money in account {gate.account} needs its number typed as confirmation, but"
            f" {typed}; give --confirm {gate.account}."
        )


def _check_port(gate: Gate) -> None:
    if gate.mode == "paper" and gate.port in LIVE_PORTS:
        raise Refused(
            f"Port {gate.port} is {LIVE_PORTS[gate.port]}'s live port, but the mode is paper; set"
            f" ibkr_port to 7497 (TWS) or 4002 (Gateway)."
        )
    if gate.mode == "live" and gate.port not in LIVE_PORTS:
        known = PAPER_PORTS.get(gate.port)
        what = f"{known}'s paper port" if known else "no known live port"
        raise Refused(
            f"Port {gate.port} is {what}, but the mode is live; set ibkr_port to 7496 (TWS) or 4001 (Gateway)."
        )


def check_account(gate: Gate, managed: Sequence[str]) -> str:
    """The account to trade, among those that TWS is logged in to. Raises Refused if there is none."""
    check_settings(gate)
    names = ", ".join(managed) or "none"
    if gate.account:
        if gate.account not in managed:
            raise Refused(
                f"TWS is logged in to {names}, not to account {gate.account}; log in there, or correct ibkr_account."
            )
        return gate.account
    paper = [a for a in managed if is_paper(a)]
    if len(managed) == 1 and paper:
        return paper[0]
    if not paper:
        raise Refused(
            f"TWS is logged in to {names}, which is not a paper account ({PAPER_PREFIX}…), but the mode is"
            f" paper; log in to the paper account."
        )
    raise Refused(f"TWS is logged in to several accounts ({names}); set ibkr_account to the one to trade.")


def check_agent(gate: Gate, account: str, agent_account: str, confirmed: str) -> None:
    """Raise Refused unless this is the account that the agent was deployed to."""
    if agent_account != account:
        raise Refused(
            f"The agent was deployed to account {agent_account}, but TWS trades {account}; log in to"
            f" {agent_account}, or deploy the model again."
        )
    if gate.mode == "live" and confirmed != account:
        raise Refused(
            f"The agent has no typed confirmation for account {account}; deploy it again with --confirm {account}."
        )


def read_only(code: int, text: str) -> str | None:
    """What to do if an error says that TWS takes no orders from programs; None for other errors."""
    if code == 321 and "read-only" in text.lower():
        return (
            "TWS is in Read-Only API mode; clear Read-Only API in Global Configuration, API, Settings,"
            " and connect again."
        )
    return None


def client_id_taken(client_id: int) -> str:
    return f"Another program is connected to TWS with client id {client_id}; close it, or set another ibkr_client_id."


def port_name(port: int) -> str:
    """What a port is usually used for."""
    if port in PAPER_PORTS:
        return f"{PAPER_PORTS[port]} paper"
    if port in LIVE_PORTS:
        return f"{LIVE_PORTS[port]} live"
    return "an unfamiliar port"


def near_restart(now: datetime, restart: time | None, zone: str) -> bool:
    """Whether Gateway's daily restart is near. ``restart`` is a time of day in ``zone``, empty for this computer's."""
    if restart is None:
        return False
    local = now.astimezone(ZoneInfo(zone) if zone else None)
    for day in (-1, 0, 1):
        at = datetime.combine(local.date() + timedelta(days=day), restart, local.tzinfo)
        if at - RESTART_BEFORE <= local <= at + RESTART_AFTER:
            return True
    return False


def first_disturbed(restart: time, zone: str, start: date, days: int = 366) -> date | None:
    """The first of ``days`` from ``start`` on which the restart disturbs trading. A year includes both clock changes."""
    every = (start + timedelta(days=n) for n in range(days))
    return next((day for day in every if restart_disturbs(restart, zone, day)), None)


def restart_disturbs(restart: time, zone: str, day: date) -> bool:
    """Whether a restart at this local time falls between 04:00 and 16:10 New York on ``day``."""
    for offset in (-1, 0, 1):
        local = datetime.combine(day + timedelta(days=offset), restart)
        at = local.replace(tzinfo=ZoneInfo(zone)) if zone else local.astimezone()
        start, end = (datetime.combine(day, t, NEW_YORK) for t in (TRADING_FROM, TRADING_UNTIL))
        if start - RESTART_AFTER <= at <= end:
            return True
    return False
