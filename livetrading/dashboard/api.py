"""REST under ``/api/live``, in the dashboard's own process.

Routes translate: HTTP in, a request or a command, HTTP out. Nothing here
blocks the event loop; files, processes and waiting happen in threads.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from livetrading import __version__
from livetrading.adapters import logs
from livetrading.adapters.home import Home
from livetrading.core.errors import BadInput, LivetradingError, NotFound
from livetrading.core.stopping import StopState

from . import control, payloads, reading, security

log = logging.getLogger(__name__)
PREFIX = "/api/live"
BODY_LIMIT = 64 * 1024
WORKERS = 8
BY = "REST"

Doc = dict[str, Any]
Work = Callable[[Home, Doc, Doc], Doc]
"""(home, path parameters, body) -> the fields of the answer beside ``status``."""


def routes(home: Home, hosts: Sequence[str]) -> list[Route]:
    """All routes. ``hosts`` are the names under which the app may be called."""
    workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="rest")
    table: tuple[tuple[str, str, Work], ...] = (
        ("GET", "/agents", _list),
        ("POST", "/agents", _create),
        ("POST", "/agents/{agent_id}/start", _request("start")),
        ("POST", "/agents/{agent_id}/stop", _request("pause")),
        ("DELETE", "/agents/{agent_id}", _request("remove")),
        ("POST", "/agents/{agent_id}/position/close", _request("close")),
        ("POST", "/agents/{agent_id}/adopt", _request("adopt")),
        ("POST", "/agents/{agent_id}/ignore", _request("ignore")),
        ("POST", "/agents/{agent_id}/confirm-cash", _confirm_cash),
        ("POST", "/emergency-stop", _emergency_stop),
        ("POST", "/scheduler/start", _start_scheduler),
        ("GET", "/health", _health),
    )
    made = [
        Route(PREFIX + path, endpoint(work, home, hosts, workers), methods=[method]) for method, path, work in table
    ]
    # Without these two, Streamlit would answer an unknown path with its page and 200.
    unknown = endpoint(_unknown, home, hosts, workers)
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [*made, *(Route(path, unknown, methods=every) for path in (PREFIX, PREFIX + "/{rest:path}"))]


def endpoint(work: Work, home: Home, hosts: Sequence[str], workers: ThreadPoolExecutor) -> Callable[[Request], Any]:
    """A handler of one route: checks origin and token, does the work in a thread, and answers an error as JSON."""

    async def respond(request: Request) -> JSONResponse:
        loop = asyncio.get_running_loop()
        try:
            security.check_origin(request.headers, hosts)
            security.check_token(request.headers, await loop.run_in_executor(workers, security.token, home))
            body = await _body(request)
            path = {**request.path_params, "called": f"{request.method} {request.url.path}"}
            answer = await loop.run_in_executor(workers, work, home, path, body)
            return JSONResponse({"status": "success", **answer})  # raises for values that JSON does not have
        except Exception as error:
            return _refusal(logs.caught(log, f"{request.method} {request.url.path}", error))

    return respond


def _refusal(error: LivetradingError) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    return JSONResponse({"status": "error", "error": str(error)}, error.http_status, headers)


async def _body(request: Request) -> Doc:
    """The JSON object of the request, {} if there is none; at most 64 KiB are read."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_LIMIT:
            raise BadInput(f"The body is larger than {BODY_LIMIT // 1024} KiB; send only the fields that are named.")
    if not data.strip():
        return {}
    try:
        body = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise BadInput('The body is not JSON; send an object such as {"model_id": "…"}.') from None
    if not isinstance(body, dict):
        raise BadInput('The body is not a JSON object; send one such as {"model_id": "…"}.')
    return body


def _list(home: Home, path: Doc, body: Doc) -> Doc:
    agents = reading.agents()
    return {"agents": agents, "count": len(agents)}


def _create(home: Home, path: Doc, body: Doc) -> Doc:
    order = payloads.new_agent(body)
    card = reading.registry().card(order.model_id)
    payloads.check_match(order, str(card.agent_type), card.symbol)
    answer = control.deploy(home, order.model_id, order.options, BY, order.request_id)
    return {**answer, "message": control.deployed(answer)}


def _request(kind: str) -> Work:
    def work(home: Home, path: Doc, body: Doc) -> Doc:
        request_id = payloads.request_only(body)
        agent_id = path["agent_id"]
        reading.agent(agent_id)  # 404 if there is none
        outcome = control.request(home, kind, agent_id, BY, request_id)
        return {"message": outcome["message"], "result": outcome.get("result", {}), "request_id": request_id}

    return work


def _confirm_cash(home: Home, path: Doc, body: Doc) -> Doc:
    request_id, difference = payloads.confirm_cash(body)
    agent_id = path["agent_id"]
    reading.agent(agent_id)  # 404 if there is none
    args = {} if difference is None else {"difference": difference}
    outcome = control.request(home, "confirm_cash", agent_id, BY, request_id, args)
    return {"message": outcome["message"], "result": outcome.get("result", {}), "request_id": request_id}


def _emergency_stop(home: Home, path: Doc, body: Doc) -> Doc:
    stop = payloads.emergency_stop(body)
    answer = control.emergency_stop(home, stop.reason, BY, stop.request_id, stop.all_orders)
    return {**answer, "message": control.STOP_TEXTS[answer.get("state", StopState.QUEUED)]}


def _start_scheduler(home: Home, path: Doc, body: Doc) -> Doc:
    pid, started = control.start_scheduler(home, payloads.check_time(body))
    return {"message": "The scheduler is started." if started else "The scheduler runs already.", "pid": pid}


def _health(home: Home, path: Doc, body: Doc) -> Doc:
    system = reading.system()
    return {
        "message": "The dashboard answers.",
        "version": __version__,
        "scheduler": system["scheduler"],
        "halted": system["halt"] is not None,
        "halt": system["halt"],
        "broker": system["broker"],
    }


def _unknown(home: Home, path: Doc, body: Doc) -> Doc:
    raise NotFound(f"There is no route {path['called']}; see the list of routes in the documentation.")
