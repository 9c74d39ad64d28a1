"""Answers of the gate, and stored tests that open or close it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.core import real_money
from livetrading.core.real_money import Evidence

OPEN = Evidence(
    sharpe=2.5, sessions=600, round_trips=40, deflated=0.99, p_value=1e-4, tries=1, lookahead=True, same_weights=True
)


def answer_of(found: Evidence = OPEN) -> dict[str, Any]:
    """The gate's answer to some evidence, as ``research.gate.answer`` gives it; no look is listed."""
    asked = real_money.conditions(found)
    return {
        "real_money": not [condition for condition in asked if not condition.ok],
        "conditions": [condition.to_dict() for condition in asked],
        "openings": {"count": found.tries, "n_effective": float(found.tries), "list": []},
        "deflated_sharpe": found.deflated,
        "words": "",
    }


def opened_gate(home: Home, model_id: str, yearly: float = 4.0, sessions: int = 600) -> None:
    """Gives a stored model a test that passes the gate: steady gains while always-long goes nowhere, and a look-ahead
    check that found nothing."""
    rng, folder = np.random.default_rng(3), home.model(model_id)
    own = rng.normal(yearly / 252**0.5 * 0.01, 0.01, sessions - 1)
    days = [str(np.datetime64("2020-01-01") + i) for i in range(sessions)]
    test = json.loads((folder / "test.json").read_text())
    test["metrics"] |= {"sharpe_ratio": yearly, "sharpe_se": 0.7, "sessions": sessions, "num_trades": 40}
    test["equity"] = _pairs(days, own)
    test["witnesses"] = {
        "always_long": {"metrics": test["metrics"], "equity": _pairs(days, rng.normal(0, 0.01, sessions - 1))}
    }
    (folder / "test.json").write_text(json.dumps(test))
    card_path = Path(folder / "card.json")
    card = json.loads(card_path.read_text())
    card["metrics"]["test"] |= {"sharpe_ratio": yearly, "sharpe_se": 0.7, "sessions": sessions, "num_trades": 40}
    card_path.write_text(json.dumps(card))
    Registry(home).keep_lookahead(model_id, {"problems": [], "at": "2024-01-01T00:00:00Z"})


def _pairs(days: list[str], returns: np.ndarray) -> list[list[Any]]:
    equity = 10_000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    return [list(pair) for pair in zip(days, equity.tolist(), strict=True)]
