"""What must be true of a home after an emergency stop, read from the files and the paper broker's own ledger."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from livetrading.adapters.calendar import calendar
from livetrading.adapters.store import Store
from livetrading.core.types import AgentStatus
from livetrading.execution.node import agent_ids
from livetrading.execution.state.agent_repository import AgentRepository
from livetrading.execution.stopping import emergency_stop
from tests.doubles.lives import Life, at

OVER = {AgentStatus.STOPPED, AgentStatus.FINISHED, AgentStatus.REMOVED}
WORKING = {"NEW", "PARTIALLY_FILLED", "PENDING_CANCEL"}


@dataclass
class Account:
    """One agent's account as the simulated broker keeps it."""

    position: int = 0
    orders: list[dict[str, Any]] = field(default_factory=list)

    @property
    def bought(self) -> set[str]:
        return {o["ticket"]["ref"] for o in self.orders if o["ticket"]["side"] == "BUY"}

    def working(self, side: str) -> list[dict[str, Any]]:
        return [o for o in self.orders if o["ticket"]["side"] == side and o["state"] in WORKING]


def account(life: Life, agent_id: str) -> Account:
    path = life.home.agent(agent_id) / "paper.json"
    if not path.exists():
        return Account()
    tables = Store.read_docs(path)
    return Account(tables["account"][0]["position"], list(tables["orders"]))


def bought(life: Life) -> set[str]:
    """Every opening order that any agent's broker ever accepted."""
    return {ref for agent_id in agent_ids(life.home) for ref in account(life, agent_id).bought}


def after_stop(life: Life, answer: dict[str, Any], allowed: set[str], still: bool = True) -> list[str]:
    """Nothing bought, everything cancelled, nothing sold short, and the answer is true.

    Not ``still``: a scheduler ran since the answer, so a queued exit may have filled.
    """
    wrong = [f"{ref} was bought after the stop" for ref in sorted(bought(life) - allowed)]
    items = {item["agent_id"]: item for item in answer["items"]}
    for agent_id in agent_ids(life.home):
        state, theirs = AgentRepository(life.home, agent_id).state, account(life, agent_id)
        if state.status not in OVER:
            wrong.append(f"{agent_id} is {state.status}")
        wrong += [f"{o.key} is {o.state}" for o in state.open_orders("entry") if o.state != "PENDING_CANCEL"]
        wrong += [f"{o['ticket']['ref']} was not cancelled" for o in theirs.working("BUY") if not o["cancel_at"]]
        on_sale = sum(o["ticket"]["qty"] for o in theirs.working("SELL") if not o["waits"])
        if on_sale > theirs.position:
            wrong.append(f"{agent_id}: {on_sale} on sale, {theirs.position} held")
        if state.book.shares and state.status != AgentStatus.FINISHED and not state.open_orders("exit"):
            wrong.append(f"{agent_id} holds {state.book.shares} and no exit is queued")
        if state.status != AgentStatus.REMOVED:
            idle = not theirs.working("BUY") and not theirs.working("SELL")
            flat = state.idle and state.book.shares == theirs.position == 0 and idle
            wrong += _said(items.get(agent_id), flat, still)
    if answer["flat"] != all(item["flat"] for item in items.values()):
        wrong.append("flat is not what the items say")
    return wrong


def _said(item: dict[str, Any] | None, flat: bool, still: bool) -> list[str]:
    if item is None:
        return ["an agent is not in the answer"]
    if item["status"] == emergency_stop.OVER["status"]:
        return []
    if flat and not still:
        flat = bool(item["flat"])
    said = emergency_stop.FLAT if flat else emergency_stop.QUEUED
    return [] if (item["status"], item["flat"]) == (said, flat) else [f"said {item}, but flat is {flat}"]


def aftermath(life: Life, now: datetime, allowed: set[str], seen: Counter[str], logged: int = 0) -> list[str]:
    """Runs on under the latch until it is flat, which is reported when true and not before; then re-arms.

    ``logged``: how often this home was re-armed before.
    """
    wrong: list[str] = []
    answer, still_flat = {"flat": False}, 0
    for when in following(now):
        life.check(when)
        answer = life.ask("emergency_stop", when)["result"]
        wrong += after_stop(life, answer, allowed)
        seen["said flat" if answer["flat"] else "said exit queued"] += 1
        now, still_flat = when, still_flat + 1 if answer["flat"] else 0
        if still_flat == 2:
            break
    if not answer["flat"]:
        wrong.append(f"never flat: {answer}")
    return wrong + _rearmed(life, now, logged)


def following(now: datetime) -> list[datetime]:
    """The passes of a scheduler over the next three sessions."""
    known = calendar()
    days = known.sessions(now.date() - timedelta(days=1), now.date() + timedelta(days=9))
    found = [at(d, clock) for d in days for clock in ("08:00", "10:00", "16:40")]
    return [w for w in found if w > now][:9]


def _rearmed(life: Life, now: datetime, logged: int) -> list[str]:
    refused = life.ask("start", now)
    wrong = []
    if refused["status"] != "refused":
        wrong.append("an agent started under the latch")
    sent, before = bought(life), life.node.latch.status()
    done = life.ask("rearm", now)
    lines = [json.loads(line) for line in life.node.latch.log.read_text().splitlines()]
    if done.get("result") != {"rearmed": True} or len(lines) != logged + 1 or before is None:
        wrong.append(f"re-arming: {done}, {len(lines)} lines in halts.log")
    elif (lines[-1]["reason"], lines[-1]["cleared_by"]) != (before.reason, "test"):
        wrong.append(f"halts.log says {lines[-1]}")
    for when in following(now)[:2]:
        if life.check(when).sent or bought(life) != sent:
            wrong.append("something was sent after re-arming, before any agent was started")
    wrong += [f"{a} is {s} after re-arming" for a, s in _statuses(life).items() if s not in OVER]
    return wrong


def _statuses(life: Life) -> dict[str, AgentStatus]:
    return {a: AgentRepository(life.home, a).state.status for a in agent_ids(life.home)}


def one_stop(life: Life, request_id: str) -> list[str]:
    """A request that came twice is recorded once, and each agent has one exit at most."""
    asked = [r for r in life.store.read("requests")["requests"].values() if r["id"] == request_id]
    wrong = [] if len(asked) == 1 else [f"{len(asked)} requests {request_id}"]
    for agent_id in agent_ids(life.home):
        exits = [o for o in account(life, agent_id).working("SELL") if o["ticket"]["type"] == "MKT"]
        if len(exits) > 1:
            wrong.append(f"{agent_id} has {len(exits)} exits at the broker")
    return wrong


def seq_of(root: Path) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in root.glob("agents/*/journal.jsonl"))
