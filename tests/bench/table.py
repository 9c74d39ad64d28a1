"""The bench's rows as tables: means by kind, the gap to the ridge, how many get halfway to the oracle."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .planted import KINDS

Row = dict[str, Any]
WITNESSES = ("ridge", "tree")


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """JSON-ready: for each procedure its figures on the linear and the non-linear kinds, and by kind."""
    procedures = list(dict.fromkeys(row["procedure"] for row in rows))
    return {name: {group: _figures(rows, name, kinds) for group, kinds in groups(rows).items()} for name in procedures}


def groups(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Names of the groups of kinds that the rows hold, the two large ones first."""
    seen = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    large = {
        "linear": tuple(k for k in seen if KINDS[k].linear),
        "non-linear": tuple(k for k in seen if not KINDS[k].linear),
    }
    return {name: kinds for name, kinds in {**large, **{kind: (kind,) for kind in seen}}.items() if kinds}


def _figures(rows: Sequence[Row], name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    ours = [row for row in rows if row["procedure"] == name and row["kind"] in kinds]
    test, train = _of(ours, "test_sharpe"), _of(ours, "train_sharpe")
    return {
        "runs": len(ours),
        "test_sharpe": _mean(test),
        "test_se": float(np.std(test, ddof=1) / np.sqrt(len(test))) if len(test) > 1 else None,
        "test_sharpe_unpaused": _mean(_of(ours, "test_sharpe_unpaused")),
        "train_sharpe": _mean(train),
        "paused": sum(bool(row["paused"]) for row in ours),
        "gap_to_ridge": _mean(_gaps(ours, _by_series(rows, "ridge"))),
        "halfway": _halfway(ours, rows),
        "explained_variance": _mean([row["notes"].get("explained_variance") for row in ours]),
        "seconds": _mean([row["seconds"] for row in ours]),
    }


def _halfway(ours: Sequence[Row], rows: Sequence[Row]) -> dict[str, int | None]:
    """Of the runs on series where the better of ridge and tree gets halfway from always-long to the oracle, how many do.

    ``all`` are the runs that get there on whatever series, ``asked`` those on the series that count.
    """
    long, oracle = _by_series(rows, "always_long"), _by_series(rows, "oracle")
    able = [_by_series(rows, name) for name in WITNESSES]
    marks = {series: (long[series] + oracle[series]) / 2.0 for series in long.keys() & oracle.keys()}
    known = [(row, marks[_series(row)]) for row in ours if _series(row) in marks]
    asked = [
        (row, mark)
        for row, mark in known
        if max((found.get(_series(row), -np.inf) for found in able), default=-np.inf) >= mark
    ]

    def reached(pairs: Sequence[tuple[Row, float]]) -> int:
        return sum(_sharpe(row) >= mark for row, mark in pairs)

    return {"reached": reached(asked), "asked": len(asked), "all": reached(known), "runs": len(known)}


def _gaps(ours: Sequence[Row], ridge: dict[str, float]) -> list[float]:
    return [_sharpe(row) - ridge[_series(row)] for row in ours if _series(row) in ridge]


def _by_series(rows: Sequence[Row], name: str) -> dict[str, float]:
    return {_series(row): _sharpe(row) for row in rows if row["procedure"] == name}


def _series(row: Row) -> str:
    return f"{row['kind']}-{row['split']}-{row['index']}"


def _sharpe(row: Row) -> float:
    """An agent that never trades has none and earned nothing: 0."""
    return row["test_sharpe"] or 0.0


def _of(rows: Sequence[Row], key: str) -> list[float]:
    return [row[key] or 0.0 for row in rows]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("runs", lambda f: str(f["runs"])),
    ("test", lambda f: _number(f["test_sharpe"])),
    ("se", lambda f: _number(f["test_se"])),
    ("unpaused", lambda f: _number(f["test_sharpe_unpaused"])),
    ("train", lambda f: _number(f["train_sharpe"])),
    ("to ridge", lambda f: _number(f["gap_to_ridge"], "+.2f")),
    ("halfway", lambda f: f"{f['halfway']['reached']}/{f['halfway']['asked']}"),
    ("of all", lambda f: f"{f['halfway']['all']}/{f['halfway']['runs']}"),
    ("paused", lambda f: str(f["paused"])),
    ("expl.var", lambda f: _number(f["explained_variance"])),
    ("s", lambda f: _number(f["seconds"], ".1f")),
)


def text(rows: Sequence[Row]) -> str:
    """The tables, one a group of kinds."""
    found, lines = summary(rows), []
    for group in groups(rows):
        lines.append(f"{group:24}" + "".join(f"{name:>10}" for name, _ in COLUMNS))
        for name, by_group in found.items():
            lines.append(f"  {name:22}" + "".join(f"{cell(by_group[group]):>10}" for _, cell in COLUMNS))
        lines.append("")
    return "\n".join(lines)


def _number(value: float | None, form: str = ".2f") -> str:
    return "" if value is None else format(value, form)
