"""A model's report as one HTML file that needs nothing from elsewhere: no request, no library beside it.

All text is escaped, and the page's own policy forbids every request.
"""

from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from livetrading.core import admission, drawdown_pause, real_money
from livetrading.core.wording import counted
from livetrading.research.report_names import AGENT, named

from . import figures, markup, report_figures, report_style, report_tables, training_figures
from .components.training import measures
from .format import count, day_and_time, money, percent
from .markup import Fact

Doc = dict[str, Any]
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""Requests to anywhere are refused by the browser."""
FITTING = """
const fit = () => document.querySelectorAll('.js-plotly-plot').forEach(chart => Plotly.Plots.resize(chart));
for (const moment of ['load', 'beforeprint', 'afterprint']) window.addEventListener(moment, fit);
"""
"""A chart is drawn before what stands beside it is there, and paper is as wide as no screen."""


def page(report: Doc) -> str:
    """The whole file, of a document as ``research.report_document.build`` makes it."""
    name = report["model"]["model_id"]
    parts = [
        _head(report),
        _worth(report),
        _equity(report),
        _section("Monthly returns", report_tables.months(report)),
        _trades(report),
        _walk(report),
        _seeds(report),
        _test_parts(report),
        _trials(report),
        _gate(report),
        _measures(report),
        _rest(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>Report of {escape(name)}</title><style>{report_style.CSS}</style>"
        f"<script>{get_plotlyjs()}</script><script>{FITTING}</script></head><body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, *parts: str) -> str:
    inner = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{inner}</section>" if inner else ""


def _text(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def _chart(figure: go.Figure, name: str) -> str:
    """Its colours are such as dark and light grounds allow; texts and grid take theirs from the style sheet."""
    made = to_html(figure, full_html=False, include_plotlyjs=False, div_id=f"chart-{name}", config=figures.CONFIG)
    for color, other in report_style.COLOURS.items():
        made = made.replace(color, other)
    return f'<div class="chart">{made}</div>'


def _head(report: Doc) -> str:
    model, idle = report["model"], admission.never_traded(report["measures"])
    learned = f", learned from {', '.join(model['also'])} as well" if model["also"] else ""
    facts = [
        Fact("Test", f"{model['test']['start']} – {model['test']['end']}", counted(model["test"]["sessions"], "session")),
        Fact("Training part", f"{model['train']['start']} – {model['train']['end']}", f"{count(model['timesteps'])} steps"),
        Fact("Seeds", count(model["seeds"]), f"from seed {model['seed']}"),
        Fact("Bars", model["source"]),
        *([Fact("Terms", money(terms["capital"]), _limits(terms))] if (terms := report["terms"]) else []),
    ]  # fmt: skip
    notes = [model["lineage"], idle, drawdown_pause.words(report["measures"].get("pause"))]
    return (
        f"<header><h1>{escape(model['symbol'])} by {escape(model['agent_type'])}</h1>"
        f'<div class="sub">{escape(model["model_id"])}, trained {escape(day_and_time(model["created"]))}'
        f"{escape(learned)}</div>{markup.facts(facts, wide=True)}"
        f"{_text(report['gate']['words'], 'words')}{markup.notes([note for note in notes if note])}"
        f"{_text(model['source_note'], 'sub')}</header>"
    )


def _limits(terms: Doc) -> str:
    return (
        f"position {percent(100 * terms['max_position'], 0)}, risk {percent(100 * terms['risk_per_trade'], 1)} a trade,"
        f" stop {terms['stop_atr']:g} ATR, drawdown {percent(100 * terms['max_drawdown'], 0)}"
    )


def _worth(report: Doc) -> str:
    note = report["significance"]["note"]
    return _section(
        "Skill or luck",
        report_tables.worth(report),
        markup.notes([note] if note else []),
        markup.facts(report_tables.luck(report), wide=True),
    )


def _equity(report: Doc) -> str:
    spans = drawdown_pause.spans(report["measures"].get("pause"))
    return _section("Equity and drawdown", _chart(report_figures.equity(report, spans), "equity"))


def _trades(report: Doc) -> str:
    shape = report["trades"]
    if shape is None:
        return _section("Trades", _text("The model closed no trade in its test."))
    charts = _chart(report_figures.trades(shape), "trades"), _chart(report_figures.holding(shape), "holding")
    listed = (
        f"<details><summary>All {count(shape['count'])} trades</summary>{report_tables.trade_list(report)}</details>"
    )
    return _section(
        "Trades",
        markup.facts(report_tables.trade_facts(shape), wide=True),
        f'<div class="two">{"".join(charts)}</div>',
        report_tables.legs(shape),
        _text(report_tables.TRADES_NOTE, "sub"),
        listed,
    )


def _walk(report: Doc) -> str:
    walked, kind = report["walk_forward"], report["model"]["agent_type"]
    if not walked:
        return ""
    agent = walked[AGENT]
    tables = [
        report_tables.folds(walked, kind),
        report_tables.parts(kind, "regime", agent["regimes"]),
        report_tables.parts(kind, "year", agent["years"]),
    ]
    return _section(
        "Walk-forward, before the test was opened",
        _chart(training_figures.walk_figure(walked, kind), "walk"),
        report_tables.beside(walked, named(kind)),
        f'<div class="two">{"".join(tables)}</div>',
        _text(real_money.FEW, "sub"),
    )


def _seeds(report: Doc) -> str:
    return _section("Seed by seed, in the test", report_tables.seeds(report)) if report["seeds"] else ""


def _test_parts(report: Doc) -> str:
    regimes = report["regimes"]
    tables = [report_tables.parts("Test", "year", report["years"])]
    tables += [report_tables.parts("Test", "regime", regimes)] if regimes else []
    shown = f'<div class="two">{"".join(tables)}</div>'
    return _section("The test by year and regime", shown, _text(real_money.FEW, "sub"))


def _trials(report: Doc) -> str:
    return _section("Tries side by side", *(_text(text) for text in report_tables.trials(report)))


def _gate(report: Doc) -> str:
    looks = report["openings"]
    seen = f"This test was looked at {counted(looks['count'], 'time')}, about {looks['n_effective']:.1f} independent tries."
    return _section("The gate to real money", report_tables.conditions(report)) + _section(
        "What was opened when", _text(seen), report_tables.looks(report)
    )


def _measures(report: Doc) -> str:
    pause = report["measures"].get("pause") or {}
    beside = {
        key: {"metrics": known["measures"]} for key, known in report["baselines"].items() if key != "buy_and_hold"
    }
    test = {
        "metrics": report["measures"],
        "buy_and_hold_metrics": report["baselines"]["buy_and_hold"]["measures"],
        "train": {"metrics": report["train"]} if report["train"] else None,
        "witnesses": beside,
        "members": report["seeds"],
    }
    return _section("All measures", measures.table(report["model"]["agent_type"], test, pause.get("without")))


def _rest(report: Doc) -> str:
    if not report["missing"]:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in report["missing"])
    return _section("Not in this report", f"<ul>{items}</ul>")
