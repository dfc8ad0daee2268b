"""Work in the background that an error may befall that nobody foresaw: it is told of, and where it must not end, begun
anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from perpwire.clock import Clock
from perpwire.model.incident import Incident, TaskFailed

log = logging.getLogger("perpwire.api_connector")

AGAIN_S = 0.8
"""Less than a second: CALLB-2."""

Work = Callable[[], Awaitable[None]]


async def kept_up(work: Work, name: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
    """Do `work`; where it fails, say so, and do it again a moment later, for as long as it takes."""
    while True:
        try:
            return await work()
        except Exception as error:
            _tell(error, name, "it begins anew", venue, clock, on_incident)
            await clock.sleep(AGAIN_S)


def told_of(
    task: asyncio.Task[None], name: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]
) -> None:
    """Where `task` fails, say so: nobody waits for it who would hear."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            _tell(error, name, "it was given up", venue, clock, on_incident)

    task.add_done_callback(ended)


def _tell(
    error: Exception, name: str, then: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]
) -> None:
    log.error("%s failed in a way that was not foreseen; %s", name, then, exc_info=error)
    on_incident(
        TaskFailed(
            venue=venue,
            time_ns=clock.time_ns(),
            detail=f"{name} failed ({type(error).__name__}: {str(error)[:200]}); {then}",
            task=name,
        )
    )
