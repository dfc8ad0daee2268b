"""python-binance, unmodified but for its addresses: REST and its sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from tests.real_clients.clients import (
    PATIENCE_S,
    SYMBOL,
    as_floats,
    binance_client,
    eventually,
    freeze,
    load,
    top,
)

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

D = Decimal
module = load("binance")
exceptions = load("binance.exceptions")

BTC = {"symbol": SYMBOL}
MINUTES = {"interval": "1m", "limit": 3}
CROWD = {**BTC, "period": "5m", "limit": 5}
LIMIT = {**BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
MARKET = {**BTC, "type": "MARKET", "newOrderRespType": "RESULT"}

CALLS: dict[str, dict[str, Any]] = {
    "futures_exchange_info": {},
    "futures_order_book": {**BTC, "limit": 5},
    "futures_rpi_depth": BTC,
    "futures_recent_trades": BTC,
    "futures_historical_trades": BTC,
    "futures_aggregate_trades": BTC,
    "futures_klines": {**BTC, **MINUTES},
    "futures_mark_price_klines": {**BTC, **MINUTES},
    "futures_index_price_klines": {"pair": SYMBOL, **MINUTES},
    "futures_premium_index_klines": {**BTC, **MINUTES},
    "futures_continuous_klines": {"pair": SYMBOL, "contractType": "PERPETUAL", **MINUTES},
    "futures_mark_price": BTC,
    "futures_funding_rate": BTC,
    "futures_ticker": BTC,
    "futures_symbol_ticker": BTC,
    "futures_orderbook_ticker": BTC,
    "futures_open_interest": BTC,
    "futures_open_interest_hist": CROWD,
    "futures_top_longshort_account_ratio": CROWD,
    "futures_top_longshort_position_ratio": CROWD,
    "futures_global_longshort_ratio": CROWD,
    "futures_taker_longshort_ratio": CROWD,
    "futures_index_price_constituents": BTC,
    "futures_symbol_adl_risk": BTC,
    "futures_account": {},
    "futures_account_balance": {},
    "futures_account_config": {},
    "futures_symbol_config": BTC,
    "futures_commission_rate": BTC,
    "futures_leverage_bracket": BTC,
    "futures_adl_quantile_estimate": BTC,
    "futures_income_history": {},
    "futures_account_trades": BTC,
    "futures_get_all_orders": BTC,
    "futures_get_open_orders": BTC,
    "futures_position_information": BTC,
    "futures_get_position_mode": {},
    "futures_get_multi_assets_mode": {},
    "futures_v1_get_rate_limit_order": {},
    "futures_v1_get_funding_info": {},
    "futures_v1_get_fee_burn": {},
}


@pytest_asyncio.fixture
async def client(binance: VenueDoor) -> AsyncIterator[Any]:
    async with binance_client(binance) as client:
        yield client


@pytest_asyncio.fixture
async def busy(busy_binance: VenueDoor) -> AsyncIterator[Any]:
    async with binance_client(busy_binance) as client:
        yield client


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_answered(busy: Any, name: str) -> None:
    if name in ("futures_income_history", "futures_account_trades", "futures_get_all_orders"):
        await busy.futures_create_order(**MARKET, side="BUY", quantity="0.010")
    if name == "futures_get_open_orders":
        await busy.futures_create_order(**LIMIT, price="62000")
    if name == "futures_position_information":
        await busy.futures_create_order(**MARKET, side="BUY", quantity="0.010")
    assert await getattr(busy, name)(**CALLS[name])


async def test_the_time_and_the_book_are_the_exchanges_own(client: Any, binance: VenueDoor) -> None:
    await client.futures_ping()
    assert abs((await client.futures_time())["serverTime"] - binance.exchange.now_ms()) < 2000
    book = await client.futures_order_book(symbol=SYMBOL, limit=50)
    assert (as_floats(book["bids"])[:10], as_floats(book["asks"])[:10]) == top(binance)


async def test_the_account_before_anything_was_traded(client: Any) -> None:
    account = await client.futures_account()
    assert account["totalWalletBalance"] == "100000.00000000"
    assert len(account["positions"]) == 3
    (balance,) = [one for one in await client.futures_account_balance() if one["asset"] == "USDT"]
    assert balance["availableBalance"] == "100000.00000000"
    assert await client.futures_position_information() == []


async def test_a_limit_order_is_placed_queried_amended_and_cancelled(client: Any) -> None:
    placed = await client.futures_create_order(**LIMIT, price="63000")
    assert placed["status"] == "NEW"
    assert placed["clientOrderId"].startswith("x-Cb7ytekJ")
    key = {**BTC, "orderId": placed["orderId"]}
    assert (await client.futures_get_order(**key))["origQty"] == "0.010"
    assert [one["orderId"] for one in await client.futures_get_open_orders(**BTC)] == [key["orderId"]]
    amended = await client.futures_modify_order(**key, side="BUY", quantity="0.020", price="62001")
    assert (amended["origQty"], amended["price"]) == ("0.020", "62001.00")
    assert (await client.futures_cancel_order(**key))["status"] == "CANCELED"
    assert await client.futures_get_open_orders(**BTC) == []
    with pytest.raises(exceptions.BinanceAPIException) as caught:
        await client.futures_cancel_order(**key)
    assert (caught.value.code, caught.value.status_code) == (-2011, 400)


async def test_batches_are_placed_and_cancelled(client: Any, binance: VenueDoor) -> None:
    # python-binance writes its list into the address itself: numbers have to be texts.
    batch = [{**LIMIT, "price": price} for price in ("63000", "62000", "50")]
    first, second, refused = await client.futures_place_batch_order(batchOrders=batch)
    assert (first["status"], second["status"]) == ("NEW", "NEW")
    assert refused["code"] < 0
    ids = [first["orderId"], second["orderId"]]
    ended = await client.futures_cancel_orders(**BTC, orderidlist=ids)
    assert [one["status"] for one in ended] == ["CANCELED", "CANCELED"]
    await client.futures_create_order(**LIMIT, price="63000")
    assert (await client.futures_cancel_all_open_orders(**BTC))["code"] == 200
    assert binance.exchange.open_orders("main", None) == []


async def test_a_conditional_order_is_rerouted_waits_and_is_cancelled(client: Any, binance: VenueDoor) -> None:
    # python-binance sends these to the venue's algo service by itself.
    stop = {**BTC, "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010", "stopPrice": "62000"}
    placed = await client.futures_create_order(**stop)
    assert placed["algoStatus"] == "NEW"
    (waiting,) = await client.futures_get_open_algo_orders(**BTC)
    assert (waiting["algoId"], waiting["triggerPrice"]) == (placed["algoId"], "62000.00")
    assert (await client.futures_get_algo_order(algoId=placed["algoId"]))["algoStatus"] == "NEW"
    await client.futures_cancel_algo_order(algoId=placed["algoId"])
    assert binance.exchange.open_triggers("main", None) == []
    await client.futures_create_order(**stop)
    await client.futures_cancel_all_algo_open_orders(**BTC)
    assert binance.exchange.open_triggers("main", None) == []


async def test_a_market_order_changes_the_position(client: Any, binance: VenueDoor) -> None:
    bought = await client.futures_create_order(**MARKET, side="BUY", quantity="0.020")
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.020")
    (position,) = await client.futures_position_information(**BTC)
    assert position["positionAmt"] == "0.020"
    read = await client.futures_get_order(**BTC, orderId=bought["orderId"])
    assert abs(D(read["avgPrice"]) - D(position["entryPrice"])) < D("0.0001")
    trades = await client.futures_account_trades(**BTC)
    assert sum(D(one["qty"]) for one in trades) == D("0.020")
    sold = await client.futures_create_order(**MARKET, side="SELL", quantity="0.020", reduceOnly="true")
    assert sold["status"] == "FILLED"
    assert await client.futures_position_information(**BTC) == []
    income = await client.futures_income_history()
    assert sum(D(one["income"]) for one in income) == binance.exchange.wallet("main")["USDT"] - 100000


async def test_modes_leverage_and_margin(client: Any, binance: VenueDoor) -> None:
    assert (await client.futures_change_leverage(**BTC, leverage=10))["leverage"] == 10
    assert (await client.futures_change_margin_type(**BTC, marginType="ISOLATED"))["msg"] == "success"
    await client.futures_create_order(**MARKET, side="BUY", quantity="0.020")
    assert (await client.futures_change_position_margin(**BTC, amount=50, type=1))["amount"] == 50
    history = await client.futures_position_margin_history(**BTC)
    assert D(history[-1]["amount"]) == 50 or D(history[0]["amount"]) == 50
    await client.futures_create_order(**MARKET, side="SELL", quantity="0.020")
    assert (await client.futures_change_position_mode(dualSidePosition="true"))["code"] == 200
    await client.futures_create_order(**MARKET, side="BUY", quantity="0.010", positionSide="LONG")
    await client.futures_create_order(**MARKET, side="SELL", quantity="0.010", positionSide="SHORT")
    rows = await client.futures_position_information(**BTC)
    assert {(one["positionSide"], one["positionAmt"]) for one in rows} == {("LONG", "0.010"), ("SHORT", "-0.010")}
    assert binance.exchange.is_hedge("main", SYMBOL) is True


async def test_a_countdown_cancels_the_orders(client: Any, binance: VenueDoor) -> None:
    await client.futures_create_order(**LIMIT, price="63000")
    assert (await client.futures_countdown_cancel_all(**BTC, countdownTime=100))["countdownTime"] == "100"

    async def gone() -> Any:
        return binance.exchange.open_orders("main", None) == []

    assert await eventually(gone)


async def test_refusals_reach_the_client_with_the_venues_code(client: Any) -> None:
    for fields, code in (
        ({"price": "60000.01"}, -4014),
        ({"price": "60000.001"}, -1111),
        ({"price": "90000"}, -4016),
        ({"price": "63000", "quantity": "50"}, -2019),
        ({"price": "63000", "symbol": "NOPEUSDT"}, -1121),
        ({"price": "63000", "reduceOnly": "true"}, -2022),
    ):
        with pytest.raises(exceptions.BinanceAPIException) as caught:
            await client.futures_create_order(**{**LIMIT, **fields})
        assert caught.value.code == code
    client.timestamp_offset = -20_000
    with pytest.raises(exceptions.BinanceAPIException) as caught:
        await client.futures_account_balance()
    assert caught.value.code == -1021


async def test_a_wrong_secret_is_a_wrong_signature(binance: VenueDoor) -> None:
    async with binance_client(binance, secret="another") as client:
        with pytest.raises(exceptions.BinanceAPIException) as caught:
            await client.futures_account_balance()
        assert (caught.value.code, caught.value.status_code) == (-1022, 400)


# --- streams ----------------------------------------------------------------------------------------------------------


async def received(socket: Any, wanted: Callable[[dict[str, Any]], Any] = lambda _: True) -> list[dict[str, Any]]:
    """The messages of a socket up to the first that is wanted."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not messages or not wanted(messages[-1]):
            messages.append(await socket.recv())
    return messages


SOCKETS: dict[str, tuple[tuple[Any, ...], str]] = {
    # Method: its arguments, and the kind of event that it brings.
    "symbol_ticker_futures_socket": ((SYMBOL,), "bookTicker"),
    "all_ticker_futures_socket": ((), "bookTicker"),
    "aggtrade_futures_socket": ((SYMBOL,), "aggTrade"),
    "symbol_mark_price_socket": ((SYMBOL,), "markPriceUpdate"),
    "all_mark_price_socket": ((), "markPriceUpdate"),
    "individual_symbol_ticker_futures_socket": ((SYMBOL,), "24hrTicker"),
    "kline_futures_socket": ((SYMBOL,), "continuous_kline"),
    "futures_depth_socket": ((SYMBOL,), "depthUpdate"),
    "futures_rpi_depth_socket": ((SYMBOL,), "depthUpdate"),
}


@pytest.mark.parametrize("name", SOCKETS)
async def test_a_market_socket_brings_its_events(busy: Any, name: str) -> None:
    arguments, kind = SOCKETS[name]
    async with getattr(module.BinanceSocketManager(busy), name)(*arguments) as socket:
        (message,) = await received(socket)
    data = message.get("data", message)
    assert (data[0] if isinstance(data, list) else data)["e"] == kind


async def test_several_streams_on_one_socket(busy: Any) -> None:
    names = ["btcusdt@aggTrade", "btcusdt@markPrice@1s"]
    async with module.BinanceSocketManager(busy).futures_multiplex_socket(names) as socket:
        for name in names:
            assert (await received(socket, lambda one, name=name: one["stream"] == name))[-1]["data"]["s"] == SYMBOL  # type: ignore[misc]


async def test_its_own_depth_cache_follows_the_exchange(busy: Any, busy_binance: VenueDoor) -> None:
    manager = module.ws.depthcache.FuturesDepthCacheManager(busy, SYMBOL)
    cache = await manager.__aenter__()
    try:
        for _ in range(5):
            await cache.recv()
        freeze(busy_binance)
        wanted = top(busy_binance)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                book = cache.get_depth_cache()
                if (as_floats(book.get_bids())[:10], as_floats(book.get_asks())[:10]) == wanted:
                    break
                await cache.recv()
    finally:
        await closed(manager.__aexit__(None, None, None), busy)


async def closed(closing: Coroutine[Any, Any, Any], client: Any) -> None:
    """Close a socket of python-binance: its reader looks up only when something comes."""
    task = asyncio.create_task(closing)
    await asyncio.sleep(0.05)
    await client.futures_create_order(**BTC, side="BUY", type="MARKET", quantity="0.010")
    await asyncio.wait_for(task, PATIENCE_S)


async def test_the_private_socket_tells_of_an_order_and_its_fill(busy: Any) -> None:
    order = {**BTC, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    user = module.BinanceSocketManager(busy).futures_user_socket()
    await user.connect()
    try:
        placed = await busy.futures_create_order(**order)
        messages = await received(user, lambda one: one.get("o", {}).get("X") == "FILLED")
        assert {one["e"] for one in messages} == {"TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}
        assert messages[-1]["o"]["i"] == placed["orderId"]
        updates = [one for one in messages if one["e"] == "ACCOUNT_UPDATE"]
        (position,) = updates[-1]["a"]["P"]
        assert (position["s"], position["pa"]) == (SYMBOL, "0.01")
    finally:
        await closed(user.close(), busy)


async def test_an_order_over_the_websocket_api(client: Any, binance: VenueDoor) -> None:
    placed = await client.ws_futures_create_order(**LIMIT, price="63000")
    assert placed["status"] == "NEW"
    key = {**BTC, "orderId": placed["orderId"]}
    assert (await client.ws_futures_get_order(**key))["origQty"] == "0.010"
    amended = await client.ws_futures_edit_order(**key, side="BUY", quantity="0.020", price="62000")
    assert (amended["origQty"], amended["price"]) == ("0.020", "62000.00")
    assert (await client.ws_futures_cancel_order(**key))["status"] == "CANCELED"
    assert binance.exchange.open_orders("main", None) == []
    with pytest.raises(exceptions.BinanceAPIException) as caught:
        await client.ws_futures_cancel_order(**key)
    assert caught.value.code == -2011


QUESTIONS: dict[str, dict[str, Any]] = {
    "ws_futures_get_order_book": BTC,
    "ws_futures_get_all_tickers": {},
    "ws_futures_get_order_book_ticker": BTC,
    "ws_futures_account_balance": {},
    "ws_futures_v2_account_balance": {},
    "ws_futures_account_status": {},
    "ws_futures_v2_account_status": {},
    "ws_futures_account_position": BTC,
    "ws_futures_v2_account_position": BTC,
}


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_over_the_websocket_api(client: Any, name: str) -> None:
    answer = await getattr(client, name)(**QUESTIONS[name])
    assert isinstance(answer, (dict, list))


def test_the_blocking_client_works_too(perpwire_exchange_factory: ExchangeFactory) -> None:
    with (
        perpwire_exchange_factory(venues=["binance"], latency_s=0.001) as exchange,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(module.Client, "FUTURES_URL", f"{exchange.binance_url}/fapi")
        client = module.Client(exchange.api_key, exchange.secret_key, ping=False)
        try:
            placed = client.futures_create_order(**MARKET, side="BUY", quantity="0.010")
            assert placed["status"] == "FILLED"
        finally:
            client.session.close()
            client.loop.close()  # of its own, for sockets; it forgets it
            asyncio.set_event_loop(None)
