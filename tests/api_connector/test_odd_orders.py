"""Orders that are asked for oddly: refused here, each by itself, with nothing sent and nothing left out in silence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput, NotOffered
from perpwire.model.order import Order, OrderStatus
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
SYMBOL = "BTCUSDT"


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


def placed(world: World, venue: str) -> int:
    return len(world.simulation.hosts[venue].exchange.orders("main", None))


def good(**more: Any) -> NewOrder:
    return {"symbol": SYMBOL, "side": "BUY", "quantity": "0.01", "order_type": "LIMIT", "price": 60000, **more}  # type: ignore[typeddict-item]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    "bad",
    [
        {"client_order_id": "no blanks!"},
        {"reduce_only": True, "take_profit": 70000},
        {"reduceonly": True},
        {"client_order_id": "first"},
    ],
    ids=["client id", "exit of a closing order", "misspelt", "same client id"],
)
def test_an_order_that_the_venue_cant_be_told_spoils_its_own_slot_of_a_batch_alone(
    venue: str, bad: dict[str, Any]
) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        slots = await connector.place_orders([good(client_order_id="first"), good(**bad), good()])
        assert [type(slot) for slot in (slots[0], slots[2])] == [Order, Order], slots
        assert isinstance(slots[1], BadInput | NotOffered), slots[1]
        await world.clock.sleep(1.0)
        assert placed(world, venue) == 2

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_of_a_batch_without_a_quantity_has_its_error_in_its_slot(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        lacking: Any = {"symbol": SYMBOL, "side": "BUY"}
        slots = await connector.place_orders([lacking, good()])
        assert isinstance(slots[0], BadInput)
        assert "quantity" in slots[0].reason
        assert isinstance(slots[1], Order)

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_replacement_that_the_venue_cant_be_told_leaves_the_old_order_where_it_is(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000, client_order_id="old")
        for bad in ({"client_order_id": "no blanks!"}, {"reduce_only": True, "take_profit": 70000}):
            with pytest.raises((BadInput, NotOffered)):
                await connector.replace_order(SYMBOL, client_order_id="old", new=good(**bad))
        await world.clock.sleep(1.0)
        assert (await connector.get_order(SYMBOL, client_order_id="old")).status is OrderStatus.NEW

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("force", ["POST_ONLY", "FOK", "GTD"])
def test_a_market_order_is_not_sent_without_the_time_in_force_that_was_asked_for(venue: str, force: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        with pytest.raises(BadInput, match="MARKET"):
            await connector.place_order(SYMBOL, "BUY", "0.01", time_in_force=force)
        assert placed(world, venue) == 0
        await connector.place_order(SYMBOL, "BUY", "0.01", time_in_force="IOC")

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_an_expiry_is_never_left_out_and_gtd_never_goes_without_one(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        odd: tuple[dict[str, Any], ...] = (
            {"expires_time_ms": 1},
            {"order_type": "LIMIT", "price": 60000, "time_in_force": "GTD"},
            {"order_type": "LIMIT", "price": 60000, "expires_time_ms": 1},
        )
        for options in odd:
            with pytest.raises((BadInput, NotOffered)):
                await connector.place_order(SYMBOL, "BUY", "0.01", **options)
        assert placed(world, venue) == 0

    play(venue, scene)


def test_a_road_that_does_not_exist_is_bad_input() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        with pytest.raises(APIError, match="websocket"):
            await connector.place_order(SYMBOL, "BUY", "0.01", road="telegraph")
        assert placed(world, "binance") == 0
        await connector.place_order(SYMBOL, "BUY", "0.01", road="REST")

    play("binance", scene)


def test_a_float_of_another_library_counts_by_the_number_that_it_is() -> None:
    class Float64(float):
        """As numpy's: a float by its type that shows itself otherwise."""

        def __repr__(self) -> str:
            return f"np.float64({float.__repr__(self)})"

    async def scene(world: World, connector: VenueConnector) -> None:
        order = await connector.place_order(SYMBOL, "BUY", Float64(0.01), "LIMIT", price=Float64(60000.1))
        assert (order.quantity, order.price) == (Decimal("0.01"), Decimal("60000.1"))

    play("binance", scene)
