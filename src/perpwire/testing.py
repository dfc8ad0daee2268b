"""For users' own tests: connectors wired to an embedded exchange in the same process, without sockets.

    async def test_my_bot() -> None:
        async with offline() as world:
            order = await world.binance.place_order("BTCUSDT", "BUY", "0.01")
            world.simulation.faults["binance"].add(Cut())
            ...

In virtual time, where an hour passes in the time its work takes and each run is the same:

    clock = ManualClock()
    clock.run(my_scenario(clock))    # inside: async with offline(clock=clock) as world
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Unpack

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, SystemClock
from perpwire.simulator.exchange import AccountSpec
from perpwire.simulator.in_process import in_process
from perpwire.simulator.simulation import SetupOptions, Simulation
from perpwire.transport.memory import MemoryNetwork
from perpwire.venues import load


class World:
    """An embedded exchange and connectors to it.

    Attributes:
        simulation: Exchanges, faults and journals by venue name.
        connectors: Started connectors by venue name, each with the key of the first account.
        clock: What everything here lives by.
        network: Where everything here is reached.
    """

    def __init__(
        self, simulation: Simulation, network: MemoryNetwork, clock: Clock, seed: int, account: AccountSpec
    ) -> None:
        self.simulation = simulation
        self.clock = clock
        self.connectors: dict[str, VenueConnector] = {}
        self.network = network
        self._seed = seed
        self._account = account

    def connector(
        self, venue: str, *, api_key: str | None = None, secret_key: str | None = None, **options: Any
    ) -> VenueConnector:
        """One more connector, not started; with a key or secret of its own, or other options of VenueConnector."""
        return VenueConnector(
            load(venue),
            self._account.api_key if api_key is None else api_key,
            self._account.secret_key if secret_key is None else secret_key,
            url=self.simulation.urls[venue],
            clock=self.clock,
            rng=random.Random(f"{self._seed}/{venue}/connector"),
            http=self.network,
            sockets=self.network,
            **options,
        )

    @property
    def binance(self) -> VenueConnector:
        return self.connectors["binance"]

    @property
    def bybit(self) -> VenueConnector:
        return self.connectors["bybit"]


@asynccontextmanager
async def offline(*, clock: Clock | None = None, **options: Unpack[SetupOptions]) -> AsyncIterator[World]:
    """An embedded exchange and a started connector for each venue, while the block runs.

    Args:
        clock: The machine's, if None; a ManualClock inside its `run`.
        options: Those of simulator.simulation.Setup: venues, seed, latency_s, rate, accounts, replay ...
    """
    clock = clock or SystemClock()
    network = MemoryNetwork(clock)
    accounts = options.get("accounts", (AccountSpec(),))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(network.close)
        simulation = await stack.enter_async_context(in_process(network, clock, **options))
        world = World(simulation, network, clock, options.get("seed", 7), accounts[0])
        for venue in simulation.urls:
            # The secret is none of an account with a public key: its connectors are the test's to make.
            connector = world.connector(venue, check_key=not accounts[0].public_key)
            world.connectors[venue] = await stack.enter_async_context(connector)
        yield world


__all__ = ["World", "offline"]
