"""Batches, cancels, the countdown, fills and past orders, against the embedded exchange."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.errors import APIError, BadInput, Garbled, InsufficientBalance, OrderRejected, UnknownOrder
from perpwire.http_message import HttpReply
from perpwire.model.order import Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from perpwire.venues.base import Call
from perpwire.venues.binance_futures.order_pages import order_history
from perpwire.venues.binance_futures.venue import VENUE


def limit(name: str, price: str, quantity: str = "0.010", **changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "client_order_id": name,
    }
    return OrderRequest(**(fields | changes))


async def run(traders: Traders, call: Call[Any]) -> Any:
    return await traders.me._path.run(call)


def test_a_batch_has_a_slot_for_each_order_whatever_became_of_it() -> None:
    async def scenario(traders: Traders) -> None:
        await traders.rest("SELL", "64000", "0.010")
        asked = [
            limit("ok-1", "60000"),
            limit("taker", "64000", time_in_force=TimeInForce.POST_ONLY),
            limit("ok-2", "60001"),
            limit("poor", "60000", "900"),
            limit("ok-3", "60002"),
        ]
        slots: Sequence[Order | APIError] = await run(traders, VENUE.place_orders(asked))
        assert [type(slot) for slot in slots] == [Order, OrderRejected, Order, InsufficientBalance, Order]
        placed = [slot for slot in slots if isinstance(slot, Order)]
        assert [order.client_order_id for order in placed] == ["ok-1", "ok-2", "ok-3"]

        named = [("BTCUSDT", placed[0].order_id), ("BTCUSDT", "123456"), ("BTCUSDT", placed[2].order_id)]
        gone: Sequence[Order | APIError] = await run(traders, VENUE.cancel_orders(named))
        assert [type(slot) for slot in gone] == [Order, UnknownOrder, Order]
        (left,) = await traders.me.get_open_orders("BTCUSDT")
        assert left.client_order_id == "ok-2"

    play(scenario)


def test_cancelling_all_where_nothing_is_open_is_no_error() -> None:
    async def scenario(traders: Traders) -> None:
        assert await traders.me.cancel_all("BTCUSDT") == ()
        assert {"DELETE /fapi/v1/allOpenOrders", "DELETE /fapi/v1/algoOpenOrders"} <= set(traders.paths)

    play(scenario)


def test_the_countdown_cancels_ordinary_orders_of_its_symbol_unless_it_is_disarmed() -> None:
    async def scenario(traders: Traders) -> None:
        armed = await run(traders, VENUE.arm_countdown("BTCUSDT", 2.5))
        assert (armed.symbol, armed.seconds) == ("BTCUSDT", 2.5)
        await traders.me.place_order("BTCUSDT", "BUY", "0.010", "LIMIT", price="60000")
        assert (await run(traders, VENUE.arm_countdown("BTCUSDT", 0))).seconds == 0
        await traders.wait(4.0)
        assert len(await traders.me.get_open_orders()) == 1
        await run(traders, VENUE.arm_countdown("BTCUSDT", 2.5))
        # It does not reach conditional orders: they stay.
        stop = await traders.me.place_order("BTCUSDT", "SELL", "0.010", "STOP_MARKET", trigger_price="50000")
        await traders.wait(4.0)
        assert [order.order_id for order in await traders.me.get_open_orders()] == [stop.order_id]

    play(scenario)


START = 1_790_000_000_000
DAY = 86_400_000


def a_row(number: int, time_ms: int, **changes: Any) -> dict[str, Any]:
    return {
        "orderId": number, "symbol": "BTCUSDT", "status": "CANCELED", "side": "BUY", "type": "LIMIT", "origQty": "1",
        "price": "1", "time": time_ms, "updateTime": time_ms,
    } | changes  # fmt: skip


def an_algo_row(number: int, time_ms: int, **changes: Any) -> dict[str, Any]:
    return {
        "algoId": number, "clientAlgoId": f"c-{number}", "orderType": "STOP", "symbol": "BTCUSDT", "side": "BUY",
        "algoStatus": "CANCELED", "quantity": "1", "price": "1", "triggerPrice": "2", "createTime": time_ms,
        "updateTime": time_ms,
    } | changes  # fmt: skip


def a_trade(number: int, time_ms: int) -> dict[str, Any]:
    return {
        "id": number, "symbol": "BTCUSDT", "orderId": 7, "side": "BUY", "price": "1", "qty": "1", "time": time_ms,
        "maker": True, "commission": "0.1", "commissionAsset": "USDT", "realizedPnl": "0",
    }  # fmt: skip


class Books:
    """The venue's rules for its lists alone: the newest page of orders in a span, the oldest page of fills, spans of a
    week at most."""

    def __init__(self, now_ms: int, *, orders: Any = (), algo: Any = (), trades: Any = ()) -> None:
        self._now_ms = now_ms
        self._orders = orders
        self._algo = algo
        self._trades = trades
        self.asked: list[str] = []

    def walk(self, call: Call[Any] | None) -> list[Any]:
        """All rows of all pages."""
        found: list[Any] = []
        while call is not None:
            self.asked.append(call.endpoint.path)
            body = json.dumps(self._answer(call)).encode()
            reply = VENUE.decode(call.endpoint, HttpReply(status=200, headers={}, body=body))
            found += call.translate(reply)
            assert call.next_page is not None
            call = call.next_page(reply)
        return found

    def _answer(self, call: Call[Any]) -> Any:
        path, params = call.endpoint.path, call.params
        if path == "/fapi/v1/time":
            return {"serverTime": self._now_ms}
        if "fromId" in params:
            assert "startTime" not in params
            return [row for row in self._trades if row["id"] >= params["fromId"]][:1000]
        start, end = params["startTime"], params["endTime"]
        assert 0 <= end - start <= 7 * DAY
        if path == "/fapi/v1/userTrades":
            return [row for row in self._trades if start <= row["time"] <= end][:1000]
        if path == "/fapi/v1/allAlgoOrders":
            return [row for row in self._algo if start <= row["createTime"] <= end][-1000:]
        return [row for row in self._orders if start <= row["time"] <= end][-1000:]


def test_fills_are_found_by_windows_and_lead_on_by_their_ids_up_to_the_end_that_was_asked_for() -> None:
    trades = [a_trade(number, START + 20 * DAY + number) for number in range(1, 2501)]
    trades.append(a_trade(2501, START + 30 * DAY))
    books = Books(START + 40 * DAY, trades=trades)
    fills = books.walk(VENUE.fills("BTCUSDT", START, START + 25 * DAY))
    assert [int(fill.trade_id) for fill in fills] == list(range(1, 2501))
    # Two windows without any, one with some, and two pages more.
    assert books.asked == ["/fapi/v1/time"] + ["/fapi/v1/userTrades"] * 5


def test_fills_are_asked_for_no_further_back_than_the_venue_keeps_them_nor_beyond_now() -> None:
    books = Books(START, trades=[])
    assert books.walk(VENUE.fills("BTCUSDT", 0, START + DAY)) == []
    assert books.asked.count("/fapi/v1/userTrades") == 14


def test_a_start_that_is_still_to_come_is_now_and_a_span_that_is_kept_no_more_is_bad_input() -> None:
    books = Books(START, trades=[a_trade(1, START)])
    assert len(books.walk(VENUE.fills("BTCUSDT", START + 5, None))) == 1
    with pytest.raises(BadInput, match="keeps 93 days"):
        books.walk(VENUE.fills("BTCUSDT", None, START - 100 * DAY))


def test_a_window_with_more_orders_than_a_page_is_read_backwards_and_handed_out_forwards() -> None:
    books = Books(START + DAY, orders=[a_row(number, START + number // 3) for number in range(2500)])
    found = books.walk(order_history(None, START, START + DAY // 2))
    assert list(dict.fromkeys(int(order.order_id) for order in found)) == list(range(2500))
    assert len(books.asked) == 4


def test_what_a_trigger_made_is_told_as_its_parent_in_whichever_window_it_comes() -> None:
    algo = [
        an_algo_row(1, START + 1, algoStatus="FINISHED", actualOrderId="501", actualQty="1", actualPrice="9"),
        an_algo_row(2, START + 2, algoStatus="FINISHED", actualOrderId="502", actualQty="1", actualPrice="9"),
        an_algo_row(3, START + 3),
    ]
    orders = [
        a_row(500, START),
        a_row(501, START + 4, status="FILLED", executedQty="1", avgPrice="9.5"),
        a_row(502, START + 10 * DAY, status="FILLED", executedQty="1"),
        a_row(503, START + 11 * DAY),
    ]
    books = Books(START + 20 * DAY, orders=orders, algo=algo)
    past = books.walk(order_history("BTCUSDT", START, None))
    assert [order.order_id for order in past] == ["500", "algo-1", "algo-2", "algo-3", "503"]
    assert [order.status for order in past[1:4]] == [OrderStatus.FILLED, OrderStatus.FILLED, OrderStatus.CANCELED]
    assert [order.average_price for order in past[1:3]] == [Decimal("9.5"), Decimal(9)]


def test_orders_that_fill_a_page_in_one_millisecond_are_never_told_in_part() -> None:
    books = Books(START + DAY, orders=[a_row(number, START + 5) for number in range(1001)])
    with pytest.raises(Garbled, match="goes no further back"):
        books.walk(order_history(None, START, None))


def test_a_market_order_tells_its_end_at_once() -> None:
    async def scenario(traders: Traders) -> None:
        await traders.rest("SELL", "64000", "0.010")
        order = await traders.me.place_order("BTCUSDT", "BUY", "0.010")
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.010"))

    play(scenario)
