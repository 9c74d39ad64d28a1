"""An expected error is one sentence on the page, never a traceback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from livetrading.core.errors import LivetradingError
from livetrading.dashboard.format import markdown


@contextmanager
def guarded() -> Iterator[None]:
    """Show an error of ours in place; what stands around it goes on."""
    try:
        yield
    except LivetradingError as error:
        st.error(markdown(str(error)))


def shown(function: Callable[..., None]) -> Callable[..., None]:
    """``guarded`` for a whole function, such as a fragment's body."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        with guarded():
            function(*args, **kwargs)

    return run
