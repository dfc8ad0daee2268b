"""ALGO: a conditional order is one object with one id for its whole life; see also the scenario life_of_a_stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import NotOffered, UnknownOrder
from perpwire.model.order import Fill, Order, OrderStatus, OrderType
from perpwire.simulator.faults import Answer, LoseAnswer
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
SYMBOL = "BTCUSDT"


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


async def a_stop(connector: VenueConnector, name: str = "stop-1") -> Order:
    return await connector.place_order(
        SYMBOL, "SELL", "0.5", "STOP_MARKET", trigger_price="62000", reduce_only=True, client_order_id=name
    )


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "asked"])
@pytest.mark.parametrize("venue", VENUES)
def test_algo_1_one_id_from_the_placing_to_the_fill(venue: str, streams: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        orders: list[Order] = []
        fills: list[Fill] = []
        connector.on(Order, orders.append)
        connector.on(Fill, fills.append)
        if streams:
            await connector.open_account_stream()
        await connector.place_order(SYMBOL, "BUY", "0.5")
        placed = await a_stop(connector)
        await world.clock.sleep(1.0)
        for found in (
            await connector.get_order(SYMBOL, placed.order_id),
            await connector.get_order(SYMBOL, client_order_id="stop-1"),
            *await connector.get_open_orders(SYMBOL),
            *await connector.get_open_orders(),
        ):
            assert (found.order_id, found.status) == (placed.order_id, OrderStatus.UNTRIGGERED)
            assert (found.type, found.quantity, found.trigger_price) == (
                OrderType.STOP_MARKET, Decimal("0.5"), Decimal(62000)
            )  # fmt: skip
        world.simulation.hosts[venue].exchange.shock_price(SYMBOL, share=Decimal("-0.04"))
        await world.clock.sleep(2.0)
        ended = await connector.get_order(SYMBOL, placed.order_id)
        assert (ended.order_id, ended.status) == (placed.order_id, OrderStatus.FILLED)
        assert ended.filled_quantity == ended.quantity == Decimal("0.5")
        assert ended.client_order_id == "stop-1"
        by_name = await connector.get_order(SYMBOL, client_order_id="stop-1")
        assert (by_name.order_id, by_name.status) == (placed.order_id, OrderStatus.FILLED)
        assert await connector.get_open_orders() == ()
        if venue == "binance":
            assert ended.child_order_id is not None
            child = await connector.get_order(SYMBOL, ended.child_order_id)
            assert child.filled_quantity == Decimal("0.5")
        if streams:
            mine = [order for order in orders if order.client_order_id == "stop-1"]
            assert {order.order_id for order in mine} == {placed.order_id}
            assert mine[-1].status is OrderStatus.FILLED
            booked = [fill.quantity for fill in fills if fill.order_id == placed.order_id]
            assert sum(booked) == Decimal("0.5")
            assert connector.account_state.open_orders == ()

    play(venue, scene)


@pytest.mark.parametrize("by_name", [True, False], ids=["by our id", "by its id"])
@pytest.mark.parametrize("venue", VENUES)
def test_algo_1_it_is_cancelled_by_either_id_and_by_cancel_all(venue: str, by_name: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        exchange = world.simulation.hosts[venue].exchange
        await connector.place_order(SYMBOL, "BUY", "1")
        placed = await a_stop(connector)
        await world.clock.sleep(1.0)
        key = {"client_order_id": "stop-1"} if by_name else {"order_id": placed.order_id}
        ended = await connector.cancel_order(SYMBOL, **key)  # type: ignore[arg-type]
        assert (ended.order_id, ended.status) == (placed.order_id, OrderStatus.CANCELED)
        await a_stop(connector, "stop-2")
        await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price="60000")
        await world.clock.sleep(1.0)
        assert len(await connector.cancel_all(SYMBOL)) == 2
        assert exchange.open_triggers("main", None) == []
        assert exchange.open_orders("main", None) == []
        assert await connector.cancel_all() == ()

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_algo_1_whoever_knows_nothing_of_it_but_our_id_can_cancel_it(venue: str) -> None:
    """As after a restart: that it is conditional is not known."""

    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "1")
        placed = await a_stop(connector)
        await world.clock.sleep(1.0)
        async with world.connector(venue) as other:
            ended = await other.cancel_order(SYMBOL, client_order_id="stop-1")
        assert (ended.order_id, ended.status) == (placed.order_id, OrderStatus.CANCELED)
        assert world.simulation.hosts[venue].exchange.open_triggers("main", None) == []

    play(venue, scene)


def test_algo_1_binance_does_not_amend_it_and_the_connector_says_so_before_anything_is_sent() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "1")
        placed = await a_stop(connector)
        with pytest.raises(NotOffered):
            await connector.amend_order(SYMBOL, placed.order_id, price="61000", quantity="0.4")
        journal = world.simulation.hosts["binance"].journal
        assert not any(entry.text.startswith("PUT") for entry in journal.entries(kind="request"))

    play("binance", scene)


def test_algo_2_an_order_is_missing_only_when_both_of_binances_stores_were_asked() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        journal = world.simulation.hosts["binance"].journal
        before = len(journal.entries(kind="request"))
        with pytest.raises(UnknownOrder):
            await connector.get_order(SYMBOL, client_order_id="never-placed")
        asked = [entry.text.split("?")[0] for entry in journal.entries(kind="request")[before:]]
        assert sorted(asked) == ["GET /fapi/v1/algoOrder", "GET /fapi/v1/order"]

    play("binance", scene)


@pytest.mark.parametrize("venue", VENUES)
def test_algo_2_while_a_stop_is_in_doubt_no_second_one_is_placed(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "1")
        path = {"binance": "/fapi/v1/algoOrder", "bybit": "/v5/order/create"}[venue]
        world.simulation.faults[venue].add(LoseAnswer(method="POST", path=path, how="reset"))
        placed = await a_stop(connector)
        triggers = world.simulation.hosts[venue].exchange.triggers("main", None)
        assert [one.intent.client_id for one in triggers] == [placed.client_order_id] == ["stop-1"]

    play(venue, scene)


def test_algo_3_conditional_orders_never_go_to_the_endpoint_that_lost_them_and_its_code_is_told_at_once() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "1")
        await a_stop(connector)
        journal = world.simulation.hosts["binance"].journal
        posted = [entry.text.split("?")[0] for entry in journal.entries(kind="request") if "STOP" in entry.text]
        assert posted == ["POST /fapi/v1/algoOrder"]
        moved = Answer(
            method="POST", path="/fapi/v1/algoOrder", status=400, body='{"code":-4120,"msg":"Use another endpoint."}'
        )
        world.simulation.faults["binance"].add(moved)
        seen: list[str] = []
        connector.on_incident(lambda one: seen.append(f"{type(one).__name__} {getattr(one, 'code', '')} {one.detail}"))
        with pytest.raises(Exception, match="-4120"):
            await a_stop(connector, "stop-2")
        assert any("-4120" in one for one in seen)

    play("binance", scene)
