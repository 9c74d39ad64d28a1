"""The parts of a model's report that its card does not say, as text; pure functions from its document."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import real_money
from ..core.wording import counted
from ..research.report_names import LEGS, WITNESSES
from .report_text import WIDTH, folds, number

Doc = dict[str, Any]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LOOKS = 12
"""So many looks are listed; ``--json`` has all."""


def text(report: Doc) -> str:
    """Sections with an empty line between them."""
    walked = report["walk_forward"]
    sections = [
        _worth(report),
        _months(report["months"]),
        _trades(report["trades"]),
        _seeds(report),
        _parts("Test by year", "year", report["years"]),
        _parts("Test by regime", "regime", report["regimes"] or []),
        real_money.FEW,
        folds(walked, report["model"]["agent_type"], {}) if walked else "",
        _trials(report["trials"]),
        _looks(report["openings"]),
        _conditions(report["gate"]),
        "\n".join(["Not in this report:", *(f"  {text}" for text in report["missing"])]) if report["missing"] else "",
    ]
    return "\n\n".join(filter(None, sections))


def _worth(report: Doc) -> str:
    own, lucky = report["significance"], report["random"]
    rows = {report["model"]["agent_type"]: (own["sharpe_ratio"], own["interval"])}
    rows |= {
        WITNESSES[key]: (known["measures"].get("sharpe_ratio"), known["interval"])
        for key, known in report["baselines"].items()
    }
    lines = [f"{'Skill or luck':<{WIDTH}}{'Sharpe':>13}   95 % interval"]
    lines += [f"{name:<{WIDTH}}{number(ratio):>13}   {_interval(ends)}" for name, (ratio, ends) in rows.items()]
    if lucky:
        name = f"{lucky['agents']:,} random agents, median"
        ends = f"{number(lucky['sharpe_5'])} to {number(lucky['sharpe_95'])} (5 % to 95 %)"
        lines.append(f"{name:<{WIDTH}}{number(lucky['sharpe_ratio']):>13}   {ends}")
        if lucky["percentile"] is not None:
            lines.append(f"Better than {lucky['percentile']:.1f} % of them.")
    return "\n".join([*lines, *_luck(own), *filter(None, [own["note"]])])


def _luck(own: Doc) -> list[str]:
    needed, chance = own["minimum_track_record"], own["p_value_always_long"]
    length = "never reached at this ratio" if needed is None else counted(needed, "session")
    ratios = f"ratio {_share(own['probabilistic_sharpe'])}, deflated {_share(own['deflated_sharpe'])}"
    return [
        f"Probabilistic Sharpe {ratios} after {counted(own['tries'], 'look')} at this test.",
        f"Minimum track record: {length}; the test has {own['sessions']:,}.",
        f"Chance that always-long is as good, for one try: {_share(chance)}.",
    ]


def _interval(ends: Sequence[float] | None) -> str:
    return "–" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _months(rows: Sequence[Doc]) -> str:
    if not rows:
        return ""
    lines = ["Monthly returns in %", "      " + "".join(f"{name:>8}" for name in (*MONTHS, "Year"))]
    for row in rows:
        values = [*row["months"], row["total_return_pct"]]
        lines.append(f"{row['year']:<6}" + "".join(f"{'' if value is None else f'{value:.2f}':>8}" for value in values))
    return "\n".join(line.rstrip() for line in lines)


def _trades(shape: Doc | None) -> str:
    if shape is None:
        return "Trades: none was closed."
    middle = f"mean {number(shape['mean_pct'])} %, median {number(shape['median_pct'])} %"
    span = f"from {number(shape['worst_pct'])} % to {number(shape['best_pct'])} %"
    lines = [f"Trades: {shape['count']:,}, {middle}, {span} (dividends left out)"]
    beside = f"beside them {shape['elsewhere']:,.2f} USD by dividends and a position still open"
    lines.append(f"They made {shape['pnl']:,.2f} USD; {beside}.")
    if shape["median_sessions"] is not None:
        lines.append(f"Held for {shape['median_sessions']:g} sessions (median), at most {shape['longest_sessions']:,}.")
    edges, counts = shape["returns"]["edges"], shape["returns"]["counts"]
    for low, high, found in zip(edges, edges[1:], counts, strict=False):
        lines.append(f"  {low:>6g} % to {high:>6g} %  {found:>5,}  {'█' * round(30 * found / max(counts))}".rstrip())
    lines += [
        f"  ended by {LEGS.get(row['leg'], row['leg'])}: {row['count']:,}, {row['won_pct']:.0f} % won, mean {number(row['mean_pct'])} %"
        for row in shape["legs"]
    ]
    return "\n".join(lines)


def _seeds(report: Doc) -> str:
    rows = [{"seed": f"seed {at}", **values} for at, values in enumerate(report["seeds"] or [], 1)]
    return _parts("Test by seed", "seed", rows)


def _parts(title: str, key: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    lines = [f"{title:<{WIDTH}}{'Sharpe':>13} {'return':>10}"]
    for row in rows:
        name = f"{row[key]}  ({counted(row['sessions'], 'session')})"
        lines.append(f"{name:<{WIDTH}}{number(row['sharpe_ratio']):>13} {number(row['total_return_pct'], '%'):>10}")
    return "\n".join(lines)


def _trials(found: Doc | None) -> str:
    return "\n".join(known["words"] for known in (found or {}).values() if known)


def _looks(looks: Doc) -> str:
    head = f"This test was looked at {counted(looks['count'], 'time')}, about {looks['n_effective']:.1f} independent tries:"
    lines = [f"  {look['at'][:16]}  {look['kind']:<16} {look['model_id'] or look['symbol']}" for look in looks["list"]]
    return "\n".join([head, *lines[-LOOKS:]])


def _conditions(gate: Doc) -> str:
    lines = [f"{'yes' if row['ok'] else 'NO ':<4} {row['text']}" for row in gate["conditions"]]
    return "\n".join(["The gate to real money:", *lines, gate["words"]])
