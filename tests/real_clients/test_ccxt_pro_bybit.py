"""The rest of ccxt.pro's methods on Bybit: several symbols, every depth, liquidations, conditional orders, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.real_clients.clients import PATIENCE_S, UNIFIED, ccxt_client

from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

ETHER = "ETH/USDT:USDT"
BOTH = [UNIFIED, ETHER]


async def heard(what: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(what, PATIENCE_S)


async def test_several_symbols_at_once(busy_bybit: VenueDoor) -> None:
    async with ccxt_client(busy_bybit, "ccxt.pro") as client:
        tickers: dict[str, Any] = {}
        while set(tickers) != set(BOTH):
            tickers |= await heard(client.watch_tickers(BOTH))
        assert all(one["bid"] < one["ask"] for one in tickers.values())
        candles = await heard(client.watch_ohlcv_for_symbols([[UNIFIED, "1m"], [ETHER, "1h"]]))
        (((symbol, by_frame),),) = [candles.items()]
        assert symbol in BOTH
        ((_, opened, high, low, close, _),) = next(iter(by_frame.values()))
        assert low <= min(opened, close) <= max(opened, close) <= high
        trades = await heard(client.watch_trades_for_symbols(BOTH))
        assert {one["symbol"] for one in trades} <= set(BOTH)


@pytest.mark.parametrize("depth", [1, 50, 200, 1000])
async def test_every_depth_of_the_book(busy_bybit: VenueDoor, depth: int) -> None:
    async with ccxt_client(busy_bybit, "ccxt.pro") as client:
        for _ in range(20):
            book = await heard(client.watch_order_book(UNIFIED, depth))
            assert 0 < len(book["bids"]) <= depth
            assert book["bids"][0][0] < book["asks"][0][0]


async def test_a_liquidation_of_a_position(busy_bybit: VenueDoor) -> None:
    async with ccxt_client(busy_bybit, "ccxt.pro") as client:
        watching = asyncio.create_task(client.watch_liquidations(UNIFIED))
        await client.create_order(UNIFIED, "market", "buy", 0.5)
        await asyncio.sleep(0.3)
        assert await client.fetch_positions([UNIFIED])
        await asyncio.to_thread(busy_bybit.exchange.force_liquidation, "main", "BTCUSDT")
        told = await heard(watching)
        assert [(one["symbol"], one["contracts"]) for one in told] == [(UNIFIED, 0.5)]


async def test_a_conditional_order_is_told(busy_bybit: VenueDoor) -> None:
    async with ccxt_client(busy_bybit, "ccxt.pro") as client:
        watching = asyncio.create_task(client.watch_orders(UNIFIED))
        await asyncio.sleep(0.5)
        params = {"triggerPrice": 90000, "triggerDirection": "ascending"}
        placed = await client.create_order(UNIFIED, "market", "buy", 0.01, params=params)
        (order,) = await heard(watching)
        assert (order["id"], order["status"], order["triggerPrice"]) == (placed["id"], "open", 90000)


async def test_what_is_not_wanted_any_more_is_left(busy_bybit: VenueDoor) -> None:
    async with ccxt_client(busy_bybit, "ccxt.pro") as client:
        await heard(client.watch_ticker(UNIFIED))
        await heard(client.watch_order_book_for_symbols(BOTH))
        await heard(client.watch_trades_for_symbols(BOTH))
        await heard(client.watch_ohlcv(UNIFIED, "5m"))
        left = (
            client.un_watch_ticker(UNIFIED),
            client.un_watch_order_book_for_symbols(BOTH, {"limit": 50}),  # by default it leaves a depth that is no more
            client.un_watch_trades_for_symbols(BOTH),
            client.un_watch_ohlcv(UNIFIED, "5m"),
        )
        for leaving in left:
            assert await heard(leaving) is True
        before = len(busy_bybit.journal.entries(kind="sent"))
        await asyncio.sleep(0.5)
        assert {one.topic for one in busy_bybit.journal.entries(kind="sent")[before:]} == set()
