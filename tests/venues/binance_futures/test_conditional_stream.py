"""What the account's stream tells of conditional orders: one order with one id, whichever event comes first."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.data_processor.order_tracker import OrderTracker
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
    """What handlers are told of one private socket's conversation, where nobody can be asked whose an order is."""

    def __init__(self) -> None:
        self._session = VENUE.session("private")
        self.orders = OrderTracker(lambda: 0, triggers_make_orders=VENUE.triggers_make_orders)
        self._waiting: list[Any] = []

    def hear(self, message: dict[str, Any]) -> list[Any]:
        said = self._session.on_frame(json.dumps(message).encode(), 1) or ()
        for one in said:
            if isinstance(one, Order) and one.is_conditional:
                self.orders.on_event(one)
        self._waiting += said
        told: list[Any] = []
        while self._waiting and not self._must_wait(self._waiting[0]):
            one = self._waiting.pop(0)
            told.append(self.orders.hear(one) if isinstance(one, Order) else self.orders.named(one))
        return [one for one in told if one is not None]

    def _must_wait(self, one: Any) -> bool:
        return isinstance(one, Order) and self.orders.possible_parent(one) is not None

    def algo(self, **changes: Any) -> Order:
        """What is known of it then."""
        said = STOP | changes
        self.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": said})
        known = self.orders.find("BTCUSDT", f"algo-{said['aid']}", None)
        assert known is not None
        return known

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
    for filled in ("0", "0.01"):
        end = {"X": "FINISHED", "ai": "77", "aq": filled, "ap": "59000"}
        assert stream.hear({"e": "ALGO_UPDATE", "T": 10, "E": 10, "o": STOP | end}) == [], "it has been told"
        known = stream.algo(**end)
        assert (known.status, known.filled_quantity) == (OrderStatus.FILLED, Decimal("0.01"))


def test_what_the_trigger_made_is_known_even_where_it_is_told_first() -> None:
    stream = Stream()
    stream.algo()
    assert stream.child() == [], "it may be another one of the same client id"
    (resting,) = stream.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": STOP | {"X": "TRIGGERED", "ai": "77"}})
    assert (resting.order_id, resting.status) == ("algo-4001", OrderStatus.NEW)


@pytest.mark.parametrize("end", [{"X": "TRIGGERED", "ai": "77"}, {"X": "CANCELED"}, {"X": "REJECTED"}])
def test_what_the_venue_says_another_one_made_or_none_is_told_by_itself(end: dict[str, Any]) -> None:
    stream = Stream()
    stream.algo()
    assert stream.child(i=76) == []
    told = stream.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": STOP | end})
    assert [(one.order_id, one.child_order_id) for one in told] == [("76", None), ("algo-4001", end.get("ai"))]
    assert told[1].status is not OrderStatus.NEW
    (other,) = stream.child(i=76, x="CANCELED", X="CANCELED")
    assert (other.order_id, other.status) == ("76", OrderStatus.CANCELED)


def test_another_order_of_the_same_client_id_is_told_by_itself_while_the_conditional_one_triggers() -> None:
    stream = Stream()
    stream.algo()
    stream.child(i=76)
    assert stream.algo(X="TRIGGERED", ai="77").child_order_id == "77"
    (order,) = stream.child()
    assert order.order_id == "algo-4001"
    (other,) = stream.child(i=76, x="CANCELED", X="CANCELED")
    assert other.order_id == "76"


def test_what_was_told_before_its_conditional_order_was_heard_of_is_told_to_its_end_as_it_began() -> None:
    stream = Stream()
    (first,) = stream.child()
    assert (first.order_id, first.status) == ("77", OrderStatus.NEW)
    assert stream.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": STOP | {"X": "TRIGGERED", "ai": "77"}}) == []
    assert stream.orders.untold() == []
    order, fill = stream.child(**FILLED)
    assert (order.order_id, order.type, order.status) == ("77", OrderType.LIMIT, OrderStatus.FILLED)
    assert fill.order_id == "77"
    end = {"X": "FINISHED", "ai": "77", "aq": "0.01", "ap": "59000"}
    assert stream.hear({"e": "ALGO_UPDATE", "T": 10, "E": 10, "o": STOP | end}) == []
    assert stream.orders.untold() == []
    known = stream.orders.find("BTCUSDT", "77", None)
    assert known is not None
    assert (known.order_id, known.status) == ("algo-4001", OrderStatus.FILLED)


def test_what_closes_a_position_has_its_amount_once_it_is_triggered() -> None:
    stream = Stream()
    closing = {"o": "STOP_MARKET", "cp": True, "q": "0", "p": "0"}
    stream.algo(**closing)
    assert stream.child(**FILLED, o="MARKET", p="0") == []
    said = STOP | closing | {"X": "TRIGGERED", "ai": "77"}
    order, fill = stream.hear({"e": "ALGO_UPDATE", "T": 5, "E": 5, "o": said})
    assert (order.order_id, order.quantity, order.status) == ("algo-4001", Decimal("0.01"), OrderStatus.FILLED)
    assert fill.order_id == "algo-4001"
    assert stream.algo(**closing, X="FINISHED", ai="77", aq="0.01").quantity == Decimal("0.01")


def test_a_fast_fill_bears_the_id_of_its_conditional_order_once_the_venue_has_said_it() -> None:
    stream = Stream()
    stream.algo()
    trade = {"e": "TRADE_LITE", "E": 5, "T": 5, "s": "BTCUSDT", "q": "0.01", "p": "0", "m": False, "c": "sl-1",
             "S": "SELL", "L": "59000", "l": "0.01", "t": 9, "i": 77}  # fmt: skip
    assert [one.order_id for one in stream.hear(trade)] == ["77"]
    stream.algo(X="TRIGGERED", ai="77")
    assert [one.order_id for one in stream.hear(trade)] == ["algo-4001"]
    assert [one.order_id for one in stream.hear(trade | {"i": 78})] == ["78"]


def test_an_ordinary_order_with_the_same_client_id_stays_one() -> None:
    stream = Stream()
    stream.algo()
    for other in ({"S": "BUY"}, {"q": "0.02"}, {"o": "MARKET", "p": "0"}, {"p": "61000"}):
        (order,) = stream.child(i=78, **other)
        assert order.order_id == "78"
    stream.algo(X="TRIGGERED", ai="77")
    (order,) = stream.child(i=79)
    assert order.order_id == "79"
    stream.algo(X="CANCELED", aid=4002, caid="sl-2")
    (order,) = stream.child(i=80, c="sl-2")
    assert order.order_id == "80"


def test_what_is_not_known_of_comes_under_its_ordinary_id() -> None:
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
        stream = Stream()
        assert len(stream.hear(told)) == 1
        order = stream.orders.find(body["s"], f"algo-{body['aid']}", None)
        assert order is not None
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
