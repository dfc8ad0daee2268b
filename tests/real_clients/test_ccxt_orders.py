"""ccxt (asynchronous, REST) trades: the life of orders, batches, conditional orders, and what it raises."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import KEY, SYMBOL, UNIFIED, ccxt_client, crosses, eventually, load

from perpwire.threaded import VenueDoor

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("venue", ["binance", "bybit"], indirect=True)]

errors = load("ccxt.base.errors")


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> VenueDoor:
    door: VenueDoor = request.getfixturevalue(request.param)
    return door


def validated(client: Any, order: dict[str, Any]) -> dict[str, Any]:
    """The order, which has passed ccxt's own validator. (It does not know of orders that expire.)"""
    validate = load("ccxt.test.exchange.base.test_order").test_order
    validate(
        client,
        {"status": True} if order["status"] == "expired" else {},
        "fetchOrder",
        order,
        UNIFIED,
        client.milliseconds(),
    )
    return order


async def fetched(client: Any, order_id: str) -> Any:
    """An order wherever it stands by now."""
    if client.id != "bybit":
        return validated(client, await client.fetch_order(order_id, UNIFIED))

    async def look() -> dict[str, Any] | None:
        for ask in (client.fetch_open_order, client.fetch_closed_order):
            try:
                found: dict[str, Any] = await ask(order_id, UNIFIED)
            except errors.OrderNotFound:
                continue
            return found
        return None

    return validated(client, await eventually(look))


async def in_state(client: Any, order_id: str, status: str) -> Any:
    async def look() -> dict[str, Any] | None:
        order = await fetched(client, order_id)
        return order if order["status"] == status else None

    return await eventually(look)


async def test_a_limit_order_is_placed_found_amended_and_cancelled(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        placed = await client.create_order(UNIFIED, "limit", "buy", 0.01, 63500, {"clientOrderId": "mine-1"})
        order = await in_state(client, placed["id"], "open")
        assert (order["clientOrderId"], order["side"], order["type"]) == ("mine-1", "buy", "limit")
        assert (order["price"], order["amount"], order["filled"], order["remaining"]) == (63500, 0.01, 0, 0.01)
        (listed,) = await client.fetch_open_orders(UNIFIED)
        assert listed["id"] == placed["id"]
        await client.edit_order(placed["id"], UNIFIED, "limit", "buy", 0.02, 63400)

        async def amended() -> bool:
            now = await fetched(client, placed["id"])
            return (now["price"], now["amount"], now["status"]) == (63400, 0.02, "open")

        assert await eventually(amended)
        (core,) = venue.exchange.open_orders("main", None)
        assert (core.price, core.quantity, core.client_order_id) == (63400, Decimal("0.02"), "mine-1")
        await client.cancel_order(placed["id"], UNIFIED)
        assert (await in_state(client, placed["id"], "canceled"))["filled"] == 0
        assert await client.fetch_open_orders(UNIFIED) == []
        with pytest.raises(errors.OrderNotFound):
            await client.cancel_order(placed["id"], UNIFIED)


async def test_a_market_order_is_filled_with_trades_fees_and_a_position(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        placed = await client.create_order(UNIFIED, "market", "sell", 0.02)
        order = await in_state(client, placed["id"], "closed")
        assert (order["filled"], order["remaining"]) == (0.02, 0)
        trades = await client.fetch_my_trades(UNIFIED)
        assert sum(trade["amount"] for trade in trades) == pytest.approx(0.02)
        assert {trade["order"] for trade in trades} == {placed["id"]}
        assert all(trade["takerOrMaker"] == "taker" and trade["side"] == "sell" for trade in trades)
        paid = Decimal(100000) - venue.exchange.wallet("main")["USDT"]
        assert sum(trade["fee"]["cost"] for trade in trades) == pytest.approx(float(paid))
        assert {trade["fee"]["currency"] for trade in trades} == {"USDT"}
        (position,) = await client.fetch_positions([UNIFIED])
        assert (position["side"], position["contracts"]) == ("short", 0.02)
        assert position["entryPrice"] == pytest.approx(order["average"])
        closing = await client.create_order(UNIFIED, "market", "buy", 0.02, None, {"reduceOnly": True})
        await in_state(client, closing["id"], "closed")
        assert venue.exchange.position("main", SYMBOL).quantity == 0


async def test_times_in_force(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        asks = (await client.fetch_order_book(UNIFIED))["asks"]
        best, size = asks[0][0], asks[0][1]
        ioc = await client.create_order(UNIFIED, "limit", "buy", round(size + 0.5, 3), best, {"timeInForce": "IOC"})
        partly = await in_state(client, ioc["id"], "canceled" if client.id == "bybit" else "expired")
        assert partly["filled"] == size
        below = round(best - 100, 1)
        resting = await client.create_order(UNIFIED, "limit", "buy", 0.01, below, {"postOnly": True})
        assert (await in_state(client, resting["id"], "open"))["postOnly"] is True
        crossing = float(crosses(venue, "0.05"))
        if client.id == "bybit":  # accepted, then cancelled
            taking = await client.create_order(UNIFIED, "limit", "buy", 0.01, crossing, {"postOnly": True})
            await in_state(client, taking["id"], "canceled")
        else:
            with pytest.raises(errors.OrderNotFillable):
                await client.create_order(UNIFIED, "limit", "buy", 0.01, crossing, {"postOnly": True})


async def test_a_batch_is_placed_and_cancelled(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        batch = [
            {"symbol": UNIFIED, "type": "limit", "side": "buy", "amount": 0.01, "price": 63500 - step, "params": {}}
            for step in range(3)
        ]
        placed = await client.create_orders(batch)
        ids = [order["id"] for order in placed]
        assert len(set(ids)) == 3

        async def all_open() -> bool:
            return sorted(one["id"] for one in await client.fetch_open_orders(UNIFIED)) == sorted(ids)

        assert await eventually(all_open)
        await client.cancel_orders(ids[:2], UNIFIED)

        async def one_left() -> bool:
            return [one["id"] for one in await client.fetch_open_orders(UNIFIED)] == ids[2:]

        assert await eventually(one_left)
        await client.cancel_all_orders(UNIFIED)
        await in_state(client, ids[2], "canceled")
        assert venue.exchange.open_orders("main", None) == []


async def test_a_batch_in_which_one_order_is_refused(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        good = {"symbol": UNIFIED, "type": "limit", "side": "buy", "amount": 0.01, "price": 63500, "params": {}}
        bad = {**good, "amount": 50, "price": 64000}
        answers = await client.create_orders([good, bad])
        assert [one["status"] for one in answers if not one["id"]] == ["rejected"]
        (taken,) = [one["id"] for one in answers if one["id"]]
        await in_state(client, taken, "open")
        assert len(venue.exchange.open_orders("main", None)) == 1


async def test_a_conditional_order_waits_is_found_and_cancelled(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        stop = {"triggerPrice": 70000} | ({"triggerDirection": "above"} if client.id == "bybit" else {})
        placed = await client.create_order(UNIFIED, "market", "buy", 0.01, None, stop)

        async def listed() -> Any:
            return await client.fetch_open_orders(UNIFIED, None, None, {"trigger": True})

        (waiting,) = await eventually(listed)
        assert (waiting["id"], waiting["triggerPrice"], waiting["side"]) == (placed["id"], 70000, "buy")
        (core,) = venue.exchange.open_triggers("main", None)
        assert (core.intent.trigger_price, core.intent.quantity) == (70000, Decimal("0.01"))
        assert venue.exchange.open_orders("main", None) == []
        await client.cancel_order(placed["id"], UNIFIED, {"trigger": True})

        async def gone() -> Any:
            return await listed() == []

        assert await eventually(gone)
        assert venue.exchange.open_triggers("main", None) == []


async def test_a_stop_loss_ends_a_position_when_its_price_comes(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        await client.create_order(UNIFIED, "market", "buy", 0.01)
        stop = {"stopLossPrice": 62000, "reduceOnly": True}
        placed = await client.create_order(UNIFIED, "market", "sell", 0.01, None, stop)
        assert placed["id"]

        async def waits() -> Any:
            return venue.exchange.open_triggers("main", None)

        (core,) = await eventually(waits)
        assert (core.intent.kind, core.intent.direction, core.intent.trigger_price) == ("stop", "falls", 62000)
        venue.exchange.shock_price(SYMBOL, share=Decimal("-0.04"))

        # A trade at the new price: the last price is what these wait for.
        await client.create_order(UNIFIED, "market", "buy", 0.01)

        async def fired() -> Any:
            return not venue.exchange.open_triggers("main", None)

        assert await eventually(fired)

        async def one_left() -> bool:
            (position,) = await client.fetch_positions([UNIFIED])
            return bool((position["side"], position["contracts"]) == ("long", 0.01))

        assert await eventually(one_left)


async def test_refusals_are_raised_as_ccxts_classes(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        with pytest.raises(errors.InsufficientFunds):
            await client.create_order(UNIFIED, "limit", "buy", 50, 63900)
        with pytest.raises(errors.InvalidOrder):
            await client.create_order(UNIFIED, "market", "sell", 0.01, None, {"reduceOnly": True})
        with pytest.raises(errors.OrderNotFound):
            await client.cancel_order("123456" if client.id != "bybit" else "no-such-order", UNIFIED)
        wrong_symbol = client.market(UNIFIED) | {"id": "NOPEUSDT"}
        client.markets[UNIFIED] = wrong_symbol
        with pytest.raises((errors.BadSymbol, errors.BadRequest)):
            await client.fetch_ticker(UNIFIED)


async def test_wrong_keys_and_clocks_are_raised_as_ccxts_classes(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        client.secret = "wrong"
        with pytest.raises(errors.AuthenticationError):
            await client.fetch_balance()
        client.secret = "sim-secret"
        client.apiKey = "nobody"
        with pytest.raises(errors.AuthenticationError):
            await client.fetch_balance()
        client.apiKey = KEY
        venue.faults.add({"kind": "skew", "seconds": 60})
        with pytest.raises(errors.InvalidNonce):
            await client.fetch_balance()
        # What ccxt offers against it.
        await client.load_time_difference()
        client.options["adjustForTimeDifference"] = True
        assert (await client.fetch_balance())["total"]["USDT"] == 100000


async def test_trouble_is_raised_as_ccxts_classes(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        for status, kind in (
            (429, errors.RateLimitExceeded),
            (418, errors.DDoSProtection),
            (403, errors.ExchangeError),
            (503, errors.ExchangeNotAvailable),
            (502, errors.ExchangeNotAvailable),
            (504, errors.RequestTimeout),
        ):
            venue.faults.add({"kind": "answer", "status": status, "body": ""})
            with pytest.raises((kind, errors.OperationFailed)):
                await client.fetch_time()
        venue.faults.add({"kind": "lose_answer", "count": 5})
        with pytest.raises(errors.NetworkError):
            await client.fetch_time()
        venue.faults.clear()
        client.timeout = 300
        venue.faults.add({"kind": "delay", "seconds": 2})
        with pytest.raises(errors.RequestTimeout):
            await client.fetch_time()
        client.timeout = 10000
        assert await client.fetch_time() > 0


async def test_the_rate_limit_of_the_venue_stops_a_hasty_client(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:

        async def hurry() -> None:
            for _ in range(200):
                if client.id == "bybit":
                    await client.cancel_all_orders(UNIFIED)
                else:
                    await client.fetch_order_book(UNIFIED, 1000)

        with pytest.raises((errors.RateLimitExceeded, errors.DDoSProtection)):
            await hurry()
