"""Who reaches the pages: this computer alone, and over the web socket the app's own pages alone."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.core.errors import BadInput
from livetrading.dashboard import security
from tests.doubles.processes import PATIENCE, free_port

from .conftest import ROOT, Server, serving

HERE = ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST"]
ELSEWHERE = [
    "0.0.0.0",
    "::",
    "::1",
    "[::]",
    "0",
    "10.0.0.5",
    "192.168.1.7",
    "169.254.1.1",
    "8.8.8.8",
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "2130706433",
    "::ffff:127.0.0.1",
    "unix:///tmp/x",
    "",
    None,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("reach")) as one:
        yield one


# -- the address ------------------------------------------------------------


@pytest.mark.parametrize("address", HERE)
def test_an_address_of_this_computer_may_serve_the_pages(address: str) -> None:
    assert settings.check_address(address) == address


@pytest.mark.parametrize("address", ELSEWHERE)
def test_any_other_address_is_refused_with_the_way_to_reach_the_pages_from_elsewhere(address: str | None) -> None:
    with pytest.raises(BadInput, match="no sign-in.*ssh -L"):
        settings.check_address(address)


def test_it_cannot_be_stored_either_and_a_stored_one_stops_no_scheduler(tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path))
    with pytest.raises(BadInput, match="ssh -L"):
        settings.save(home, "address", "0.0.0.0")
    (home.root / "settings.toml").write_text('address = "0.0.0.0"\n')
    assert settings.load(home, {}).check_delay_minutes == 30


def ended(command: list[str], home: Path, where: Path = ROOT, **environment: str) -> tuple[int, str]:
    """Exit code and standard error of a command that should not stay."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LIVETRADING_HOME": str(home), **environment},
    )
    try:
        said = process.communicate(timeout=PATIENCE / 3)[1]
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate(timeout=PATIENCE)
        raise AssertionError(f"{command} goes on serving") from None
    return process.returncode, said


@pytest.mark.parametrize("by", ["settings.toml", "environment"])
def test_up_says_so_in_one_sentence_and_starts_nothing(tmp_path: Path, by: str) -> None:
    home, environment = Home.resolve(str(tmp_path)), {}
    if by == "environment":
        environment["LIVETRADING_ADDRESS"] = "0.0.0.0"
    else:
        (home.root / "settings.toml").write_text('address = "0.0.0.0"\n')
    code, said = ended(["livetrading", "up", "--port", str(free_port())], home.root, **environment)
    assert code == 1 and len(said.splitlines()) == 1 and "ssh -L" in said


@pytest.mark.parametrize("by", ["option", "variable", "settings", "config.toml", "nothing"])
def test_a_direct_start_of_the_app_on_every_interface_ends_with_the_sentence(tmp_path: Path, by: str) -> None:
    """``config.toml`` and ``nothing``: what lies beside app.py was changed, or is gone; Streamlit then listens everywhere."""
    port, where = free_port(), ROOT
    command = ["streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    environment = {"PYTHONPATH": str(ROOT)}
    if by == "option":
        command.append("--server.address=0.0.0.0")
    elif by == "variable":
        environment["STREAMLIT_SERVER_ADDRESS"] = "::"
    elif by == "settings":
        environment["LIVETRADING_ADDRESS"] = "0.0.0.0"
    else:
        where = tmp_path
        shutil.copy(ROOT / "app.py", tmp_path)
        (tmp_path / ".streamlit").mkdir()
        text = '[server]\naddress = "0.0.0.0"\n' if by == "config.toml" else ""
        (tmp_path / ".streamlit" / "config.toml").write_text(text)
    code, said = ended(command, tmp_path / "home", where, **environment)
    assert code == 1 and "ssh -L" in said and "Traceback" not in said
    with socket.socket() as probe, pytest.raises(OSError):
        probe.connect(("127.0.0.1", port))


def test_however_it_was_started_who_comes_over_the_network_sees_nothing() -> None:
    """As a server would hand it over that listens on all interfaces."""
    sent: list[dict] = []

    async def app(scope, receive, send):
        raise AssertionError("it came through")

    async def send(message):
        sent.append(message)

    guard = security.OwnPages(app, ("127.0.0.1",))
    for kind, address in (("http", "192.168.1.7"), ("websocket", "192.168.1.7"), ("http", "fe80::1"), ("http", None)):
        headers = [(b"host", b"127.0.0.1:8501"), (b"origin", b"http://127.0.0.1:8501")]
        scope = {"type": kind, "method": "GET", "path": "/", "headers": headers, "server": address and (address, 8501)}
        asyncio.run(guard(scope, None, send))
    kinds = [(m["type"], m.get("status", m.get("code"))) for m in sent if m["type"] != "http.response.body"]
    assert kinds == [("http.response.start", 403), ("websocket.close", 1008), *[("http.response.start", 403)] * 2]


# -- the web socket ---------------------------------------------------------


def opened(server: Server, origin: str | None, host: str | None = None, at: str = "127.0.0.1") -> int:
    """101 if the web socket opens, else the status that refused it."""
    line = socket.create_connection((at, server.port), timeout=PATIENCE)
    try:
        with connect(
            f"ws://{host or f'127.0.0.1:{server.port}'}/_stcore/stream",
            origin=origin,
            sock=line,
            subprotocols=["streamlit"],
            open_timeout=PATIENCE,
        ):
            return 101
    except InvalidStatus as error:
        return error.response.status_code
    finally:
        line.close()


def test_a_page_of_the_app_opens_the_web_socket_under_each_of_its_names(server: Server) -> None:
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
        assert opened(server, f"http://{host}", host) == 101


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:9999",
        "http://localhost:9999",
        "http://127.0.0.1",
        "https://evil.example",
        "null",
        "http://0.0.0.0:8501",
        "file://",
        "http://[",
        None,
    ],
)
def test_any_other_page_and_a_program_without_origin_does_not(server: Server, origin: str | None) -> None:
    assert opened(server, origin) == 403


def test_one_name_of_the_app_is_not_the_origin_of_the_other(server: Server) -> None:
    assert opened(server, f"http://localhost:{server.port}", f"127.0.0.1:{server.port}") == 403


def test_a_rebound_host_gets_neither_the_socket_nor_a_page(server: Server) -> None:
    host = f"evil.example:{server.port}"
    assert opened(server, f"http://{host}", host) in (400, 403)
    assert server.call("GET", "/", token=None, Host=host).status == 400
