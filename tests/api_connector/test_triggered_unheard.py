"""A conditional order that triggers while nobody listens is one order all the same, under the id it was placed by.

At Binance what the trigger makes has a number of its own, which is nobody's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.playing import play

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.order import FastFill, Fill, Order, OrderStatus
from perpwire.simulator.faults import Answer, Cut, Delay, DelayMessage, FillOrder, MovePrice
from perpwire.testing import World

VENUES = ["binance", "bybit"]
SIZE = Decimal("0.02")


class Scene:
    """An account with a long position; `told` is what handlers hear of its orders and fills."""

    def __init__(self, world: World, venue: str, other: VenueConnector) -> None:
        self.world, self.other = world, other
        self.connector = world.connectors[venue]
        self._exchange, self._faults = world.simulation.exchanges[venue], world.simulation.faults[venue]
        self.told: list[Any] = []
        for kind in (Order, Fill, FastFill):
            self.connector.on(kind, self.told.append)

    async def stop_limit(self, connector: VenueConnector) -> Order:
        """A stop 0.5 % below the market that then rests above it."""
        mark = self._exchange.mark_price("BTCUSDT")
        return await connector.place_order(
            "BTCUSDT", "SELL", SIZE, "STOP", trigger_price=mark * Decimal("0.995"), price=mark * Decimal("1.02"),
            round="nearest", client_order_id="stop",
        )  # fmt: skip

    def trigger(self) -> None:
        self._faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.01")))

    def fill(self, quantity: Decimal | None = None) -> None:
        self._faults.add(FillOrder(symbol="BTCUSDT", quantity=quantity))

    def slow(self, seconds: float, for_s: float = 60.0) -> None:
        self._faults.add(Delay(method="GET", seconds=seconds, count=None, for_s=for_s))

    def unreadable(self, for_s: float) -> None:
        self._faults.add(Answer(method="GET", status=503, count=None, for_s=for_s))

    def away(self, seconds: float) -> None:
        self._faults.add(Cut(route="private"))
        self._faults.add(Answer(method="WS", status=503, count=None, for_s=seconds))

    async def back(self) -> None:
        while self.connector.states.get(f"{self.connector.venue.name}/private") is not State.LIVE:
            await self.sleep(0.02)

    async def sleep(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    def is_one_order(self, order_id: str) -> None:
        """All that was told is of this order, which has ended, and of its fills."""
        told = [one for one in self.told if not isinstance(one, FastFill)]
        assert {one.order_id for one in told} == {order_id}
        orders = [one for one in self.told if isinstance(one, Order)]
        fills = [one for one in self.told if isinstance(one, Fill)]
        assert [one.filled_quantity for one in orders] == sorted(one.filled_quantity for one in orders)
        assert [one.status for one in orders if one.status.is_final] == [OrderStatus.FILLED]
        assert sum(one.quantity for one in fills) == orders[-1].filled_quantity == SIZE
        assert {one.client_order_id for one in told} == {"stop"}
        assert self.connector.account_state.open_orders == ()


def played(venue: str, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(world: World) -> None:
        async with world.connector(venue) as other:
            await other.place_order("BTCUSDT", "BUY", "0.2")
            await scenario(Scene(world, venue, other))

    play(venue, main, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_a_stop_that_triggered_in_a_gap_and_fills_after_it_before_the_account_is_read(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        placed = await scene.stop_limit(scene.connector)
        await scene.sleep(2)
        scene.away(3)
        scene.trigger()
        scene.slow(2.0, for_s=15)
        await scene.sleep(1)
        await scene.back()
        scene.fill(SIZE / 2)
        await scene.sleep(8)
        scene.fill()
        await scene.sleep(12)
        scene.is_one_order(placed.order_id)

    played(venue, scenario)


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("venue", VENUES)
def test_a_stop_that_triggered_and_was_filled_in_a_gap(venue: str, is_own: bool) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        if is_own:
            placed = await scene.stop_limit(scene.connector)
        await scene.sleep(2)
        scene.away(5)
        await scene.sleep(0.1)
        if not is_own:
            placed = await scene.stop_limit(scene.other)
        scene.trigger()
        await scene.sleep(4)
        scene.fill()
        await scene.sleep(15)
        scene.is_one_order(placed.order_id)

    played(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_stop_of_another_program_that_was_placed_and_triggered_in_a_gap(venue: str) -> None:
    """Nothing is told of what the trigger made before it is known whose it is."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        scene.away(3)
        await scene.sleep(1)
        placed = await scene.stop_limit(scene.other)
        scene.trigger()
        await scene.sleep(1)
        scene.slow(0.8, for_s=15)
        await scene.back()
        scene.fill(SIZE / 2)
        await scene.sleep(0.1)
        scene.fill()
        await scene.sleep(12)
        scene.is_one_order(placed.order_id)
        if venue == "binance":  # whose events waited, and were told as they came
            statuses = [one.status for one in scene.told if isinstance(one, Order) and not one.recovered]
            assert statuses == [OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED]

    played(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_stream_that_is_opened_after_the_trigger(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        placed = await scene.stop_limit(scene.other)
        scene.trigger()
        await scene.sleep(5)
        await scene.connector.open_account_stream()
        scene.fill(SIZE / 2)
        await scene.sleep(1)
        scene.fill()
        await scene.sleep(12)
        scene.is_one_order(placed.order_id)

    played(venue, scenario)


def test_a_stop_that_is_filled_while_the_stream_is_opened() -> None:
    """No list has it any more: it is asked for by the name that both have."""

    async def scenario(scene: Scene) -> None:
        placed = await scene.stop_limit(scene.other)
        scene.trigger()
        await scene.sleep(5)
        scene.slow(0.4, for_s=15)
        opening = asyncio.ensure_future(scene.connector.open_account_stream())
        await scene.back()
        scene.fill()
        await opening
        await scene.sleep(10)
        scene.is_one_order(placed.order_id)

    played("binance", scenario)


def test_what_can_not_be_known_in_time_is_told_to_its_end_as_it_began() -> None:
    """The account can't be read for twenty seconds, which is told, and the stop was never heard of."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        scene.away(3)
        await scene.sleep(1)
        placed = await scene.stop_limit(scene.other)
        scene.trigger()
        await scene.sleep(1)
        scene.unreadable(20)
        await scene.back()
        scene.fill(SIZE / 2)
        await scene.sleep(3)
        assert [one for one in scene.told if isinstance(one, Order)] == []
        await scene.sleep(3)
        (first,) = [one for one in scene.told if isinstance(one, Order)]
        assert (first.status, first.client_order_id) == (OrderStatus.PARTIALLY_FILLED, "stop")
        await scene.sleep(12)
        (known,) = scene.connector.account_state.open_orders
        assert (known.order_id, known.child_order_id) == (placed.order_id, first.order_id)
        scene.fill()
        await scene.sleep(12)
        scene.is_one_order(first.order_id)

    played("binance", scenario)


def test_a_stop_that_we_know_and_what_it_made_both_end_where_nobody_can_say_in_time_that_they_are_one() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        placed = await scene.stop_limit(scene.connector)
        await scene.sleep(2)
        scene.away(3)
        scene.trigger()
        await scene.sleep(2)
        scene.unreadable(20)
        await scene.back()
        scene.fill(SIZE / 2)
        await scene.sleep(4.5)
        assert [one.status for one in scene.told if isinstance(one, Order)] == [OrderStatus.UNTRIGGERED]
        await scene.sleep(25)
        scene.fill()
        await scene.sleep(45)
        orders = {one.order_id: one.status for one in scene.told if isinstance(one, Order)}
        assert len(orders) == 2
        assert placed.order_id in orders
        assert set(orders.values()) == {OrderStatus.FILLED}
        fills = [one for one in scene.told if isinstance(one, Fill)]
        assert (sum(one.quantity for one in fills), {one.order_id for one in fills} <= orders.keys()) == (SIZE, True)
        assert scene.connector.account_state.open_orders == ()

    played("binance", scenario)


async def with_a_stop(world: World, other: VenueConnector) -> tuple[Order, list[Order | Fill]]:
    """A long position at Binance whose stop waits, followed for 20 s. Gives it, and what is told from then on."""
    connector = world.connectors["binance"]
    await other.place_order("BTCUSDT", "BUY", "0.2")
    await connector.open_account_stream()
    mark = world.simulation.exchanges["binance"].mark_price("BTCUSDT")
    stop = await connector.place_order(
        "BTCUSDT", "SELL", SIZE, "STOP_MARKET", trigger_price=mark * Decimal("0.995"), round="nearest",
        client_order_id="stop", trigger_by="MARK",
    )  # fmt: skip
    await world.clock.sleep(20)
    told: list[Order | Fill] = []
    connector.on(Order, told.append)
    connector.on(Fill, told.append)
    return stop, told


def test_one_that_triggers_while_the_account_is_read_back_is_one_order_though_its_word_comes_after_the_reading() -> (
    None
):
    """Its stream says of the order that the trigger made first, a moment before the reading ends."""

    async def scenario(world: World) -> None:
        faults, clock = world.simulation.faults["binance"], world.clock
        async with world.connector("binance") as other:
            stop, told = await with_a_stop(world, other)
            faults.add(Cut(route="private"))
            faults.add(Delay(method="GET", path="/fapi/v3/positionRisk", seconds=2.0, count=None, for_s=1.5))
            await clock.sleep(1.95)
            faults.add(
                DelayMessage(of="private", contains="ALGO_UPDATE", seconds=0.3, overtaken=True, count=None, for_s=20)
            )
            faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.01")))
            await clock.sleep(30)
            assert {one.order_id for one in told} == {stop.order_id}
            orders = [one for one in told if isinstance(one, Order)]
            assert orders[-1].status is OrderStatus.FILLED
            assert sum(one.quantity for one in told if isinstance(one, Fill)) == SIZE

    play("binance", scenario, rate=0.5)


@pytest.mark.parametrize("after_s", [3.5, 4.5])
def test_its_fill_is_told_under_the_stops_id_though_it_has_to_wait_longer_for_that_than_what_was_missed(
    after_s: float,
) -> None:
    """It triggers seconds after the stream was lost, while the account is slowly read back; its word comes late."""

    async def scenario(world: World) -> None:
        faults, clock = world.simulation.faults["binance"], world.clock
        async with world.connector("binance") as other:
            stop, told = await with_a_stop(world, other)
            faults.add(Cut(route="private"))
            faults.add(Delay(method="GET", seconds=0.8, count=None, for_s=20))
            await clock.sleep(after_s)
            faults.add(
                DelayMessage(of="private", contains="ALGO_UPDATE", seconds=4, overtaken=True, count=None, for_s=20)
            )
            faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.01")))
            await clock.sleep(60)
            assert {one.order_id for one in told} == {stop.order_id}
            assert sum(one.quantity for one in told if isinstance(one, Fill)) == SIZE

    play("binance", scenario, rate=2)


@pytest.mark.parametrize("when", ["it is read back", "it is read for the first time"])
def test_an_order_with_the_id_side_and_size_of_a_stop_is_told_though_it_comes_while_the_account_is_read(
    when: str,
) -> None:
    """And though the stop is first heard of by that reading: it waits some seconds for the venue's word."""

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors["binance"], world.simulation.faults["binance"], world.clock
        async with world.connector("binance") as other:
            told: list[Order] = []
            connector.on(Order, told.append)
            await other.place_order("BTCUSDT", "BUY", "0.2")
            mark = world.simulation.exchanges["binance"].mark_price("BTCUSDT")
            opening = None
            if when == "it is read back":
                await connector.open_account_stream()
                await clock.sleep(20)
                faults.add(Cut(route="private"))
            for path in ("/fapi/v1/openAlgoOrders", "/fapi/v1/openOrders"):
                faults.add(Delay(method="GET", path=path, seconds=2.0, count=None, for_s=3.0))
            await clock.sleep(0.02)
            stop = await other.place_order(
                "BTCUSDT", "SELL", SIZE, "STOP_MARKET", trigger_price=mark * Decimal("0.9"), round="nearest",
                client_order_id="again", trigger_by="MARK",
            )  # fmt: skip
            if when != "it is read back":
                opening = asyncio.create_task(connector.open_account_stream())
            await clock.sleep(1.5)
            order = await other.place_order("BTCUSDT", "SELL", SIZE, client_order_id="again")
            await clock.sleep(8)
            if opening is not None:
                await opening
            assert [one.status for one in told if one.order_id == order.order_id][-1] is OrderStatus.FILLED
            assert {one.order_id for one in told} <= {order.order_id, stop.order_id}
            assert [one.order_id for one in connector.account_state.open_orders] == [stop.order_id]

    play("binance", scenario, rate=0.5)
