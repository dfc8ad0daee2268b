"""A connector in virtual time whose every request is noted down as it leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from perpwire.clock import ManualClock
from perpwire.model.incident import Incident
from perpwire.scenarios.tapping import Tap
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]
PLACE = {"binance": ("POST", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/create")}
CANCEL = {"binance": ("DELETE", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/cancel")}
TIME = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}


class Scene:
    """A world with one tapped connector.

    Attributes:
        incidents: All that it told.
    """

    def __init__(self, world: World, venue: str) -> None:
        self.world = world
        self.venue = venue
        self.clock = world.clock
        self.host = world.simulation.hosts[venue]
        self.connector = world.connectors[venue]
        self.tap = Tap(world.network, world.clock, world.simulation.urls[venue], self.connector._sync.venue_ms)
        self.incidents: list[Incident] = []
        self.connector.on_incident(self.incidents.append)

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_ns() / 1e9

    @property
    def statuses(self) -> set[int]:
        """Of all answers."""
        return {one.status for one in self.tap.sent if one.answered_s is not None}

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def of(self, kind: type[Incident]) -> list[Incident]:
        return [one for one in self.incidents if isinstance(one, kind)]


def play(scenario: Callable[[Scene], Awaitable[None]], venue: str, **options: Any) -> Scene:
    """Play it with a started connector, after its first second."""
    clock = ManualClock()

    async def main() -> Scene:
        async with offline(clock=clock, venues=[venue], **{"rate": 1e-6, **options}) as world:
            scene = Scene(world, venue)
            await scene.connector.get_instruments()
            await scene.sleep(5)
            await scenario(scene)
            return scene

    return clock.run(main())
