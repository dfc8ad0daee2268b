"""pybit's streams, its own local book, and its trading over WebSocket."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import KEY, PATIENCE_S, SECRET, SYMBOL, as_floats, freeze, pybit_at, top, until

from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

D = Decimal
LINEAR = {"category": "linear", "symbol": SYMBOL}


class Heard:
    """Messages of a stream's callbacks, which come in its thread, taken out in the test's."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Any] = queue.Queue()

    def put(self, message: Any) -> None:
        self._messages.put(message)

    def next(self, wanted: Callable[[Any], Any] = lambda _: True) -> Any:
        while True:
            message = self._messages.get(timeout=PATIENCE_S)
            if wanted(message):
                return message


@pytest.fixture
def pybit(patient_bybit: VenueDoor) -> Iterator[Any]:
    with pybit_at(patient_bybit) as unified:
        yield unified


@pytest.fixture
def public(pybit: Any) -> Iterator[Any]:
    stream = pybit.WebSocket(channel_type="linear", testnet=False)
    yield stream
    stream.exit()


def test_its_own_book_stays_in_sync_with_the_exchange(public: Any, patient_bybit: VenueDoor) -> None:
    heard = Heard()
    books: list[Any] = []

    def on_book(message: Any) -> None:
        books.append(message["data"])
        heard.put(message)

    public.orderbook_stream(depth=50, symbol=SYMBOL, callback=on_book)
    first = heard.next()["data"]["u"]
    heard.next(lambda message: message["data"]["u"] >= first + 20)
    freeze(patient_bybit)
    wanted = top(patient_bybit)

    def same() -> bool:
        # It applies our deltas itself: it fails on a delete of a level that it does not have.
        bids, asks = sorted(as_floats(books[-1]["b"]), reverse=True), sorted(as_floats(books[-1]["a"]))
        return (bids[:10], asks[:10]) == wanted

    assert until(same)


def test_books_of_every_depth(public: Any) -> None:
    for depth in (1, 50, 200, 1000):
        heard = Heard()
        public.orderbook_stream(depth=depth, symbol="ETHUSDT", callback=heard.put)
        book = heard.next()["data"]
        assert 1 <= len(book["b"]) <= depth
        assert max(D(price) for price, _ in book["b"]) < min(D(price) for price, _ in book["a"])


def test_trades_tickers_and_candles(public: Any) -> None:
    trades, tickers, candles = Heard(), Heard(), Heard()
    public.trade_stream(symbol=SYMBOL, callback=trades.put)
    public.ticker_stream(symbol=SYMBOL, callback=tickers.put)
    public.kline_stream(interval=1, symbol=SYMBOL, callback=candles.put)
    assert {row["s"] for row in trades.next()["data"]} == {SYMBOL}
    ticker = tickers.next()["data"]
    assert D(ticker["bid1Price"]) < D(ticker["ask1Price"])
    assert D(ticker["markPrice"]) > 0
    # pybit merges the deltas into what it hands over: nothing may go missing.
    assert set(tickers.next()["data"]) >= set(ticker)
    (candle,) = candles.next()["data"]
    assert (candle["interval"], candle["confirm"]) in (("1", False), ("1", True))


def test_the_private_streams_tell_of_orders_fills_positions_and_the_wallet(
    pybit: Any, patient_bybit: VenueDoor
) -> None:
    heard = {topic: Heard() for topic in ("order", "execution", "position", "wallet")}
    stream = pybit.WebSocket(channel_type="private", testnet=False, api_key=KEY, api_secret=SECRET)
    client = pybit.HTTP(api_key=KEY, api_secret=SECRET)
    try:
        for topic, into in heard.items():
            getattr(stream, f"{topic}_stream")(callback=into.put)
        until(lambda: len(acknowledged(patient_bybit)) == 5)  # the login and four subscriptions
        placed = client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02", orderLinkId="now")
        order_id = placed["result"]["orderId"]
        fills = heard["execution"].next()["data"]
        assert {row["orderId"] for row in fills} == {order_id}
        order = heard["order"].next(lambda one: one["data"][0]["orderStatus"] == "Filled")["data"][0]
        assert (order["orderLinkId"], order["cumExecQty"]) == ("now", "0.02")
        position = heard["position"].next(lambda one: one["data"][0]["size"] == "0.02")["data"][0]
        assert position["side"] == "Buy"
        wallet = heard["wallet"].next()["data"][0]
        assert D(wallet["coin"][0]["walletBalance"]) == patient_bybit.exchange.wallet("main")["USDT"]
    finally:
        stream.exit()
        client.client.close()


def acknowledged(venue: VenueDoor) -> list[str]:
    """Control frames with which the exchange has agreed."""
    answers = [one.text for one in venue.journal.entries(kind="sent", topic="")]
    return [text for text in answers if '"success":true' in text]


def test_orders_over_websocket(pybit: Any, patient_bybit: VenueDoor) -> None:
    heard, failed = Heard(), Heard()
    trading = pybit.WebSocketTrading(testnet=False, api_key=KEY, api_secret=SECRET)
    core = patient_bybit.exchange
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "63000"}
    try:
        trading.place_order(heard.put, failed.put, **LINEAR, **order)
        placed = heard.next()
        assert (placed["retCode"], placed["op"]) == (0, "order.create")
        by_id = {**LINEAR, "orderId": placed["data"]["orderId"]}
        until(lambda: core.open_orders("main", None))
        trading.amend_order(heard.put, failed.put, **by_id, qty="0.02")
        assert heard.next()["op"] == "order.amend"
        until(lambda: core.open_orders("main", None)[0].quantity == D("0.02"))
        trading.cancel_order(heard.put, failed.put, **by_id)
        assert heard.next()["op"] == "order.cancel"
        until(lambda: not core.open_orders("main", None))
        batch = [{"symbol": SYMBOL, **order, "price": price} for price in ("63000", "62000")]
        trading.place_batch_order(heard.put, failed.put, category="linear", request=batch)
        assert [one["code"] for one in heard.next()["retExtInfo"]["list"]] == [0, 0]
        until(lambda: len(core.open_orders("main", None)) == 2)
        trading.place_order(heard.put, failed.put, **LINEAR, **{**order, "qty": "50"})
        assert failed.next()["retCode"] == 110007
    finally:
        trading.exit()


def test_it_comes_back_after_its_socket_was_cut(public: Any, patient_bybit: VenueDoor) -> None:
    heard = Heard()
    public.trade_stream(symbol=SYMBOL, callback=heard.put)
    heard.next()
    patient_bybit.faults.add({"kind": "cut"})
    until(lambda: patient_bybit.journal.entries(kind="closed"))
    after = patient_bybit.journal.last
    patient_bybit.journal.wait_for(
        lambda one: one.topic == f"publicTrade.{SYMBOL}", after=after, kind="sent", timeout_s=PATIENCE_S
    )
    assert heard.next()
