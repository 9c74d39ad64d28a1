"""``report``: everything that a model's stored test says, as text, as JSON, and as one HTML file."""

import argparse
from pathlib import Path
from typing import Any

from ..adapters.files import NAMED, atomic_write
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..core.errors import BadInput
from ..research import stored_report
from . import report_sections, report_text

Doc = dict[str, Any]


def report(home: Home, options: argparse.Namespace) -> Doc:
    """Shows what the training's test showed already, so it counts as no look. Raises Unavailable for a path that cannot
    be written."""
    path = None if options.html is None else Path(options.html)
    if path is not None and not path.name:
        raise BadInput(f"{options.html!r} is not the name of a file: give one to --html, such as report.html.")
    found = stored_report.load(home, options.model_id)
    card = Registry(home).card(options.model_id)
    text = f"{report_text.card(card, report=True)}\n\n{report_sections.text(found)}"
    if path is None:
        return {**found, "text": text}
    from ..dashboard import report_html  # Plotly: a second

    atomic_write(path, report_html.page(found).encode(), mode=NAMED)
    return {**found, "html": str(path), "text": f"{text}\n\nWritten to {path}: any browser opens it, offline."}
