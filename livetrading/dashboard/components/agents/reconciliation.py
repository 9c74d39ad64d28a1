"""Reconciliation: where the agent's book and the broker differ in shares or cash, and how the user can resolve it."""

from typing import Any

import streamlit as st

from livetrading.core.wording import counted
from livetrading.dashboard import markup
from livetrading.dashboard.format import count, markdown, money, signed_money
from livetrading.dashboard.markup import Fact
from livetrading.execution.state.status import AgentStatus

from ..shell import dialogs

Doc = dict[str, Any]
CHOICES = (
    ("adopt", "Adopt …", "The agent's book takes over what the broker holds."),
    ("ignore", "Ignore as mine …", "The difference is yours: no agent touches it."),
)


def box(agent: AgentStatus) -> None:
    """In an agent's details, as long as they differ."""
    _cash_box(agent)
    found = agent.get("reconciliation")
    if not found:
        return
    agent_id = agent["agent_id"]
    with st.container(border=True, key=f"reconciliation_{agent_id}"):
        text = markup.notes([str(found["text"])])
        st.html(markup.heading("Book and broker differ") + text + markup.facts(sides(found)))
        with st.container(horizontal=True):
            for kind, label, text in CHOICES:
                if st.button(label, key=f"{kind}_{agent_id}", help=text):
                    dialogs.ask(kind, agent_id=agent_id)


def _cash_box(agent: AgentStatus) -> None:
    """How the account's cash is made up; with a button while a part of it is unexplained."""
    cash = agent.get("account_cash")
    if not cash or not (cash["text"] or cash["due"]):
        return
    agent_id = agent["agent_id"]
    with st.container(border=True, key=f"cash_{agent_id}"):
        title = "The account's cash is not explained" if cash["text"] else "Dividends due"
        text = (
            f"{cash['text']}. It may be interest, a deposit, a trade by hand; or a fill that was booked by an estimate."
        )
        st.html(markup.heading(title) + (markup.notes([text]) if cash["text"] else "") + markup.facts(cash_facts(cash)))
        if cash["text"] and st.button(
            "It is mine …",
            key=f"confirm_cash_{agent_id}",
            help="Counts the unexplained amount as your own: unmanaged cash.",
        ):
            dialogs.ask("confirm_cash", agent_id=agent_id, difference=cash["unexplained"])


def cash_facts(cash: Doc) -> list[Fact]:
    """Both sides, and the unmanaged part that belongs to the user."""
    due = sum(item["amount"] for item in cash["due"])
    return [
        Fact("Cash of the account", money(cash["cash"]), f"after {cash['session']}"),
        Fact("Explained", money(cash["explained"]), "by fills, fees, dividends and what is yours"),
        Fact("Unexplained", signed_money(cash["unexplained"])),
        Fact("Unmanaged", money(cash["unmanaged"]), "yours, never counted as an agent's"),
        *([Fact("Dividends due", money(due), "booked on the ex-date, not in the cash yet")] if due else []),
    ]


def confirming(agent: AgentStatus, difference: float) -> str:
    """What the confirmation will do."""
    return markdown(
        f"**{signed_money(difference)}** of the account's cash is not explained by any agent's fills, fees or dividends."
        " Confirming counts exactly this amount as yours: unmanaged cash. What changes later is asked about again."
    )


def notes(agent: AgentStatus) -> list[str]:
    """On a card, which has no room for the box."""
    found = agent.get("reconciliation")
    return [f"Book and broker differ: {found['text']} Adopt or ignore it in the details."] if found else []


def sides(found: Doc) -> list[Fact]:
    """The shares in the agent's book, at the broker, and unmanaged in the account."""
    return [
        Fact("The agent's book", counted(int(found["book"]), "share")),
        Fact("The broker, for this agent", counted(int(found["broker"]), "share")),
        Fact("Unmanaged", counted(int(found["unmanaged"]), "share"), "yours, never touched"),
    ]


def adopting(agent: AgentStatus, found: Doc) -> str:
    """What Adopt will do."""
    book, broker = count(found["book"]), count(found["broker"])
    return markdown(
        f"**{agent['agent_id']}**'s book holds {book} {agent['symbol']}, the broker {broker}. Adopting sets the book "
        f"to {broker}, at the last close and without a fee. What it holds then is the agent's own: it protects it and"
        " sells it."
    )


def ignoring(agent: AgentStatus, found: Doc) -> str:
    """What Ignore will do."""
    book, broker = count(found["book"]), count(found["broker"])
    return markdown(
        f"**{agent['agent_id']}**'s book stays at {book} {agent['symbol']}. The difference to the broker's {broker}"
        " counts as yours from then on: unmanaged, and never bought or sold by an agent."
    )
