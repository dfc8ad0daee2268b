"""One venue's connector and embedded exchange, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from perpwire.clock import ManualClock
from perpwire.testing import World, offline


def play(venue: str, scenario: Callable[[World], Awaitable[None]], rate: float = 20.0, **options: Any) -> None:
    """Play it to its end; options as of `offline`."""
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate, **options) as world:
            await scenario(world)

    clock.run(main())
