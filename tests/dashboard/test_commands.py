"""Commands as processes of their own: once for an id, and never another's process."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.core.errors import BadInput, Conflict, Unavailable
from livetrading.dashboard import commands

from .conftest import until


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.resolve(str(tmp_path / "home"))


def test_a_command_answers_with_its_object(home: Home) -> None:
    answer = commands.run(home, ["agents"], 60)
    assert (answer.values["agents"], answer.error) == ([], None)


def test_a_refusal_is_the_commands_own_sentence(home: Home) -> None:
    answer = commands.run(home, ["model", "PPO_AAPL_v20200101_000000"], 60)
    assert answer.error and "models" in answer.error


def test_a_command_that_does_not_exist_says_so_in_a_sentence(home: Home) -> None:
    assert "frobnicate" in (commands.run(home, ["frobnicate"], 60).error or "")


def test_two_clicks_are_one_process_with_one_answer(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: commands.start(home, ["agents", "--json"], "one-request"), range(8)))
    assert len({command.pid for command in started}) == 1
    assert len({str(command.wait(60)) for command in started}) == 1
    assert len(list((home.root / "commands").glob("*.out"))) == 1


def test_an_answer_is_there_for_whoever_asks_later(home: Home) -> None:
    first = commands.run(home, ["agents"], 60, "asked-twice")
    pid = commands.Command(home, "asked-twice").pid
    assert commands.run(home, ["agents"], 60, "asked-twice") == first
    assert commands.Command(home, "asked-twice").pid == pid


def test_a_command_that_takes_long_runs_on_and_names_its_log(home: Home) -> None:
    with pytest.raises(Unavailable, match="runs on"):
        commands.run(home, ["agents"], 0, "patience")
    assert commands.Command(home, "patience").wait(60).error is None


@pytest.mark.parametrize("command_id", ["short", "../../../etc/passwd", "with space", "x" * 65, "nul\0nul\0nul"])
def test_an_id_that_is_no_file_name_is_refused(home: Home, command_id: str) -> None:
    with pytest.raises(BadInput, match="request id"):
        commands.start(home, ["agents"], command_id)


def test_a_process_of_somebody_else_is_never_interrupted() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with pytest.raises(Conflict, match="ended already"):
            commands.interrupt(other.pid, "some-job-of-ours")
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_our_process_is_known_by_its_id_even_to_a_dashboard_that_did_not_start_it() -> None:
    ours = subprocess.Popen([sys.executable, "-X", "livetrading=job-of-ours", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        until(lambda: commands.is_ours(ours.pid, "job-of-ours"))  # its command line is there a moment after its pid
        assert not commands.is_ours(ours.pid, "another-job")
        commands.interrupt(ours.pid, "job-of-ours")
        assert ours.wait(60) != 0
    finally:
        ours.communicate()
    assert not commands.is_ours(ours.pid, "job-of-ours")


def test_old_answers_are_forgotten_and_new_ones_kept(home: Home) -> None:
    directory = home.root / "commands"
    directory.mkdir()
    for n in range(commands.KEPT + 5):
        for suffix in (".pid", ".out", ".log"):
            path = directory / f"old-command-{n:04d}{suffix}"
            path.write_text("1")
            os.utime(path, (n, n))
    commands.run(home, ["agents"], 60, "newest-command")
    left = sorted(path.stem for path in directory.glob("*.out"))
    assert len(left) == commands.KEPT + 1
    assert "old-command-0004" not in left and {"old-command-0005", "newest-command"} <= set(left)
