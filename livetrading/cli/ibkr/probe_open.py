"""``doctor --probe-open``: does this paper account simulate the opening auction?

One share is bought by a market-on-open order and sold again; the result is stored
as ``ibkr_paper_open``. The probe has its own client id and order key, and takes no
stock that an agent trades. If a probe was cut short, the next run finishes it: it
cancels the order or sells the share, and reports that.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from ...adapters import settings
from ...adapters.brokers.base import Health
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.brokers.ibkr import evidence, handshake
from ...adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from ...adapters.brokers.ibkr.config import Timing
from ...adapters.brokers.ibkr.orders import Instrument
from ...adapters.brokers.ibkr.setup import config_of
from ...adapters.brokers.ibkr.words import WORDS
from ...adapters.calendar import calendar
from ...adapters.halt import HaltLatch
from ...adapters.home import Home
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core import windows
from ...core.errors import BadInput, Conflict, LivetradingError, Refused, Unavailable
from ...execution.state import queries
from ..acting import utc_now
from . import probe_record
from .probe_record import Record
from .probe_steps import Probe, left

READY_SECONDS = 30.0


def probe(
    home: Home,
    confirm: str,
    symbol: str,
    *,
    clock: Callable[[], datetime] = utc_now,
    pause: Callable[[float], None] = time.sleep,
    timing: Timing = Timing(),
) -> dict[str, Any]:
    """Buy a share at the open and sell it, or end an earlier probe. Refused outside its window or without consent."""
    chosen, store, today = settings.load(home), Store(home), clock().astimezone(windows.NEW_YORK).date()
    if chosen.ibkr_mode != "paper":
        raise Refused("The opening auction is probed on a paper account alone; set ibkr_mode to paper first.")
    known = probe_record.load(store)
    unfinished = [r for r in known if not r.done]
    if not unfinished:
        _may_try(home, symbol, today, clock())
    # A scheduler that runs keeps its client id; IB lets only the one that placed an order cancel it.
    client_id = unfinished[0].client_id if unfinished else chosen.ibkr_client_id + 1
    with IbkrConnection(replace(config_of(chosen, client_id=client_id), timing=timing), clock) as connection:
        health = connection.wait_ready(READY_SECONDS)
        if not health.ready:
            raise _not_ready(chosen, health, unfinished)
        _agreed(health.account, confirm)

        mine = [r for r in unfinished if r.account == health.account]
        if mine:
            runs = (_run(home, connection, r, _instrument(connection, r), confirm, clock, pause) for r in mine)
            done = [_ended(home, run, run.record.day == today) for run in runs]
            return done[-1] | {"message": (text := " ".join(d["message"] for d in done)), "text": text}
        if unfinished:
            _may_try(home, symbol, today, clock())
        before = next((r for r in known if r.day == today and r.account == health.account), None)
        if before is not None:
            return _answer(before, f"The probe of {before.session} is over; probe again on another day.")
        instrument = connection.instrument(symbol)
        record = Record(today.isoformat(), health.account, symbol, instrument.con_id, instrument.primary, client_id, 0)
        made = _run(home, connection, record, instrument, confirm, clock, pause)
        made.count()
        return _ended(home, made, True)


def _run(
    home: Home,
    connection: IbkrConnection,
    record: Record,
    instrument: Instrument,
    confirm: str,
    clock: Callable[[], datetime],
    pause: Callable[[float], None],
) -> Probe:
    broker = IbkrBroker(connection, probe_record.PREFIX, instrument, gate=lambda number: _agreed(number, confirm))
    return Probe(
        broker,
        record,
        lambda r: probe_record.save(Store(home), r),
        lambda: HaltLatch(home).status() is not None,
        clock,
        pause,
    )


def _may_try(home: Home, symbol: str, today: date, now: datetime) -> None:
    known = calendar()
    if not known.is_session(today) or not _within_hours(today, known.close_at(today), now):
        raise Refused(
            f"The opening auction is probed between 04:00 and 09:20 New York on a session, and it is"
            f" {now.astimezone(windows.NEW_YORK):%A %H:%M} there; try again then."
        )
    if _agent_trades(home, symbol):
        raise Conflict(f"An agent trades {symbol} in this account; choose another stock with --symbol.")


def _agent_trades(home: Home, symbol: str) -> bool:
    return any(a["mode"] == WORDS.name and a["symbol"] == symbol for a in queries.agents(Store(home)))


def _within_hours(today: date, close: datetime, now: datetime) -> bool:
    """From the first minute in which it may send an order to the last in which it may sell."""
    return windows.at(today, windows.OPG_FROM) <= now <= windows.day_until(close)


def _agreed(account: str, confirm: str) -> None:
    if not gates.is_paper(account):
        raise Refused(f"Account {account} is not a paper account; log in to one before the opening auction is probed.")
    if confirm != account:
        raise BadInput(
            f"Probing buys one share in paper account {account} and sells it again; agree with --confirm {account}."
        )


def _not_ready(chosen: settings.Settings, health: Health, unfinished: list[Record]) -> Unavailable:
    """Why there is no connection, and which order or share of a probe waits for it."""
    found = handshake.shake(chosen.ibkr_host, chosen.ibkr_port, chosen.ibkr_client_id + handshake.SPARE_CLIENT_ID)
    why = health.detail
    if not found.ok:
        why = "; ".join(handshake.explain(found, f"{chosen.ibkr_host}:{chosen.ibkr_port}")) + "."
    return Unavailable(left(unfinished[0], why) if unfinished else why)


def _instrument(connection: IbkrConnection, record: Record) -> Instrument:
    try:
        return connection.instrument(record.symbol, record.con_id, record.primary)
    except LivetradingError as error:
        raise Unavailable(left(record, str(error))) from error


def _ended(home: Home, run: Probe, today: bool) -> dict[str, Any]:
    """Finish a probe. The error of one that cannot be finished names the share and what to do."""
    problems: list[str] = []
    try:
        run.buy()
        _learn(home, run, problems)
        if run.record.held and _agent_trades(home, run.record.symbol):
            run.note(done=True)
            raise Conflict(
                f"An agent trades {run.record.symbol} now, so the share that the probe bought in account"
                f" {run.record.account} is yours now; sell it in TWS and press Ignore on the difference."
            )
        run.sell()
    except KeyboardInterrupt:
        if not run.record.sent:
            probe_record.forget(Store(home), run.record)
            raise
        raise Unavailable(left(run.record, "it was interrupted")) from None
    except (Unavailable, Refused) as error:
        if not run.record.sent:
            probe_record.forget(Store(home), run.record)
            raise
        raise Unavailable(left(run.record, str(error))) from error
    except Conflict:
        if not run.record.sent:
            probe_record.forget(Store(home), run.record)
        raise
    if problems:
        raise Unavailable(f"{' '.join(run.report)} {problems[0]}")
    first = "" if today else f"The probe of {run.record.session} is ended."
    return _answer(run.record, " ".join([first, *run.report]).strip())


def _learn(home: Home, run: Probe, problems: list[str]) -> None:
    """Store the result. An error here is only noted, so that the share is still sold."""
    record = run.record
    try:
        if record.policy:
            settings.save(home, "ibkr_paper_open", record.policy)
        if run.proof is not None:
            version = run.broker.connection.server_version()
            how = f"market-on-open order {record.key('entry')}: {'filled' if run.proof else 'not filled'} at the open"
            found = evidence.Proof("paper-auction", run.proof, stamp(run.clock()), version, "paper", how)
            evidence.record(Store(home), found)
    except LivetradingError as error:
        problems.append(str(error))


def _answer(record: Record, done: str) -> dict[str, Any]:
    account, policy = record.account, record.policy
    seen = {
        "auction": f"The market-on-open order for {record.symbol} filled at the open: {account} simulates the auction.",
        "day": f"The market-on-open order for {record.symbol} did not fill at the open: {account} gets DAY orders from"
        f" 09:30.",
        "": "Whether the account simulates the auction was not found out; probe again on another morning.",
    }[policy]
    stored = f"ibkr_paper_open is {policy} now; the scheduler uses it after its next start." if policy else ""
    if policy and "ibkr_paper_open" in settings.overridden():
        stored = f"Stored is {policy}, but LIVETRADING_IBKR_PAPER_OPEN in the environment decides."
    text = " ".join(part for part in (seen, stored, done) if part)
    return {"paper_open": policy or None, "account": account, "symbol": record.symbol, "message": text, "text": text}
