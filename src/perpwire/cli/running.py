"""How every verb runs: on the fastest loop there is, ended cleanly by Ctrl-C or SIGTERM, errors in one line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from perpwire.errors import BadInput, OutcomeUnknown, PerpwireError

T = TypeVar("T")

console = Console()
errors = Console(stderr=True)

INTERRUPTED = 130
FAILED = 1
MISTAKEN = 2
"""The user's words can't be followed: a flag, or what is in a file. Nothing was sent."""
UNKNOWN = 3
"""What became of an order is not known."""


def run(main: Coroutine[Any, Any, T], *, ended_by_signal: int = INTERRUPTED, on_bad_value: int = FAILED) -> T:
    """Run `main`; exits with `ended_by_signal` where a signal ended it, and with one line and the code of its kind
    on an error, or `on_bad_value` where it is of a file's contents."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signal(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ended_by_signal) from None
    except (PerpwireError, OSError, ValueError) as error:
        fail(str(error), _code_of(error, on_bad_value))


def _code_of(error: Exception, on_bad_value: int) -> int:
    """What a user's words, file, port or address can make go wrong."""
    match error:
        case BadInput():
            return MISTAKEN
        case OutcomeUnknown():
            return UNKNOWN
        case PerpwireError() | OSError():
            return FAILED
    return on_bad_value


def fail(words: str, code: int) -> NoReturn:
    say_error(words)
    raise typer.Exit(code) from None


def say_error(words: str) -> None:
    """One line on the standard error; escaped, as it may hold brackets."""
    errors.print(f"[bold red]error:[/] {escape(' '.join(words.split()))}", highlight=False, soft_wrap=True)


async def _until_signal(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await main


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None
