"""What pages and routes read. Reading never waits and never changes anything."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.errors import Damaged, LivetradingError
from livetrading.execution.state import agent_status, queries
from livetrading.execution.state.status import AgentStatus, SystemStatus
from livetrading.research import jobs as job_records

Doc = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)


def home() -> Home:
    """The home of this process: the one that ``up`` has set, or the default."""
    return _home(os.environ.get("LIVETRADING_HOME"))


@cache
def _home(option: str | None) -> Home:
    return Home.resolve(option)


def store() -> Store:
    return Store(home())


def registry() -> Registry:
    return Registry(home())


def quick_try(model_id: str) -> bool:
    """Whether a model was made with one seed. False where its card cannot be read."""
    try:
        return _quick_try(home(), model_id)
    except LivetradingError:
        return False


@cache
def _quick_try(at: Home, model_id: str) -> bool:
    """Read once: a card never changes."""
    return Registry(at).card(model_id).is_quick_try


def agents() -> list[AgentStatus]:
    return queries.agents(store())


def agent(agent_id: str) -> AgentStatus:
    return queries.agent(store(), agent_id)


def history(agent_id: str) -> Doc:
    return queries.history(store(), agent_id)


def system() -> SystemStatus:
    return queries.system(store(), now())


def scheduler_lives() -> bool:
    """Whether the scheduler works. False while that cannot be read; another part of the page shows why."""
    try:
        return agent_status.lives(system()["scheduler"])
    except Damaged:
        return False


def jobs(kind: str | None = None) -> list[Doc]:
    """Newest first."""
    return [job for job in job_records.jobs(store()) if kind in (None, job["kind"])]
