"""Requests about agents of a broker account: deployment, start, and resolving a difference."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..adapters.brokers.registry import names, words_of
from ..core import account, deployment, rules
from ..core.account_book import RestSet
from ..core.agent import AgentState
from ..core.atr import atr14
from ..core.errors import BadInput, Conflict, Refused
from ..core.events import Event, Filled, Noted
from ..core.order_key import OrderKey
from ..core.types import InstrumentId, Leg, Mode, Terms
from .accounts.reconciliation import Reconciliation
from .node import Node
from .orders import order_recovery
from .state.agent_repository import AgentRepository
from .trading.live_trader import LiveTrader

ANSWER_SECONDS = 6.0
"""How long a request waits for the connection, so that it is answered within ten seconds."""
Result = tuple[str, dict[str, Any]]


def admitted(
    node: Node, broker: str, symbol: str, terms: Terms, args: dict[str, Any], now: datetime, gate: Callable[[str], None]
) -> dict[str, Any]:
    """The account fields of a new agent's configuration, after all account gates.

    ``gate`` is given the account's number as soon as the broker has said it, and raises where real money may not
    trade. Unmanaged shares of the contract are recorded before the agent exists. Raises
    Refused or Unavailable with what to do.
    """
    confirmed = str(args.get("confirm") or "")
    node.account.use(broker)
    link = node.account.connection.ready(confirmed, ANSWER_SECONDS)
    number = link.health().account
    link.check_agent(number, confirmed)
    if confirmed and confirmed != number:
        program = node.account.words.program
        raise Refused(
            f"{confirmed} was typed, but {program} trades account {number}; type that number, or log in to the other."
        )
    if node.account.words.setup is None and not confirmed:
        raise Refused(
            f"{node.account.words.title} does not say which of its accounts are paper ones, so account {number} counts as"
            f" real money: confirm the deployment with that number (--confirm {number})."
        )
    gate(number)
    too_much = node.account.risk.refuses_capital(number, terms.capital, now)
    if too_much:
        raise Refused(f"Account {number}: {too_much}.")
    node.cash.begin(number, now)
    found = node.account.connection.instrument(symbol)
    _record_unmanaged(node, number, found.id, symbol, link.position(found.id), now)
    return {
        "account": number,
        "confirmed_account": confirmed,
        "con_id": found.id,
        "primary": found.primary,
        "late_entry": str(args.get("late_entry") or deployment.LATE_ENTRY),
    }


def _record_unmanaged(node: Node, number: str, con_id: InstrumentId, symbol: str, position: int, now: datetime) -> None:
    """Record the unmanaged shares. If no agent trades the contract yet, the whole position is unmanaged."""
    books = [
        (con_id, s.book.shares) for s in node.account.agents() if (s.agent.account, s.agent.con_id) == (number, con_id)
    ]
    journal, rest = node.account.journal(number), account.unmanaged({con_id: position}, books)[con_id]
    known = journal.book.unmanaged.get(con_id)
    if known == rest:
        return
    if books:
        raise Conflict(
            f"Account {number} holds {position} {symbol}; {rest} of these belong to no agent, but {known} are"
            f" on record as your own; adopt or ignore the difference on the stock's agents first."
        )
    journal.record(RestSet(con_id, symbol, rest, "deployment", "held before an agent traded it"), now)


def may_start(node: Node, repository: AgentRepository, now: datetime) -> None:
    """Check the account gates again, and that book and account agree. Raises Conflict if they do not."""
    node.account.connection.ready("", ANSWER_SECONDS)
    trader = node.trader(repository.agent_id)
    order_recovery.recover(trader.executor, now)
    problem = _watch(trader).problem()
    if problem:
        raise Conflict(f"{repository.agent_id}: {problem}; adopt or ignore the difference, then start it.")


def resolve(node: Node, agent_id: str, kind: str, request_id: str, by: str, now: datetime) -> Result:
    """Resolve a difference as the user decided: adopt it into the book, or ignore it (the shares are unmanaged)."""
    repository = node.repository(agent_id)
    if repository.state.agent.mode != Mode.BROKER:
        raise Conflict(f"{agent_id} does not trade an account at {_a_broker()}; there is nothing to {kind}.")
    if f"adopt:{request_id}" in repository.state.book.executions:
        return f"{agent_id}: the difference was already adopted before the last interruption.", {"agent_id": agent_id}
    link = node.account.connection.ready("", ANSWER_SECONDS)
    if kind == "ignore":
        return _ignore(node, repository, link.position(repository.state.agent.con_id), by, now)
    trader = node.trader(agent_id)
    order_recovery.recover(trader.executor, now)
    return _adopt(trader, node.account.words.program, request_id, by, now)


def confirm_cash(node: Node, agent_id: str, args: dict[str, Any], request_id: str, by: str, now: datetime) -> Result:
    """The user confirms that the unexplained cash of an agent's account is his own."""
    state = node.repository(agent_id).state
    if state.agent.mode != Mode.BROKER:
        raise Conflict(f"{agent_id} does not trade an account at {_a_broker()}; there is no cash to confirm.")
    seen = args.get("difference")
    if seen is not None and (isinstance(seen, bool) or not isinstance(seen, int | float)):
        raise BadInput(f"The difference that was seen is {seen!r}; give it as a number of USD.")
    return node.cash.confirm(state, seen, request_id, by, now)


def _a_broker() -> str:
    """The titles of the registered brokers, for messages."""
    return " or ".join(words_of(name).title for name in names())


def _ignore(node: Node, repository: AgentRepository, position: int, by: str, now: datetime) -> Result:
    state = repository.state
    con_id, siblings = state.agent.con_id, node.account.shares.siblings(state)
    rest = account.unmanaged({con_id: position}, [(con_id, s.book.shares) for s in siblings])[con_id]
    if node.account.journal(state.agent.account).book.unmanaged.get(state.agent.con_id) == rest:
        raise Conflict(f"{repository.agent_id}: book and broker agree; there is nothing to ignore.")
    text = f"{rest} {state.agent.symbol} of account {state.agent.account} are unmanaged from now on"
    node.account.shares.set_unmanaged(state, rest, by, "a person said so", now)
    repository.commit([Noted(f"{text}, by {by}")], now)
    return f"{text}.", {"agent_id": repository.agent_id, "unmanaged": rest}


def _adopt(trader: LiveTrader, program: str, request_id: str, by: str, now: datetime) -> Result:
    """Book the difference at the last close without a fee: the real price and fee are unknown."""
    state, watch = trader.repository.state, _watch(trader)
    sides = watch.sides()
    more = sides["broker"] - sides["book"]
    if unknown := watch.unknown_orders():
        raise Conflict(
            f"{', '.join(unknown)} is an open order at the broker that the agent's book does not know;"
            f" cancel it in {program} first."
        )
    if not more:
        raise Conflict(f"{state.agent.agent_id}: book and broker agree; there is nothing to adopt.")
    if sides["broker"] < 0:
        raise Conflict(
            f"The broker has a short position of {-sides['broker']} {state.agent.symbol}; buy them"
            f" back in {program}, because agents never sell short."
        )
    session, price = _last_close(trader)
    leg = Leg.ENTRY if more > 0 else Leg.EXIT
    key = str(OrderKey(state.agent.agent_id, session, leg, 0))
    stop = _stop(trader, price) if more > 0 else 0.0
    fill: Event = Filled(f"adopt:{request_id}", key, str(leg), session, abs(more), price, 0.0, stop, True)
    trader.repository.commit([Noted(f"adopted {more:+d} {state.agent.symbol} at {price:g}, by {by}"), fill], now)
    return (
        f"{state.agent.agent_id} adopted {more:+d} {state.agent.symbol} at the last close of {price:g}.",
        {"agent_id": state.agent.agent_id, "adopted": more, "price": price},
    )


def _last_close(trader: LiveTrader) -> tuple[str, float]:
    frame = trader.series.up_to(trader.series.end)
    return trader.series.end.isoformat(), float(frame["close"].iloc[-1])


def _stop(trader: LiveTrader, close: float) -> float:
    """The stop price of the position, or the one that an entry at this close would have."""
    state: AgentState = trader.repository.state
    if not state.flat:
        return float(state.book.account.stop)
    ranges = atr14(trader.series.up_to(trader.series.end))
    return float(rules.protective_stop(close, ranges[-1], state.agent.terms.limits))


def _watch(trader: LiveTrader) -> Reconciliation:
    assert trader.real is not None
    return trader.real.watch
