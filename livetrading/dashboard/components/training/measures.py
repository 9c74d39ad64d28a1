"""The measures of a test, beside those of buy-and-hold, the witnesses, the members and the training part."""

from collections.abc import Sequence
from typing import Any

from livetrading.core.metrics import TRADES_NOTE
from livetrading.dashboard import markup
from livetrading.dashboard.format import DASH, count, money, number, percent, sharpe, signed_percent, tone
from livetrading.research.report_names import WITNESSES

Doc = dict[str, Any]
Cell = tuple[str, str] | str
SHOWN = {"ratio": number, "sharpe": sharpe, "gain": signed_percent, "share": percent, "count": count, "money": money}
MEASURES = (
    ("Sharpe ratio", "sharpe_ratio", "sharpe"),
    ("Sortino ratio", "sortino_ratio", "ratio"),
    ("Calmar ratio", "calmar_ratio", "ratio"),
    ("Total return", "total_return_pct", "gain"),
    ("CAGR", "cagr_pct", "gain"),
    ("Max drawdown", "max_drawdown_pct", "share"),
    ("Volatility", "volatility_pct", "share"),
    ("Win rate", "win_rate_pct", "share"),
    ("Profit factor", "profit_factor", "ratio"),
    ("Closed trades", "num_trades", "count"),
    ("Exposure", "exposure_pct", "share"),
    ("Final equity", "final_equity", "money"),
)
ONLY_TRADED = ("win_rate_pct", "profit_factor", "num_trades")
"""Buying and holding closes no trade: there is nothing to compare."""
BESIDE = ("ridge", "always_long")


def table(agent_type: str, test: Doc, without: Doc | None) -> str:
    """As HTML; a test of before has fewer columns."""
    more: list[tuple[str, Doc]] = [("No limit", without)] if without else []
    if train := test.get("train"):
        more.append(("Training part", train["metrics"]))
    found = test.get("witnesses") or {}
    more += [(WITNESSES[key], found[key]["metrics"]) for key in BESIDE if key in found]
    rows = rows_of(test["metrics"], test["buy_and_hold_metrics"], [values for _, values in more])
    head = ["Measure", agent_type, *(name for name, _ in more), "Buy & hold"]
    members = test.get("members") or []
    if len(members) > 1:
        head.insert(2, f"{len(members)} members")
        for row in rows:
            row.insert(2, (_range(str(row[0]), members), "lt-muted"))
    return markup.table(head, rows, stacks=len(head) > 4, kind="lt-many") + markup.remark(TRADES_NOTE)


def rows_of(metrics: Doc, hold: Doc, more: Sequence[Doc] = ()) -> list[list[Cell]]:
    """One row a measure: its name, the model's value, those of ``more``, buy-and-hold's."""
    columns = [metrics, *more, hold]
    rows: list[list[Cell]] = []
    for label, key, kind in MEASURES:
        cells = [_cell(column.get(key), kind) for column in columns]
        rows.append([label, *cells[:-1], (DASH, "lt-muted") if key in ONLY_TRADED else cells[-1]])
    if metrics.get("sharpe_se") is not None:
        rows.insert(1, ["± standard error", *((number(column.get("sharpe_se")), "lt-muted") for column in columns)])
    return rows


def _cell(value: float | None, kind: str) -> tuple[str, str]:
    return SHOWN[kind](value), tone(value) if kind == "gain" else ""


def _range(label: str, members: Sequence[Doc]) -> str:
    """The lowest and the highest of a measure over the members."""
    for name, key, kind in MEASURES:
        known = [member[key] for member in members if member.get(key) is not None]
        if name == label and known:
            return f"{SHOWN[kind](min(known))} to {SHOWN[kind](max(known))}"
    return DASH
