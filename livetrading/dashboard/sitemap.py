"""The pages. Absolute paths: the main script lies elsewhere."""

from pathlib import Path

import streamlit as st

PAGES = Path(__file__).resolve().parents[2] / "pages"


def live() -> st.Page:
    return st.Page(PAGES / "live_trading.py", title="Live Trading", url_path="live_trading", default=True)


def training() -> st.Page:
    return st.Page(PAGES / "training.py", title="Training", url_path="training")


def settings() -> st.Page:
    return st.Page(PAGES / "settings.py", title="Settings", url_path="settings")
