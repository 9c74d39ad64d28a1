"""The pages. Absolute paths: the main script lies elsewhere.

A page's script only names its content; the main script draws it. The browser
removes what a page's script has drawn when a run of another page is announced.
A fragment of the frame that was due during a switch of pages announces the old
page after the new one is drawn: the next refresh of a fragment would then write
to a place that is gone, and the page would go blank. What the main script has
drawn is not removed.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

PAGES = Path(__file__).resolve().parents[2] / "pages"
CONTENT = "content"
"""Session key of what the page of this run shows."""


def live() -> st.Page:
    return st.Page(PAGES / "live_trading.py", title="Live Trading", url_path="live_trading", default=True)


def training() -> st.Page:
    return st.Page(PAGES / "training.py", title="Training", url_path="training")


def settings() -> st.Page:
    return st.Page(PAGES / "settings.py", title="Settings", url_path="settings")


def show(content: Callable[[], None]) -> None:
    """For a page's script: name the function that draws its content."""
    st.session_state[CONTENT] = content


def draw(page: st.Page) -> None:
    """For the main script: draw the content of this page."""
    st.session_state.pop(CONTENT, None)
    page.run()
    content = st.session_state.get(CONTENT)
    if content is not None:
        content()
