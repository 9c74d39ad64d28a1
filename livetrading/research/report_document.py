"""The whole report of a stored model's test as one JSON-ready document: page, command and file show this.

It is made of what the registry keeps, so it opens nothing anew and counts as no look. What an earlier version did not
store is left out and named under ``missing``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..adapters.bars import sample
from ..core import lineage, market, real_money, significance
from ..core.card import ModelCard
from ..core.errors import LivetradingError
from ..core.metrics import drawdown
from . import skill, trade_shapes, trials
from .breakdown import by_month, by_regime, by_year, regimes
from .report_names import WITNESSES
from .trials import Trials

Doc = dict[str, Any]
FORM = 1
"""Raised whenever a key changes its meaning."""
CONFIDENCE = 0.95
LACKING = {
    "baselines": "always-long, ridge and cash beside the test",
    "random": "agents that trade by chance",
    "train": "the measures of the training part",
    "seeds": "each seed alone",
    "walk_forward": "folds: there were none, or they were not stored",
    "regimes": "regimes: the bars cannot be read",
    "trials": "overfitting and superior ability: they need two tries of this test whose returns were kept",
    "lookahead": "the look-ahead check: run verify --lookahead",
}
"""What a report can lack, in words."""


@dataclass(frozen=True)
class Stored:
    """What a report is made of: a model's card, ``test.json`` and bars (None: they cannot be read), the gate's answer at
    this moment, the newest look-ahead check, and the tries of the same test whose returns are known. ``study`` are the
    trials of the search that chose the model, on the sessions that its folds judged."""

    card: ModelCard
    test: Mapping[str, Any]
    bars: pd.DataFrame | None
    answer: Mapping[str, Any]
    lookahead: Mapping[str, Any] | None = None
    tries: Trials | None = None
    study: Trials | None = None


def build(stored: Stored) -> Doc:
    """The document. Keys in ``_pct`` are percents; equities are USD at the closes of ``equity["sessions"]``."""
    card, test, answer = stored.card, stored.test, stored.answer
    sessions = [session for session, _ in test["equity"]]
    equity = [value for _, value in test["equity"]]
    found: Doc = {
        "form": FORM,
        "model": _model(card),
        "terms": card.metrics.get("terms"),
        "measures": test["metrics"],
        "significance": _significance(test, answer),
        "baselines": _baselines(test),
        "random": test.get("chance", {}).get("summary"),
        "train": test.get("train", {}).get("metrics"),
        "seeds": test.get("members"),
        "equity": _equity(test),
        "drawdown_pct": (100.0 * drawdown(equity)).tolist(),
        "months": by_month(sessions, equity),
        "years": by_year(sessions, equity) if min(equity) > 0.0 else [],
        "regimes": _regimes(stored, sessions, equity),
        "trades": trade_shapes.distribution(test["trades"], sessions, equity),
        "trade_list": test["trades"],
        "walk_forward": test.get("walk_forward") or None,
        "trials": _trials(stored),
        "openings": answer["openings"],
        "gate": {key: answer[key] for key in ("real_money", "conditions", "words")},
        "lookahead": dict(stored.lookahead) if stored.lookahead else None,
    }
    return {**found, "missing": _missing(found)}


def _model(card: ModelCard) -> Doc:
    return {
        "model_id": card.model_id,
        "agent_type": str(card.agent_type),
        "symbol": card.symbol,
        "also": [other.symbol for other in card.also],
        "source": card.source,
        "source_note": sample.remark(card.source, card.symbol, card.source_note),
        "lineage": lineage.words(card),
        "created": card.created.isoformat(),
        "timesteps": card.timesteps,
        "seed": card.seed,
        "seeds": card.seeds,
        "train": _span(card.train),
        "test": _span(card.test),
    }


def _span(span: Any) -> Doc:
    return {"start": str(span.start), "end": str(span.end), "sessions": span.sessions}


def _significance(test: Mapping[str, Any], answer: Mapping[str, Any]) -> Doc:
    """Everything that says how much of the Sharpe ratio may be luck. ``note`` is None for a test that is long enough."""
    measures = test["metrics"]
    return {
        "sharpe_ratio": measures["sharpe_ratio"],
        "sharpe_se": measures.get("sharpe_se"),
        "confidence": CONFIDENCE,
        "interval": answer["sharpe_interval"],
        "probabilistic_sharpe": answer["probabilistic_sharpe"],
        "deflated_sharpe": answer["deflated_sharpe"],
        "tries": answer["openings"]["count"],
        "minimum_track_record": answer["minimum_track_record"],
        "p_value_always_long": answer["p_value"],
        "percentile_of_random": (answer["chance"] or {}).get("percentile"),
        "lucky_of_100": answer["lucky_of_100"],
        "sessions": measures["sessions"],
        "note": real_money.too_few(measures["sessions"]),
    }


def _baselines(test: Mapping[str, Any]) -> Doc:
    """Measures and the Sharpe ratio's interval of what stands beside, in the order of all tables."""
    found = {key: (known["metrics"], known["equity"]) for key, known in (test.get("witnesses") or {}).items()}
    found["buy_and_hold"] = (test["buy_and_hold_metrics"], test["buy_and_hold"])
    return {key: {"measures": found[key][0], "interval": _interval(found[key][1])} for key in WITNESSES if key in found}


def _interval(pairs: Sequence[Sequence[Any]]) -> list[float] | None:
    found = skill.sharpe_interval(significance.returns_of([value for _, value in pairs]), CONFIDENCE)
    return None if found is None else list(found)


def _equity(test: Mapping[str, Any]) -> Doc:
    """``sessions`` and, of each, USD: the model's, each baseline's, without the drawdown limit, and the band of random
    agents as ``[5 %, 50 %, 95 %]``; None where there is none."""
    sessions, own = zip(*test["equity"], strict=True)
    beside = {key: known["equity"] for key, known in (test.get("witnesses") or {}).items()}
    beside["buy_and_hold"] = test["buy_and_hold"]
    return {
        "sessions": list(sessions),
        "model": list(own),
        "baselines": {key: [value for _, value in beside[key]] for key in WITNESSES if key in beside},
        "without_limit": [value for _, value in test.get("unpaused") or []] or None,
        "random_band": test.get("chance", {}).get("band"),
    }


def _regimes(stored: Stored, sessions: Sequence[str], equity: Sequence[float]) -> list[Doc] | None:
    """The test by how volatile the market was at each decision, against the thirds of the training part."""
    card = stored.card
    if stored.bars is None or min(equity) <= 0.0:
        return None
    try:
        view = market.build(stored.bars, card.scaler, card.features)
        fit = range(view.index(card.train.start), view.index(card.train.end) + 1)
        bars = range(view.index(card.test.start), view.index(card.test.end) + 1)
    except (LivetradingError, KeyError, ValueError):  # a card of a version with other features
        return None
    return by_regime(regimes(view, fit, bars), equity) if len(bars) == len(sessions) else None


def _trials(stored: Stored) -> Doc | None:
    """Of the looks at this test, and of the search's trials on the folds."""
    long = (stored.test.get("witnesses") or {}).get("always_long", {}).get("equity", [])
    walked = (stored.test.get("walk_forward") or {}).get("always_long", {}).get("equity", [])
    found = {
        "looks": trials.judged(stored.tries, long) if stored.tries else None,
        "study": trials.judged(stored.study, walked) if stored.study else None,
    }
    return found if any(found.values()) else None


def _missing(found: Doc) -> list[str]:
    lacking = {key for key in LACKING if not found[key]}
    if "always_long" in found["baselines"]:
        lacking.discard("baselines")
    else:
        lacking.add("baselines")
    return [text for key, text in LACKING.items() if key in lacking]
