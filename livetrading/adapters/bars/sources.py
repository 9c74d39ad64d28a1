"""Which source a word names. Each is imported when it is wanted: yfinance is slow."""

from pathlib import Path

from ...core.errors import BadInput, Refused
from .base import BarSource

CHOICES = "sample, yahoo or csv:PATH"


def open_source(spec: str, cache_dir: Path) -> BarSource:
    """The source that `spec` names: sample, yahoo or csv:PATH."""
    kind, _, path = spec.partition(":")
    if spec == "sample":
        from .sample import SampleSource
        return SampleSource()
    if spec == "yahoo":
        from .yahoo import YahooSource
        return YahooSource(cache_dir)
    if kind == "csv" and path.strip():
        from .csv_file import CsvSource
        return CsvSource(Path(path.strip()))
    if spec == "ibkr":
        raise Refused(
            "Bars from Interactive Brokers are not part of this version; use yahoo or csv:PATH."
        )
    raise BadInput(f"There is no bar source {spec!r}; choose {CHOICES}.")
