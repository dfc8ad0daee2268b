"""Ctrl-C and SIGTERM, from a command's first line to its last.

While modules are imported an exception that comes from nowhere can be lost in them, or leave half of one behind: the
process just ends, as nothing is open yet. While the event loop runs they are events of it, and cancel what runs. Only
where a command works or asks without a loop is Ctrl-C Python's KeyboardInterrupt.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

INTERRUPTED = 130


def leave_at_once() -> None:
    """Ctrl-C ends the process from now on, with exit code 130 and not a word. SIGTERM does so by itself."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


_hangs = False


def hurry() -> None:
    """Something hangs in a thread that Python would wait for at the end, such as a service that takes no alert."""
    global _hangs
    _hangs = True


def leave(code: int | None) -> NoReturn:
    """The command is over."""
    if _hangs:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


@contextlib.contextmanager
def raising() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt: for work and questions that have something to put in order."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def cancelling(task: asyncio.Task[Any]) -> Iterator[None]:
    """The first signal cancels `task`, whose loop runs; a second Ctrl-C interrupts what it does to end."""
    if sys.platform == "win32":
        with raising():
            yield
        return
    loop = task.get_loop()
    before = signal.getsignal(signal.SIGINT)

    def end() -> None:
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        loop.remove_signal_handler(signal.SIGINT)  # which gives it back to Python
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGINT, before)
