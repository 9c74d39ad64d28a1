"""An error is one sentence in its place on the page, never a traceback; the other parts still work."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st
from streamlit.errors import FragmentHandledException

from livetrading.adapters import logs
from livetrading.core.errors import LivetradingError, in_a_line
from livetrading.dashboard.format import markdown

log = logging.getLogger(__name__)


@contextmanager
def guarded() -> Iterator[None]:
    """Show an error in place. Streamlit's own exceptions to stop or run again pass through."""
    try:
        yield
    except LivetradingError as error:
        st.error(markdown(str(error)))
    except FragmentHandledException:
        pass  # Streamlit has already shown it in its place
    except Exception as error:
        logs.caught(log, "a part of a page", error)
        st.error(markdown(f"This part cannot be shown: {in_a_line(error)}; the log holds the details."))


def shown(function: Callable[..., None]) -> Callable[..., None]:
    """``guarded`` for a whole function, such as a fragment's body."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        with guarded():
            function(*args, **kwargs)

    return run
