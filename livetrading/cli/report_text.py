"""A training's report as text: the folds, then the test."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..adapters.bars import sample
from ..core import admission, drawdown_pause, lineage, real_money
from ..core.card import QUICK_TRY, ModelCard
from ..core.wording import counted, ordinal
from ..research.report_names import AGENT, named, tests

Doc = dict[str, Any]
WIDTH = 34
HEAD = f"{'Sharpe':>13} {'return':>10} {'drawdown':>10} {'trades':>7}"
SPARKS = "▁▂▃▄▅▆▇█"


def folds(walked: Mapping[str, Doc], agent_type: str, curves: Mapping[str, Sequence[Doc]]) -> str:
    """Agent and witnesses over all folds; then the agent by fold, by year and by regime, and as it learned."""
    agent, names = walked[AGENT], named(agent_type)
    span = f"{agent['folds'][0]['start']} to {agent['folds'][-1]['end']}"
    lines = [f"{'Walk-forward, ' + span:<{WIDTH}}{HEAD}"]
    lines += [_line(name, walked[key]["measures"]) for key, name in names.items() if key in walked]
    lines += ["", f"{agent_type + ' by fold':<{WIDTH}}{HEAD}"]
    lines += [_line(f"{fold['fold'] + 1}  {fold['start']} to {fold['end']}", fold) for fold in agent["folds"]]
    for kind, rows in (("year", agent["years"]), ("regime", agent["regimes"])):
        lines += ["", f"{agent_type + ' by ' + kind:<{WIDTH}}{HEAD[:24]}"]
        lines += [_short(f"{row[kind]}  ({counted(row['sessions'], 'session')})", row) for row in rows]
    return "\n".join([*lines, *_learned(curves)])


def test(metrics: Doc, agent_type: str) -> str:
    """The agent's test with its range over the members, beside the witnesses and its training part; then the gap, the
    pause and what must not be overlooked. ``metrics`` are a card's; those of earlier versions have less."""
    found, names = tests(metrics), named(agent_type)
    measures = metrics["test"]
    span = f"Test, {measures['start']} to {measures['end']}" if "start" in measures else "Test"
    lines = [f"{span:<{WIDTH}}{HEAD}"]
    lines.append(_line(names[AGENT], measures, admission.sharpe_words(measures)))
    lines += _range(metrics.get("members"))
    lines += [_line(names[key], found[key]) for key in found if key != AGENT]
    if train := metrics.get("train"):
        lines += [_line(f"{agent_type} in its training part", train), *_gap(train, measures)]
    short = real_money.too_few(measures["sessions"]) if "sessions" in measures else None
    notes = (drawdown_pause.words(measures.get("pause")), short)
    return "\n".join([*lines, *filter(None, notes)])


def card(model: ModelCard, *, report: bool = False) -> str:
    """A model in short: what it is, its folds' measures and its test. A ``report`` shows the folds elsewhere."""
    others = ", ".join(other.symbol for other in model.also)
    lines = [
        f"{model.model_id}: {model.agent_type} on {model.symbol}, {seeds(model) or 'one network'}, "
        f"{model.timesteps:,} steps, bars from {model.source}" + (f"; learned from {others} as well" if others else ""),
        f"{lineage.trained(model)}; at its training the test was looked at for the {ordinal(model.opened)} time."
        + (f" Its settings are the choice of {counted(model.trials, 'trial')}." if model.trials > 1 else ""),
        sample.remark(model.source, model.symbol, model.source_note),
    ]
    if said := lineage.words(model):
        lines.append(said)
    walked = (model.metrics.get("walk_forward") or {}).get("measures") or {}
    if walked and not report:
        count = counted(model.metrics["walk_forward"]["folds"], "fold")
        lines += ["", f"{'Walk-forward, ' + count:<{WIDTH}}{HEAD}"]
        lines += [_line(name, walked[key]) for key, name in named(model.agent_type).items() if key in walked]
    lines += ["", test(model.metrics, model.agent_type)]
    if idle := admission.never_traded(model.metrics["test"]):
        lines.append(idle)
    if not report:
        lines += ["", "The whole card: add --json. What the test is worth: report MODEL_ID."]
    return "\n".join(lines)


def seeds(model: ModelCard) -> str:
    """``5 seeds``, or that it was a quick try; empty for a card of before, which had no choice."""
    return QUICK_TRY if model.is_quick_try else f"{model.seeds} seeds" if model.members else ""


def short_test(sessions: int) -> str:
    """How short a test is whose Sharpe ratio cannot be called good; empty for others."""
    return f"{counted(sessions, 'session')}: too few to judge by" if real_money.too_few(sessions) else ""


def number(value: float | None, unit: str = "") -> str:
    return "undefined" if value is None else f"{value:.2f}{unit}"


def paused(pause: Doc | None) -> str:
    """When the drawdown limit first paused, and how often it did; empty if it never did."""
    spans = drawdown_pause.spans(pause)
    return f"paused {spans[0][0]}" + (f" ({len(spans):,} pauses)" if len(spans) > 1 else "") if spans else ""


def _line(name: str, measures: Doc, sharpe: str = "") -> str:
    trades = measures.get("num_trades")
    parts = [
        _short(name, measures, sharpe),
        f"{number(measures.get('max_drawdown_pct'), '%'):>10}",
        f"{'' if trades is None else format(trades, ','):>7}",
        f" {paused(measures.get('pause'))}",
    ]
    return " ".join(parts).rstrip()


def _short(name: str, measures: Doc, sharpe: str = "") -> str:
    ratio = sharpe or number(measures.get("sharpe_ratio"))
    return f"{name:<{WIDTH}}{ratio:>13} {number(measures.get('total_return_pct'), '%'):>10}"


def _range(members: Doc | None) -> list[str]:
    """The lowest and the highest of each measure over the members, each for itself."""
    if not members or members["count"] < 2:
        return []
    ends = [{key: pair and pair[end] for key, pair in members["range"].items()} for end in (0, 1)]
    names = (f"  lowest of its {members['count']} members", f"  highest of its {members['count']} members")
    return [_line(name, end) for name, end in zip(names, ends, strict=True)]


def _gap(train: Doc, measures: Doc) -> list[str]:
    learned, found = train.get("sharpe_ratio"), measures.get("sharpe_ratio")
    if learned is None or found is None:
        return []
    return [
        f"Gap: a Sharpe ratio of {learned:.2f} in training minus {found:.2f} in the test is {learned - found:+.2f}."
    ]


CURVES = (
    "While they learned: the Sharpe ratio of each member alone on what its fold judges (mean, range), an estimate by",
    "its likeliest actions at one size of account, 0 where it does not trade. The tables are the ensemble's, by the rules.",
)


def _learned(curves: Mapping[str, Sequence[Doc]]) -> list[str]:
    """A line a fold: the mean Sharpe ratio of the members on what the fold judges, while they learned."""
    lines = []
    for name, points in curves.items():
        values = [point["sharpe"] for point in points if point["sharpe"]]
        if values:
            means = [sum(members) / len(members) for members in values]
            spread = f" ({min(values[-1]):.2f} to {max(values[-1]):.2f})" if len(values[-1]) > 1 else ""
            lines.append(f"{name}  {spark(means)}  {means[0]:.2f} to {means[-1]:.2f}{spread}")
    return ["", *CURVES, *lines] if lines else []


def spark(values: Sequence[float]) -> str:
    """A line of text as high as the values, a character each; at most 30 of them."""
    shown = values[:: -(-len(values) // 30) or 1]
    low, high = min(shown), max(shown)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((value - low) * scale)] for value in shown)
