"""Every dialog by the kind that its button names, drawn outside all fragments."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import streamlit as st

from .agents import confirm
from .shell import dialogs, emergency
from .training import add_agent

Dialog = Callable[[dict[str, Any]], None]
Width = Literal["small", "medium"]

TABLE: Mapping[str, tuple[str, Width, Dialog]] = {
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


def render() -> None:
    """Draw the dialog that is open, if one is."""
    asked = dialogs.asked()
    if asked:
        title, width, body = TABLE[asked["kind"]]
        st.dialog(title, width=width, on_dismiss=dialogs.close)(body)(asked)
