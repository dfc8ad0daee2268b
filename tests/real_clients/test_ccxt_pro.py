"""ccxt.pro: public and private streams, its own local book, and trading over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import (
    PATIENCE_S,
    SYMBOL,
    UNIFIED,
    as_floats,
    ccxt_client,
    eventually,
    freeze,
    load,
    top,
)

from perpwire.threaded import VenueDoor

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("venue", ["busy_binance", "busy_bybit"], indirect=True)]

errors = load("ccxt.base.errors")


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> VenueDoor:
    door: VenueDoor = request.getfixturevalue(request.param)
    return door


def pro(venue: VenueDoor) -> Any:
    # ccxt cuts what it returns to what is new since the last time, if it is let.
    return ccxt_client(venue, "ccxt.pro", newUpdates=True)


async def heard(watch: Callable[[], Awaitable[Any]], wanted: Callable[[Any], Any] = bool) -> Any:
    """What a watch_... method gives, as soon as it is what is wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted(found := await watch()):
            pass
    return found


def validator(name: str) -> Any:
    return getattr(load(f"ccxt.test.exchange.base.test_{name}"), f"test_{name}")


async def test_ccxts_own_book_stays_in_sync_with_the_exchange(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        seen = set()
        for _ in range(12):
            book = await heard(lambda: client.watch_order_book(UNIFIED))
            validator("order_book")(client, {}, "watchOrderBook", book, UNIFIED)
            seen.add((book["timestamp"], *map(tuple, book["bids"][:5])))
        assert len(seen) > 3  # it moved
        freeze(venue)
        wanted = top(venue)

        async def same() -> bool:
            return (as_floats(book["bids"])[:10], as_floats(book["asks"])[:10]) == wanted

        assert await eventually(same)


async def test_the_book_is_rebuilt_after_the_socket_was_cut(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        await heard(lambda: client.watch_order_book(UNIFIED))
        venue.faults.add({"kind": "cut"})
        with pytest.raises(errors.NetworkError):
            await heard(lambda: client.watch_order_book(UNIFIED), lambda _: False)
        book = await heard(lambda: client.watch_order_book(UNIFIED))
        freeze(venue)
        wanted = top(venue)

        async def same() -> bool:
            return (as_floats(book["bids"])[:10], as_floats(book["asks"])[:10]) == wanted

        assert await eventually(same)


async def test_trades_are_those_of_the_exchange(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        trades: list[Any] = []
        while len(trades) < 10:
            fresh = await heard(lambda: client.watch_trades(UNIFIED))
            for trade in fresh:
                validator("trade")(client, {}, "watchTrades", trade, UNIFIED, client.milliseconds(), True)
            trades += fresh
        ids = [trade["id"] for trade in trades]
        assert len(set(ids)) == len(ids)
        prices = [(trade["price"], trade["amount"], trade["side"]) for trade in trades[-3:]]
        core = [
            (float(one.price), float(one.quantity), "sell" if one.buyer_is_maker else "buy")
            for one in venue.exchange.recent_trades(SYMBOL, 1000)
        ]
        assert set(prices) <= set(core)


async def test_tickers_and_best_prices(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        ticker = await heard(lambda: client.watch_ticker(UNIFIED))
        validator("ticker")(client, {}, "watchTicker", ticker, UNIFIED)
        best = await heard(lambda: client.watch_bids_asks([UNIFIED]))
        assert best[UNIFIED]["bid"] < best[UNIFIED]["ask"]
        tickers = await heard(lambda: client.watch_tickers([UNIFIED]))
        assert set(tickers) == {UNIFIED}


async def test_candles_as_they_form(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        candles = await heard(lambda: client.watch_ohlcv(UNIFIED, "1m"))
        validator("ohlcv")(client, {}, "watchOHLCV", candles[-1], UNIFIED, client.milliseconds())
        low, high = candles[-1][3], candles[-1][2]
        assert low <= float(venue.exchange.last_price(SYMBOL)) * 1.01
        assert high >= low


async def test_several_books_on_one_client(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        symbols = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
        seen: set[str] = set()
        async with asyncio.timeout(PATIENCE_S):
            while seen != set(symbols):
                book = await client.watch_order_book_for_symbols(symbols)
                assert book["bids"][0][0] < book["asks"][0][0]
                seen.add(book["symbol"])


async def test_orders_and_own_trades_are_told(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        orders: list[Any] = []
        trades: list[Any] = []

        async def listen(watch: Callable[[], Awaitable[Any]], into: list[Any]) -> None:
            while True:
                into += [dict(one) for one in await watch()]  # ccxt goes on changing its own

        listening = [
            asyncio.create_task(listen(client.watch_orders, orders)),
            asyncio.create_task(listen(client.watch_my_trades, trades)),
        ]
        await subscribed(venue)
        placed = await client.create_order(UNIFIED, "limit", "buy", 0.01, 63000)
        await client.cancel_order(placed["id"], UNIFIED)
        taken = await client.create_order(UNIFIED, "market", "buy", 0.02)

        async def all_told() -> bool:
            states = {(one["id"], one["status"]) for one in orders}
            filled = sum(one["amount"] for one in trades if one["order"] == taken["id"])
            wanted = {(placed["id"], "open"), (placed["id"], "canceled"), (taken["id"], "closed")}
            return wanted <= states and round(filled, 8) == 0.02

        assert await eventually(all_told)
        now = client.milliseconds()
        for order in orders:
            validator("order")(client, {}, "watchOrders", order, UNIFIED, now)
        for trade in trades:
            validator("trade")(client, {}, "watchMyTrades", trade, UNIFIED, now, False)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def test_balance_and_positions_are_told(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        balances: list[Any] = []
        positions: list[Any] = []

        async def listen(watch: Callable[[], Awaitable[Any]], into: list[Any]) -> None:
            while True:
                into.append(await watch())

        listening = [
            asyncio.create_task(listen(client.watch_balance, balances)),
            asyncio.create_task(listen(client.watch_positions, positions)),
        ]
        await subscribed(venue)
        await client.create_order(UNIFIED, "market", "sell", 0.02)

        async def told() -> bool:
            wallet = float(venue.exchange.wallet("main")["USDT"])
            at_hand = bool(balances) and balances[-1]["USDT"]["total"] == pytest.approx(wallet)
            held = [one for batch in positions for one in batch if one["symbol"] == UNIFIED and one["contracts"]]
            return at_hand and bool(held) and (held[-1]["side"], held[-1]["contracts"]) == ("short", 0.02)

        assert await eventually(told)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def subscribed(venue: VenueDoor) -> None:
    """When the exchange serves the client's private streams."""

    async def look() -> bool:
        if venue.name == "binance":
            opened = venue.journal.entries(kind="opened")
            return any("listenKey" in one.text or "/private/ws" in one.text for one in opened)
        acknowledged = [one.text for one in venue.journal.entries(kind="sent", topic="")]
        return sum('"subscribe"' in text and '"success":true' in text for text in acknowledged) >= 2

    assert await eventually(look)


async def test_an_order_is_placed_amended_and_cancelled_over_websocket(venue: VenueDoor) -> None:
    async with pro(venue) as client:
        price = 63000
        placed = await client.create_order_ws(UNIFIED, "limit", "buy", 0.01, price)

        async def resting() -> Any:
            return venue.exchange.open_orders("main", None)

        (core,) = await eventually(resting)
        assert (core.price, core.quantity) == (price, Decimal("0.01"))
        await client.edit_order_ws(placed["id"], UNIFIED, "limit", "buy", 0.02, price - 10)

        async def amended() -> bool:
            (now,) = venue.exchange.open_orders("main", None)
            return bool((now.price, now.quantity) == (price - 10, Decimal("0.02")))

        assert await eventually(amended)
        await client.cancel_order_ws(placed["id"], UNIFIED)

        async def gone() -> bool:
            return not venue.exchange.open_orders("main", None)

        assert await eventually(gone)
        with pytest.raises(errors.OrderNotFound):
            await client.cancel_order_ws(placed["id"], UNIFIED)
        with pytest.raises(errors.InsufficientFunds):
            await client.create_order_ws(UNIFIED, "limit", "buy", 50, price)
