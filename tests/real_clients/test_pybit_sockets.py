"""Every stream of the venue's own Python client, and its order entry over WebSocket, against the embedded exchange."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import KEY, PATIENCE_S, SECRET, SYMBOL, pybit_at, until

from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

D = Decimal
BETWEEN_S = 0.25
"""pybit looks an answer up in a table that it fills after sending: one request at a time."""


class Heard:
    """Messages of callbacks, taken out in the test's thread."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Any] = queue.Queue()

    def put(self, message: Any) -> None:
        self._messages.put(message)

    def next(self, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        while True:
            message = self._messages.get(timeout=PATIENCE_S)
            if wanted(message):
                return message

    def of(self, topic: str) -> Any:
        return self.next(lambda message: message["topic"] == topic)


@contextmanager
def socket(pybit: Any, channel: str) -> Iterator[Any]:
    keys = {"api_key": KEY, "api_secret": SECRET} if channel == "private" else {}
    stream = pybit.WebSocket(channel_type=channel, testnet=False, **keys)
    try:
        time.sleep(BETWEEN_S)
        yield stream
        assert stream.is_connected()
    finally:
        stream.exit()


def test_every_public_stream_is_heard(patient_bybit: VenueDoor) -> None:
    heard = Heard()
    with pybit_at(patient_bybit) as pybit, socket(pybit, "linear") as stream:
        for subscribe, wanted in (
            (stream.orderbook_stream, {"depth": 1, "symbol": SYMBOL}),
            (stream.orderbook_stream, {"depth": 200, "symbol": SYMBOL}),
            (stream.orderbook_stream, {"depth": 1000, "symbol": SYMBOL}),
            (stream.rpi_orderbook_stream, {"symbol": "ETHUSDT"}),
            (stream.kline_stream, {"interval": 1, "symbol": SYMBOL}),
            (stream.all_liquidation_stream, {"symbol": SYMBOL}),
            (stream.price_limit_stream, {"symbol": SYMBOL}),
            (stream.insurance_pool_stream, {"contract_group": "USDT"}),
            (stream.ticker_stream, {"symbol": ["BTCUSDT", "ETHUSDT"]}),
        ):
            subscribe(**wanted, callback=heard.put)
            time.sleep(BETWEEN_S)
        topics = (
            *("orderbook.1.BTCUSDT", "orderbook.200.BTCUSDT", "orderbook.1000.BTCUSDT", "orderbook.rpi.ETHUSDT"),
            *("kline.1.BTCUSDT", "priceLimit.BTCUSDT", "insurance.USDT", "tickers.BTCUSDT", "tickers.ETHUSDT"),
        )
        missing = set(topics)
        while missing:
            missing.discard(heard.next()["topic"])
        limits = heard.of("priceLimit.BTCUSDT")["data"]
        assert D(limits["sellLmt"]) < patient_bybit.exchange.mark_price(SYMBOL) < D(limits["buyLmt"])
        candle = heard.of("kline.1.BTCUSDT")["data"][0]
        assert D(candle["low"]) <= D(candle["close"]) <= D(candle["high"])
        book = heard.of("orderbook.200.BTCUSDT")["data"]
        assert max(D(row[0]) for row in book["b"]) < min(D(row[0]) for row in book["a"])


@pytest.mark.parametrize("channel", ["spot", "inverse", "option", "misc/status"])
def test_a_socket_of_what_is_not_traded_here_opens_and_answers(patient_bybit: VenueDoor, channel: str) -> None:
    with pybit_at(patient_bybit) as pybit, socket(pybit, channel) as stream:
        if channel == "misc/status":
            stream.system_status_stream(callback=lambda _: None)
        stream.ws.send('{"op": "ping"}')
        time.sleep(BETWEEN_S)


def test_every_private_stream_is_heard(patient_bybit: VenueDoor) -> None:
    heard = Heard()
    with pybit_at(patient_bybit) as pybit, socket(pybit, "private") as stream:
        for subscribe in (
            *(stream.order_stream, stream.execution_stream, stream.fast_execution_stream),
            *(stream.position_stream, stream.wallet_stream, stream.greek_stream),
        ):
            subscribe(callback=heard.put)
            time.sleep(BETWEEN_S)
        http = pybit.HTTP(api_key=KEY, api_secret=SECRET)
        linear = {"category": "linear", "symbol": SYMBOL}
        order_id = http.place_order(**linear, side="Buy", orderType="Market", qty="0.02")["result"]["orderId"]
        said = [heard.next() for _ in range(5)]
        assert [message["topic"] for message in said] == ["execution.fast", "execution", "order", "position", "wallet"]
        assert {said[0]["data"][0]["orderId"], said[1]["data"][0]["orderId"]} == {order_id}
        mark = patient_bybit.exchange.mark_price(SYMBOL)
        stop = str((mark * 2).quantize(D(1)))
        http.place_order(
            **linear, side="Buy", orderType="Market", qty="0.01", triggerPrice=stop, triggerDirection=1, orderLinkId="s"
        )
        assert heard.of("order")["data"][0]["orderStatus"] == "Untriggered"
        http.cancel_order(**linear, orderLinkId="s", orderFilter="StopOrder")
        assert heard.of("order")["data"][0]["orderStatus"] == "Deactivated"
        http.set_leverage(**linear, buyLeverage="5", sellLeverage="5")
        heard.next(lambda message: message["topic"] == "position" and message["data"][0]["leverage"] == "5")
        http.client.close()


def test_orders_go_over_the_clients_trading_socket(patient_bybit: VenueDoor) -> None:
    answers, errors = Heard(), Heard()
    linear = {"category": "linear", "symbol": SYMBOL}
    order = {**linear, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000"}
    exchange = patient_bybit.exchange
    with pybit_at(patient_bybit) as pybit:
        trading = pybit.WebSocketTrading(testnet=False, api_key=KEY, api_secret=SECRET)
        try:
            time.sleep(BETWEEN_S)
            trading.place_order(answers.put, errors.put, **order, orderLinkId="mine")
            placed = answers.next()
            assert (placed["retCode"], placed["op"], placed["data"]["orderLinkId"]) == (0, "order.create", "mine")
            assert placed["header"]["X-Bapi-Limit-Status"] == "9"
            until(lambda: exchange.open_orders("main", None))
            trading.amend_order(answers.put, errors.put, **linear, orderLinkId="mine", price="59000")
            assert answers.next()["retCode"] == 0
            until(lambda: exchange.open_orders("main", None)[0].price == 59000)
            trading.cancel_order(answers.put, errors.put, **linear, orderLinkId="mine")
            assert answers.next()["retCode"] == 0
            until(lambda: not exchange.open_orders("main", None))
            batch = [{**order, "orderLinkId": "b1"}, {**order, "orderLinkId": "b2", "price": "0"}]
            trading.place_batch_order(
                answers.put, errors.put, category="linear", request=[{**one, "category": None} for one in batch]
            )
            said = answers.next()
            good, bad = (row["code"] for row in said["retExtInfo"]["list"])
            assert good == 0
            assert bad != 0
            trading.cancel_order(answers.put, errors.put, **linear, orderLinkId="never")
            refused = errors.next()
            assert (refused["retCode"], refused["data"]) == (110001, {})
            assert trading.is_connected()
        finally:
            trading.exit()


def test_a_wrong_secret_is_refused_on_the_private_and_the_trading_socket(patient_bybit: VenueDoor) -> None:
    with pybit_at(patient_bybit) as pybit:
        for make, more in ((pybit.WebSocket, {"channel_type": "private"}), (pybit.WebSocketTrading, {})):
            stream = make(**more, testnet=False, api_key=KEY, api_secret="wrong")
            try:
                until(lambda: any('"op":"auth"' in one.text for one in patient_bybit.journal.entries(kind="sent")))
                assert not stream.auth
            finally:
                stream.exit()
        refused = [one.text for one in patient_bybit.journal.entries(kind="sent") if '"op":"auth"' in one.text]
        assert any('"success":false' in text for text in refused)
