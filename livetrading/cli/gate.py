"""``gate``: what a model's test says for and against real money, without deploying it."""

import argparse
from typing import Any

from ..adapters import openings
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..core.wording import counted
from ..execution.agent_manager import must_match, terms_of
from ..research import gate as gates
from . import judging, trading
from .report_text import number

Doc = dict[str, Any]


def gate(home: Home, options: argparse.Namespace) -> Doc:
    """The gate's answer without deploying anything."""
    args = trading.agreed(options)
    must_match(Registry(home).card(options.model_id), args)
    terms = terms_of(args)
    found = judging.judge(home, options.model_id, terms, openings.GATE)
    card, made = found.scene.card, found.scene
    train = range(made.market.sessions.index(card.train.start), made.market.sessions.index(card.train.end) + 1)
    beside = gates.baselines(found.run, made.market, train, made.bars, terms)
    answer = {
        "model_id": options.model_id,
        **found.answer,
        "baselines": beside,
        "test": found.run.own.summary()["test"],
    }
    return {**answer, "text": _text(answer)}


def _text(answer: Doc) -> str:
    lines = [f"{'yes' if row['ok'] else 'NO ':<4} {row['text']}" for row in answer["conditions"]]
    looks = answer["openings"]
    interval = answer["sharpe_interval"]
    ratio = number(answer["test"]["sharpe_ratio"])
    lines += [
        "",
        f"Sharpe ratio {ratio}"
        + ("" if interval is None else f", with 95 % confidence from {interval[0]:.2f} to {interval[1]:.2f}"),
        *(
            f"{name.replace('_', ' '):<14} Sharpe {number(row['sharpe_ratio']):>9}  return {number(row['total_return_pct'])} %"
            for name, row in answer["baselines"].items()
            if name != "random"
        ),
        (
            f"1,000 agents by chance: Sharpe {number(answer['chance']['sharpe_5'])} to {number(answer['chance']['sharpe_95'])}"
            f" (5 % to 95 %); the model is at percentile {number(answer['chance']['percentile'])}"
        ),
        "",
        f"This test was looked at {counted(looks['count'], 'time')} (about {looks['n_effective']:.1f} independent tries):",
        *(
            f"  {look['at'][:16]}  {look['kind']:<16} {look['model_id'] or look['symbol']}"
            for look in looks["list"][-12:]
        ),
        "",
        answer["words"],
    ]
    return "\n".join(lines)
