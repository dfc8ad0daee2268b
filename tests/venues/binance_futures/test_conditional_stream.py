"""What the account's stream tells of conditional orders: one order with one id, whichever event comes first."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.model.order import Fill, Order, OrderStatus, OrderType
from perpwire.venues.binance_futures.venue import VENUE

STOP = {
    "caid": "sl-1", "aid": 4001, "at": "CONDITIONAL", "o": "STOP", "s": "BTCUSDT", "S": "SELL", "ps": "BOTH",
    "f": "GTC", "q": "0.01", "X": "NEW", "ai": "", "tp": "60000", "p": "59000", "wt": "MARK_PRICE", "cp": False,
    "R": True,
}  # fmt: skip
CHILD = {
    "s": "BTCUSDT", "c": "sl-1", "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "0.01", "p": "59000", "ap": "0",
    "x": "NEW", "X": "NEW", "i": 77, "l": "0", "z": "0", "L": "0", "T": 5, "t": 0, "m": False, "R": True,
    "ps": "BOTH", "rp": "0",
}  # fmt: skip
FILLED = {"x": "TRADE", "X": "FILLED", "l": "0.01", "z": "0.01", "L": "59000", "ap": "59000", "t": 9, "n": "0.2"}


class Stream:
    """One private socket's conversation."""

    def __init__(self) -> None:
        self._session = VENUE.session("private")

    def hear(self, message: dict[str, Any]) -> list[Any]:
        return list(self._session.on_frame(json.dumps(message).encode(), 1) or ())

    def algo(self, **changes: Any) -> Order:
        (order,) = self.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": STOP | changes})
        assert isinstance(order, Order)
        return order

    def child(self, **changes: Any) -> list[Any]:
        return self.hear({"e": "ORDER_TRADE_UPDATE", "T": 5, "E": 5, "o": CHILD | changes})


def test_the_whole_life_of_one_order_is_told_under_its_id() -> None:
    stream = Stream()
    waiting = stream.algo()
    assert (waiting.order_id, waiting.type, waiting.status) == ("algo-4001", OrderType.STOP, OrderStatus.UNTRIGGERED)
    assert stream.algo(X="TRIGGERING").status is OrderStatus.TRIGGERED
    assert stream.algo(X="TRIGGERED", ai="77", aq="0", ap="0").child_order_id == "77"
    (resting,) = stream.child()
    assert (resting.order_id, resting.status, resting.child_order_id) == ("algo-4001", OrderStatus.NEW, "77")
    assert (resting.type, resting.trigger_price) == (OrderType.STOP, Decimal(60000))
    order, fill = stream.child(**FILLED)
    assert (order.order_id, order.status, order.filled_quantity) == ("algo-4001", OrderStatus.FILLED, Decimal("0.01"))
    assert isinstance(fill, Fill)
    assert (fill.order_id, fill.client_order_id, fill.trade_id) == ("algo-4001", "sl-1", "9")


def test_the_end_of_the_conditional_order_never_hides_how_it_ended() -> None:
    # The venue has been seen to tell FINISHED with nothing filled, of an order that was.
    stream = Stream()
    stream.algo(X="TRIGGERED", ai="77")
    assert stream.algo(X="FINISHED", ai="77", aq="0", ap="0").status is OrderStatus.TRIGGERED
    order, _ = stream.child(**FILLED)
    assert order.status is OrderStatus.FILLED
    again = stream.algo(X="FINISHED", ai="77", aq="0", ap="0")
    assert (again.status, again.filled_quantity) == (OrderStatus.FILLED, Decimal("0.01"))


def test_what_the_trigger_made_is_known_even_where_it_is_told_first() -> None:
    stream = Stream()
    stream.algo()
    (resting,) = stream.child()
    assert resting.order_id == "algo-4001"
    assert stream.algo(X="TRIGGERED", ai="77").status is OrderStatus.NEW


def test_an_ordinary_order_with_the_same_client_id_stays_one() -> None:
    stream = Stream()
    stream.algo()
    for other in ({"S": "BUY"}, {"q": "0.02"}, {"o": "MARKET", "p": "0"}):
        (order,) = stream.child(i=78, **other)
        assert order.order_id == "78"
    stream.algo(X="TRIGGERED", ai="77")
    (order,) = stream.child(i=79)
    assert order.order_id == "79"
    stream.algo(X="CANCELED", aid=4002, caid="sl-2")
    (order,) = stream.child(i=80, c="sl-2")
    assert order.order_id == "80"


def test_what_a_socket_has_not_heard_of_comes_under_its_ordinary_id() -> None:
    order, fill = Stream().child(**FILLED)
    assert (order.order_id, fill.order_id) == ("77", "77")


def test_a_refused_trigger_says_why() -> None:
    order = Stream().algo(X="REJECTED", rm="Margin is insufficient.")
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "Margin is insufficient.")


def test_every_recorded_update_can_be_read(fixtures: Path) -> None:
    files = sorted((fixtures / "binance/ws").glob("ALGO_UPDATE*.json"))
    assert len(files) == 4
    for file in files:
        told = json.loads(file.read_bytes())
        body = told.get("data", told)["o"]
        (order,) = Stream().hear(told)
        assert order.order_id == f"algo-{body['aid']}"
        assert order.child_order_id == (body["ai"] or None)


def test_the_connector_hears_one_order_through_trigger_and_fill() -> None:
    async def scenario(traders: Traders) -> None:
        orders: list[Order] = []
        fills: list[Fill] = []
        traders.me.on(Order, orders.append)
        traders.me.on(Fill, fills.append)
        await traders.me.open_account_stream()
        placed = await traders.me.place_order(
            "BTCUSDT", "SELL", "0.010", "STOP", price="60000", trigger_price="61000", client_order_id="sl-1"
        )
        await traders.trade_at("61000")
        await traders.wait()
        await traders.rest("BUY", "60500", "0.010")
        await traders.wait()
        assert {order.order_id for order in orders} == {placed.order_id}
        assert [order.status for order in orders][-1] is OrderStatus.FILLED
        assert [(fill.order_id, fill.quantity) for fill in fills] == [(placed.order_id, Decimal("0.010"))]

    play(scenario)
