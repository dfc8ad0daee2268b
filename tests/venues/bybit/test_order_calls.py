"""The calls about orders against the embedded exchange, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput, NotOffered, OutcomeUnknown, UnknownOrder
from perpwire.model.order import (
    Fill,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
)
from perpwire.testing import World, offline
from perpwire.venues.base import Call, Lane
from perpwire.venues.bybit import endpoints, wire
from perpwire.venues.bybit.paging import Log
from perpwire.venues.bybit.venue import VENUE

T = TypeVar("T")
D = Decimal
HOUR_MS = 3_600_000


def in_a_world(story: Callable[[World, VenueConnector], Awaitable[T]]) -> T:
    async def told(clock: ManualClock) -> T:
        async with offline(clock=clock, venues=("bybit",)) as world:
            return await story(world, world.bybit)

    clock = ManualClock()
    return clock.run(told(clock))


async def run(connector: VenueConnector, call: Call[T]) -> T:
    return await connector._path.run(call)


async def last_price(connector: VenueConnector, symbol: str = "BTCUSDT") -> Decimal:
    book = await connector.get_order_book(symbol, 1)
    return book.bids[0][0]


def limit(client_id: str, price: Decimal, **changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": D("0.001"),
        "price": price,
        "time_in_force": TimeInForce.GTC,
        "client_order_id": client_id,
    }
    return OrderRequest(**{**fields, **changes})


def ids(results: Sequence[Order | APIError]) -> list[str]:
    return [one.client_order_id if isinstance(one, Order) else type(one).__name__ for one in results]


@pytest.mark.slow
def test_a_batch_has_one_result_a_request_in_order_and_only_that_of_the_bad_one_is_an_error() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        price = (await last_price(connector) * D("0.9")).quantize(D(1))
        asked = [limit(f"c-{number}", price - number) for number in range(10)]
        asked[7] = limit("c-7", price, quantity=D("0.0001"))
        results = await run(connector, VENUE.place_orders(asked))
        assert ids(results) == [f"c-{number}" if number != 7 else "BadRequest" for number in range(10)]
        assert all(isinstance(one, Order) and one.order_id for number, one in enumerate(results) if number != 7)
        await world.clock.sleep(0.5)
        resting = await connector.get_open_orders("BTCUSDT")
        assert {order.order_id: order.client_order_id for order in resting} == {
            one.order_id: one.client_order_id for one in results if isinstance(one, Order)
        }

    in_a_world(story)


def test_orders_cancelled_together_come_back_as_they_stand_and_each_failure_by_itself() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        price = (await last_price(connector) * D("0.9")).quantize(D(1))
        placed = await run(connector, VENUE.place_orders([limit(f"c-{n}", price) for n in range(4)]))
        known = [("BTCUSDT", one.order_id) for one in placed if isinstance(one, Order)]
        known.insert(2, ("BTCUSDT", "00000000-0000-0000-0000-000000000000"))
        results = await run(connector, VENUE.cancel_orders(known))
        assert [one.status if isinstance(one, Order) else type(one) for one in results] == [
            OrderStatus.CANCELED, OrderStatus.CANCELED, UnknownOrder, OrderStatus.CANCELED, OrderStatus.CANCELED,
        ]  # fmt: skip
        assert [one.client_order_id for one in results if isinstance(one, Order)] == ["c-0", "c-1", "c-2", "c-3"]
        assert await connector.get_open_orders() == ()

    in_a_world(story)


def test_a_slot_that_the_reply_does_not_tell_of_is_of_unknown_outcome() -> None:
    call = VENUE.place_orders([limit("c-1", D(5)), limit("c-2", D(6)), limit("c-3", D(7))])
    told = wire.Batch(
        wire.Rows([wire.BatchRow("id-1", "c-1"), wire.BatchRow("", "c-2")]),
        wire.Rows([wire.BatchCode(0, "OK"), wire.BatchCode(0, "OK")]),
    )
    first, second, third = call.translate(told)
    assert isinstance(first, Order)
    assert (first.order_id, first.client_order_id, first.price) == ("id-1", "c-1", D(5))
    for doubtful, client_id in ((second, "c-2"), (third, "c-3")):
        assert isinstance(doubtful, OutcomeUnknown)
        assert doubtful.client_order_id == client_id


def test_a_batch_costs_what_its_orders_cost_and_has_the_lane_of_the_most_patient_of_them() -> None:
    opening, closing = limit("c-1", D(5)), limit("c-2", D(5), reduce_only=True)
    both, closings = VENUE.place_orders([opening, closing]), VENUE.place_orders([closing])
    assert both.endpoint.costs_of(both.params) == {"ip_5s": 1, "place_batch_1s": 2}
    assert both.endpoint.lane_of(both.params) is Lane.ORDER
    assert closings.endpoint.lane_of(closings.params) is Lane.REDUCE
    single = VENUE.place_order(closing)
    assert single.endpoint.lane_of(single.params) is Lane.REDUCE
    assert not both.endpoint.repeatable
    assert "category" not in both.params["request"][0]


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_of_a_size_that_the_venue_does_not_take_is_not_sent(size: int) -> None:
    with pytest.raises(BadInput, match="1 to 10"):
        VENUE.place_orders([limit(f"c-{number}", D(5)) for number in range(size)])
    with pytest.raises(BadInput, match="1 to 10"):
        VENUE.cancel_orders([("BTCUSDT", str(number)) for number in range(size)])


def test_two_orders_of_a_batch_with_one_client_id_are_not_sent() -> None:
    with pytest.raises(BadInput, match="same client order id"):
        VENUE.place_orders([limit("c-1", D(5)), limit("c-1", D(6))])


def test_cancel_all_ends_orders_of_every_kind_of_a_symbol_or_of_all() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        price = (await last_price(connector)).quantize(D(1))

        async def fill_the_book() -> None:
            await connector.place_order("BTCUSDT", "BUY", "0.001", "LIMIT", price=price * D("0.9"), round="down")
            await connector.place_order(
                "BTCUSDT", "BUY", "0.001", "STOP_MARKET", trigger_price=price * D("1.2"), round="down"
            )
            other = await last_price(connector, "ETHUSDT")
            await connector.place_order("ETHUSDT", "BUY", "0.1", "LIMIT", price=other * D("0.9"), round="down")

        await fill_the_book()
        assert len(await connector.get_open_orders()) == 3
        for call in VENUE.cancel_all("BTCUSDT"):
            await run(connector, call)
        assert [order.symbol for order in await connector.get_open_orders()] == ["ETHUSDT"]
        for call in (*VENUE.cancel_all("BTCUSDT"), *VENUE.cancel_all(None)):
            await run(connector, call)  # that there is none is no error
        assert await connector.get_open_orders() == ()

    in_a_world(story)


@pytest.mark.slow
def test_a_conditional_order_is_one_order_from_waiting_to_filled() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        price = await last_price(connector)
        trigger = (price * D("1.0002")).quantize(D(1))
        placed = await connector.place_order(
            "BTCUSDT", "BUY", "0.002", "STOP_MARKET", trigger_price=trigger, trigger_by="LAST", client_order_id="stop-1"
        )
        waiting = await connector.get_order("BTCUSDT", client_order_id="stop-1")
        assert (waiting.status, waiting.type) == (OrderStatus.UNTRIGGERED, OrderType.STOP_MARKET)
        assert (waiting.trigger_price, waiting.trigger_by) == (trigger, TriggerBy.LAST)
        assert [order.order_id for order in await connector.get_open_orders()] == [placed.order_id]
        for _ in range(600):
            await world.clock.sleep(0.5)
            if await last_price(connector) > trigger:
                break
        await world.clock.sleep(5.0)
        done = await connector.get_order("BTCUSDT", placed.order_id)
        assert (done.status, done.type, done.client_order_id) == (OrderStatus.FILLED, OrderType.STOP_MARKET, "stop-1")
        assert (done.order_id, done.trigger_price) == (placed.order_id, trigger)
        assert await connector.get_open_orders() == ()
        fills = await connector.get_fills("BTCUSDT", order_id=placed.order_id).all()
        assert sum(fill.quantity for fill in fills) == D("0.002")

    in_a_world(story)


def test_a_trailing_stop_is_no_order_here_and_nothing_is_sent() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        with pytest.raises(NotOffered, match="belongs to a position"):
            await connector.place_order("BTCUSDT", "SELL", "0.001", "TRAILING_STOP_MARKET", callback_rate="1")
        assert await connector.get_open_orders() == ()

    in_a_world(story)


@pytest.mark.slow
def test_fills_come_oldest_first_through_spans_and_pages_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Spans of twenty seconds in place of weeks, and pages of five: what is walked is the same.
    monkeypatch.setattr(Log.__init__, "__kwdefaults__", {**(Log.__init__.__kwdefaults__ or {}), "span_ms": 20_000})

    async def story(world: World, connector: VenueConnector) -> None:
        start_ms = await connector.get_server_time()
        made: list[str] = []
        for minute in range(3):
            for _ in range(2 if minute == 1 else 12):
                order = await connector.place_order("BTCUSDT", "BUY" if len(made) % 2 else "SELL", "0.001")
                made.append(order.order_id)
                await world.clock.sleep(0.2)
            await world.clock.sleep(60)

        async def fills(symbol: str | None, start_ms: int | None, end_ms: int | None) -> tuple[Fill, ...]:
            call = VENUE.fills(symbol, start_ms, end_ms)
            return await run(connector, Call(
                call.endpoint, {**call.params, "limit": 5}, call.translate,
                next_page=call.next_page, row_key=call.row_key,
            ))  # fmt: skip

        found = await fills(None, start_ms, None)
        assert list(dict.fromkeys(fill.order_id for fill in found)) == made
        assert [fill.venue_time_ms for fill in found] == sorted(fill.venue_time_ms for fill in found)
        assert len({fill.trade_id for fill in found}) == len(found)
        assert sum(fill.quantity for fill in found) == D("0.001") * len(made)
        middle = found[len(found) // 2].venue_time_ms
        later = await fills("BTCUSDT", middle, None)
        assert later == tuple(fill for fill in found if fill.venue_time_ms >= middle)
        assert (*await fills("BTCUSDT", start_ms, middle - 1), *later) == found
        assert await connector.get_fills("ETHUSDT", start_ms=start_ms).all() == ()
        assert await connector.get_fills(order_id=made[0]).all() == tuple(
            fill for fill in found if fill.order_id == made[0]
        )

    in_a_world(story)


@pytest.mark.slow
def test_the_order_history_has_finished_orders_oldest_first_and_then_open_ones() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        start_ms = await connector.get_server_time()
        price = (await last_price(connector) * D("0.9")).quantize(D(1))
        resting = await connector.place_order("BTCUSDT", "BUY", "0.001", "LIMIT", price=price)
        filled = []
        for _ in range(60):
            filled.append((await connector.place_order("BTCUSDT", "BUY", "0.001")).order_id)
            await world.clock.sleep(0.2)
        waiting = await connector.place_order("BTCUSDT", "BUY", "0.001", "STOP_MARKET", trigger_price=price * 2)
        history = await connector.get_order_history(start_ms=start_ms).all()
        assert [order.order_id for order in history[:60]] == filled
        assert {order.order_id for order in history[60:]} == {resting.order_id, waiting.order_id}
        assert {order.status for order in history} == {
            OrderStatus.FILLED, OrderStatus.NEW, OrderStatus.UNTRIGGERED,
        }  # fmt: skip
        now_ms = await connector.get_server_time()
        assert await connector.get_order_history(start_ms=now_ms + 1, end_ms=now_ms + HOUR_MS).all() == ()

    in_a_world(story)


def test_exits_of_a_position_are_set_and_taken_away() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        await connector.place_order("BTCUSDT", "BUY", "0.002")
        await world.clock.sleep(1.0)
        price = await last_price(connector)
        high, low = (price * D("1.1")).quantize(D(1)), (price * D("0.9")).quantize(D(1))

        async def stops(profit: Decimal | None, loss: Decimal | None) -> set[tuple[str, Decimal | None, bool]]:
            by = TriggerBy.MARK
            await run(connector, VENUE.set_position_stops("BTCUSDT", PositionSide.BOTH, profit, loss, by))
            await world.clock.sleep(1.0)
            open_orders = await connector.get_open_orders("BTCUSDT")
            assert all(order.trigger_by is by for order in open_orders)
            return {(order.type, order.trigger_price, order.close_position) for order in open_orders}

        profit, loss = (OrderType.TAKE_PROFIT_MARKET, high, True), (OrderType.STOP_MARKET, low, True)
        assert await stops(high, low) == {profit, loss}
        assert await stops(None, D(0)) == {profit}
        assert await stops(D(0), None) == set()
        with pytest.raises(BadInput):
            VENUE.set_position_stops("BTCUSDT", PositionSide.BOTH, None, None, TriggerBy.LAST)

    in_a_world(story)


def test_the_countdown_is_for_the_whole_account_and_takes_what_the_venue_takes() -> None:
    call = VENUE.arm_countdown(None, 30.0)
    assert call.endpoint is endpoints.COUNTDOWN
    assert call.params == {"product": "DERIVATIVES", "timeWindow": 30}
    assert call.translate({}).seconds == 30
    for symbol, seconds in ((None, 2), (None, 301), (None, 10.5), ("BTCUSDT", 30)):
        with pytest.raises(BadInput):
            VENUE.arm_countdown(symbol, seconds)


def test_stops_of_a_position_wait_with_orders_that_reduce_and_the_countdown_with_cancels() -> None:
    stops = VENUE.set_position_stops("BTCUSDT", PositionSide.BOTH, None, D("60000"), TriggerBy.LAST)
    assert stops.endpoint.lane_of(stops.params) is Lane.REDUCE
    countdown = VENUE.arm_countdown(None, 30)
    assert countdown.endpoint.lane_of(countdown.params) is Lane.CANCEL


def test_the_countdown_cannot_be_switched_off_here() -> None:
    with pytest.raises(NotOffered, match="no call that switches it off"):
        VENUE.arm_countdown(None, 0)
