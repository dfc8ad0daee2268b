"""How every verb runs: on the fastest loop there is, ended cleanly by Ctrl-C or SIGTERM, errors in one line."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from perpwire.cli.interrupts import INTERRUPTED, cancelling
from perpwire.errors import APIError, BadInput, OutcomeUnknown, PerpwireError

T = TypeVar("T")

console = Console()
errors = Console(stderr=True)

FAILED = 1
MISTAKEN = 2
"""The user's words can't be followed: a flag, or what is in a file. Nothing was sent."""
UNKNOWN = 3
"""What became of an order is not known."""

ORDER_CALLS = frozenset({"place_order", "place_orders", "amend_order", "cancel_order", "cancel_orders", "cancel_all"})
"""A lost answer to one of these leaves open what became of an order; one to a question leaves nothing open."""

TELLABLE = (PerpwireError, OSError, ValueError)
"""What a user's words, file, port or address can make go wrong."""


def run(
    main: Coroutine[Any, Any, T],
    *,
    ended_by_signal: int = INTERRUPTED,
    on_bad_value: int = FAILED,
    as_json: bool = False,
    at_interrupt: Callable[[], str] | None = None,
) -> T:
    """Run `main`; exits with `ended_by_signal` where a signal ended it, and with one line and the code of its kind
    on an error, or `on_bad_value` where it is of a file's contents.

    Args:
        as_json: That line is an object.
        at_interrupt: What to say when a signal ended it.
    """
    # What the library logs is told by the verbs themselves, where it matters to whoever types.
    logging.getLogger("perpwire").addHandler(logging.NullHandler())
    try:
        with (
            telling(as_json=as_json, on_bad_value=on_bad_value),
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            return runner.run(_until_signal(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if at_interrupt is not None:
            errors.print(escape(at_interrupt()), highlight=False, soft_wrap=True)
        raise typer.Exit(ended_by_signal) from None


@contextlib.contextmanager
def telling(*, as_json: bool = False, on_bad_value: int = FAILED) -> Iterator[None]:
    """Errors that are a user's to mend end the command: in one line, with the exit code of their kind."""
    try:
        yield
    except TELLABLE as error:
        say(error, as_json=as_json)
        raise typer.Exit(code_of(error, on_bad_value)) from None


def code_of(error: Exception, on_bad_value: int = FAILED) -> int:
    match error:
        case BadInput():
            return MISTAKEN
        case OutcomeUnknown() if error.client_order_id is not None or error.call in ORDER_CALLS:
            return UNKNOWN
        case PerpwireError() | OSError():
            return FAILED
    return on_bad_value


def say(error: Exception, *, as_json: bool = False) -> None:
    """An error in one line on the standard error: what it is, and what to do."""
    if not as_json:
        return say_error(str(error))
    told: dict[str, Any] = {"error": type(error).__name__, "reason": str(error)}
    if isinstance(error, APIError):
        told |= {
            "reason": error.reason,
            "venue": error.venue,
            "call": error.call,
            "code": error.code,
            "advice": error.advice,
            "verdict": error.verdict.value,
            "safe_to_retry": error.safe_to_retry,
        }
    if isinstance(error, OutcomeUnknown):
        told["client_order_id"] = error.client_order_id
    say_as_object(told)


def say_as_object(told: Mapping[str, Any]) -> None:
    """An error for programs, on one line of the standard error."""
    errors.out(msgspec.json.encode(told).decode(), highlight=False)


def fail(words: str, code: int) -> NoReturn:
    say_error(words)
    raise typer.Exit(code) from None


def say_error(words: str) -> None:
    """One line on the standard error; escaped, as it may hold brackets."""
    errors.print(f"[bold red]error:[/] {escape(' '.join(words.split()))}", highlight=False, soft_wrap=True)


async def _until_signal(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    with cancelling(task):
        return await main


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None
