"""What to train: source, symbol, agent type, steps, seeds, folds, other symbols, range."""

import hashlib
import re
from pathlib import Path
from typing import Any

import streamlit as st

from livetrading.adapters import request_ids
from livetrading.adapters.bars import check_symbol, sample
from livetrading.adapters.files import atomic_write, make_directory
from livetrading.core.card import MOST_MEMBERS
from livetrading.core.errors import BadInput
from livetrading.core.types import AgentType
from livetrading.dashboard import brokers, commands, reading

from . import job_watch

REQUEST = "train_request"


def render() -> None:
    """Starts at most one training for one showing of the form."""
    st.session_state.setdefault(REQUEST, request_ids.new())
    with st.container(border=True):
        sources = {"sample": "Bundled sample", "yahoo": "Yahoo Finance", **brokers.bar_sources(), "csv": "CSV file"}
        source = st.segmented_control(
            "Bars", list(sources), default="sample", required=True, format_func=sources.__getitem__, key="train_source"
        )
        symbol, spec = _series(source or "sample")
        agent_type, options = _learning()
        also = _also(source or "sample", symbol)
        span = _span()
        busy = job_watch.busy()  # so that the second click of a double click starts nothing
        clicked = st.button(
            "Train", type="primary", key="train_go", width="stretch", disabled=busy or not (symbol and spec)
        )
        if clicked and not busy:
            _start(check_symbol(symbol), agent_type, {"source": spec, **options, "also": also, **span})


def _learning() -> tuple[str, dict[str, Any]]:
    """The agent, and options of ``train`` as numbers."""
    left, middle, right = st.columns(3)
    agent_type = left.selectbox("Agent", [str(kind) for kind in AgentType], key="train_agent")
    steps = middle.number_input("Timesteps", 1, 100_000_000, 50_000, step=10_000, key="train_steps")
    seed = right.number_input("Seed", 0, 2**31 - 1, 0, step=1, key="train_seed")
    left, right = st.columns(2)
    seeds = left.number_input(
        "Seeds",
        1,
        MOST_MEMBERS,
        5,
        step=1,
        key="train_seeds",
        help="Members of the ensemble that is deployed. One is a quick try: another seed may give another result.",
    )
    folds = right.number_input(
        "Folds",
        0,
        20,
        4,
        step=1,
        key="train_folds",
        help="Walk-forward folds inside the training part, judged before the test is opened. 0 leaves them out.",
    )
    return agent_type, {"timesteps": int(steps), "seed": int(seed), "seeds": int(seeds), "folds": int(folds)}


def _also(source: str, symbol: str) -> str | None:
    """Other symbols to learn from, as ``train --also`` takes them. A CSV file holds one symbol."""
    help_text = "Their bars up to the day where the test begins; the model still trades its own symbol alone."
    if source == "csv":
        return None
    if source == "sample":
        others = [other for other in sample.symbols() if other != symbol]
        chosen = st.multiselect(
            "Also learn from", others, key="train_also_sample", placeholder="No other", help=help_text
        )
        return ",".join(chosen) or None
    typed = st.text_input("Also learn from", key="train_also", placeholder="GOOG, NVDA", help=help_text)
    return ",".join(part.strip() for part in typed.split(",") if part.strip()) or None


def _span() -> dict[str, Any]:
    with st.expander("Range of decided sessions"):
        left, right = st.columns(2)
        start = left.date_input(
            "Start",
            None,
            min_value="1990-01-01",
            format="YYYY-MM-DD",
            key="train_start",
            help="Empty: as early as the warm-up of 500 bars allows.",
        )
        end = right.date_input(
            "End",
            None,
            min_value="1990-01-01",
            format="YYYY-MM-DD",
            key="train_end",
            help="Empty: the last complete session.",
        )
    return {"start": start, "end": end}


def _series(source: str) -> tuple[str, str | None]:
    """The symbol and the source as ``train`` takes it; None while there is no file."""
    if source == "sample":
        return st.selectbox("Symbol", sample.symbols(), key="train_sample"), "sample"
    symbol = st.text_input("Symbol", key="train_symbol", placeholder="MSFT", max_chars=12)
    if source != "csv":
        return symbol, source
    upload = st.file_uploader(
        "CSV file: date, open, high, low, close, volume; dividend and split if there are any",
        type="csv",
        key="train_upload",
    )
    path = st.text_input("or the path of a file on this machine", key="train_path")
    if upload is not None:
        return symbol, f"csv:{_save(upload.name, upload.getvalue())}"
    return symbol, f"csv:{Path(path.strip()).expanduser()}" if path.strip() else None


def _save(name: str, content: bytes) -> Path:
    """The upload in the home, under a name that cannot leave it.

    Other content gets another file, because agents still read the one that they were deployed with.
    """
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(name).stem).strip("_")[:60] or "bars"
    path = reading.home().root / "uploads" / f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.csv"
    make_directory(path.parent)
    if not path.exists():
        atomic_write(path, content)
    return path


def _start(symbol: str, agent_type: str, options: dict[str, Any]) -> None:
    if options["start"] and options["end"] and options["start"] >= options["end"]:
        raise BadInput("The start must be before the end; choose an earlier start or a later end.")
    job_id = st.session_state.pop(REQUEST)
    given = [part for name, value in options.items() if value is not None for part in (f"--{name}", str(value))]
    commands.start(reading.home(), ["train", symbol, "--agent", agent_type, *given, "--json", "--job", job_id], job_id)
    job_watch.watch(job_id, f"{agent_type} on {symbol}")
    st.rerun()
