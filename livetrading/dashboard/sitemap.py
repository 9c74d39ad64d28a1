"""The pages. Absolute paths: the main script lies elsewhere.

A page says what it shows; the main script draws it. What a page draws itself,
the browser drops whenever a run of another page is announced, and a fragment of
the frame that was due during a switch of pages announces the page it was sent
from, after the new one is drawn. The next refresh of a fragment then writes
where nothing is, and the browser goes blank. What the main script draws, stays.
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
    """For a page's script: what the main script shall draw."""
    st.session_state[CONTENT] = content


def draw(page: st.Page) -> None:
    """For the main script: what this page shows."""
    st.session_state.pop(CONTENT, None)
    page.run()
    content = st.session_state.get(CONTENT)
    if content is not None:
        content()
