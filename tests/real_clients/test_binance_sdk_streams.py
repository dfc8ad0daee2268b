"""Binance's own SDK: market streams, the user's stream, and the WebSocket API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import SYMBOL, as_floats, binance_sdk, eventually, freeze, top

from perpwire.threaded import VenueDoor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float' is deprecated:DeprecationWarning"),
]

BTC = {"symbol": SYMBOL.lower()}

STREAMS: dict[str, dict[str, Any]] = {
    # Method: its arguments; the model's field that tells whose it is follows from the message.
    "aggregate_trade_streams": BTC,
    "individual_symbol_book_ticker_streams": BTC,
    "all_book_tickers_stream": {},
    "mark_price_stream": {**BTC, "update_speed": "1s"},
    "mark_price_stream_for_all_market": {"update_speed": "1s"},
    "kline_candlestick_streams": {**BTC, "interval": "1m"},
    "continuous_contract_kline_candlestick_streams": {
        "pair": SYMBOL.lower(), "contract_type": "perpetual", "interval": "1m"
    },
    "individual_symbol_mini_ticker_stream": BTC,
    "individual_symbol_ticker_streams": BTC,
    "all_market_mini_tickers_stream": {},
    "partial_book_depth_streams": {**BTC, "levels": 10, "update_speed": "100ms"},
    "diff_book_depth_streams": {**BTC, "update_speed": "100ms"},
}  # fmt: skip
"""Left out: all_market_tickers_stream, which in this SDK asks for a method that it does not have."""


@asynccontextmanager
async def streaming(venue: VenueDoor) -> AsyncIterator[Any]:
    streams = binance_sdk(venue).websocket_streams
    await streams.create_connection()
    try:
        yield streams
    finally:
        await streams.close_connection()


@asynccontextmanager
async def calling(venue: VenueDoor) -> AsyncIterator[Any]:
    api = binance_sdk(venue).websocket_api
    await api.create_connection()
    try:
        yield api
    finally:
        await api.close_connection()


async def messages_of(subscribing: Awaitable[Any]) -> tuple[Any, list[Any]]:
    """A subscribed stream, and what it gives from now on."""
    heard: list[Any] = []
    stream = await subscribing
    stream.on("message", heard.append)
    return stream, heard


async def first(heard: list[Any], wanted: Callable[[Any], Any] = lambda _: True) -> Any:
    async def look() -> Any:
        return [one for one in heard if wanted(one)]

    return (await eventually(look))[0]


def absent(model: Any) -> set[str]:
    """Declared fields that the message did not have."""
    model = getattr(model, "actual_instance", model)
    if isinstance(model, list):
        return set().union(*(absent(one) for one in model))
    if not hasattr(type(model), "model_fields"):
        return set()
    gone: set[str] = set()
    for name in type(model).model_fields:
        value = getattr(model, name)
        if value is None and name != "additional_properties":
            gone.add(name)
        gone |= absent(value)
    return gone


@pytest.mark.parametrize("name", STREAMS)
async def test_a_market_streams_messages_fill_the_sdks_model(busy_binance: VenueDoor, name: str) -> None:
    async with streaming(busy_binance) as streams:
        stream, heard = await messages_of(getattr(streams, name)(**STREAMS[name]))
        message = await first(heard)
        assert absent(message) == set()
        await stream.unsubscribe()
        at_most = len(heard) + 3  # on their way
        await asyncio.sleep(0.3)
        assert len(heard) <= at_most


async def test_a_book_kept_by_the_venues_rule_stays_in_sync(busy_binance: VenueDoor) -> None:
    """The SDK keeps no book; this one is kept with its typed events, as its documentation says."""
    async with streaming(busy_binance) as streams:
        _, heard = await messages_of(streams.diff_book_depth_streams(**BTC, update_speed="100ms"))
        await first(heard)
        rest = binance_sdk(busy_binance).rest_api
        snapshot = (await asyncio.to_thread(rest.order_book, symbol=SYMBOL, limit=1000)).data()
        bids, asks = (dict(as_floats(side)) for side in (snapshot.bids, snapshot.asks))
        last = snapshot.last_update_id

        def apply(events: list[Any]) -> int:
            previous = 0
            for event in events:
                if event.u < snapshot.last_update_id:
                    continue
                assert event.pu == previous if previous else snapshot.last_update_id >= event.U
                previous = event.u
                for side, changes in ((bids, event.b), (asks, event.a)):
                    for price, quantity in as_floats(changes):
                        side.pop(price, None)
                        if quantity:
                            side[price] = quantity
            return previous

        async def moved() -> bool:
            return bool(heard) and heard[-1].u > last + 20

        await eventually(moved)
        freeze(busy_binance)
        wanted_bids, wanted_asks = top(busy_binance)
        _, _, update_id, _ = busy_binance.exchange.book(SYMBOL, 1)

        async def all_told() -> bool:
            return bool(heard[-1].u >= update_id)

        await eventually(all_told)
        apply(heard)
        assert sorted(bids.items(), reverse=True)[:10] == wanted_bids
        assert sorted(asks.items())[:10] == wanted_asks


async def test_subscriptions_are_listed(busy_binance: VenueDoor) -> None:
    async with streaming(busy_binance) as streams:
        await messages_of(streams.aggregate_trade_streams(**BTC))
        listed = await streams.list_subscribe()
        assert "btcusdt@aggTrade" in str(listed)


async def test_the_users_stream_tells_of_orders_and_the_account(busy_binance: VenueDoor) -> None:
    rest = binance_sdk(busy_binance).rest_api
    key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
    async with streaming(busy_binance) as streams:
        _, heard = await messages_of(streams.user_data(key))

        async def acknowledged() -> bool:  # the SDK does not wait for it
            return any('"result":null' in one.text for one in busy_binance.journal.entries(kind="sent", topic=""))

        await eventually(acknowledged)
        await asyncio.to_thread(rest.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)

        def kind(message: Any) -> str:
            return type(getattr(message, "actual_instance", message)).__name__

        def order_of(message: Any) -> dict[str, Any]:
            order: dict[str, Any] = message.actual_instance.to_dict().get("o") or {}
            return order

        filled = await first(heard, lambda message: order_of(message).get("X") == "FILLED")
        order = order_of(filled)
        assert (order["s"], order["z"], order["x"]) == (SYMBOL, "0.01", "TRADE")
        assert {"OrderTradeUpdate", "AccountUpdate", "TradeLite"} <= {kind(one) for one in heard}
        (account,) = [one for one in heard if kind(one) == "AccountUpdate"]
        (position,) = account.actual_instance.a.P
        assert Decimal(position.pa) == Decimal("0.01")


async def test_the_websocket_api_answers_questions(binance: VenueDoor) -> None:
    async with calling(binance) as api:
        questions: dict[str, dict[str, Any]] = {
            "account_information": {},
            "account_information_v2": {},
            "futures_account_balance": {},
            "futures_account_balance_v2": {},
            "order_book": {"symbol": SYMBOL, "limit": 5},
            "symbol_order_book_ticker": {"symbol": SYMBOL},
            "symbol_price_ticker": {"symbol": SYMBOL},
            "position_information": {"symbol": SYMBOL},
            "position_information_v2": {"symbol": SYMBOL},
        }
        for name, arguments in questions.items():
            answer = await getattr(api, name)(**arguments)
            assert answer.data() is not None, name


async def test_an_order_over_the_websocket_api(binance: VenueDoor) -> None:
    async with calling(binance) as api:
        placed = (
            await api.new_order(
                symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=63000
            )
        ).data()
        order_id = placed.result.order_id
        assert placed.result.status == "NEW"
        read = (await api.query_order(symbol=SYMBOL, order_id=order_id)).data()
        assert read.result.orig_qty == "0.010"
        amended = (
            await api.modify_order(symbol=SYMBOL, side="BUY", quantity=0.02, price=62900, order_id=order_id)
        ).data()
        assert (amended.result.orig_qty, amended.result.price) == ("0.020", "62900.00")
        cancelled = (await api.cancel_order(symbol=SYMBOL, order_id=order_id)).data()
        assert cancelled.result.status == "CANCELED"
        assert binance.exchange.open_orders("main", None) == []


async def test_a_conditional_order_over_the_websocket_api(binance: VenueDoor) -> None:
    async with calling(binance) as api:
        placed = (
            await api.new_algo_order(
                algo_type="CONDITIONAL",
                symbol=SYMBOL,
                side="SELL",
                type="STOP_MARKET",
                quantity=0.01,
                trigger_price=63000,
            )
        ).data()
        assert placed.result.algo_status == "NEW"
        await api.cancel_algo_order(algo_id=placed.result.algo_id)
        assert binance.exchange.open_triggers("main", None) == []
