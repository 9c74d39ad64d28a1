"""The Live Trading page: header, KPI strip, and the agents as cards, table or detail."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from livetrading.core.wording import counted
from livetrading.dashboard import kinds, markup, reading
from livetrading.dashboard.format import DASH, count, money, signed_money, signed_percent, tone
from livetrading.dashboard.markup import Fact
from livetrading.execution.state.status import AgentStatus

from ..shell import dialogs, refresh
from ..shell.guard import guarded, shown
from . import account_strip, agent_table, records
from . import agent_card as agents_panel

Doc = dict[str, Any]
CARDS = 6
"""More agents are shown as a table with one panel, because each chart costs the browser time."""
EMPTY = "No active agents. Add an agent to start live trading."


def render() -> None:
    with guarded():
        agents, lives = reading.agents(), reading.scheduler_lives()
        _header(agents, lives)
        account_strip.render()
        refresh.every(_seconds(agents), _strip, _roll(agents, lives))
        _agents(agents)


def _header(agents: list[AgentStatus], lives: bool) -> None:
    title, add = st.columns([4, 1], vertical_alignment="center", wrap=False)
    title.html(markup.title("Live Trading", f"{counted(len(agents), 'agent')} · {kinds.running_words(agents, lives)}"))
    add.button(
        "Add Agent", key="add_open", type="primary", width="stretch", wrap=False, on_click=dialogs.note, args=("add",)
    )


def _agents(agents: list[AgentStatus]) -> None:
    if not agents:
        st.html(markup.empty(EMPTY))
        return
    by_id = {a["agent_id"]: a for a in agents}
    chosen = by_id.get(st.query_params.get(agents_panel.SELECTED, ""))
    if chosen or len(agents) == 1:
        shown_one = chosen or agents[0]
        agents_panel.panel(shown_one, detail=True, alone=len(agents) == 1)
        records.render(shown_one["agent_id"])
    elif len(agents) <= CARDS:
        with st.grid(2, min_column_width=420, gap="medium"):
            for one in agents:
                agents_panel.panel(one, detail=False)
    else:
        agent_table.render(agents)


def _seconds(agents: list[AgentStatus]) -> int:
    return min((agents_panel.seconds(a) for a in agents), default=5)


@shown
def _strip(drawn: tuple[Any, ...]) -> None:
    """The sums of each kind. Draws the page again when an agent was added, removed, started or stopped
    elsewhere, or the scheduler was."""
    agents, lives = reading.agents(), reading.scheduler_lives()
    if _roll(agents, lives) != drawn:
        st.rerun()
    if agents:
        st.html("".join(strips(agents, lives)))


def _roll(agents: list[AgentStatus], lives: bool) -> tuple[Any, ...]:
    return (lives, *((a["agent_id"], a["is_running"], a.get("no_bars_since"), a.get("status_text")) for a in agents))


def strips(agents: list[AgentStatus], scheduler_lives: bool) -> list[str]:
    """One strip of figures for each kind of money, because different kinds are never added up."""
    return [
        markup.group(kind, counted(len(members), "agent"), kinds.tone_of(kind), totals(members, scheduler_lives))
        for kind, members in kinds.grouped(agents).items()
    ]


def totals(agents: list[AgentStatus], scheduler_lives: bool) -> list[Fact]:
    """Sums over agents of one kind; every agent has its own capital."""
    value, capital = _sum(a["portfolio_value"] for a in agents), _sum(a["capital"] for a in agents)
    gain, unrealised = _sum(a["total_pnl"] for a in agents), _sum(a["unrealized_pnl"] for a in agents)
    share = signed_percent(100 * gain / capital) if capital and gain is not None else ""
    held, unknown = sum(1 for a in agents if kinds.holds(a)), kinds.unread_words(agents)
    known = [a for a in agents if not kinds.unread(a)]
    running = sum(1 for a in agents if kinds.trades(a))
    unread = sum(1 for a in agents if a["portfolio_value"] is None)
    without = f", without {counted(unread, 'agent')} that cannot be read" if unread else ""
    besides = f", {unknown}" if unknown else ""
    return [
        Fact("Portfolio", money(value), f"capital {money(capital)}{without}"),
        Fact("Total P&L", signed_money(gain), share, tone(gain), tone(gain)),
        Fact("Unrealised P&L", signed_money(unrealised), "", tone(unrealised)),
        Fact(
            "Open positions",
            count(held if known else None),
            f"of {counted(len(agents), 'agent')}{besides}",
            sub_tone="lt-down" if unknown else "",
        ),
        Fact(
            "Agents running" if scheduler_lives else "Waiting for the scheduler",
            f"{running:,} / {len(agents):,}" if known else DASH,
            unknown,
            tone="" if scheduler_lives else "lt-warn",
        ),
        Fact("Closed trades", count(sum(a["num_trades"] or 0 for a in known) if known else None)),
    ]


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
