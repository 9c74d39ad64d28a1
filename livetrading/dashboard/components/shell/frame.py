"""What every page shows on top: halt, scheduler, clock, EMERGENCY STOP."""

import streamlit as st

from livetrading.core.liveness import Liveness
from livetrading.core.wording import counted
from livetrading.dashboard import control, markup, reading
from livetrading.dashboard.format import clock, duration, new_york
from livetrading.execution.state import heartbeat
from livetrading.execution.state.status import HaltStatus, SchedulerStatus

from . import dialogs, emergency, refresh
from .guard import guarded, shown

EVERY = 5
PILLS = {
    Liveness.ALIVE: ("Scheduler alive", "lt-up"),
    Liveness.LATE: ("Scheduler late", "lt-warn"),
    Liveness.HUNG: ("Scheduler hung", "lt-down"),
    Liveness.DEAD: ("Scheduler not running", "lt-down"),
}

SCROLL_UP = "<script>document.querySelector('[data-testid=\"stMain\"]').scrollTo(0, 0)</script>"


def scroll_up() -> None:
    """Show the next run from its top; otherwise the browser keeps its scroll position."""
    st.session_state["scroll_up"] = True


def render() -> None:
    with st.container(key="frame", horizontal=True, wrap=False, vertical_alignment="center"):
        with st.container(width="stretch"), guarded():
            refresh.every(EVERY, _pulse)
        st.button(
            "EMERGENCY STOP",
            key="emergency_open",
            width="content",
            wrap=False,
            on_click=dialogs.note,
            args=("emergency",),
            help="Cancel all orders, close all positions, halt trading.",
        )
    if st.session_state.pop("scroll_up", False):
        st.html(SCROLL_UP, unsafe_allow_javascript=True)
    with guarded():
        refresh.every(EVERY, _state)
    with guarded():
        emergency.render_result(EVERY)
    notice = st.session_state.pop("notice", None)
    if notice:
        st.toast(notice, duration="long")


@shown
def _pulse() -> None:
    """One line that always stays visible."""
    system = reading.system()
    pills = [_scheduler_pill(system["scheduler"])]
    if system["halt"]:
        pills.insert(0, markup.pill("HALTED", "lt-down"))
    pills.append(markup.pill(f"{clock(reading.now())[11:16]} New York"))
    st.html(markup.row(pills))


def _scheduler_pill(scheduler: SchedulerStatus) -> str:
    state = Liveness(scheduler["liveness"])
    text, tone = PILLS[state]
    beat = "" if state == Liveness.DEAD else f" · heartbeat {duration(scheduler['age_seconds'])} ago"
    return markup.pill(text + beat, tone)


@shown
def _state() -> None:
    """What the user has to act on: the halt, a missing scheduler, alarms."""
    system = reading.system()
    if system["halt"]:
        _halt_banner(system["halt"], emergency.dismissed(system))
        if working := emergency.at_work(system):
            st.warning(f"{working} Re-arming now would end the stop before it has closed them.")
    state = Liveness(system["scheduler"]["liveness"])
    if state == Liveness.HUNG:
        st.error(f"{control.hung(heartbeat.look(reading.home()))} Until then nothing is checked or sent.")
    elif state == Liveness.DEAD:
        _no_scheduler(system["scheduler"]["command"])
    alarms = system["alarms"]
    if alarms:
        newest = list(reversed(alarms))
        with st.expander(f"{counted(len(alarms), 'alarm')} · {newest[0]['text']}"):
            rows = [(clock(a["at"]), (a.get("agent_id") or "–", ""), (a["text"], "wide")) for a in newest[:50]]
            st.html(markup.table(("New York", "Agent", "Alarm"), rows))


def _halt_banner(halt: HaltStatus, dismissed: bool) -> None:
    with st.container(key="halt_banner", horizontal=True, vertical_alignment="center"):
        since = f" since {new_york(halt['at'])}" if halt.get("at") else ""
        st.html(
            f'<div class="lt-halt" role="alert"><b>TRADING IS HALTED</b>{markup.escape(since)}, '
            f"by {markup.escape(str(halt['by']))}: {markup.escape(str(halt['reason']))}</div>"
        )
        if dismissed and st.button("What the stop did", key="emergency_again", width="content"):
            emergency.show_again()
            st.rerun()
        if st.button("Re-arm …", key="rearm_open", width="content"):
            dialogs.ask("rearm")


def _no_scheduler(command: int | None) -> None:
    if command is not None:
        st.caption(f"A command (process {command}) is doing the scheduler's work at the moment.")
    st.warning(
        "The scheduler is not running: nothing is checked, no order is sent and no request is answered. "
        "Start it with `python -m livetrading scheduler`, or here."
    )
    if st.button("Start scheduler", key="scheduler_start"):
        with st.spinner("Starting the scheduler …"):
            pid, started = control.start_scheduler(reading.home())
        st.session_state["notice"] = f"The scheduler {'is started' if started else 'runs'} (process {pid})."
        st.rerun()
