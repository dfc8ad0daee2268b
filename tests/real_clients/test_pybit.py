"""The venue's own Python client, unmodified, trades on the embedded exchange. Only its addresses are moved."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from tests.real_clients.clients import load

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation

pybit_http = load("pybit._http_manager")
unified_trading = load("pybit.unified_trading")
from pybit.exceptions import InvalidRequestError  # noqa: E402

pytestmark = pytest.mark.slow

D = Decimal
PATIENCE_S = 8.0
LATENCY_S = 0.06
"""pybit registers a subscription after it has sent it, so an answer must take some 20 ms (drawn from 30 to 90 here)."""

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


@pytest_asyncio.fixture
async def simulation(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulation]:
    async with running(venues=("bybit",), seed=11, latency_s=LATENCY_S) as simulation:
        url = simulation.urls["bybit"]
        monkeypatch.setattr(pybit_http, "HTTP_URL", url)
        streams = url.replace("http://", "ws://")
        monkeypatch.setattr(unified_trading, "PUBLIC_WSS", streams + "/v5/public/{CHANNEL_TYPE}")
        monkeypatch.setattr(unified_trading, "PRIVATE_WSS", streams + "/v5/private")
        yield simulation


@pytest.fixture
def exchange(simulation: Simulation) -> Exchange:
    return simulation.exchanges["bybit"]


async def in_thread(work: Callable[[Any], Any]) -> Any:
    """Run a script against an HTTP client in a thread of its own: pybit blocks."""

    def run() -> Any:
        client = unified_trading.HTTP(api_key="sim-key", api_secret="sim-secret")
        try:
            return work(client)
        finally:
            client.client.close()

    return await asyncio.to_thread(run)


def until(check: Callable[[], Any]) -> Any:
    """Ask until the answer is something: orders are matched a moment after they are acknowledged."""
    for _ in range(100):
        found = check()
        if found:
            return found
    raise AssertionError("it never happened")


async def test_market_data(exchange: Exchange) -> None:
    def script(client: Any) -> Any:
        return (
            client.get_server_time(),
            client.get_instruments_info(category="linear"),
            client.get_orderbook(**LINEAR, limit=50),
            client.get_tickers(**LINEAR),
            client.get_public_trade_history(**LINEAR, limit=5),
        )

    time, instruments, book, tickers, trades = await in_thread(script)
    assert abs(int(time["result"]["timeNano"]) - exchange.clock.time_ns()) < 5e9
    assert [row["symbol"] for row in instruments["result"]["list"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    bids, asks = book["result"]["b"], book["result"]["a"]
    assert 20 <= min(len(bids), len(asks)) <= 50
    assert D(bids[0][0]) < D(asks[0][0])
    assert D(tickers["result"]["list"][0]["markPrice"]) > 0
    assert len(trades["result"]["list"]) <= 5


async def test_a_limit_order_from_placing_to_cancelling(exchange: Exchange) -> None:
    def script(client: Any) -> None:
        wallet = client.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
        assert D(wallet["coin"][0]["walletBalance"]) == 100000
        ids = client.place_order(
            **LINEAR, side="Buy", orderType="Limit", qty="0.01", price="60000", orderLinkId="mine"
        )["result"]
        by_id = {**LINEAR, "orderId": ids["orderId"]}
        (order,) = until(lambda: client.get_open_orders(**by_id)["result"]["list"])
        assert (order["orderStatus"], order["orderLinkId"], order["qty"]) == ("New", "mine", "0.010")
        client.amend_order(**by_id, price="59000")
        until(lambda: client.get_open_orders(**LINEAR, orderLinkId="mine")["result"]["list"][0]["price"] == "59000.00")
        assert client.cancel_order(**by_id)["result"]["orderId"] == ids["orderId"]
        until(lambda: not client.get_open_orders(**LINEAR, openOnly=0)["result"]["list"])
        (past,) = client.get_order_history(**by_id)["result"]["list"]
        assert past["orderStatus"] == "Cancelled"

    await in_thread(script)
    assert exchange.open_orders("main", None) == []


async def test_a_market_order_changes_the_position(exchange: Exchange) -> None:
    def script(client: Any) -> Any:
        client.set_leverage(**LINEAR, buyLeverage="5", sellLeverage="5")
        client.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.02")
        (position,) = until(lambda: client.get_positions(category="linear", settleCoin="USDT")["result"]["list"])
        executions = client.get_executions(**LINEAR)["result"]["list"]
        return position, executions

    position, executions = await in_thread(script)
    assert (position["side"], position["size"], position["leverage"]) == ("Sell", "0.020", "5")
    assert exchange.position("main", "BTCUSDT").quantity == D("-0.02")
    assert sum(D(row["execQty"]) for row in executions) == D("0.02")


async def test_refusals_are_raised_with_the_venues_codes(exchange: Exchange) -> None:
    def script(client: Any) -> list[int]:
        codes = []
        for order in ({"qty": "50"}, {"price": "60000.05"}, {"symbol": "NOPE"}, {"reduceOnly": True}):
            fields = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000", **order}
            with pytest.raises(InvalidRequestError) as caught:
                client.place_order(**fields)
            codes.append(caught.value.status_code)
        with pytest.raises(InvalidRequestError) as caught:
            client.cancel_order(**LINEAR, orderLinkId="never")
        client.api_secret = "wrong"
        with pytest.raises(InvalidRequestError) as signed:
            client.get_account_info()
        return [*codes, caught.value.status_code, signed.value.status_code]

    assert await in_thread(script) == [110007, 10001, 10001, 110017, 110001, 10004]


class Heard:
    """Messages of a stream's callbacks, taken out in the test's thread."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Any] = queue.Queue()

    def put(self, message: Any) -> None:
        self._messages.put(message)

    def next(self, wanted: Callable[[Any], bool]) -> Any:
        while True:
            message = self._messages.get(timeout=PATIENCE_S)
            if wanted(message):
                return message


async def test_the_public_streams_build_the_clients_own_book_and_ticker(exchange: Exchange) -> None:
    def script() -> None:
        heard = Heard()
        stream = unified_trading.WebSocket(channel_type="linear", testnet=False)
        try:
            stream.orderbook_stream(depth=50, symbol="BTCUSDT", callback=heard.put)
            stream.orderbook_stream(depth=1, symbol="ETHUSDT", callback=heard.put)
            stream.trade_stream(symbol="BTCUSDT", callback=heard.put)
            stream.ticker_stream(symbol="BTCUSDT", callback=heard.put)
            first = heard.next(lambda message: message["topic"] == "orderbook.50.BTCUSDT")["data"]
            wanted = first["u"] + 20
            book = heard.next(
                lambda message: message["topic"] == "orderbook.50.BTCUSDT" and message["data"]["u"] >= wanted
            )["data"]
            # The client applies our deltas itself: it stumbles over a delete of a level that it does not have.
            assert 0 < len(book["b"]) <= 50
            assert max(D(price) for price, _ in book["b"]) < min(D(price) for price, _ in book["a"])
            heard.next(lambda message: message["topic"] == "orderbook.1.ETHUSDT")
            trades = heard.next(lambda message: message["topic"] == "publicTrade.BTCUSDT")["data"]
            assert {row["s"] for row in trades} == {"BTCUSDT"}
            heard.next(lambda message: message["topic"] == "tickers.BTCUSDT" and "markPrice" in message["data"])
        finally:
            stream.exit()

    await asyncio.to_thread(script)


async def test_the_private_stream_tells_of_orders_fills_positions_and_the_wallet(simulation: Simulation) -> None:
    heard = Heard()

    def listen() -> Any:
        stream = unified_trading.WebSocket(
            channel_type="private", testnet=False, api_key="sim-key", api_secret="sim-secret"
        )
        stream.order_stream(callback=heard.put)
        stream.execution_stream(callback=heard.put)
        stream.position_stream(callback=heard.put)
        stream.wallet_stream(callback=heard.put)
        return stream

    def trade(client: Any) -> None:
        placed = client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02", orderLinkId="now")
        order_id = placed["result"]["orderId"]
        fills = heard.next(lambda message: message["topic"] == "execution")["data"]
        assert {row["orderId"] for row in fills} == {order_id}
        (order,) = heard.next(lambda message: message["topic"] == "order")["data"]
        assert (order["orderStatus"], order["orderLinkId"], order["cumExecQty"]) == ("Filled", "now", "0.020")
        (position,) = heard.next(lambda message: message["topic"] == "position")["data"]
        assert (position["side"], position["size"]) == ("Buy", "0.020")
        (wallet,) = heard.next(lambda message: message["topic"] == "wallet")["data"]
        assert D(wallet["coin"][0]["walletBalance"]) < 100000

    stream = await asyncio.to_thread(listen)
    try:
        for _ in range(800):
            if len(answers(simulation)) >= 5:  # to the login and four subscriptions
                break
            await asyncio.sleep(0.01)
        assert len(answers(simulation)) == 5
        assert all('"success":true' in answer for answer in answers(simulation))
        await in_thread(trade)
    finally:
        await asyncio.to_thread(stream.exit)


def answers(simulation: Simulation) -> list[str]:
    """Control frames that the exchange has sent."""
    return [entry.text for entry in simulation.journal["bybit"].entries(kind="sent", topic="")]
