"""Book and broker differ: both sides, and a person's two ways to resolve it."""

from typing import Any

import streamlit as st

from livetrading.dashboard import markup
from livetrading.dashboard.format import count, markdown, plural
from livetrading.dashboard.markup import Fact

from . import dialogs

Doc = dict[str, Any]
CHOICES = (
    ("adopt", "Adopt …", "The agent's book takes over what the broker holds."),
    ("ignore", "Ignore as mine …", "The difference is yours: no agent touches it."),
)


def box(agent: Doc) -> None:
    """On an agent's detail, as long as they differ."""
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


def notes(agent: Doc) -> list[str]:
    """On a card, where the box has no room."""
    found = agent.get("reconciliation")
    return [f"Book and broker differ: {found['text']} Adopt or ignore it in the details."] if found else []


def sides(found: Doc) -> list[Fact]:
    """The agent's book, the account, and the shares of it that are nobody's here."""
    return [
        Fact("The agent's book", plural(int(found["book"]), "share")),
        Fact("The broker, for this agent", plural(int(found["broker"]), "share")),
        Fact("Unmanaged", plural(int(found["unmanaged"]), "share"), "yours, never touched"),
    ]


def adopting(agent: Doc, found: Doc) -> str:
    """What adopting will do."""
    book, broker = count(found["book"]), count(found["broker"])
    return markdown(
        f"**{agent['agent_id']}**'s book holds {book} {agent['symbol']}, the broker {broker}. Adopting sets the book "
        f"to {broker}, at the last close and without a fee. What it holds then is the agent's own: it protects it and"
        " sells it."
    )


def ignoring(agent: Doc, found: Doc) -> str:
    """What ignoring will do."""
    book, broker = count(found["book"]), count(found["broker"])
    return markdown(
        f"**{agent['agent_id']}**'s book stays at {book} {agent['symbol']}. The difference to the broker's {broker}"
        " counts as yours from then on: unmanaged, and never bought or sold by an agent."
    )
