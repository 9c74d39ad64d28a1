"""Work in processes of their own, one thread each, which tell how far they are and stop when they are asked to."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from queue import Empty
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LOOK_SECONDS = 0.1

Tell = Callable[[Any], None]
"""Takes news of the work on their way; they must be picklable. Raises KeyboardInterrupt when the work is to stop."""


def each(work: Callable[[Any, Tell], Any], items: Sequence[Any], processes: int, tell: Tell) -> list[Any]:
    """``work(item, tell)`` of every item, in their order; with one process in this one.

    ``tell`` is called in this process. An error of one item, or of ``tell``, ends all. ``work`` is a module's
    function: it and the items go to the processes.
    """
    if processes <= 1 or len(items) <= 1:
        return [work(item, tell) for item in items]
    context = get_context("spawn")
    news, stop = context.Queue(), context.Event()
    count = min(processes, len(items))
    with single_threaded(), ProcessPoolExecutor(count, context, _begin, (news, stop)) as pool:
        futures = [pool.submit(_run, work, item) for item in items]
        # The pool watches the processes that it knew when it was last woken: without this, the death of the last one
        # that a submission started would go unnoticed, and be waited for for ever.
        pool.submit(_nothing)
        try:
            _watch(futures, news, tell)
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _watch(futures: Sequence[Future[Any]], news: Any, tell: Tell) -> None:
    """Passes news on until all work is done. Raises the error of the first that fails."""
    while True:
        for future in futures:
            if future.done():
                future.result()
        over = all(future.done() for future in futures)
        try:
            tell(news.get(timeout=0.0 if over else LOOK_SECONDS))
        except Empty:
            if over:
                return


_news: Any = None
_stop: Any = None


def _begin(news: Any, stop: Any) -> None:
    """In a new process: an interrupt of the terminal is the parent's to answer, and without it there is no work."""
    global _news, _stop
    _news, _stop = news, stop
    news.cancel_join_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _nothing() -> None:
    """Wakes the pool."""


def _run(work: Callable[[Any, Tell], Any], item: Any) -> Any:
    return work(item, _tell)


def _tell(told: Any) -> None:
    if _stop.is_set():
        raise KeyboardInterrupt
    _news.put(told)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Processes started here compute in one thread: what they find does not depend on the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
