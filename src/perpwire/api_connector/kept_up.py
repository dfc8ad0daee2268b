"""Work in the background that must not end by an error that nobody foresaw: it is told of, and begun anew."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from perpwire.clock import Clock
from perpwire.model.incident import Incident, TaskFailed

log = logging.getLogger("perpwire.api_connector")

AGAIN_S = 1.0


async def kept_up(
    work: Callable[[], Awaitable[None]], name: str, venue: str, clock: Clock, on_incident: Callable[[Incident], None]
) -> None:
    """Do `work`; where it fails, say so, and do it again after a second, for as long as it takes."""
    while True:
        try:
            return await work()
        except Exception as error:
            log.exception("%s failed in a way that was not foreseen; it begins anew", name)
            on_incident(
                TaskFailed(
                    venue=venue,
                    time_ns=clock.time_ns(),
                    detail=f"{name} failed ({type(error).__name__}: {str(error)[:200]}); it begins anew",
                    task=name,
                )
            )
            await clock.sleep(AGAIN_S)
