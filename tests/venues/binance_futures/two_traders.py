"""Two accounts at the embedded exchange in virtual time, with books that hold only what they put there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.exchange import AccountSpec
from perpwire.testing import World, offline

MAIN = AccountSpec(name="main", api_key="main-key", secret_key="main-secret")
OTHER = AccountSpec(name="other", api_key="other-key", secret_key="other-secret")


class Traders:
    """`me` is the connector that is tested; `sent` what it has asked by HTTP: method, path and query."""

    def __init__(self, world: World, other: VenueConnector, clock: ManualClock) -> None:
        self.world = world
        self.me = world.binance
        self.other = other
        self.clock = clock
        self.sent: list[str] = []
        exchange = world.network.exchange

        async def noted(base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
            if request.headers.get("X-MBX-APIKEY", MAIN.api_key) == MAIN.api_key:
                self.sent.append(f"{request.method} {request.target}")
            return await exchange(base_url, request, timeout_s)

        world.network.exchange = noted  # type: ignore[method-assign]

    @property
    def paths(self) -> list[str]:
        """What was asked, without queries."""
        return [one.partition("?")[0] for one in self.sent]

    async def trade_at(self, price: str, quantity: str = "0.010") -> None:
        """The other account trades with itself at this price, and nothing of it stays in the book."""
        for side in ("BUY", "SELL"):
            await self.other.place_order(
                "BTCUSDT", side, quantity, "LIMIT", price=price, selfTradePreventionMode="NONE"
            )

    async def rest(self, side: str, price: str, quantity: str) -> None:
        """A resting order of the other account, to trade with."""
        await self.other.place_order("BTCUSDT", side, quantity, "LIMIT", price=price)

    async def wait(self, seconds: float = 1.0) -> None:
        await self.clock.sleep(seconds)


Scenario = Callable[[Traders], Coroutine[Any, Any, None]]


def play(scenario: Scenario, **options: Any) -> None:
    """Run a scenario in virtual time."""
    clock = ManualClock()

    async def run() -> None:
        async with (
            offline(clock=clock, venues=("binance",), rate=0, accounts=(MAIN, OTHER), **options) as world,
            world.connector("binance", api_key=OTHER.api_key, secret_key=OTHER.secret_key) as other,
        ):
            await scenario(Traders(world, other, clock))

    clock.run(run())
