"""Work in the background that an error may befall that nobody foresaw: it is told of, and where it must not end, begun
anew."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from perpwire.clock import Clock
from perpwire.model.incident import Incident, TaskFailed
from perpwire.raised import RAISED, failure_of, is_our_end

AGAIN_S = 0.8
"""Less than a second: CALLB-2."""

Work = Callable[[], Awaitable[None]]


async def kept_up(work: Work, name: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
    """Do `work`; where it fails, say so, and do it again a moment later, for as long as it takes."""
    while True:
        try:
            return await work()
        except RAISED as error:
            if is_our_end(error):
                raise
            tell_failed(error, name, venue, clock, on_incident)
            await clock.sleep(AGAIN_S)


def told_of(
    task: asyncio.Task[None], name: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]
) -> None:
    """Where `task` fails, say so: nobody waits for it who would hear."""

    def ended(task: asyncio.Task[None]) -> None:
        if isinstance(error := failure_of(task), RAISED):
            tell_failed(error, name, venue, clock, on_incident, renewed=False)

    task.add_done_callback(ended)


def tell_failed(
    error: BaseException,
    name: str,
    venue: str,
    clock: Clock,
    on_incident: Callable[[Incident], None],
    *,
    renewed: bool = True,
) -> None:
    """Tell of an error that nobody foresaw."""
    on_incident(
        TaskFailed(
            venue=venue,
            time_ns=clock.time_ns(),
            why=f"{type(error).__name__}: {str(error)[:200]}",
            task=name,
            renewed=renewed,
            stack=stack_of(error),
        )
    )


def stack_of(error: BaseException) -> str:
    """A traceback, as an interpreter shows it."""
    return "".join(traceback.format_exception(error)).rstrip()
