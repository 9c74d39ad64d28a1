"""A home in which an agent has traded, and the dashboard's real server."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.cli.acting import node_in_hand
from livetrading.cli.main import main
from livetrading.execution.trading import replay
from tests.doubles.processes import PATIENCE, free_port

ROOT = Path(__file__).resolve().parents[2]
AGENT = "PPO_NVDA_001"
TRADES, HELD = 4, 5
"""The agent has closed so many round trips, and holds shares for so many sessions: it does not sell at the next."""


@pytest.fixture(autouse=True)
def _main_module_stays() -> Iterator[None]:
    """AppTest replaces ``__main__`` by the page that it runs; processes spawned later would run that page."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the bundled NVDA bars and a replay agent that has traded. Do not change it."""
    root = tmp_path_factory.mktemp("traded")
    words = ["--home", str(root), "train", "NVDA", "--agent", "PPO", "--timesteps", "2000", "--seed", "0"]
    assert main(words) == 0
    assert main(["--home", str(root), "deploy", model_of(root), "--mode", "replay", "--pace", "3600"]) == 0
    with node_in_hand(Home(root)) as node:
        trader, held = node.trader(AGENT), 0
        while held < HELD or trader.repository.state.book.num_trades < TRADES:
            assert replay.advance(trader), "the history ended before the agent had traded enough"
            held = 0 if trader.repository.state.flat else held + 1
    return root


@pytest.fixture
def own(traded: Path, tmp_path: Path) -> Path:
    """A copy of ``traded`` that the test may change."""
    return copy_of(traded, tmp_path / "home")


def copy_of(traded: Path, target: Path) -> Path:
    shutil.copytree(traded, target, ignore=shutil.ignore_patterns("*.lock"))
    return target


def model_of(root: Path) -> str:
    return next(path.name for path in (root / "models").iterdir() if "_v" in path.name)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Server:
    """The dashboard as a process of its own on a port of this machine."""

    root: Path
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.root / "api_token").read_text().strip()

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = "", **headers: str) -> Answer:
        """``token=None`` sends none; header names take ``_`` for ``-``."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token or self.token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return Answer(reply.status, _parsed(reply.read()), dict(reply.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _parsed(error.read()), dict(error.headers))

    def live(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self.call(method, f"/api/live{path}", body, **more)


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """``streamlit run app.py`` over a home, as ``up`` starts it."""
    port = free_port()
    server = Server(root, port, root / "server.log")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    environment = {**os.environ, "LIVETRADING_HOME": str(root)}
    root.mkdir(parents=True, exist_ok=True)
    with server.log.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or _answers(server))
        assert process.poll() is None, server.log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)
        _end_scheduler(root)


def until(ready: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        time.sleep(0.05)


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/_stcore/health", token=None).status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def _end_scheduler(root: Path) -> None:
    """A scheduler started through the dashboard continues after the test, so it is ended by its pid."""
    from livetrading.adapters.locks import SchedulerLock

    holder = SchedulerLock(Home(root)).holder()
    if holder is not None and holder.pid:
        os.kill(holder.pid, 15)
        until(lambda: SchedulerLock(Home(root)).holder() is None)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
