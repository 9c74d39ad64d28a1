"""The sweep of exceptions over three agents of one account at the TWS double; ``exceptions`` runs it.

Each trial is a separate life, because the double's ledger cannot be restored. The other two agents' fills are
those of an undisturbed life, the account holds what the books say, and the agent that failed is blocked with
a working stop, or continued by itself.
"""

import logging
import random
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from livetrading.adapters import logs
from livetrading.core.events import Filled
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution import pass_runner
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import requests
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from tests.doubles.account_life import AccountLife, in_account
from tests.doubles.lives import FIRST, Cycler, at
from tests.doubles.series import generated
from tests.doubles.tws import TwsDouble
from tests.faults.exceptions import AGENTS, INJECTED, SEED, A, B, C, Place, Tracebacks, entered, raising

DAYS = 3
Step = tuple[str, Callable[[AccountLife], None]]
FRAME = generated(1, FIRST + DAYS + 3)


def _pass(t: int, clock: str) -> Step:
    def run(life: AccountLife) -> None:
        life.now = at(life.sessions[FIRST + t], clock)
        for _ in range(2):  # a failure is tried again
            pass_runner.run(life.node, life.now, _go_on)

    return f"{t} {clock}", run


def _go_on() -> bool:
    return True


def _exchange(t: int) -> list[Step]:
    return [(f"{t} opens", lambda life: life.opens(FIRST + t)), (f"{t} trades", lambda life: life.trades(FIRST + t))]


def story() -> list[Step]:
    """Bought, held with its stop, sold, bought again: passes, and between them what the exchange does."""
    steps = [_pass(0, "16:40")]
    for t in range(1, DAYS + 1):
        opens, trades = _exchange(t)
        steps += [_pass(t, "08:00"), opens, _pass(t, "09:33"), trades, _pass(t, "15:00"), _pass(t, "16:40")]
    return steps


@dataclass
class Lived:
    """The result of a life."""

    fills: dict[str, list[tuple[str, int, float]]] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    struck: bool = False
    blocked: bool = False


Keys = dict[Place, tuple[CodeType, CodeType]]


def lived(root: Path, place: Place | None, keys: Keys) -> Lived:
    """One life; it fails at ``place``, or without one the places are recorded in ``keys``."""
    with TwsDouble(157) as tws:
        tws.ledger.cash = 1_000_000.0
        life = in_account(root, FRAME, Cycler(1), tws)
        try:
            for agent_id in AGENTS:
                answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"), request_id=f"create-{agent_id}")
                assert answer["status"] == "done", answer
            return _lived(life, place, keys)
        finally:
            life.node.close()


def _lived(life: AccountLife, place: Place | None, keys: Keys) -> Lived:
    done, tracebacks, logger = Lived(), Tracebacks(), logging.getLogger("livetrading")
    logs.logged.clear()
    logger.addHandler(tracebacks)
    try:
        for number, (_, act) in enumerate(story()):
            here = place is not None and place.step == number
            watch: Any = entered(number, keys) if place is None else raising(keys[place]) if here else nullcontext([])
            with watch as struck:
                act(life)
            done.struck |= bool(struck)
            if here:
                done.blocked = life.node.repositories[B].state.status == AgentStatus.BLOCKED
                done.wrongs += _naked(life)
                if done.blocked and INJECTED not in life.node.repositories[B].state.status_reason:
                    done.wrongs.append(f"blocked for {life.node.repositories[B].state.status_reason!r}")
                if done.blocked:
                    _started_again(life)
    except Exception as error:  # what would have ended the process
        logging.getLogger(__name__).exception("%s", place)
        done.wrongs.append(f"it ended the process: {type(error).__name__}: {error}")
    finally:
        logger.removeHandler(tracebacks)
    if done.struck and not tracebacks.logged:
        done.wrongs.append("no traceback in the log")
    done.wrongs += _at_the_end(life)
    for agent_id in AGENTS:
        events = [e for _, batch in events_of(life.home.agent(agent_id)) for e in batch]
        done.fills[agent_id] = [(e.key, e.qty, e.price) for e in events if isinstance(e, Filled)]
    return done


def _started_again(life: AccountLife) -> None:
    requests.submit(life.store, "start", agent_id=B, by="test", now=life.now)
    AgentManager(life.node).apply_pending(life.now)


def _naked(life: AccountLife) -> list[str]:
    """After the disturbed pass and the next one a position has its stop, or an exit that sells it."""
    state = life.node.repositories[B].state
    mine = [o for o in life.tws.ledger.open_orders() if o.ref.startswith(f"{B}:")]
    working = [o for o in mine if o.action == "SELL" and not o.waits]
    covered = sum(o.remaining for o in working)
    return (
        []
        if covered == state.book.shares
        else [f"{covered} of {state.book.shares} shares are covered: {state.status_reason}"]
    )


def _at_the_end(life: AccountLife) -> list[str]:
    states = [AgentRepository(life.home, a).state for a in AGENTS]
    book, theirs = sum(s.book.shares for s in states), life.tws.ledger.holds("TEST")
    wrongs = [] if book == theirs else [f"the books hold {book}, the account {theirs}"]
    mine = [o for o in life.tws.ledger.open_orders() if o.ref.startswith(f"{B}:")]
    if len({o.ref for o in mine}) != len(mine):
        wrongs.append("an order works twice")
    on_sale = sum(o.qty for o in states[1].open_orders() if o.leg != Leg.ENTRY and o.at_broker)
    if on_sale > states[1].book.shares and not states[1].open_orders(Leg.ENTRY):
        wrongs.append(f"{on_sale} of {states[1].book.shares} shares are on sale")
    return wrongs


def run(root: Path, trials: int, until: float) -> tuple[int, int, list[str]]:
    """Places, lives that were struck at one, and what was wrong."""
    keys: Keys = {}
    base = lived(root / "base", None, keys)
    tried, wrongs = 0, [f"undisturbed: {wrong}" for wrong in base.wrongs]
    for place in random.Random(SEED).sample(list(keys), min(trials, len(keys))):
        if time.monotonic() > until:
            break
        found = judged(lived(root / "work", place, keys), base)
        shutil.rmtree(root / "work")
        wrongs += [
            f"account, {story()[place.step][0]}, {place.name} from {place.caller} ({place.file}): {w}" for w in found
        ]
        tried += 1
    return len(keys), tried, wrongs


def judged(lived: Lived, base: Lived) -> list[str]:
    """What is wrong with a disturbed life."""
    wrongs = [f"{a} is not as it would have been" for a in (A, C) if lived.fills[a] != base.fills[a]]
    if lived.struck and not lived.blocked and lived.fills[B] != base.fills[B]:
        wrongs.append(f"it went on and became {lived.fills[B]}, not {base.fills[B]}")
    return lived.wrongs + wrongs
