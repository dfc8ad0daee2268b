"""Contracts are asked for once, and again in the background when they have grown old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.instrument_cache import OLD_S
from perpwire.clock import ManualClock
from perpwire.errors import BadInput
from perpwire.simulator.faults import Refuse
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")


def play(venue: str, scene: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), rate=0.5, journal_capacity=1_000_000) as world:
            await scene(world)

    clock.run(main())


def asked(world: World, venue: str) -> int:
    path = {"binance": "/exchangeInfo", "bybit": "/instruments-info"}[venue]
    texts = [entry.text for entry in world.simulation.hosts[venue].journal.entries(kind="request")]
    return sum(path in text and "status=PreLaunch" not in text for text in texts)  # those are a second page


@pytest.mark.parametrize("venue", VENUES)
def test_they_are_asked_for_once_and_old_ones_serve_while_new_ones_come(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        for symbol in ("BTCUSDT", "ETHUSDT", "BTC/USDT:USDT"):
            await connector.get_instrument(symbol)
        assert asked(world, venue) == 1
        await world.clock.sleep(OLD_S + 1)
        began_ns = world.clock.monotonic_ns()
        for _ in range(3):
            await connector.get_instrument("BTCUSDT")
        assert world.clock.monotonic_ns() == began_ns
        await world.clock.sleep(1.0)
        assert asked(world, venue) == 2

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_refresh_that_fails_leaves_the_old_ones_and_is_not_tried_at_every_order(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        await connector.get_instrument("BTCUSDT")
        world.simulation.faults[venue].add(Refuse(seconds=OLD_S + 60.0))
        await world.clock.sleep(OLD_S + 1)
        for _ in range(5):
            await connector.get_instrument("BTCUSDT")
            await world.clock.sleep(10.0)
        await world.clock.sleep(OLD_S)
        await connector.get_instrument("BTCUSDT")
        await world.clock.sleep(1.0)
        assert asked(world, venue) == 2

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_symbol_is_refused_with_its_neighbours(venue: str) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(BadInput, match="near: BTCUSDT"):
            await world.connectors[venue].get_instrument("BTCUSDTT")

    play(venue, scene)
