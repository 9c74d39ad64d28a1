"""A thread with an event loop for one coroutine; thread and loop are started again when they die."""

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ....core.errors import Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before a loop that died is started again."""
WIND_UP = 2.0
SLICE_SECONDS = 1.0
"""How often the heartbeat is called while a call waits."""
CLOSED = "The connection to Interactive Brokers is closed; start the scheduler."
ENDED = "The connection to TWS ended before it answered; it is made again, and what was asked is looked up."
DIED = "The connection to Interactive Brokers died of an unexpected error; it is made again."


class LoopThread:
    """Runs ``live()`` in a loop of its own until ``close``.

    ``died`` is called in the thread with the error that ended a loop, before the next one begins;
    ``broke`` with an error in a callback that nobody awaits. Both errors are logged with a traceback.
    """

    def __init__(
        self,
        live: Callable[[], Coroutine[Any, Any, None]],
        died: Callable[[BaseException | None], None],
        broke: Callable[[BaseException], None],
    ) -> None:
        self._live, self._died, self._broke = live, died, broke
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._ready, self._closed = threading.Event(), threading.Event()

    def start(self) -> None:
        """Start the thread, or start it again if it has died."""
        with self._mutex:
            if self._closed.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            if self._thread is not None:
                log.critical("IBKR: the thread of the connection has died; another one is started.")
            self._ready.clear()
            self._thread = threading.Thread(target=self._serve, name="ibkr", daemon=True)
            self._thread.start()
        self._ready.wait(WIND_UP)

    def revive(self) -> None:
        """Start the thread again if it has died; not if it was never started, or was closed."""
        if self._thread is not None and not self._thread.is_alive():
            self.start()

    def close(self, stop: Callable[[], object], seconds: float = 5.0) -> None:
        """Call ``stop`` in the loop and wait for its end. Never raises."""
        self._closed.set()
        thread = self._thread
        if thread is None or not thread.is_alive() or thread is threading.current_thread():
            return
        self._soon(stop)
        thread.join(seconds)
        if thread.is_alive():
            log.error("IBKR: the connection did not end within %g s; its loop is stopped.", seconds)
            self._soon(lambda: asyncio.get_running_loop().stop())
            thread.join(seconds)

    def call(
        self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float, pulse: Callable[[], object] = lambda: None
    ) -> T:
        """Run a coroutine in the loop. Raises Unavailable when it takes too long or the loop dies.
        ``pulse`` is called once a second meanwhile."""
        if self._closed.is_set() or self._thread is None:
            raise Unavailable(CLOSED)
        self.revive()
        loop, begun = self._loop, work()
        try:
            if loop is None:
                raise RuntimeError("no loop")
            future = asyncio.run_coroutine_threadsafe(begun, loop)
        except RuntimeError:  # it was closed a moment ago
            begun.close()
            raise Unavailable(DIED) from None
        end = time.monotonic() + seconds
        while not concurrent.futures.wait([future], min(SLICE_SECONDS, max(end - time.monotonic(), 0.0))).done:
            pulse()
            if time.monotonic() >= end:
                break
        try:
            return future.result(0)
        except concurrent.futures.CancelledError:
            raise Unavailable(CLOSED if self._closed.is_set() else DIED) from None
        except ConnectionError as error:  # the socket closed before the message was written
            raise Unavailable(ENDED) from error
        except TimeoutError:
            future.cancel()
            raise Unavailable(f"Interactive Brokers did not answer within {seconds:g} s; it is asked again.") from None

    def _soon(self, act: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            pass  # the loop has ended

    # -- in the thread ----------------------------------------------------

    def _serve(self) -> None:
        deaths = 0
        while not self._closed.is_set():
            error = self._one_loop()
            if self._closed.is_set():
                return
            log.critical("IBKR: the loop of the connection died; it is made again.", exc_info=error)
            try:
                self._died(error)
            except Exception:  # the next loop is tried anyway
                log.exception("IBKR: the state of a dead connection could not be taken over")
            self._closed.wait(PAUSES[min(deaths, len(PAUSES) - 1)])
            deaths += 1

    def _one_loop(self) -> BaseException | None:
        """Run one loop to its end. Returns the error that ended it, None if it ended normally."""
        loop = self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(self._on_error)
        self._ready.set()
        try:
            loop.run_until_complete(self._live())
            return None
        except BaseException as error:  # a SystemExit in a callback must end only this loop
            return error
        finally:
            _wind_up(loop)

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's handler for errors that nobody awaits. After an error in a callback the state may be half
        changed, so ``broke`` is called; a failed task has an owner, and its error is only logged."""
        error = context.get("exception")
        log.error("IBKR: %s", context.get("message"), exc_info=error)
        if error is not None and "task" not in context and "future" not in context:
            self._broke(error)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel running tasks, so that nobody waits for them, and close the loop."""
    try:
        loop.run_until_complete(_cancel_all())
    except BaseException as error:
        log.error("IBKR: the loop could not be wound up: %s", error, exc_info=error)
    finally:
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=WIND_UP)
    await asyncio.sleep(0)  # lets asyncio release closed sockets
