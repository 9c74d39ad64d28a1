"""Parts of a page that refresh by themselves."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def every(seconds: float, body: Callable[..., None], *args: Any) -> None:
    """Draw ``body(*args)`` here, and again every so many seconds.

    In a container of its own. A refresh that starts before the page's last run
    has reached the browser takes this part's elements out of that run, and the
    browser closes the gap: whatever stood behind it would be one place too far
    up, and its next refresh would write over something else or nowhere.
    """
    with st.container():
        st.fragment(run_every=seconds)(body)(*args)
