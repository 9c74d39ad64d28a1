"""Real processes for tests: run a function in a child, kill it, limit its disk."""

import multiprocessing
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 180.0
"""Seconds after which waiting for a condition fails; a test usually waits much less."""


def awaited(condition: Callable[[], Any], what: str) -> Any:
    """The condition's value when it is true; AssertionError if it never is."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come")


PORTS = range(20_000, 32_000)
"""Below the range from which systems assign ports, so no other program gets one between test and use."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


FORK = multiprocessing.get_context("fork")


def start(body: Callable[..., object], *args: Any) -> multiprocessing.process.BaseProcess:
    process = FORK.Process(target=body, args=args)
    process.start()
    return process


def in_child(body: Callable[[], Any]) -> Any:
    """What ``body`` returns in a forked child; it must be picklable."""
    reader, writer = FORK.Pipe(duplex=False)
    process = start(lambda: writer.send(body()))
    writer.close()
    try:
        return reader.recv()
    finally:
        process.join(30)


def kill(process: multiprocessing.process.BaseProcess) -> None:
    """SIGKILL one process that a test started, and reap it."""
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)


def limit_file_size(size: int) -> None:
    """From here on this process's writes beyond ``size`` bytes of a file fail."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def lift_file_size_limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
