"""A question at the terminal, and the line that answers it. A Ctrl-C is never lost, also one in the very moment in
which the question appears: Python's own `input` does not see a signal that comes just before it starts to wait."""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import typer

from perpwire.cli.interrupts import raising

if TYPE_CHECKING:
    from collections.abc import Iterator


def ask(question: str, *, hidden: bool = False) -> str:
    """The line that is typed, without its end. The question goes to the standard error.

    Args:
        hidden: What is typed is not shown, from before the question on.

    Raises:
        typer.Abort: Ctrl-C, or the end of the input. The line on the screen has been ended.
    """
    try:
        with raising(), unseen() if hidden else contextlib.nullcontext():
            line = _answer(question, hidden=hidden)
    except KeyboardInterrupt:
        line = ""
    if not line:
        print(file=sys.stderr)
        raise typer.Abort
    return line.rstrip("\r\n")


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """The terminal shows nothing of what is typed but the ends of lines. Over several questions, so that what is typed
    or pasted between them stays hidden too."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    hiding = termios.tcgetattr(terminal)
    hiding[3] = hiding[3] & ~termios.ECHO | termios.ECHONL
    with raising():  # so that the terminal is put right again
        try:
            termios.tcsetattr(terminal, termios.TCSADRAIN, hiding)
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _answer(question: str, *, hidden: bool) -> str:
    """With its end, or nothing where the input has ended."""
    if sys.platform == "win32" and hidden and sys.stdin.isatty():
        return getpass.getpass(question, sys.stderr) + "\n"
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.platform == "win32" or not sys.stdin.isatty():
        return sys.stdin.readline()
    terminal = sys.stdin.fileno()
    with _woken() as signalled:
        # Python runs a signal's handler, which raises, on its way out of this wait.
        while terminal not in select.select([terminal, signalled], [], [])[0]:
            os.read(signalled, 64)  # a signal whose handler let it pass
    return os.read(terminal, 65536).decode(sys.stdin.encoding, "replace")  # a terminal gives one line at a time


@contextlib.contextmanager
def _woken() -> Iterator[int]:
    """What can be read once a signal has come, also one that came before the wait for it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
