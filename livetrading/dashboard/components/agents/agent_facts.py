"""An agent's figures, state and notes."""

from typing import Any

from livetrading.core.card import QUICK_TRY
from livetrading.core.deployment import COSTS
from livetrading.core.wording import counted
from livetrading.dashboard import kinds, markup, reading
from livetrading.dashboard.format import (
    DASH,
    count,
    day_and_time,
    duration,
    masked,
    moment,
    money,
    new_york,
    percent,
    price,
    signed_money,
    signed_percent,
    tone,
)
from livetrading.dashboard.markup import Fact
from livetrading.execution.state import agent_status
from livetrading.execution.state.status import AgentStatus, DecisionShown

Doc = dict[str, Any]
ON_A_CARD = 9
COST_WORDS = {
    "slippage_bps": "slippage {:g} basis points",
    "commission_per_share": "commission ${:g} a share",
    "commission_minimum": "commission at least ${:g}",
}
"""Costs are named when they are not the default ones."""
FLAT, UNREAD = ("Flat", "no position"), ("Cannot be read", "it may hold shares", "lt-down", "lt-down")
UNKNOWN = ("Portfolio value", "Price", "Unrealised P&L", "Protective stop", "Trades")


def heading(agent: AgentStatus) -> str:
    kind = kinds.kind_of(agent)
    gain = f"{signed_money(agent['total_pnl'])} ({signed_percent(agent['total_pnl_pct'])})"
    return (
        f'<div class="lt-head"><span class="name">{markup.escape(agent["agent_id"])}</span>'
        f'<span class="lt-muted">{markup.escape(agent["symbol"])} · {markup.escape(agent["agent_type"])}</span>'
        f"{markup.status_tag(agent['status'], agent.get('status_text') or '')}{markup.tag(kind, kinds.tone_of(kind))}"
        f'<span class="pnl {tone(agent["total_pnl"])}">{gain}</span></div>'
    )


def facts(agent: AgentStatus, history: Doc) -> list[Fact]:
    """The first nine fit on a card."""
    if kinds.unread(agent):
        return [Fact("Position", *UNREAD), *(Fact(name, DASH) for name in UNKNOWN)]
    held = agent["current_position"]
    gain = agent["unrealized_pnl"] if held else None
    entry = f"entry {price(agent['entry_price'])}{' (provisional)' if provisional(history) else ''}"
    sure = " (estimate)" if agent.get("estimates") else ""
    return [
        Fact("Portfolio value", money(agent["portfolio_value"]), f"cash {money(agent['cash'])}{sure}"),
        Fact("Position", *((counted(int(held), "share"), entry) if held else FLAT)),
        Fact(
            "Price",
            price(agent["current_price"]),
            day_and_time(agent["price_time"]) if agent["price_time"] else "no price yet",
        ),
        Fact("Unrealised P&L", signed_money(gain), _gain_share(agent, gain), tone(gain), tone(gain)),
        _protection(agent),
        Fact("Trades", count(agent["num_trades"]), f"realised {signed_money(agent['realized_pnl'])}{sure}"),
        Fact("Last decision", *_decision(agent["last_decision"])),
        Fact("Next check", *_next_check(agent)),
        Fact("Capital", money(agent["capital"]), _limits(agent)),
        Fact("Last check", *_two_lines(agent["last_check"])),
        Fact("Deployed", *_two_lines(agent["deployed_at"])),
        Fact("Bars", agent["source"] or DASH, _priced_by(agent)),
        Fact("Gate at deployment", *_gate(agent)),
        *_account(agent),
    ]


def _priced_by(agent: AgentStatus) -> str:
    """The vendor of the last bar, where it is news: it may have replaced the source, and a broker's agent shows it always."""
    last = agent.get("bars_source")
    known = not last or agent["mode"] == "replay" or (last == agent["source"] and not kinds.at_broker(agent["mode"]))
    vendor = "" if known else f"last bar from {last}"
    quick = QUICK_TRY if agent["model_id"] and reading.quick_try(agent["model_id"]) else ""
    return " · ".join(part for part in (vendor, agent["model_id"], quick) if part)


def _gate(agent: AgentStatus) -> tuple[str, str]:
    """What the gate to real money said when the agent was deployed."""
    gate = agent.get("gate")
    if not gate:
        return "Not asked", "deployed by an earlier version, which did not count looks at the test"
    unmet = sum(not condition["ok"] for condition in gate["conditions"])
    looks = f"test looked at {counted(gate['count'], 'time')}"
    return ("Open" if not unmet else f"Closed: {counted(unmet, 'condition')} not met"), looks


def _account(agent: AgentStatus) -> list[Fact]:
    """The account of an agent at a broker."""
    if not agent.get("account"):
        return []
    late = "late entries as DAY orders" if agent.get("late_entry") == "day" else "late entries skipped"
    return [Fact("Account", masked(agent["account"]), late)]


def notes(agent: AgentStatus, history: Doc) -> list[str]:
    """Warnings, and why the agent does not run."""
    found = [str(text) for text in agent["warnings"] or []]
    if agent["status_reason"] and not agent["is_running"] and agent["status_reason"] not in " ".join(found):
        found.insert(0, f"{agent['status'].capitalize()}: {agent['status_reason']}")
    if provisional(history):
        found.append("A fill is provisional: it is booked from the completed daily bar, at its open.")
    return [text[:1].upper() + text[1:] for text in found]


def provisional(history: Doc) -> bool:
    return any(fill.get("provisional") for fill in history["fills"])


def holding(agent: AgentStatus) -> str:
    """``53 AAPL bought at $187.20 (unrealised P&L +$12.00, +0.12%)``, or nothing when flat or not known."""
    if not agent["current_position"]:
        return ""
    gain = agent["unrealized_pnl"]
    share = _gain_share(agent, gain)
    return (
        f"{count(agent['current_position'])} {agent['symbol']} bought at {price(agent['entry_price'])} "
        f"(unrealised P&L {signed_money(gain)}{', ' + share if share else ''})"
    )


def _next_check(agent: AgentStatus) -> tuple[str, str]:
    if (
        agent["is_running"]
        and agent.get("status_text") == agent_status.WAITING
        and (agent["mode"] == "replay" or not agent["next_check"])
    ):
        return "Waiting", "for the scheduler"
    if agent["is_running"] and agent["next_check"] and moment(agent["next_check"]) <= reading.now():
        return "Now", "a session is due: tried again until it is decided"
    if agent["mode"] == "replay" and agent["is_running"]:
        pace = agent["pace"] or 0
        return (f"every {pace:g} s" if pace else "without pause"), "virtual clock"
    if not agent["next_check"]:
        return DASH, "" if agent["is_running"] else "not running"
    return _two_lines(agent["next_check"])


def _two_lines(at: str | None) -> tuple[str, str]:
    day, _, time = new_york(at).partition(", ")
    return day, time


def _gain_share(agent: AgentStatus, gain: float | None) -> str:
    cost = (agent["entry_price"] or 0) * (agent["current_position"] or 0)
    return signed_percent(100 * gain / cost) if gain is not None and cost else ""


def _stop_distance(agent: AgentStatus) -> str:
    stop, now = agent["stop_price"], agent["current_price"]
    if not (agent["current_position"] and stop and now):
        return ""
    return f"{percent(100 * (now - stop) / now)} below the price" if now >= stop else "the price is below it"


def _protection(agent: AgentStatus) -> Fact:
    """The stop, and for how long this position had neither stop nor exit at the broker."""
    if not agent["current_position"]:
        return Fact("Protective stop", DASH, "")
    if since := agent.get("unprotected_since"):
        return Fact("Protective stop", "Not at work", f"since {new_york(since)}", "lt-down", "lt-down")
    bare = agent.get("unprotected_seconds") or 0.0
    notes = [_stop_distance(agent), f"{duration(bare)} without one" if bare >= 1 else ""]
    return Fact("Protective stop", price(agent["stop_price"]), " · ".join(note for note in notes if note))


def _limits(agent: AgentStatus) -> str:
    most, risk = agent["max_position_pct"], agent["risk_per_trade"]
    parts = (("max position", most), ("risk", None if risk is None else 100 * risk))
    said = [f"{name} {share:g}%" for name, share in parts if share is not None]
    if pause := agent.get("pause_sessions"):
        said.append(f"drawdown pause {counted(pause, 'session')}")
    own = agent.get("costs") or {}
    said += [COST_WORDS[name].format(own[name]) for name, usual in COSTS.named.items() if own.get(name, usual) != usual]
    return ", ".join(said)


def _decision(decision: DecisionShown | None) -> tuple[str, str]:
    if not decision:
        return DASH, "none yet"
    qty = f" {count(decision['qty'])}" if decision.get("qty") else ""
    parts = (decision.get("session"), decision.get("reason"))
    return f"{decision.get('action') or DASH}{qty}", " · ".join(str(p) for p in parts if p)
