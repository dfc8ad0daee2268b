"""python-binance, unmodified but for its addresses, against the simulated Binance over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import load

from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation

binance = load("binance")
exceptions = load("binance.exceptions")

KEY, SECRET = "sim-key", "sim-secret"
PATIENCE_S = 5.0


@asynccontextmanager
async def a_client(monkeypatch: pytest.MonkeyPatch, *, secret: str = SECRET) -> AsyncIterator[tuple[Any, Simulation]]:
    """A client of a running exchange."""
    async with running(venues=("binance",), seed=7, latency_s=0.001) as simulation:
        url = simulation.urls["binance"]
        for name, value in {"FUTURES_URL": f"{url}/fapi", "FUTURES_DATA_URL": f"{url}/futures/data"}.items():
            monkeypatch.setattr(binance.AsyncClient, name, value)
        monkeypatch.setattr(binance.BinanceSocketManager, "FSTREAM_URL", f"{url.replace('http', 'ws')}/")
        client = binance.AsyncClient(KEY, secret)
        try:
            yield client, simulation
        finally:
            await client.close_connection()


async def received(socket: Any, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The messages of a socket up to the first that is wanted."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not messages or not wanted(messages[-1]):
            messages.append(await socket.recv())
    return messages


async def test_reference_data_and_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, simulation):
        exchange = simulation.exchanges["binance"]
        await client.futures_ping()
        assert abs((await client.futures_time())["serverTime"] - exchange.now_ms()) < 2000
        info = await client.futures_exchange_info()
        assert {one["symbol"] for one in info["symbols"]} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        book = await client.futures_order_book(symbol="BTCUSDT", limit=50)
        assert len(book["bids"]) > 10
        assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
        best = await client.futures_orderbook_ticker(symbol="BTCUSDT")
        assert Decimal(best["bidPrice"]) < Decimal(best["askPrice"])
        assert (await client.futures_mark_price(symbol="BTCUSDT"))["symbol"] == "BTCUSDT"
        assert Decimal((await client.futures_symbol_ticker(symbol="BTCUSDT"))["price"]) > 0
        assert isinstance(await client.futures_recent_trades(symbol="BTCUSDT", limit=5), list)


async def test_the_account_before_anything_was_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, _):
        account = await client.futures_account()
        assert account["totalWalletBalance"] == "100000.00000000"
        assert len(account["positions"]) == 3
        (balance,) = await client.futures_account_balance()
        assert (balance["asset"], balance["availableBalance"]) == ("USDT", "100000.00000000")
        assert await client.futures_position_information() == []
        assert (await client.futures_commission_rate(symbol="BTCUSDT"))["takerCommissionRate"] == "0.0005"
        assert (await client.futures_change_leverage(symbol="BTCUSDT", leverage=10))["leverage"] == 10
        assert (await client.futures_get_position_mode())["dualSidePosition"] is False
        assert (await client.futures_leverage_bracket(symbol="BTCUSDT"))[0]["symbol"] == "BTCUSDT"


async def test_a_limit_order_is_placed_queried_amended_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, _):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        placed = await client.futures_create_order(**order, quantity="0.010", price="50000")
        assert placed["status"] == "NEW"
        assert placed["clientOrderId"].startswith("x-Cb7ytekJ")
        key = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        assert (await client.futures_get_order(**key))["origQty"] == "0.010"
        assert [one["orderId"] for one in await client.futures_get_open_orders(symbol="BTCUSDT")] == [key["orderId"]]
        amended = await client.futures_modify_order(**key, side="BUY", quantity="0.020", price="50001")
        assert (amended["origQty"], amended["price"]) == ("0.020", "50001.00")
        cancelled = await client.futures_cancel_order(**key)
        assert cancelled["status"] == "CANCELED"
        assert await client.futures_get_open_orders(symbol="BTCUSDT") == []
        with pytest.raises(exceptions.BinanceAPIException) as caught:
            await client.futures_cancel_order(**key)
        assert (caught.value.code, caught.value.status_code) == (-2011, 400)
        await client.futures_create_order(**order, quantity="0.010", price="50000")
        assert (await client.futures_cancel_all_open_orders(symbol="BTCUSDT"))["code"] == 200
        assert {one["status"] for one in await client.futures_get_all_orders(symbol="BTCUSDT")} == {"CANCELED"}


async def test_a_market_order_changes_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, simulation):
        order = {"symbol": "BTCUSDT", "type": "MARKET", "newOrderRespType": "RESULT"}
        bought = await client.futures_create_order(**order, side="BUY", quantity="0.020")
        assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.020")
        (position,) = await client.futures_position_information(symbol="BTCUSDT")
        assert position["positionAmt"] == "0.020"
        read = await client.futures_get_order(symbol="BTCUSDT", orderId=bought["orderId"])
        assert abs(Decimal(read["avgPrice"]) - Decimal(position["entryPrice"])) < Decimal("0.0001")
        trades = await client.futures_account_trades(symbol="BTCUSDT")
        assert sum(Decimal(one["qty"]) for one in trades) == Decimal("0.020")
        sold = await client.futures_create_order(**order, side="SELL", quantity="0.020", reduceOnly="true")
        assert sold["status"] == "FILLED"
        assert await client.futures_position_information(symbol="BTCUSDT") == []
        assert simulation.exchanges["binance"].wallet("main")["USDT"] < 100_000


async def test_refusals_reach_the_client_with_the_venues_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, _):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
        for price, code in (("50000.01", -4014), ("50000.001", -1111), ("90000", -4016)):
            with pytest.raises(exceptions.BinanceAPIException) as caught:
                await client.futures_create_order(**order, price=price)
            assert caught.value.code == code
        client.timestamp_offset = -20_000
        with pytest.raises(exceptions.BinanceAPIException) as caught:
            await client.futures_account_balance()
        assert caught.value.code == -1021


async def test_a_wrong_secret_is_a_wrong_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch, secret="another") as (client, _):
        with pytest.raises(exceptions.BinanceAPIException) as caught:
            await client.futures_account_balance()
        assert (caught.value.code, caught.value.status_code) == (-1022, 400)


@pytest.mark.slow
async def test_public_streams_on_their_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, _):
        manager = binance.BinanceSocketManager(client)
        async with (
            manager.symbol_ticker_futures_socket("BTCUSDT") as quotes,
            manager.futures_depth_socket("BTCUSDT", depth=5) as book,
            manager.futures_multiplex_socket(["btcusdt@aggTrade", "btcusdt@markPrice@1s"]) as market,
        ):
            (quote,) = await received(quotes, lambda _: True)
            assert quote["stream"] == "btcusdt@bookTicker"
            assert Decimal(quote["data"]["b"]) < Decimal(quote["data"]["a"])
            (depth,) = await received(book, lambda _: True)
            assert (len(depth["data"]["b"]), len(depth["data"]["a"])) == (5, 5)
            messages = await received(market, lambda one: one["stream"] == "btcusdt@markPrice@1s")
            assert messages[-1]["data"]["e"] == "markPriceUpdate"
            await client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
            messages = await received(market, lambda one: one["stream"] == "btcusdt@aggTrade")
            assert messages[-1]["data"]["s"] == "BTCUSDT"


async def test_the_private_stream_tells_of_an_order_and_its_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_client(monkeypatch) as (client, _):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
        user = binance.BinanceSocketManager(client).futures_user_socket()
        await user.connect()
        try:
            placed = await client.futures_create_order(**order)
            messages = await received(user, lambda one: one.get("o", {}).get("X") == "FILLED")
            assert [one["e"] for one in messages[:4]] == [
                "TRADE_LITE",
                "ORDER_TRADE_UPDATE",
                "ACCOUNT_UPDATE",
                "ORDER_TRADE_UPDATE",
            ]
            assert messages[-1]["o"]["i"] == placed["orderId"]
            (position,) = messages[-2]["a"]["P"]
            assert (position["s"], position["pa"]) == ("BTCUSDT", "0.01")
        finally:
            # Its reader looks up only when something comes.
            closing = asyncio.create_task(user.close())
            await asyncio.sleep(0)
            await client.futures_create_order(**order)
            await asyncio.wait_for(closing, PATIENCE_S)
