"""A connector in virtual time whose every request is noted down as it leaves."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, ManualClock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import Incident
from perpwire.testing import World, offline
from perpwire.transport.base import HttpTransport
from perpwire.venues import load

VENUES = ["binance", "bybit"]
PLACE = {"binance": ("POST", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/create")}
CANCEL = {"binance": ("DELETE", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/cancel")}
TIME = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}


class Sent:
    """One request at the moment in which it was written."""

    def __init__(self, at_s: float, request: HttpRequest) -> None:
        self.at_s = at_s
        self.method = request.method
        self.path, _, query = request.target.partition("?")
        self.params = dict(parse_qsl(query) + parse_qsl(request.body.decode()))
        self.headers = request.headers
        self.body = request.body.decode()

    @property
    def call(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def timestamp_ms(self) -> int | None:
        """When it was signed, by the venue's clock as we believe it to be."""
        stamp = self.params.get("timestamp") or self.headers.get("X-BAPI-TIMESTAMP")
        return None if stamp is None else int(stamp)

    @property
    def window_ms(self) -> str | None:
        return self.params.get("recvWindow") or self.headers.get("X-BAPI-RECV-WINDOW")


class Tap:
    """See transport.base.HttpTransport."""

    def __init__(self, inner: HttpTransport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self.sent: list[Sent] = []
        self.statuses: list[int] = []

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        self.sent.append(Sent(self._clock.monotonic_ns() / 1e9, request))
        reply = await self._inner.exchange(base_url, request, timeout_s)
        self.statuses.append(reply.status)
        return reply

    async def close(self) -> None:
        return None

    def between(self, start_s: float, end_s: float) -> list[Sent]:
        return [one for one in self.sent if start_s < one.at_s < end_s]


class Scene:
    """A world with one tapped connector.

    Attributes:
        incidents: All that it told.
    """

    def __init__(self, world: World, venue: str, **options: Any) -> None:
        self.world = world
        self.venue = venue
        self.clock = world.clock
        self.host = world.simulation.hosts[venue]
        self.tap = Tap(world.network, world.clock)
        self.connector = VenueConnector(
            load(venue),
            "sim-key",
            "sim-secret",
            url=world.simulation.urls[venue],
            clock=world.clock,
            rng=random.Random(1),
            http=self.tap,
            sockets=world.network,
            **options,
        )
        self.incidents: list[Incident] = []
        self.connector.on_incident(self.incidents.append)

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_ns() / 1e9

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def of(self, kind: type[Incident]) -> list[Incident]:
        return [one for one in self.incidents if isinstance(one, kind)]


def play(scenario: Callable[[Scene], Awaitable[None]], venue: str, **options: Any) -> Scene:
    """Play it with a started connector, after its first second."""
    clock = ManualClock()

    async def main() -> Scene:
        async with offline(clock=clock, venues=[venue], **{"rate": 1e-6, **options}) as world:
            # The world's own connector is not wanted: it would ask on its own.
            await world.connectors[venue].close()
            scene = Scene(world, venue)
            async with scene.connector:
                await scene.connector.get_instruments()
                await scene.sleep(5)
                await scenario(scene)
            return scene

    return clock.run(main())
