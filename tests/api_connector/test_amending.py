"""Amending: what can't be changed is refused before the change is sent; triggers move where the venue lets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.guards import Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, GuardRefused, NotOffered
from perpwire.model.order import OrderStatus
from perpwire.simulator.faults import Silence, Skew
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
SYMBOL = "BTCUSDT"


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


@pytest.mark.parametrize("by_stream", [False, True], ids=["by questions", "by stream"])
def test_the_trigger_of_a_conditional_order_of_bybit_is_moved_where_it_stands(by_stream: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        if by_stream:
            await connector.open_account_stream()
        stop = await connector.place_order(SYMBOL, "SELL", "0.01", "STOP_MARKET", trigger_price=50000)
        moved = await connector.amend_order(SYMBOL, stop.order_id, trigger_price="51000.5", quantity="0.02")
        assert (moved.order_id, moved.trigger_price, moved.quantity) == (
            stop.order_id,
            Decimal("51000.5"),
            Decimal("0.02"),
        )
        assert moved.status is OrderStatus.UNTRIGGERED
        (found,) = await connector.get_open_orders(SYMBOL)
        assert found.trigger_price == Decimal("51000.5")

    play("bybit", scene)


def test_binance_has_no_way_to_move_a_trigger_and_leaves_the_order_as_it_is() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        stop = await connector.place_order(SYMBOL, "SELL", "0.01", "STOP_MARKET", trigger_price=50000)
        with pytest.raises(NotOffered):
            await connector.amend_order(SYMBOL, stop.order_id, trigger_price=51000)
        assert (await connector.get_order(SYMBOL, stop.order_id)).trigger_price == 50000

    play("binance", scene)


@pytest.mark.parametrize("venue", VENUES)
def test_what_an_order_does_not_have_is_not_changed(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        limit = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000)
        stop = await connector.place_order(SYMBOL, "SELL", "0.01", "STOP_MARKET", trigger_price=50000)
        await world.clock.sleep(1.0)
        with pytest.raises(BadInput, match="LIMIT has no trigger"):
            await connector.amend_order(SYMBOL, limit.order_id, trigger_price=51000)
        with pytest.raises((BadInput, NotOffered), match=r"STOP_MARKET has no price|can't be changed"):
            await connector.amend_order(SYMBOL, stop.order_id, price=51000)
        with pytest.raises(BadInput, match=r"51000\.01 is not a multiple"):
            await connector.amend_order(SYMBOL, stop.order_id, trigger_price="51000.01")
        with pytest.raises(BadInput, match="neither"):
            await connector.amend_order(SYMBOL, stop.order_id)

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_is_not_made_smaller_than_the_least_notional(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        order = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000)
        least = (await connector.get_instrument(SYMBOL)).min_notional
        assert least is not None
        with pytest.raises(BadInput, match="least notional"):
            await connector.amend_order(SYMBOL, order.order_id, price=1000, quantity="0.001")
        assert (await connector.get_order(SYMBOL, order.order_id)).price == 60000

    play(venue, scene)


def test_guards_hold_for_an_amended_order_as_it_would_be() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        guarded = world.connector("bybit", guards=Guards(max_order_notional=Decimal(1000)))
        async with guarded:
            order = await guarded.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000)
            with pytest.raises(GuardRefused):
                await guarded.amend_order(SYMBOL, order.order_id, quantity="0.02")
            changed = await guarded.amend_order(SYMBOL, order.order_id, price=59000)
            assert changed.price == 59000

    play("bybit", scene)


# --- the venue's clock is put back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("followed", [False, True], ids=["by answers", "by stream"])
@pytest.mark.parametrize("venue", VENUES)
def test_an_amended_price_shows_though_the_venues_clock_was_put_back(venue: str, followed: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        if followed:
            await connector.open_account_stream()
        order = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=50000)
        await world.clock.sleep(1)
        world.simulation.faults[venue].add(Skew(seconds=-60.0))
        for price in (50001, 50002):
            amended = await connector.amend_order(SYMBOL, order.order_id, price=price)
            assert amended.price == Decimal(price)
            if followed:
                await world.clock.sleep(1)
                (known,) = connector.account_state.open_orders
                assert known.price == Decimal(price)
        async with world.connector(venue) as other:  # another program
            await other.amend_order(SYMBOL, order.order_id, price="50003")
        if followed:
            await world.clock.sleep(1)
            (known,) = connector.account_state.open_orders
            assert known.price == Decimal(50003)

    play(venue, scene)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_was_amended_elsewhere_during_an_outage_and_a_step_back_is_known_afterwards(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.open_account_stream()
        order = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=50000)
        await world.clock.sleep(40)
        faults = world.simulation.faults[venue]
        faults.add(Silence(route="private", seconds=60))
        faults.add(Skew(seconds=-3600.0))
        async with world.connector(venue) as other:
            await other.amend_order(SYMBOL, order.order_id, price="50003")
        await world.clock.sleep(120)
        (known,) = connector.account_state.open_orders
        assert known.price == Decimal(50003)

    play(venue, scene)
