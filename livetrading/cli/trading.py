"""``deploy``, ``agents``, ``start``, ``pause``, ``close``, ``remove``, ``adopt``, ``ignore``, ``ledger``, ``check``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ..adapters import logs, openings, request_ids, settings
from ..adapters.bars import open_source
from ..adapters.brokers.registry import words_of
from ..adapters.files import NAMED, atomic_write
from ..adapters.home import Home, check_agent_id
from ..adapters.locks import SchedulerLock
from ..adapters.registry import Registry
from ..adapters.stamps import parse_stamp
from ..adapters.store import Store
from ..core import admission, agent_ledger, drawdown_pause, ledger, lineage
from ..core.card import ModelCard
from ..core.errors import Conflict, NotFound
from ..core.types import Mode, Terms
from ..dashboard import kinds
from ..execution import pass_runner
from ..execution.agent_manager import AgentManager, must_match, terms_document, terms_of
from ..execution.state import bar_check, queries, requests
from ..execution.state.agent_repository import events_of
from ..research import jobs
from . import cost_options, judging, pass_text
from .acting import ANSWER_SECONDS, act, node_in_hand, utc_now

CONNECTING_SECONDS = 60.0
"""A deployment at a broker asks it for account and instrument first."""


def deploy(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Test the model with these terms, check the result at the gate, create the agent and start it."""
    store = Store(home)
    args = agreed(options) | _agreed_at_broker(home, options)
    terms = terms_of(args)
    card = Registry(home).card(options.model_id)
    must_match(card, args)
    source = open_source(options.source or card.source, home.cache).name
    request_id = options.request_id or request_ids.new()
    known = requests.outcome(store, request_id)
    reach = None if known else _reach(home, card, source, options.mode)
    if reach and options.old_bars == "refuse" and not reach.current:
        return {"error": reach.warning(), "old_bars": reach.end.isoformat(), "http_status": 409, "exit_code": 1}
    until = reach.end.isoformat() if reach else known["args"].get("bars_until", "") if known else ""
    job = known["args"]["job_id"] if known else tested(home, store, options, terms)
    result = jobs.job(store, job)["result"]
    test, gate = result["test"], result.get("gate")
    real = judging.is_real_money(home, options.mode)
    warning = admission.admit(Mode.of(options.mode), test, gate, real, words_of(options.mode).an_account)
    found = (
        warning,
        admission.needed(gate),
        lineage.words(card),
        admission.never_traded(test),
        drawdown_pause.words(test.get("pause")),
        reach and reach.warning(),
    )
    warnings = [text for text in found if text]
    for text in warnings:
        print(text, file=sys.stderr)
    done = act(
        home,
        "create",
        args={**args, "source": source, "job_id": job, "bars_until": until},
        by=options.by,
        request_id=request_id,
        timeout=CONNECTING_SECONDS if kinds.at_broker(options.mode) else ANSWER_SECONDS,
    )
    return {
        "agent_id": done["agent_id"],
        "model_id": options.model_id,
        "mode": options.mode,
        "test": test,
        "gate": gate,
        "warning": warning,
        "warnings": warnings,
        "bars_until": until or None,
        "bars_current": reach and reach.current,
        "message": done["message"],
        "text": f"{done['message']}\n{_shown(test)}",
    }


def _reach(home: Home, card: ModelCard, source: str, mode: str) -> bar_check.Reach | None:
    """How far the source's bars reach; None for a replay, which trades the model's own bars."""
    if mode == Mode.REPLAY:
        return None
    return bar_check.read_for(card, Registry(home).bars(card.model_id), source, home.cache, utc_now())


def _agreed_at_broker(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """What the user agrees to for a broker's account, checked by the broker's settings; nothing for another mode."""
    if not kinds.at_broker(options.mode):
        return {}
    agreed = {"confirm": options.confirm or "", "late_entry": options.late_entry}
    if (setup := words_of(options.mode).setup) is not None:
        setup.check_deployment(settings.load(home), agreed["confirm"])
    return agreed


def agreed(options: argparse.Namespace) -> dict[str, Any]:
    """What the user agrees to, as a request of kind ``create`` holds it."""
    names = (
        "model_id",
        "mode",
        "capital",
        "max_position",
        "risk_per_trade",
        "max_drawdown",
        "pause_sessions",
        "stop_atr",
        "time_frame",
        "pace",
        "agent_type",
        "symbol",
    )
    costs = cost_options.given(options)
    return {name: getattr(options, name) for name in names} | ({"costs": costs} if costs else {})


def _shown(test: dict[str, Any]) -> str:
    """The test that the gate has checked, in a line."""
    gain = test["total_return_pct"]
    return (
        f"Its test with these terms, {test['start']} to {test['end']}: Sharpe ratio {admission.sharpe_words(test)}, "
        f"{test['sessions']} sessions, {test['num_trades']} closed trades"
        + ("." if gain is None else f", return {gain:.2f} %.")
    )


def tested(home: Home, store: Store, options: argparse.Namespace, terms: Terms) -> str:
    """The model's test with the agent's own capital, sizing and costs, as a stored job."""
    logs.setup(home, "deploy")
    card = Registry(home).card(options.model_id)
    with jobs.running(store, "deploy", card.symbol, card.agent_type, 0, job_id=options.job) as job:
        found = judging.judge(home, card.model_id, terms, openings.DEPLOY)
        summary = {**found.run.own.summary(), "gate": found.answer}
        job.finish({"model_id": card.model_id, "terms": terms_document(terms), **summary})
        return job.job_id


def agents(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    shown = queries.agents(Store(home))
    lines = [
        "\n".join(
            [
                (
                    f"{a['agent_id']:<20} {kinds.kind_of(a):<18} {a['status_text']:<25} {_shares(a['current_position']):>10}  "
                    f"{_money(a['portfolio_value']):>14}  P&L {_money(a['total_pnl']):>12}"
                ),
                *(f"    {text}" for text in dict.fromkeys([a["status_reason"], *a["warnings"]]) if text),
            ]
        )
        for a in shown
    ]
    text = "\n".join(lines) or "No active agents. Add an agent to start live trading."
    return {"agents": shown, "count": len(shown), "text": text}


def _shares(held: int | None) -> str:
    return "unknown sh" if held is None else f"{held} sh"


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def start(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "start", agent_id=options.agent_id)


def pause(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "pause", agent_id=options.agent_id)


def close(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "close", agent_id=options.agent_id)


def remove(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "remove", agent_id=options.agent_id)


def adopt(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The agent's book takes over the broker's number of shares."""
    return act(home, "adopt", agent_id=options.agent_id, timeout=CONNECTING_SECONDS)


def ignore(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The difference belongs to the user: unmanaged shares from now on."""
    return act(home, "ignore", agent_id=options.agent_id, timeout=CONNECTING_SECONDS)


def show_ledger(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Read from the journal, without the lock."""
    directory = home.agent(check_agent_id(options.agent_id))
    if not (directory / "journal.jsonl").exists():
        raise NotFound(f"There is no agent {options.agent_id}: list them with `python -m livetrading agents`.")
    rows = agent_ledger.rows(event for _, batch in events_of(directory) for event in batch)
    if options.ledger:
        atomic_write(Path(options.ledger), ledger.text(rows).encode(), mode=NAMED)
    fills = sum(len(row["fills"]) for row in rows)
    return {
        "agent_id": options.agent_id,
        "sessions": len(rows),
        "fills": fills,
        "start": rows[0]["bar"] if rows else None,
        "end": rows[-1]["bar"] if rows else None,
        "ledger_sha256": ledger.sha256(rows),
    }


def check(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """One pass over the agents of real days."""
    now = parse_stamp(options.now) if options.now else utc_now()
    holder = SchedulerLock(home).holder()
    if holder is not None:
        raise Conflict(
            f"a {holder.role} with pid {holder.pid} is trading in this home and runs the checks by"
            " itself; there is nothing to do."
        )
    with node_in_hand(home) as node:
        AgentManager(node).apply_pending(now)
        done, failed = pass_runner.check_as_of(node, now) if options.now else pass_runner.run(node, now)
        failed = node.damaged | failed
    answer = pass_runner.document(done, failed)
    return {**answer, "text": pass_text.text_of(answer)}
