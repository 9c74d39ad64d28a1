"""The home is its owner's alone, whatever the umask: directories 0700, files 0600."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from logging import LogRecord
from pathlib import Path

import pytest

from livetrading.adapters import private, settings
from livetrading.adapters.bars.cache import BarCache, Stored
from livetrading.adapters.home import Home
from livetrading.adapters.logs import SharedFileHandler
from livetrading.core.account_book import Valued
from livetrading.execution.accounts.account_journal import AccountJournal
from tests.doubles.processes import PATIENCE, free_port
from tests.doubles.series import generated

from .conftest import ROOT, Server, model_of, until

USUAL, NOW = 0o022, datetime(2024, 6, 3, 20, 40, tzinfo=UTC)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(USUAL)
    yield
    os.umask(before)


def open_to_others(root: Path) -> list[str]:
    """What in a home, itself included, is not 0700 or 0600."""
    found = []
    for path in (root, *root.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (private.DIRECTORY if path.is_dir() else private.FILE):
            found.append(f"{mode:o} {path.relative_to(root)}")
    return found


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "livetrading", "--home", str(root), *words]


def test_after_a_whole_small_life_nothing_in_the_home_is_open_to_others(tmp_path: Path) -> None:
    """Trained, served, deployed by REST, traded, stopped, re-armed: by real processes under umask 022."""
    root, port = tmp_path / "home", free_port()
    train = command(root, "train", "NVDA", "--agent", "PPO", "--timesteps", "600", "--seed", "0")
    subprocess.run(train, cwd=ROOT, umask=USUAL, check=True, capture_output=True, timeout=PATIENCE)
    assert open_to_others(root) == []
    next(root.glob("models/*/card.json")).chmod(0o644)  # the scheduler closes it at its start
    parent = subprocess.Popen(
        command(root, "up", "--port", str(port)),
        cwd=ROOT,
        umask=USUAL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server(root, port, root)
        until(lambda: (root / "api_token").exists() and _lives(server))
        made = server.live("POST", "/agents", {"model_id": model_of(root), "mode": "replay", "pace": 0})
        assert made.status == 200, made.body
        until(lambda: list((root / "agents").glob("*/history-*.json")))
        assert server.live("POST", "/emergency-stop").status == 200
    finally:
        parent.terminate()
        parent.wait(PATIENCE)
    subprocess.run(command(root, "rearm"), cwd=ROOT, umask=USUAL, check=True, capture_output=True, timeout=PATIENCE)
    names = {path.name for path in root.rglob("*")}
    assert {"journal.jsonl", "model.zip", "halts.log", "livetrading.log", "requests.json.lock", "start.lock"} <= names
    assert open_to_others(root) == []


def _lives(server: Server) -> bool:
    try:
        return bool(server.live("GET", "/health").body["scheduler"]["alive"])
    except (OSError, TypeError, KeyError):
        return False


def test_what_seldom_is_written_is_closed_too(tmp_path: Path, usual_umask: None) -> None:
    home = Home.resolve(str(tmp_path / "new"))
    settings.save(home, "ibkr_account", "DU123")
    AccountJournal(home, "DU123").record(Valued("2024-06-03", 1.0, "USD"), NOW)
    BarCache(home.cache / "yahoo").save("AAPL", Stored(generated(1, 10), NOW))
    log = SharedFileHandler(home.logs / "livetrading.log", max_bytes=1, kept=2)
    for text in ("one", "two", "three"):
        log.handle(LogRecord("livetrading", 20, "", 0, text, None, None))
    log.close()
    assert len(list(home.logs.glob("*.log.*"))) == 3
    assert open_to_others(home.root) == []


def version_before(root: Path) -> None:
    """A home as an earlier version left it under umask 022."""
    for name in ("agents/PPO_AAPL_001", "models/PPO_AAPL_v20240101_000000", "cache/yahoo", "logs", "accounts/DU1"):
        (root / name).mkdir(parents=True)
    for name in ("settings.toml", "requests.json", "agents/PPO_AAPL_001/journal.jsonl", "accounts/DU1/journal.jsonl"):
        (root / name).write_text("")


def test_a_home_of_the_version_before_is_closed_when_it_is_first_met(tmp_path: Path, usual_umask: None) -> None:
    version_before(tmp_path / "home")
    assert len(open_to_others(tmp_path / "home")) > 10
    Home.resolve(str(tmp_path / "home"))
    assert open_to_others(tmp_path / "home") == []


def test_a_persons_own_things_in_it_keep_their_modes(tmp_path: Path, usual_umask: None) -> None:
    version_before(tmp_path)
    script, link = tmp_path / "tools" / "fetch.sh", tmp_path / "agents" / "elsewhere"
    script.parent.mkdir()
    script.write_text("")
    script.chmod(0o755)
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("")
    link.symlink_to(outside)
    tmp_path.chmod(0o755)
    Home.resolve(str(tmp_path))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, script, outside)]
    assert modes == [0o700, 0o755, 0o644]


@pytest.mark.parametrize("why", ["shared with all", "refused"])
def test_a_home_that_is_not_to_be_closed_is_said_so_and_used(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "home"
    root.mkdir()
    root.chmod(0o1777 if why == "shared with all" else 0o755)
    if why == "refused":

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(private.os, "chmod", refuse)
    home = Home.resolve(str(root))
    assert home.agents.is_dir() and root.stat().st_mode & 0o055
    said = capsys.readouterr().err
    assert "chmod 700" in said and len(said.splitlines()) == 1
