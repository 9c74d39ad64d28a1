"""Whatever goes wrong, the connection says so in a sentence, tries again, and closes when told."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.config import IbkrConfig
from livetrading.core.errors import Unavailable
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import NOW, QUICK, VERSIONS, await_that, broker, config, connected, eventually, exit_, stop
from tests.doubles.tws import TwsDouble

HASTY = replace(QUICK, connect=0.3, answer=0.3, connecting=0.6, optional=0.2, refused_pause=0.1)


@pytest.fixture
def tws() -> Iterator[TwsDouble]:
    with TwsDouble(VERSIONS[-1], clock=lambda: NOW) as double:
        yield double


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(r.exc_info[1]) for r in caplog.records if r.exc_info and r.exc_info[1] is not None]


# -- attempts that fail ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"host": "tws..local"}, "disconnected", "cannot be the name of a computer"),
        ({"host": "x" * 70 + ".local"}, "disconnected", "correct ibkr_host"),
        ({"port": 70_000}, "failed", "look at ibkr_host and ibkr_port"),
        ({"host": "tws\0local"}, "failed", "unexpected error"),
    ],
)
def test_a_failure_that_nobody_foresaw_has_a_name_and_a_cure_and_is_tried_again(caplog, changes, state, words):
    with IbkrConnection(IbkrConfig(**{"port": 7497, "restart": None, "timing": HASTY, **changes})) as connection:
        await_that(lambda: connection.health().failures > 2, "tried again")
        found = await_that(lambda: (h := connection.health()).state == state and h)
        assert words in found.trouble and found.away is not None and not found.ready
        with pytest.raises(Unavailable, match="cannot be used now"):
            connection.account()
    assert not connection._thread._thread.is_alive()  # closed without a word of what failed before
    if state == "failed":
        assert tracebacks(caplog)


def test_pauses_between_attempts_grow_and_begin_anew(tws):
    tws.close_port()
    timing = replace(HASTY, pauses=(0.01, 0.05, 0.4))
    with IbkrConnection(config(tws, timing=timing)) as connection:
        at: list[float] = []
        for n in range(1, 6):
            await_that(lambda n=n: connection.health().failures >= n)
            at.append(time.monotonic())
        assert at[4] - at[3] > 0.3 > at[1] - at[0]
        tws.open_port()
        await_that(lambda: connection.health().ready)
        assert connection.health().failures == 0 and connection.health().away is None


def deaf(listener: socket.socket) -> list[socket.socket]:
    """A port whose queue is full: nobody takes the connection, and nobody refuses it."""
    full = []
    for _ in range(8):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        full.append(client)
    return full


@contextmanager
def port(answer: Callable[[socket.socket], object] | None) -> Iterator[int]:
    """A port that accepts and answers so; None: it never accepts."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0 if answer is None else 5)) as listener:
        held = deaf(listener) if answer is None else []

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                held.append(client)
                assert answer is not None
                answer(client)

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "Nothing answers"),
        (lambda client: None, "does not answer"),
        (lambda client: client.close(), ""),
        (lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ""),
        (lambda client: client.sendall(b"\0\0\0\x08n/a\0now\0"), "invalid literal"),
        (lambda client: client.sendall(b"\0\0\0\x05178\0\0"), ""),
        (lambda client: client.sendall(b"\0\0\0\x0a178\0today\0\0\0\0\0"), ""),
    ],
    ids=["deaf", "mute", "closes", "http", "no version", "empty time", "empty frame"],
)
def test_connecting_ends_in_time_whatever_hangs_and_says_why(answer, words):
    with port(answer) as number:
        wanted = IbkrConfig(port=number, restart=None, timing=HASTY)
        begun = time.monotonic()
        with IbkrConnection(wanted) as connection:
            found = await_that(lambda: (h := connection.health()).failures and h)
            assert time.monotonic() - begun < 3.0 and words in found.trouble and not found.ready
            await_that(lambda: connection.health().failures > 1, "tried again")


@pytest.mark.parametrize("message", [71, 5, 16, 61, 49])
def test_connecting_ends_in_time_when_tws_falls_silent_on_the_way(tws, message):
    tws.do(lambda: tws.faults.silent.add(message))
    with IbkrConnection(config(tws, timing=replace(HASTY, answer=60.0, connect=60.0))) as connection:
        begun = time.monotonic()
        await_that(lambda: connection.health().failures)
        assert time.monotonic() - begun < 5.0
        tws.do(tws.faults.silent.clear)
        connection.session.timing = QUICK
        await_that(lambda: connection.health().ready)


# -- what breaks inside -------------------------------------------------------------------


def boom(*what: object) -> None:
    raise KeyError("boom")


def test_a_callback_that_breaks_is_logged_and_leaves_no_half_dead_session(tws, caplog):
    """The library's events swallow what a listener raises."""
    with connected(tws) as connection:
        session = connection.session
        session._on_error = boom
        tws.announce(2104)
        await_that(lambda: "'boom'" in tracebacks(caplog))
        del session._on_error
        await_that(lambda: session.connections == 2 and connection.health().ready)


def test_a_callback_of_the_loop_that_breaks_is_logged_and_the_connection_made_anew(tws, caplog):
    with connected(tws) as connection:
        connection._thread._loop.call_soon_threadsafe(boom)
        await_that(lambda: connection.session.connections == 2 and connection.health().ready)
        assert "'boom'" in tracebacks(caplog)


def test_a_task_that_fails_unheard_is_logged_and_costs_nothing(tws, caplog):
    async def doomed() -> None:
        boom()

    async def begun() -> None:
        asyncio.ensure_future(doomed())

    with connected(tws) as connection:
        connection.call(begun)
        await_that(lambda: connection.call(lambda: asyncio.sleep(0, "ok")) and "'boom'" in tracebacks(caplog))
        assert connection.session.connections == 1 and connection.health().ready


def ended(*what: object) -> None:
    raise SystemExit("a callback ends the process")


def dying(connection: IbkrConnection) -> None:
    async def stopped() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(60)

    with pytest.raises(Unavailable):
        connection.call(stopped, 20.0)


@pytest.mark.parametrize(
    "die",
    [lambda connection: connection._thread._loop.call_soon_threadsafe(ended), dying],
    ids=["exit in a callback", "stopped"],
)
def test_a_loop_that_dies_is_made_again_and_knows_what_was_executed(tws, caplog, die):
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(exit_(), None, NOW)
        tws.happen(lambda ledger: ledger.market("TNA", 100.0))
        await_that(lambda: tna.find(exit_().ref).state == OrderState.FILLED)
        before = connection.session
        die(connection)
        await_that(
            lambda: (
                connection.session is not before and connection.session.connections == 2 and connection.health().ready
            )
        )
        assert tracebacks(caplog) and [e.qty for e in tna.executions()] == [10]
        assert tna.submit(stop(), None, NOW).state == OrderState.NEW


def test_who_waits_while_the_loop_dies_hears_that_it_is_unavailable(tws):
    with connected(tws) as connection:
        heard: list[object] = []

        def wait() -> None:
            try:
                connection.call(lambda: asyncio.sleep(60), 50.0)
            except Unavailable as error:
                heard.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        await_that(lambda: len(connection.call(_tasks)) > 2)
        dying(connection)
        waiting.join(10)
        assert len(heard) == 1 and not waiting.is_alive()


async def _tasks() -> list[object]:
    return list(asyncio.all_tasks())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_started_again(tws):
    with connected(tws) as connection:
        line = connection._thread
        first = line._thread
        line._one_loop = boom
        line._loop.call_soon_threadsafe(ended)
        await_that(lambda: not first.is_alive())
        del line._one_loop
        await_that(lambda: connection.health().ready)
        assert eventually(connection.positions) == {}


def test_a_loop_that_hangs_is_told(tws):
    tws.do(lambda: tws.faults.silent.add(71))
    with IbkrConnection(config(tws, timing=replace(QUICK, connect=20.0, connecting=0.4))) as connection:
        free = threading.Event()
        await_that(lambda: connection.health().state == "connecting")
        connection._thread._loop.call_soon_threadsafe(free.wait, 20)
        found = await_that(lambda: (h := connection.health()).state == "disconnected" and h)
        assert "hangs" in found.detail and found.failures
        free.set()
        tws.do(tws.faults.silent.clear)
        connection.session.timing = QUICK
        await_that(lambda: connection.health().ready)


def test_closing_never_raises_and_ends_every_wait(tws, caplog):
    connection = IbkrConnection(config(tws))
    connection.close()  # before it was started
    connection = IbkrConnection(config(tws))
    connection.start()
    connection.wait_ready(20.0)
    connection._thread._loop.call_soon_threadsafe(ended)
    connection.close()
    connection.close()
    with pytest.raises(Unavailable, match="closed"):
        connection.positions()
    assert not [r for r in caplog.records if r.levelno >= logging.CRITICAL and "thread" in r.getMessage()]


def test_a_peer_that_went_during_the_handshake_is_left_without_an_error(tws):
    """Half shaken hands cannot be closed by the library's own ``disconnect``, which then raises."""
    tws.do(lambda: tws.faults.silent.add(71))
    with IbkrConnection(config(tws, timing=replace(QUICK, connect=30.0))) as connection:
        await_that(lambda: tws.sessions)
        connection._thread._loop.call_soon_threadsafe(connection.session.renew, "given up")
        await_that(lambda: connection.health().failures)
        tws.do(tws.faults.silent.clear)
        await_that(lambda: connection.health().ready)
