"""Which dialog is open. Buttons set it; ``dialog_table`` draws it.

A dialog drawn inside a fragment would vanish at the fragment's next refresh.
So a button only notes which dialog is wanted, with a new request id, and the whole
page runs again and draws the dialog outside all fragments.
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
    """Kind, request id and details of the open dialog; None while none is open."""
    return st.session_state.get(OPEN)


def close() -> None:
    st.session_state.pop(OPEN, None)


def finish(notice: str | None = None) -> None:
    """Close the dialog and run the page again, with a notice of what was done."""
    close()
    if notice:
        st.session_state["notice"] = notice
    st.rerun()
