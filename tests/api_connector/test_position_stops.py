"""Stops of a whole position: moving one never costs the position the protection that it had."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotOffered, VenueRefused
from perpwire.model.order import OrderType
from perpwire.simulator.faults import Answer
from perpwire.testing import World, offline

SYMBOL = "BTCUSDT"


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            connector = world.connectors[venue]
            await connector.place_order(SYMBOL, "BUY", "0.01")
            await clock.sleep(1.0)
            await scene(world, connector)

    clock.run(main())


async def triggers(connector: VenueConnector) -> list[tuple[OrderType, Decimal | None]]:
    return [(one.type, one.trigger_price) for one in await connector.get_open_orders(SYMBOL)]


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_stop_that_the_venue_refuses_leaves_the_one_that_was_there(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_position_stops(SYMBOL, stop_loss=50000)
        await world.clock.sleep(1.0)
        with pytest.raises(VenueRefused):
            await connector.set_position_stops(SYMBOL, stop_loss=90000)  # would sell at once
        await world.clock.sleep(1.0)
        assert await triggers(connector) == [(OrderType.STOP_MARKET, Decimal(50000))]

    play(venue, scene)


def test_a_stop_that_binance_can_not_be_told_leaves_the_one_that_was_there() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_position_stops(SYMBOL, stop_loss=50000, take_profit=90000)
        before = await connector.get_open_orders(SYMBOL)
        with pytest.raises(NotOffered):
            await connector.set_position_stops(SYMBOL, stop_loss=51000, trigger_by="INDEX")
        assert await connector.get_open_orders(SYMBOL) == before

    play("binance", scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_stops_are_moved_one_by_one_set_again_without_harm_and_taken_away_by_0(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_position_stops(SYMBOL, stop_loss=50000, take_profit=90000)
        await connector.set_position_stops(SYMBOL, stop_loss=51000)
        await connector.set_position_stops(SYMBOL, stop_loss=51000)
        await world.clock.sleep(1.0)
        assert sorted(await triggers(connector)) == [
            (OrderType.STOP_MARKET, Decimal(51000)),
            (OrderType.TAKE_PROFIT_MARKET, Decimal(90000)),
        ]
        await connector.set_position_stops(SYMBOL, take_profit=0)
        await world.clock.sleep(1.0)
        assert await triggers(connector) == [(OrderType.STOP_MARKET, Decimal(51000))]
        with pytest.raises(BadInput, match="neither"):
            await connector.set_position_stops(SYMBOL)

    play(venue, scene)


def test_a_position_that_lost_its_stop_since_binance_takes_none_any_more_is_told_to_be_unprotected() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_position_stops(SYMBOL, stop_loss=50000)
        world.simulation.faults["binance"].add(
            Answer(method="POST", path="/fapi/v1/algoOrder", status=400, body='{"code":-4045,"msg":"full"}', count=2)
        )
        with pytest.raises(VenueRefused, match="could not be placed again") as caught:
            await connector.set_position_stops(SYMBOL, stop_loss=51000)
        assert caught.value.code == "UNPROTECTED"
        assert await triggers(connector) == []

    play("binance", scene)
