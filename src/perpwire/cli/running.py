"""How every verb runs: on the fastest loop there is, ended cleanly by Ctrl-C or SIGTERM, errors in one line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from perpwire.errors import PerpwireError

T = TypeVar("T")

console = Console()
errors = Console(stderr=True)

INTERRUPTED = 130


def run(main: Coroutine[Any, Any, T], *, ended_by_signal: int = INTERRUPTED) -> T:
    """Run `main`; exits with `ended_by_signal` where a signal ended it, and with 1 and one line on an error."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signal(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ended_by_signal) from None
    except (PerpwireError, OSError, ValueError) as error:
        # What a user's file, port or address can make go wrong; escaped, as it may hold brackets.
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


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
