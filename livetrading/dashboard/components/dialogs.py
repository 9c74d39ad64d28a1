"""Which dialog is open. Buttons say so, the frame draws it.

A dialog drawn inside a fragment would vanish at the fragment's next refresh.
So a button only notes what is to be asked, with a request id made in that
moment, and the whole page runs again and draws the dialog outside all fragments.
"""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from livetrading.dashboard import commands

OPEN = "open_dialog"

Dialog = Callable[[dict[str, Any]], None]


def ask(kind: str, **details: Any) -> None:
    """Open a dialog from anywhere, a fragment included. Does not return."""
    note(kind, **details)
    st.rerun()


def note(kind: str, **details: Any) -> None:
    """For a callback, after which the page runs again anyway."""
    st.session_state[OPEN] = {"kind": kind, "request_id": commands.new_id(), **details}


def close() -> None:
    st.session_state.pop(OPEN, None)


def finish(notice: str | None = None) -> None:
    """Close the dialog and run the page again, with a word on what was done."""
    close()
    if notice:
        st.session_state["notice"] = notice
    st.rerun()


def render() -> None:
    asked = st.session_state.get(OPEN)
    if asked:
        title, width, body = _table()[asked["kind"]]
        st.dialog(title, width=width, on_dismiss=close)(body)(asked)


def _table() -> Mapping[str, tuple[str, str, Dialog]]:
    """Imported here, for the dialogs import this module."""
    from . import add_agent, confirm, emergency

    return {
        "emergency": ("Emergency stop", "small", emergency.body),
        "rearm": ("Re-arm trading", "small", confirm.rearm),
        "pause": ("Pause agent", "small", confirm.pause),
        "close": ("Close position", "small", confirm.close_position),
        "remove": ("Remove agent", "small", confirm.remove),
        "adopt": ("Adopt the difference", "small", confirm.adopt),
        "ignore": ("Ignore the difference", "small", confirm.ignore),
        "confirm_cash": ("Unexplained cash", "small", confirm.cash),
        "add": ("Add agent", "medium", add_agent.body),
    }
