"""An agent's past as tables: trades, executions, decisions, orders, log."""

from typing import Any

import pandas as pd
import streamlit as st

from livetrading.dashboard import markup, reading, style
from livetrading.dashboard.format import DASH, clock, signed_money, signed_percent

from ..shell import refresh
from ..shell.guard import shown

Doc = dict[str, Any]
EVERY = 10
ROWS = 1000
SHOWN_WHOLE, TALL = 12, 440

TRADES = {
    "entry_session": "Entry",
    "entry_price": "Entry price",
    "exit_session": "Exit",
    "exit_price": "Exit price",
    "qty": "Shares",
    "leg": "Closed by",
    "fees": "Fees",
    "pnl": "P&L",
    "pnl_pct": "P&L %",
}
FILLS = {
    "session": "Session",
    "leg": "Leg",
    "side": "Side",
    "qty": "Shares",
    "price": "Price",
    "fee": "Fee",
    "at": "Booked (New York)",
    "provisional": "Provisional",
    "exec_id": "Execution",
}
DECISIONS = {
    "session": "Session",
    "status": "Status",
    "action": "Action",
    "qty": "Shares",
    "reason": "Reason",
    "at": "Decided (New York)",
}
ORDERS = {
    "key": "Order",
    "leg": "Leg",
    "side": "Side",
    "qty": "Shares",
    "state": "State",
    "type": "Type",
    "tif": "In force",
    "stop_price": "Stop",
    "reason": "Reason",
    "created": "Created (New York)",
    "updated": "Updated (New York)",
}
LOG = {"at": "New York", "text": "What happened"}
TIMES = ("at", "created", "updated")
IN_FORCE = {"OPG": "OPG: at the open", "DAY": "DAY: regular hours", "GTC": "GTC: until cancelled"}


def render(agent_id: str) -> None:
    refresh.every(EVERY, _body, agent_id)


@shown
def _body(agent_id: str) -> None:
    history = reading.history(agent_id)
    tabs = st.tabs(["Trades", "Executions", "Decisions", "Orders", "Log"])
    with tabs[0]:
        trades_table(agent_id, history["trades"], "No closed trade yet: a trade is listed when its position is sold.")
    with tabs[1]:
        _table(history["fills"], FILLS, f"executions_{agent_id}", "No execution yet.", download=True)
    with tabs[2]:
        _table(history["decisions"], DECISIONS, f"decisions_{agent_id}", "No decision yet.")
    with tabs[3]:
        _table(history["orders"], ORDERS, f"orders_{agent_id}", "No order yet.")
    with tabs[4]:
        _table(history["log"], LOG, f"log_{agent_id}", "Nothing is logged yet.")


def trades_table(name: str, trades: list[Doc], empty: str) -> None:
    """Closed round trips, of an agent or of a model's test."""
    _table(trades, TRADES, f"trades_{name}", empty, download=True)
    if trades:
        st.caption("P&L of a trade is net of fees, without dividends.")


def _table(docs: list[Doc], names: dict[str, str], key: str, empty: str, download: bool = False) -> None:
    """Newest first."""
    if not docs:
        st.html(markup.empty(empty))
        return
    frame = frame_of(docs, names)
    st.dataframe(
        colored(frame.head(ROWS)),
        hide_index=True,
        key=key,
        column_config=_columns(frame),
        placeholder=DASH,
        height="content" if len(frame) <= SHOWN_WHOLE else TALL,
    )
    if download:
        st.download_button(
            "Download CSV", csv_of(docs, names), f"{key}.csv", "text/csv", key=f"csv_{key}", on_click="ignore"
        )


def frame_of(docs: list[Doc], names: dict[str, str]) -> pd.DataFrame:
    """Newest first, times in New York, headings for a person."""
    frame = pd.DataFrame([{key: doc.get(key) for key in names} for doc in reversed(docs)])
    for key in TIMES:
        if key in frame:
            frame[key] = [clock(at) if at and "T" in str(at) else at for at in frame[key]]
    if "tif" in frame:
        frame["tif"] = [IN_FORCE.get(str(code), code) for code in frame["tif"]]
    return frame.rename(columns=names)


def csv_of(docs: list[Doc], names: dict[str, str]) -> bytes:
    """Oldest first, stored values unrounded and times in UTC."""
    frame = pd.DataFrame([{key: doc.get(key) for key in names} for doc in docs])
    return frame.to_csv(index=False).encode()


def colored(frame: pd.DataFrame) -> Any:
    """Gains with their sign, green, and losses red, where there are any."""
    gains = {name: show for name, show in (("P&L", signed_money), ("P&L %", signed_percent)) if name in frame}
    return frame.style.format(gains).map(_gain_style, subset=list(gains)) if gains else frame


def _gain_style(value: Any) -> str:
    if not isinstance(value, int | float) or value != value or round(value, 2) == 0:
        return f"color: {style.MUTED}"
    return f"color: {style.UP if value > 0 else style.DOWN}"


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    formats = {
        **dict.fromkeys(("Entry price", "Exit price", "Price", "Stop", "Fees", "Fee"), "$%,.2f"),
        "Shares": "%,d",
    }
    return {name: number(format=formats[name]) for name in frame if name in formats}
