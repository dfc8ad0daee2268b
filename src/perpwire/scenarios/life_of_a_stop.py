"""A protective stop from its placing to its fill, and cancels that lose their race."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from perpwire.errors import APIError, OrderRejected
from perpwire.model.order import Order, OrderStatus, OrderType
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Answer, AnyFault, Delay, LoseAnswer, MovePrice

SYMBOL = "BTCUSDT"
WATCHED_EVERY_S = 0.05

UNKNOWN = {
    "binance": ("/fapi/v1/algoOrder", 400, '{"code":-2013,"msg":"Order does not exist."}'),
    "bybit": (
        "/v5/order/realtime",
        200,
        '{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[],"nextPageCursor":""},"retExtInfo":{},'
        '"time":1790000000000}',
    ),
}
"""How each venue says that it does not know an order (yet)."""


@scenario()
async def life_of_a_stop(run: Run) -> None:
    """A stop is placed, looked for, triggered while it is cancelled; a replaced order is filled; all is cancelled."""
    await run.follow(SYMBOL)
    await run.place(SYMBOL, "BUY", "1", order_type="MARKET")
    await run.clock.sleep(1.0)
    stop = await _place_stop(run)
    await run.clock.sleep(1.0)
    watching = asyncio.create_task(_watch(run, stop.client_order_id))
    await _is_found(run, stop)
    await _batch(run)
    await _trigger_while_cancelled(run, stop, watching)
    await _replace_what_is_filled(run)
    await _cancel_all(run)
    if run.venue == "bybit":
        await _rejected_after_the_acknowledgement(run)


async def _place_stop(run: Run) -> Order:
    """Its answer may be lost, or late, and for a while the venue may not find it."""
    trouble: AnyFault | None = run.random.choice(
        (None, LoseAnswer(method="POST", how="reset"), Delay(method="POST", where="answer", seconds=3.0))
    )
    if trouble is not None:
        run.fault(trouble)
    if run.random.random() < 0.5:
        path, status, body = UNKNOWN[run.venue]
        lag_s = run.random.uniform(0.5, 3.0)
        run.fault(Answer(method="GET", path=path, status=status, body=body, for_s=lag_s, count=None))
    trigger = run.host.exchange.mark_price(SYMBOL) * Decimal("0.97")
    order = await run.place(
        SYMBOL, "SELL", "1", order_type="STOP_MARKET", trigger_price=trigger, round="nearest", reduce_only=True
    )
    run.check(order is not None, "the stop was given up although it was placed")
    assert order is not None
    run.check(order.type is OrderType.STOP_MARKET, f"the stop came back as {order.type}")
    return order


async def _watch(run: Run, client_order_id: str) -> None:
    """From now on there is one protective order, never two and never none, until it is triggered."""
    while True:
        waiting = run.host.exchange.open_triggers("main", None)
        alive = [one for one in waiting if one.intent.client_id == client_order_id]
        run.check(len(alive) == 1, f"there are {len(alive)} protective orders")
        await run.clock.sleep(WATCHED_EVERY_S)


async def _is_found(run: Run, stop: Order) -> None:
    """By its id, by ours, and once among the open ones; it is never said to be missing."""
    for _ in range(4):
        by_id = await run.connector.get_order(SYMBOL, stop.order_id)
        by_name = await run.connector.get_order(SYMBOL, client_order_id=stop.client_order_id)
        for one in (by_id, by_name):
            run.check(one.order_id == stop.order_id, f"{one.order_id} is not {stop.order_id}")
            run.check(not one.status.is_final, f"the stop is {one.status}")
        await run.clock.sleep(run.random.uniform(0.2, 1.5))
    listed = [one.order_id for one in await run.connector.get_open_orders(SYMBOL)]
    run.check(listed.count(stop.order_id) == 1, f"the stop is listed {listed.count(stop.order_id)} times")


async def _batch(run: Run) -> None:
    """Five orders, one of them conditional, one that the venue refuses: five slots, in order."""
    mark = run.host.exchange.mark_price(SYMBOL)
    slots = await run.connector.place_orders(
        [
            {
                "symbol": SYMBOL, "side": "BUY", "quantity": "0.01", "order_type": "LIMIT",
                "price": mark * Decimal("0.96"), "round": "nearest", "client_order_id": "batch-0",
            },
            {
                "symbol": SYMBOL, "side": "BUY", "quantity": "0.01", "order_type": "STOP_MARKET",
                "trigger_price": mark * Decimal("1.2"), "round": "nearest", "client_order_id": "batch-1",
            },
            {
                "symbol": "ETHUSDT", "side": "SELL", "quantity": "1", "reduce_only": True,
                "client_order_id": "batch-2",
            },
            {"symbol": SYMBOL, "side": "BUY", "quantity": "0.0001", "client_order_id": "batch-3"},
            {
                "symbol": SYMBOL, "side": "BUY", "quantity": "0.02", "order_type": "LIMIT",
                "price": mark * Decimal("0.96"), "round": "nearest", "client_order_id": "batch-4",
            },
        ]
    )  # fmt: skip
    names = [slot.client_order_id if isinstance(slot, Order) else type(slot).__name__ for slot in slots]
    run.check(names == ["batch-0", "batch-1", "OrderRejected", "BadInput", "batch-4"], f"the batch gave {names}")


async def _trigger_while_cancelled(run: Run, stop: Order, watching: asyncio.Task[None]) -> None:
    """The market falls through the trigger; in the same moment the stop is cancelled."""
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    run.fault(MovePrice(symbol=SYMBOL, share=Decimal("-0.04")))
    await run.clock.sleep(run.random.uniform(0.0, 0.05))
    began_s = run.clock.monotonic_ns() / 1e9
    ended = await run.connector.cancel_order(SYMBOL, stop.order_id)
    took_s = run.clock.monotonic_ns() / 1e9 - began_s
    run.check(took_s <= 3.0, f"the cancel took {took_s:.1f} s")
    run.check(ended.order_id == stop.order_id, f"the cancel told of {ended.order_id}")
    await run.clock.sleep(2.0)
    if _filled(run, stop):
        run.check(
            ended.status in (OrderStatus.FILLED, OrderStatus.TRIGGERED, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED),
            f"the stop was filled, and the cancel told {ended.status}",
        )
        final = await run.connector.get_order(SYMBOL, stop.order_id)
        run.check(final.status is OrderStatus.FILLED, f"the stop ended as {final.status}")
        run.check(final.filled_quantity == 1, f"the stop is said to have filled {final.filled_quantity}")
        booked = sum((fill.quantity for fill in run.fills if fill.order_id == stop.order_id), Decimal(0))
        run.check(booked == 1, f"{booked} is booked to the stop")
    else:
        run.check(ended.status is OrderStatus.CANCELED, f"the stop was cancelled, and the cancel told {ended.status}")


async def _replace_what_is_filled(run: Run) -> None:
    """A limit order is filled while it is being replaced: nothing takes its place."""
    exchange = run.host.exchange
    price = exchange.mark_price(SYMBOL) * Decimal("0.985")
    order = await run.place(SYMBOL, "BUY", "0.03", order_type="LIMIT", price=price, round="nearest")
    if order is None:
        return
    await run.clock.sleep(1.0)
    resting = [one for one in exchange.open_orders("main", None) if one.client_order_id == order.client_order_id]
    if not resting:
        return  # the market took it at once
    exchange.force_fill("main", order_id=resting[0].order_id)
    replaced = await run.connector.replace_order(
        SYMBOL,
        order.order_id,
        new={
            "symbol": SYMBOL, "side": "BUY", "quantity": "0.03", "order_type": "LIMIT", "price": price,
            "round": "nearest", "client_order_id": "in-its-place",
        },
    )  # fmt: skip
    run.check(replaced.new is None, "the replacement was sent although the order had been filled")
    run.check(replaced.old.status is OrderStatus.FILLED, f"the replaced order is {replaced.old.status}")
    placed = [one for one in exchange.orders("main", None) if one.client_order_id == "in-its-place"]
    run.check(not placed, "the replacement stands at the exchange")


async def _cancel_all(run: Run) -> None:
    """Both kinds of orders go; where there is nothing to cancel, that is no error."""
    exchange = run.host.exchange
    await run.connector.cancel_all(SYMBOL)
    await run.clock.sleep(1.0)
    run.check(not exchange.open_orders("main", SYMBOL), "orders are left")
    run.check(not exchange.open_triggers("main", SYMBOL), "conditional orders are left")
    run.check(await run.connector.cancel_all(SYMBOL) == (), "there was something to cancel")


async def _rejected_after_the_acknowledgement(run: Run) -> None:
    """Bybit takes a post-only order in, and says on the stream that it would have taken liquidity."""
    price = run.host.exchange.mark_price(SYMBOL) * Decimal("1.005")
    began_s = run.clock.monotonic_ns() / 1e9
    try:
        order = await run.connector.place_order(
            SYMBOL, "BUY", "0.01", "LIMIT", price=price, time_in_force="POST_ONLY", round="nearest", wait="accepted"
        )
    except OrderRejected as refused:
        took_s = run.clock.monotonic_ns() / 1e9 - began_s
        run.check("EC_PostOnlyWillTakeLiquidity" in refused.reason, f"the reason told is {refused.reason}")
        run.check(took_s <= 1.5, f"it took {took_s:.1f} s to be told")
    except APIError as error:
        run.check(False, f"the rejection came as {error}")
    else:
        run.check(False, f"the order was told to be {order.status}")


def _filled(run: Run, order: Order) -> Decimal:
    """What the exchange has filled of it."""
    fills = run.host.exchange.fills("main", None)
    return sum((fill.quantity for of, fill in fills if of.client_order_id == order.client_order_id), Decimal(0))
