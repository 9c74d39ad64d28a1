"""Parts of a page that refresh by themselves."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def every(seconds: float, body: Callable[..., None], *args: Any) -> None:
    """Draw ``body(*args)`` here, and again every so many seconds.

    It gets its own container. A refresh that starts before the page's last run
    has reached the browser removes this part's elements from that run, and the
    browser closes the gap: without the container the parts below would move up by
    one place, and their next refresh would write to a wrong one.
    """
    with st.container():
        st.fragment(run_every=seconds)(body)(*args)
