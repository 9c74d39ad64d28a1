"""``verify --lookahead`` and ``whatif``: doubts about a model, answered by running it again."""

import argparse
import sys
import time
from typing import Any

from ..adapters import openings
from ..adapters.home import Home, check_agent_id
from ..adapters.registry import Registry
from ..adapters.stamps import stamp
from ..adapters.store import Store
from ..core import drawdown_pause
from ..core.agent import AgentConfig
from ..core.errors import BadInput
from ..core.events import Created
from ..core.types import Terms
from ..core.wording import counted
from ..execution.state import queries
from ..execution.state.agent_repository import events_of
from ..research import lookahead as checker
from ..research import whatif as what_if
from . import cost_options, runs
from .acting import utc_now


def lookahead(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Replace the bars after a session by other ones; no feature or decision up to it may change."""
    if options.sessions < 1:
        raise BadInput(f"--sessions is {options.sessions}; give at least 1, or --all.")
    began = time.monotonic()
    wanted = argparse.Namespace(model_id=options.lookahead, source=None, start=None, end=None)
    made = runs.scene(home, wanted)
    bars = made.market.decidable(made.card.train.start, made.card.test.end)
    card = made.card
    subject = checker.subject(card.scaler, card.agent_type, made.policy.raw, Terms(), card.features)
    found = checker.check(subject, made.frame, bars, every=options.all, samples=options.sessions, progress=_progress)
    answer = {
        "model_id": made.card.model_id,
        "problems": found.problems,
        "sessions": found.sessions,
        "of_sessions": len(bars),
        "features": len(subject.names),
        "values": found.values,
        "decisions": found.decisions,
        "fills": found.fills,
        "seconds": round(time.monotonic() - began, 1),
    }
    Registry(home).keep_lookahead(card.model_id, {**answer, "at": stamp(utc_now())})
    if not found.problems:
        text = f"Nothing in {made.card.model_id} sees the future: {found.sessions} of its {len(bars)} sessions were checked."
        return {**answer, "text": text}
    error = (
        f"The model sees the future in {counted(len(found.problems), 'place')}; the first: {found.problems[0]['text']}"
    )
    text = "\n".join(problem["text"] for problem in found.problems)
    return {**answer, "text": text, "error": error, "exit_code": 1}


def _progress(done: int, total: int) -> None:
    if done % 5 == 0 or done == total:
        end = "\n" if done == total else "\r"
        print(f"checked {done} of {total} sessions", end=end, file=sys.stderr, flush=True)


def whatif(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """A model's test at other costs, at worse opens and with its agents' terms; it counts as one look at the test."""
    wanted = argparse.Namespace(model_id=options.model_id, source=None, start=None, end=None)
    made = runs.scene(home, wanted)
    agents = _agents(home, made.card.model_id)
    base = Terms()
    if options.agent is not None:
        check_agent_id(options.agent)
        if options.agent not in agents:
            raise BadInput(
                f"{options.agent} is no agent of {made.card.model_id}; list them with 'python -m livetrading agents'."
            )
        base, agents = agents[options.agent], {}
    base = cost_options.terms(options, base)
    with runs.opened(home, made, openings.WHATIF, base):  # one look, whatever its scenarios
        rows = what_if.report(
            made.market, made.bars, made.card.agent_type, made.policy.raw, what_if.scenarios(base, agents)
        )
    return {"model_id": made.card.model_id, "agent_id": options.agent, "scenarios": rows, "text": _table(rows)}


def _agents(home: Home, model_id: str) -> dict[str, Terms]:
    """Terms of every agent that trades this model and was not removed."""
    shown = [a["agent_id"] for a in queries.agents(Store(home)) if a["model_id"] in (model_id, None)]
    configs = {agent_id: _config(home, agent_id) for agent_id in shown}
    return {a: c.terms for a, c in configs.items() if c is not None and c.model_id == model_id}


def _config(home: Home, agent_id: str) -> AgentConfig | None:
    for _, batch in events_of(home.agent(agent_id)):
        for event in batch:
            if isinstance(event, Created):
                return AgentConfig.from_dict(event.config)
    return None


def _table(rows: list[dict[str, Any]]) -> str:
    def shown(value: float | None, form: str) -> str:
        return "undefined" if value is None else format(value, form)

    lines = [f"{'scenario':<34} {'Sharpe':>9} {'return':>9} {'drawdown':>9} {'trades':>7} {'fees':>10}"]
    lines += [
        f"{row['scenario']:<34} {shown(row['sharpe_ratio'], '.2f'):>9} {shown(row['total_return_pct'], '.2f'):>8}%"
        f" {shown(row['max_drawdown_pct'], '.2f'):>8}% {row['num_trades']:>7} {row['fees']:>10,.2f}"
        for row in rows
    ]
    lines += [f"{row['scenario']}: {text}" for row in rows if (text := drawdown_pause.words(row.get("pause")))]
    return "\n".join(lines)
