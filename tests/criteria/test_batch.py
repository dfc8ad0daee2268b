"""BATCH: one slot an order, in the order of what was asked; nothing raises; a lost answer is settled order by order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.guards import Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, GuardRefused, NotSent, VenueRefused
from perpwire.model.order import Order, OrderType
from perpwire.simulator.faults import Answer, LoseAnswer, LoseRequest
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
PATHS = {"binance": "/fapi/v1/batchOrders", "bybit": "/v5/order/create-batch"}


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]], **options: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with (
            offline(clock=clock, venues=(venue,), rate=1.0) as world,
            world.connector(venue, **options) as connector,
        ):
            await scene(world, connector)

    clock.run(main())


def good(n: int) -> NewOrder:
    return {
        "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "order_type": "LIMIT", "price": 60000 + n,
        "client_order_id": f"b-{n}",
    }  # fmt: skip


def bad_there(n: int) -> NewOrder:
    """Fine by the contract's rules; the account has no position that it could make smaller."""
    return {"symbol": "ETHUSDT", "side": "SELL", "quantity": "1", "reduce_only": True, "client_order_id": f"b-{n}"}


def bad_here(n: int) -> NewOrder:
    return {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.0104", "client_order_id": f"b-{n}"}


def placed(world: World, venue: str) -> list[str]:
    return sorted(order.client_order_id for order in world.simulation.hosts[venue].exchange.orders("main", None))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_batch_1_any_pattern_of_success_and_refusal_comes_back_slot_by_slot(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        for pattern in range(0, 1024, 5):
            ok = [bool(pattern >> n & 1) for n in range(10)]
            ids = [f"b-{pattern}-{n}" for n in range(10)]
            orders = [good(n) if fine else bad_there(n) for n, fine in enumerate(ok)]
            for name, order in zip(ids, orders, strict=True):
                order["client_order_id"] = name
            slots = await connector.place_orders(orders)
            assert [isinstance(slot, Order) for slot in slots] == ok
            for name, slot in zip(ids, slots, strict=True):
                assert slot.client_order_id == name if isinstance(slot, Order) else isinstance(slot, VenueRefused)
            ended = await connector.cancel_orders([slot for slot in slots if isinstance(slot, Order)])
            assert [getattr(one, "status", None) for one in ended] == ["CANCELED"] * sum(ok)

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_batch_1_what_is_refused_here_and_conditional_orders_have_their_slots_too(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        stop: NewOrder = {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "order_type": "STOP_MARKET",
            "trigger_price": "50000", "client_order_id": "b-2",
        }  # fmt: skip
        unknown: NewOrder = {"symbol": "NOSUCHUSDT", "side": "BUY", "quantity": 1}
        slots = await connector.place_orders([good(0), bad_here(1), stop, unknown, good(4)])
        kinds = [type(slot).__name__ for slot in slots]
        assert kinds == ["Order", "BadInput", "Order", "BadInput", "Order"]
        assert isinstance(slots[2], Order)
        assert slots[2].type is OrderType.STOP_MARKET
        assert len(await connector.get_open_orders()) == 3
        assert isinstance(slots[1], BadInput)

    play(venue, scene)


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("venue", VENUES)
def test_batch_1_a_lost_answer_is_settled_order_by_order(venue: str, executed: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.get_instruments()
        lost = LoseAnswer if executed else LoseRequest
        world.simulation.faults[venue].add(lost(method="POST", path=PATHS[venue], how="reset"))
        slots = await connector.place_orders([good(n) for n in range(4)])
        assert [isinstance(slot, Order if executed else NotSent) for slot in slots] == [True] * 4
        assert placed(world, venue) == (["b-0", "b-1", "b-2", "b-3"] if executed else [])

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_batch_1_an_unreadable_answer_doubles_nothing(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.get_instruments()
        world.simulation.faults[venue].add(
            Answer(method="POST", path=PATHS[venue], status=200, body='[{"orderId":1', executed=True)
        )
        slots = await connector.place_orders([good(n) for n in range(5)])
        assert all(isinstance(slot, Order) for slot in slots)
        assert placed(world, venue) == [f"b-{n}" for n in range(5)]

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_more_orders_than_one_message_takes_go_in_several(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        slots = await connector.place_orders([good(n) for n in range(23)])
        assert [slot.client_order_id for slot in slots if isinstance(slot, Order)] == [f"b-{n}" for n in range(23)]
        await world.clock.sleep(1.0)
        assert len(placed(world, venue)) == 23
        assert await connector.place_orders([]) == ()

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_guards_hold_for_each_order_of_a_batch_and_for_all_together(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        slots = await connector.place_orders([good(n) for n in range(5)])
        assert [isinstance(slot, GuardRefused) for slot in slots] == [False, False, False, True, True]

    play(venue, scene, guards=Guards(max_orders=3, per_s=10.0))


@pytest.mark.parametrize("venue", VENUES)
def test_a_replacement_is_sent_only_when_nothing_of_the_old_order_was_filled(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.open_account_stream()
        exchange = world.simulation.hosts[venue].exchange
        old = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="60000")
        swapped = await connector.replace_order("BTCUSDT", old.order_id, new=good(1))
        assert swapped.old.status == "CANCELED"
        assert swapped.new is not None
        await world.clock.sleep(1.0)
        with pytest.raises(BadInput):
            await connector.replace_order("BTCUSDT", swapped.new.order_id, new=bad_here(2))
        assert len(exchange.open_orders("main", None)) == 1
        exchange.force_fill("main", symbol="BTCUSDT", quantity=None)
        await world.clock.sleep(1.0)
        lost = await connector.replace_order("BTCUSDT", swapped.new.order_id, new=good(3))
        assert (lost.old.status, lost.new) == ("FILLED", None)
        assert exchange.open_orders("main", None) == []
        anyway = await connector.replace_order("BTCUSDT", swapped.new.order_id, new=good(4), even_if_filled=True)
        assert anyway.new is not None

    play(venue, scene)
