"""``compare``: models side by side."""

import argparse
from typing import Any

from ..adapters.home import Home
from ..core.errors import BadInput
from ..dashboard.comparing import compared, verdict
from .report_text import number

Doc = dict[str, Any]
ROWS = (
    ("return", "total_return_pct", " %"),
    ("max drawdown", "max_drawdown_pct", " %"),
    ("Calmar", "calmar_ratio", ""),
    ("exposure", "exposure_pct", " %"),
    ("closed trades", "num_trades", ""),
    ("sessions", "sessions", ""),
)


def compare(home: Home, options: argparse.Namespace) -> Doc:
    """From the stored tests: nothing is run again, so no test is opened."""
    wanted = list(dict.fromkeys(options.model_id))
    if len(wanted) < 2:
        raise BadInput("Name two models or more to compare; list them with `python -m livetrading models`.")
    answer = compared(home, wanted)
    return {**answer, "text": _text(answer)}


def _text(answer: Doc) -> str:
    models = answer["models"]
    wide = max(len(model["model_id"]) for model in models) + 2
    lines = [_row("", [model["model_id"] for model in models], wide)]
    lines.append(_row("test", [f"{m['test_range']['start']} –" for m in models], wide))
    lines.append(_row("", [m["test_range"]["end"] for m in models], wide))
    lines.append(_row("Sharpe", [_sharpe(m["measures"]) for m in models], wide))
    lines.append(_row("  95 % interval", [_interval(m["sharpe_interval"]) for m in models], wide))
    for name, key, unit in ROWS:
        lines.append(_row(name, [_figure(m["measures"][key], unit) for m in models], wide))
    lines.append(_row("test opened", [str(m["opened"]) for m in models], wide))
    lines.append(_row("deployed by", [_agents(m) for m in models], wide))
    lines += ["", *_common(answer, wide), *_settings(answer, wide)]
    lines += [f"{model['model_id']}: {model['lineage']}" for model in models if model["lineage"]]
    return "\n".join(lines).rstrip()


def _common(answer: Doc, wide: int) -> list[str]:
    shared, pairs = answer["common"], list(filter(None, map(verdict, answer["paired"])))
    if shared is None:
        return [
            "No session is in all of these tests: their figures are of different times and cannot be compared.",
            *pairs,
        ]
    lines = [f"On the {shared['sessions']} sessions that they share, {shared['start']} to {shared['end']}:"]
    lines.append(_row("Sharpe", [_sharpe(model["common"]) for model in answer["models"]], wide))
    returns = [_figure(model["common"]["total_return_pct"], " %") for model in answer["models"]]
    return [*lines, _row("return", returns, wide), *pairs]


def _settings(answer: Doc, wide: int) -> list[str]:
    rows = answer["settings"]
    if not rows:
        return ["", "All settings are the same."]
    return [
        "",
        "Settings that differ:",
        *(_row(f"  {row['name']}", list(map(str, row["values"])), wide) for row in rows),
    ]


def _row(name: str, cells: list[str], wide: int) -> str:
    return f"{name:<28}" + "".join(f"{cell:>{max(wide, len(cell) + 2)}}" for cell in cells)


def _sharpe(measures: Doc) -> str:
    error = measures.get("sharpe_se")
    return number(measures.get("sharpe_ratio")) + ("" if error is None else f" ± {error:.2f}")


def _interval(interval: list[float] | None) -> str:
    return "undefined" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _figure(value: float | None, unit: str) -> str:
    return str(value) if isinstance(value, int) else number(value, unit)


def _agents(model: Doc) -> str:
    return ", ".join(agent["agent_id"] for agent in model["deployed_by"]) or "none"
