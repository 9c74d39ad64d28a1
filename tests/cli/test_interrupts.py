"""Ctrl-C ends a command also where a library swallows it."""

import os
import signal

import pytest

from livetrading.cli import interrupts


def test_an_interrupt_that_a_library_swallows_is_raised_at_the_next_step() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.remembered() as check:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.01)
        except KeyboardInterrupt:
            pass  # as a callback of a library does
        check()
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_nothing_is_raised() -> None:
    with interrupts.remembered() as check:
        check()
