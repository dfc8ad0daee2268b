"""One venue's connector under observation, before an embedded exchange, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.playing import play

from perpwire.monitoring.observer import Observer
from perpwire.testing import World


def observe(venue: str, scenario: Callable[[World, Observer], Awaitable[None]]) -> None:
    """Play it to its end."""

    async def observed(world: World) -> None:
        observer = Observer(world.clock)
        observer.add(world.connectors[venue])
        observer.start()
        await scenario(world, observer)
        observer.close()

    play(venue, observed)
