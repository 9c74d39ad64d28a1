"""Applies requests under the scheduler's lock. Nothing else changes agents for a user.

Each request may be applied again after a crash; the second time changes nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ..adapters import logs
from ..adapters.brokers.registry import mode_of
from ..adapters.stamps import stamp
from ..core import admission, deployment, stored_before
from ..core.agent import AgentConfig
from ..core.card import ModelCard
from ..core.errors import BadInput, Conflict, Damaged, LivetradingError, Unavailable, Unforeseen, in_a_line, kind_of
from ..core.events import Created, Deployed, Deposited, Noted, StatusChanged
from ..core.types import AgentStatus, Costs, Limits, Mode, Terms
from . import account_requests, bar_correction, deployment_gate, statement_import
from .node import Node
from .orders import order_recovery
from .state import requests
from .state.agent_repository import AgentRepository, events_of
from .stopping import close_position, emergency_stop
from .trading import no_further_bars

log = logging.getLogger(__name__)
Result = tuple[str, dict[str, Any]]
"""A message of what was done, and its data."""
Answer = tuple[str, str, dict[str, Any]]
"""Outcome, message and data, as a request stores them."""


def terms_of(args: dict[str, Any]) -> Terms:
    """Capital, limits and costs of a deployment form; BadInput names what is out of bounds."""
    try:
        capital = float(args.get("capital", deployment.CAPITAL))
        limits = Limits(
            max_position=float(args.get("max_position", deployment.LIMITS.max_position)),
            risk_per_trade=float(args.get("risk_per_trade", deployment.LIMITS.risk_per_trade)),
            stop_atr=float(args.get("stop_atr", deployment.LIMITS.stop_atr)),
            max_drawdown=float(args.get("max_drawdown", deployment.LIMITS.max_drawdown)),
            pause_sessions=args.get("pause_sessions", deployment.LIMITS.pause_sessions),
        )
        costs = Costs(**args.get("costs", {}))
    except (TypeError, ValueError):
        raise BadInput("capital, max position, risk per trade and costs must be numbers.") from None
    return Terms(capital, limits, costs)


def _refusal(request: dict[str, Any], error: Exception) -> Answer:
    """The answer to a request that is refused."""
    if isinstance(error, LivetradingError):
        return "refused", str(error), {"error_type": kind_of(error)}
    if request["kind"] == "create" and isinstance(error, TypeError | ValueError | KeyError | AttributeError):
        # A value has a type that no form sends.
        text = f"The request to create an agent cannot be understood ({in_a_line(error)}); correct it and ask again."
        return "refused", text, {"error_type": BadInput.__name__}
    logs.caught(log, f"request {request['id']}", error)
    text = (
        f"The request to {request['kind']} failed by an error of the program: {in_a_line(error)}. The log holds"
        f" its traceback; look at what it has changed before you ask again."
    )
    return "refused", text, {"error_type": Unforeseen.__name__}


@dataclass(frozen=True)
class Asked:
    """A request for its handler; ``agent_id`` is None for a kind that concerns no single agent."""

    kind: str
    id: str
    agent_id: Any
    by: str
    args: dict[str, Any]


@dataclass
class AgentManager:
    """Applies requests to the agents of a node."""

    node: Node

    def apply_pending(self, now: datetime) -> int:
        """Apply and answer every waiting request, oldest first. Returns how many there were."""
        waiting = requests.pending(self.node.store)
        for request in waiting:
            status, message, result = self._answer(request, now)
            try:
                requests.resolve(self.node.store, request["id"], status, message, result, now)
            except (Unavailable, Damaged):
                raise  # the file of requests cannot be written: no request can be answered
            except Exception as error:  # an answer that cannot be stored must not be tried for ever
                status, message, result = _refusal(
                    request, logs.caught(log, f"the answer to request {request['id']}", error)
                )
                requests.resolve(self.node.store, request["id"], status, message, result, now)
            log.info(
                "request %s %s %s by %s: %s (%s)",
                request["id"],
                request["kind"],
                request.get("agent_id") or "",
                request.get("by"),
                status,
                message,
            )
        return len(waiting)

    def _answer(self, request: dict[str, Any], now: datetime) -> Answer:
        try:
            return ("done", *self.apply(request, now))
        except LivetradingError as error:
            return _refusal(request, error)
        except Exception as error:
            logs.caught(log, f"request {request['id']}", error)
        # As after a crash: read the agent from disk, and apply the request again.
        try:
            self.node.renew(request.get("agent_id") or "")
            self.node.open()
            return ("done", *self.apply(request, now))
        except Exception as error:
            return _refusal(request, error)

    def apply(self, request: dict[str, Any], now: datetime) -> Result:
        """Do what a request asks. Raises the reason for a refusal."""
        handler = HANDLERS.get(str(request["kind"]))
        if handler is None:
            raise BadInput(f"This version does not know a request of the kind {request['kind']!r}; use another kind.")
        return handler(
            self, Asked(request["kind"], request["id"], request.get("agent_id"), request["by"], request["args"]), now
        )

    def once(self, asked: Asked, now: datetime, act: Callable[[str, str, datetime, Noted], Result]) -> Result:
        """Do something that must not be done twice after a crash: the journal holds the id of the request."""
        agent_id = str(asked.agent_id)
        if self._done_before(agent_id, asked.id):
            return f"{agent_id}: {asked.kind} was already done before the last interruption.", {"agent_id": agent_id}
        note = Noted(f"{asked.kind} asked by {asked.by}, request {asked.id}", request=asked.id)
        return act(agent_id, asked.by, now, note)

    def _done_before(self, agent_id: str, request_id: str) -> bool:
        """Whether the journal holds this request already: its answer was lost in a crash."""
        repository = self.node.repositories.get(agent_id)
        if repository is None or not (repository.state.idle or repository.state.status == AgentStatus.REMOVED):
            return False  # with open orders the request is not finished: it is applied again
        return any(
            isinstance(event, Noted) and (event.request or stored_before.request_of(event.text)) == request_id
            for _, events in events_of(repository.directory)
            for event in events
        )

    # -- create -----------------------------------------------------------

    def create(self, args: dict[str, Any], request_id: str, by: str, now: datetime) -> Result:
        """A new agent, started; its first session is the next to complete."""
        for known in self.node.repositories.values():
            if known.state.agent.request_id == request_id:
                return self._created(known)
        if self.node.latch.status() is not None:
            raise Conflict("The emergency stop is set; re-arm first, then deploy.")
        card = self.node.registry.card(str(args.get("model_id", "")))
        mode, broker = mode_of(args.get("mode", deployment.MODE))
        must_match(card, args)
        terms = terms_of(args)
        result = self._test(args, card, terms)
        warning = admission.admit(mode, result["test"], result.get("gate"))
        gate = deployment_gate.Asked(self.node, card, result)
        in_account = account_requests.admitted(self.node, broker, card.symbol, terms, args, now, gate) if broker else {}
        config = AgentConfig(
            agent_id=self._next_id(card),
            model_id=card.model_id,
            agent_type=card.agent_type,
            symbol=card.symbol,
            mode=mode,
            source=str(args.get("source") or card.source),
            terms=terms,
            time_frame=str(args.get("time_frame", deployment.TIME_FRAME)),
            pace=_pace(args.get("pace", deployment.PACE)),
            zip_sha256=card.zip_sha256,
            request_id=request_id,
            bars_until=_day(args.get("bars_until", "")),
            broker=broker,
            gate=gate.remembered(),
            **in_account,
        )
        first = card.test.start if mode == Mode.REPLAY else self._first_session(now)
        return self._created(self._commit_new(config, first, warning or "", by, now))

    def _commit_new(self, config: AgentConfig, first: date, warning: str, by: str, now: datetime) -> AgentRepository:
        """Write the first events of a new agent, which runs from then on."""
        repository = AgentRepository(self.node.home, config.agent_id)
        repository.commit(
            [
                Created(config.to_dict()),
                Deposited(config.terms.capital),
                Deployed(stamp(now), first.isoformat()),
                StatusChanged(AgentStatus.RUNNING, warning, by),
            ],
            now,
        )
        self.node.repositories[config.agent_id] = repository
        return repository

    def _created(self, repository: AgentRepository) -> Result:
        agent_id = repository.agent_id
        return f"{agent_id} was created and started.", {"agent_id": agent_id}

    def _test(self, args: dict[str, Any], card: ModelCard, terms: Terms) -> dict[str, Any]:
        """What the test job found that ran with this agent's own terms; admission checks it."""
        wanted = str(args.get("job_id", ""))
        jobs = self.node.store.read("jobs").get("jobs", {}).values()
        job = next((j for j in jobs if j.get("id") == wanted and j.get("state") == "done"), None)
        result = job["result"] if job else {}
        if result.get("model_id") != card.model_id or result.get("terms") != terms_document(terms):
            raise Conflict(
                "The model's test was not run with this capital, these limits and costs; deploy it again, and the test runs with them."
            )
        return dict(result)

    def _next_id(self, card: ModelCard) -> str:
        prefix = f"{card.agent_type}_{card.symbol}_"
        # A creation that a crash interrupted left an empty journal and no agent: its number is free.
        known = {*self.node.repositories, *self.node.damaged}
        taken = [a.removeprefix(prefix) for a in known if a.startswith(prefix)]
        number = max((int(n) for n in taken if n.isdigit()), default=0) + 1
        return f"{prefix}{number:03d}"

    def _first_session(self, now: datetime) -> date:
        return self.node.calendar.next_session(self.node.calendar.last_complete(now, self.node.delay))

    # -- the others -------------------------------------------------------

    def start(self, agent_id: str, by: str, now: datetime) -> Result:
        """Start the agent, also after a pause, a block or a drawdown pause."""
        if self.node.latch.status() is not None:
            raise Conflict("The emergency stop is set; re-arm first, then start the agent.")
        repository = self.node.repository(agent_id)
        state = repository.state
        if state.status == AgentStatus.FINISHED:
            raise Conflict(f"{agent_id} has finished its replay; deploy the model again.")
        if state.status == AgentStatus.RUNNING and not state.book.entries_paused:
            return f"{agent_id} runs already.", {"agent_id": agent_id, "agent_status": "running"}
        self.node.registry.load(state.agent.model_id)
        self.node.forget(agent_id)
        if state.agent.mode == Mode.BROKER:
            account_requests.may_start(self.node, repository, now)
        repository.commit([StatusChanged(AgentStatus.RUNNING, "", by)], now)
        return f"{agent_id} was started.", {"agent_id": agent_id, "agent_status": "running"}

    def pause(self, agent_id: str, by: str, now: datetime) -> Result:
        """Stop decisions and cancel open entries; the protective stop stays."""
        context = self._at(agent_id, now)
        repository = context.repository
        if repository.state.status not in (AgentStatus.RUNNING, AgentStatus.PAUSED, AgentStatus.BLOCKED):
            raise Conflict(f"{agent_id} is {repository.state.status}; only a running agent can be paused.")
        if repository.state.status != AgentStatus.PAUSED:
            repository.commit([StatusChanged(AgentStatus.PAUSED, "", by)], context.now)
        context.executor.withdraw_entries("the agent was paused", context.now)
        return f"{agent_id} is paused.", {"agent_id": agent_id, "agent_status": "paused"}

    def close(self, agent_id: str, by: str, now: datetime, note: Noted | None = None) -> Result:
        """Sell everything held; the agent keeps running."""
        return close_position.close(self.node, agent_id, by, now, note)

    def remove(self, agent_id: str, by: str, now: datetime, note: Noted | None = None) -> Result:
        """Remove an agent; its journal stays. Raises Conflict while it holds shares that can be sold."""
        context = self._at(agent_id, now)
        repository = context.repository
        over = repository.state.status == AgentStatus.FINISHED
        until = no_further_bars.ended(repository.state)
        if not repository.state.flat and not over and not until:
            held = f"{repository.state.book.shares} {repository.state.agent.symbol}"
            raise Conflict(
                f"{agent_id} holds {held}; close the position first.{no_further_bars.check_first(repository.state, context.now)}"
            )
        context.executor.withdraw_entries("the agent was removed", context.now)
        if repository.state.orders and not until:
            raise Conflict(f"{agent_id} still has an order at the broker; try again when it has ended.")
        left = no_further_bars.written_off(repository.state, until) if until and not repository.state.flat else ""
        notes = [*([note] if note is not None else []), *([Noted(left)] if left else [])]
        ended = no_further_bars.ended_orders(repository.state)
        repository.commit([*ended, *notes, StatusChanged(AgentStatus.REMOVED, "", by)], context.now)
        self.node.forget(agent_id)
        kept = f" {left[:1].upper()}{left[1:]}." if left else ""
        return f"{agent_id} was removed; its journal stays in the home.{kept}", {"agent_id": agent_id}

    def _at(self, agent_id: str, now: datetime) -> emergency_stop.StopContext:
        """An agent's context, with the broker's reports taken over."""
        context = emergency_stop.context_of(self.node, agent_id, now)
        order_recovery.recover(context.executor, context.now)
        return context


def _emergency_stop(manager: AgentManager, asked: Asked, now: datetime) -> Result:
    reason, everything = asked.args.get("reason", ""), asked.args.get("all_orders") is True
    return emergency_stop.stop(manager.node, reason, asked.by, now, everything)


def _resolve(manager: AgentManager, asked: Asked, now: datetime) -> Result:
    return account_requests.resolve(manager.node, asked.agent_id, asked.kind, asked.id, asked.by, now)


Handler = Callable[[AgentManager, Asked, datetime], Result]
HANDLERS: dict[str, Handler] = {
    "create": lambda m, asked, now: m.create(asked.args, asked.id, asked.by, now),
    "start": lambda m, asked, now: m.start(asked.agent_id, asked.by, now),
    "pause": lambda m, asked, now: m.pause(asked.agent_id, asked.by, now),
    "close": lambda m, asked, now: m.once(asked, now, m.close),
    "remove": lambda m, asked, now: m.once(asked, now, m.remove),
    "adopt": _resolve,
    "ignore": _resolve,
    "confirm_cash": lambda m, asked, now: account_requests.confirm_cash(
        m.node, asked.agent_id, asked.args, asked.id, asked.by, now
    ),
    "accept_bars": lambda m, asked, now: bar_correction.accept(
        m.node, asked.agent_id, asked.args, asked.id, asked.by, now
    ),
    "import_statement": lambda m, asked, now: statement_import.apply(m.node, asked.args, asked.by, now),
    "emergency_stop": _emergency_stop,
    "rearm": lambda m, asked, now: emergency_stop.rearm(m.node, asked.by, now),
}
"""The handler of each kind of request. ``state/requests`` checks which kinds need an agent."""


def terms_document(terms: Terms) -> dict[str, Any]:
    """Terms as plain JSON values, to compare them. A limit that there is not is left out, as in an earlier
    version's documents."""
    limits = {name: value for name, value in vars(terms.limits).items() if value is not None}
    return {"capital": terms.capital, "limits": limits, "costs": dict(vars(terms.costs))}


def _pace(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadInput(f"pace is {value!r}; give seconds a session, such as 1.") from None


def _day(value: Any) -> str:
    """A session as ISO date, or nothing."""
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except (TypeError, ValueError):
        raise BadInput(f"bars_until is {value!r}; give the last bar's day as YYYY-MM-DD.") from None


def must_match(card: ModelCard, args: dict[str, Any]) -> None:
    """If agent type or symbol are given, they must be those of the model. Raises BadInput."""
    for name, actual in (("agent_type", str(card.agent_type)), ("symbol", card.symbol)):
        given = args.get(name)
        if given is not None and str(given).upper() != actual:
            raise BadInput(f"{card.model_id} is a model for {actual}, not for {given}; choose one that matches.")
