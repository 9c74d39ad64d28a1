"""Which dialog is open. Buttons say so; ``dialog_table`` draws it.

A dialog drawn inside a fragment would vanish at the fragment's next refresh.
So a button only notes what is to be asked, with a request id made in that
moment, and the whole page runs again and draws the dialog outside all fragments.
"""

from typing import Any

import streamlit as st

from livetrading.adapters import request_ids

OPEN = "open_dialog"

def ask(kind: str, **details: Any) -> None:
    """Open a dialog from anywhere, a fragment included. Does not return."""
    note(kind, **details)
    st.rerun()


def note(kind: str, **details: Any) -> None:
    """For a callback, after which the page runs again anyway."""
    st.session_state[OPEN] = {"kind": kind, "request_id": request_ids.new(), **details}


def asked() -> dict[str, Any] | None:
    """What the open dialog asks, with its request id; None while none is open."""
    return st.session_state.get(OPEN)


def close() -> None:
    st.session_state.pop(OPEN, None)


def finish(notice: str | None = None) -> None:
    """Close the dialog and run the page again, with a word on what was done."""
    close()
    if notice:
        st.session_state["notice"] = notice
    st.rerun()
