import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livetrading.adapters import logs
from livetrading.adapters.home import Home
from livetrading.adapters.logs import SharedFileHandler
from livetrading.core.errors import Unavailable
from tests.doubles.processes import in_child, limit_file_size, start

LOGGER = logging.getLogger("livetrading.test")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    before = threading.excepthook
    yield Home(tmp_path)
    for logger in map(logging.getLogger, ("livetrading", *logs.FOREIGN)):
        for handler in list(logger.handlers):
            if isinstance(handler, SharedFileHandler):
                logger.removeHandler(handler)
                handler.close()
    logs.secrets.clear()
    threading.excepthook = before


def handler() -> SharedFileHandler:
    found = [item for item in logging.getLogger("livetrading").handlers if isinstance(item, SharedFileHandler)]
    assert len(found) == 1
    return found[0]


def test_a_line_says_when_in_utc_how_grave_who_and_what(home: Home) -> None:
    path = logs.setup(home, "scheduler")
    LOGGER.warning("session %s held", "2024-06-03")
    assert path == home.logs / "livetrading.log"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING scheduler\[\d+\] livetrading\.test: session 2024-06-03 held\n",
        path.read_text(),
    )


def test_setting_up_again_writes_each_line_once(home: Home) -> None:
    for _ in range(3):
        path = logs.setup(home, "dashboard")
    LOGGER.info("once")
    assert path.read_text().count("once") == 1


def test_another_home_takes_over(home: Home, tmp_path: Path) -> None:
    first = logs.setup(home, "a")
    second = logs.setup(Home(tmp_path / "other"), "b")
    LOGGER.info("here")
    assert "here" in second.read_text()
    assert not first.exists() or "here" not in first.read_text()


def test_secrets_are_never_written(home: Home) -> None:
    path = logs.setup(home, "app")
    home.token.write_text("s3cr3t-value\n")  # made after the process began to log
    LOGGER.info("a %s b", "s3cr3t-value")
    LOGGER.info("Authorization: Bearer abc.def")
    LOGGER.info('{"token": "tok-123", "password": "pw-123"} api_key=key-123&x=1')
    try:
        raise ValueError("with s3cr3t-value inside")
    except ValueError:
        LOGGER.exception("failed")
    text = path.read_text()
    for secret in ("s3cr3t-value", "abc.def", "tok-123", "pw-123", "key-123"):
        assert secret not in text
    assert "x=1" in text and "Traceback" in text


def test_a_token_that_was_made_anew_is_hidden_as_the_old_one_was(home: Home) -> None:
    path = logs.setup(home, "app")
    for token in ("first-token-of-it", "second-token-of-it"):
        home.token.write_text(token)
        LOGGER.info("called with %s", token)
    home.token.unlink()
    LOGGER.info("called with second-token-of-it")
    assert path.read_text().count("called with ***") == 3 and "-token-" not in path.read_text()


def test_an_empty_token_file_hides_nothing(home: Home) -> None:
    path = logs.setup(home, "app")
    home.token.write_text("")
    LOGGER.info("all is well")
    assert "all is well" in path.read_text()


def test_of_an_accounts_number_the_last_four_digits_are_written(home: Home) -> None:
    path = logs.setup(home, "app")
    LOGGER.info("accounts DU1234567 and U7654321; order PPO_U_001:2024-06-03:entry:1, 1234567 shares")
    assert "DU***4567 and U***4321; order PPO_U_001:2024-06-03:entry:1, 1234567 shares" in path.read_text()


def test_a_message_cannot_forge_a_line(home: Home) -> None:
    path = logs.setup(home, "app")
    LOGGER.info("symbol %s", "A\n2024-01-01T00:00:00Z INFO forged\r")
    assert len(path.read_text().splitlines()) == 1


def test_the_file_is_rotated_and_the_oldest_dropped(home: Home) -> None:
    path = logs.setup(home, "app")
    handler().max_bytes, handler().kept = 500, 2
    for i in range(60):
        LOGGER.info("line %d", i)
    assert sorted(item.name for item in home.logs.glob("livetrading.log*")) == [
        "livetrading.log",
        "livetrading.log.1",
        "livetrading.log.2",
        "livetrading.log.lock",
    ]
    assert "line 59" in path.read_text()


def test_several_processes_share_the_file_and_lose_no_line_when_it_turns(home: Home) -> None:
    def work(n: int) -> None:
        logs.setup(home, f"worker{n}")
        handler().max_bytes, handler().kept = 4000, 99
        for i in range(100):
            LOGGER.info("line %d of %d;", i, n)

    workers = [start(work, n) for n in range(3)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    lines = [line for file in home.logs.glob("livetrading.log*") for line in file.read_text().splitlines()]
    assert sorted(line.partition(": ")[2] for line in lines) == sorted(
        f"line {i} of {n};" for i in range(100) for n in range(3)
    )


def test_a_full_disk_costs_the_line_and_not_the_caller(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    path = logs.setup(home, "app")

    def body() -> None:
        limit_file_size(0)
        LOGGER.info("lost")

    in_child(body)
    LOGGER.info("kept")
    assert "kept" in path.read_text() and "lost" not in path.read_text()
    assert "Traceback" not in capfd.readouterr().err


def test_a_log_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file/logs"):
        logs.setup(Home(tmp_path / "file"), "app")


def test_what_nobody_foresaw_is_logged_with_its_traceback_once_an_hour(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = logs.setup(home, "scheduler"), [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: clock[0])
    logs.logged.clear()

    def again(text: str) -> str:
        try:
            raise RuntimeError(text)
        except RuntimeError as error:
            return str(logs.caught(LOGGER, "the pass of PPO_INTC_001", error))

    assert (
        again("one")
        == "An error of the program in the pass of PPO_INTC_001: RuntimeError: one; the log holds its traceback."
    )
    again("the same place, another number")
    assert path.read_text().count("Traceback") == 1 and "the pass of PPO_INTC_001" in path.read_text()
    clock[0] += logs.AGAIN_SECONDS
    again("one")
    assert path.read_text().count("Traceback") == 2
    assert len(logs.logged) == 1, "what is an hour old is forgotten"


def test_an_error_of_ours_passes_as_it_is_and_is_not_logged(home: Home) -> None:
    path, ours = logs.setup(home, "scheduler"), Unavailable("try again")
    assert logs.caught(LOGGER, "a turn", ours) is ours
    assert not path.exists() or "Traceback" not in path.read_text()


def test_the_log_says_what_ended_a_thread_and_what_a_librarys_callback_met(home: Home) -> None:
    path = logs.setup(home, "scheduler")
    thread = threading.Thread(target=lambda: 1 / 0, name="ibkr")
    thread.start()
    thread.join()
    logging.getLogger("eventkit.event").error("a callback raised")
    assert "the thread ibkr ended" in path.read_text() and "ZeroDivisionError" in path.read_text()
    assert "a callback raised" in path.read_text()
