"""Conditional orders of the simulated venue: what they must be, how they live, and what they become."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import OTHER, Answer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.clock import ManualClock

PATH = "/fapi/v1/algoOrder"


@pytest.fixture
def venue(clock: ManualClock) -> Iterator[SimulatedVenue]:
    venue = SimulatedVenue(clock)
    yield venue
    venue.close()


def stop(venue: SimulatedVenue, **changes: Any) -> Answer:
    """A stop order to sell 0.010 BTC at 60000, unless the changes say something else; None leaves one out."""
    params: dict[str, Any] = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.010",
        "triggerPrice": "60000",
    } | changes
    return venue.signed("POST", PATH, **{name: value for name, value in params.items() if value is not None})


def trade_at(venue: SimulatedVenue, price: str) -> None:
    """Two others trade at this price."""
    for side in ("BUY", "SELL"):
        answer = venue.place(account=OTHER, side=side, price=price, selfTradePreventionMode="NONE")
        assert answer.status == 200, answer.raw


def get(venue: SimulatedVenue, algo_id: int) -> Any:
    return venue.signed("GET", PATH, algoId=algo_id).json


def test_a_conditional_order_is_told_in_its_own_words(venue: SimulatedVenue) -> None:
    made = stop(venue, clientAlgoId="sl-1", reduceOnly="true")
    assert made.headers["x-mbx-order-count-1m"] == "1"
    told = made.json
    now_ms = venue.exchange.now_ms()
    assert told == {
        "algoId": told["algoId"],
        "clientAlgoId": "sl-1",
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "algoStatus": "NEW",
        "triggerPrice": "60000.00",
        "price": "0.00",
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": True,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": now_ms,
        "updateTime": now_ms,
        "triggerTime": 0,
        "goodTillDate": 0,
    }
    (waiting,) = venue.signed("GET", "/fapi/v1/openAlgoOrders").json
    assert (waiting["actualOrderId"], waiting["actualQty"], waiting["isActivated"]) == ("", "0.0", False)
    # They live apart from the ordinary orders, and hold back no margin.
    assert venue.signed("GET", "/fapi/v1/openOrders").json == []
    assert venue.exchange.view("main").order_margin == 0


def test_it_is_cancelled_by_either_id_and_once(venue: SimulatedVenue) -> None:
    first, second = stop(venue, clientAlgoId="a").json, stop(venue, clientAlgoId="b").json
    ended = venue.signed("DELETE", PATH, algoId=first["algoId"])
    assert ended.json == {"algoId": first["algoId"], "clientAlgoId": "a", "code": "200", "msg": "success"}
    assert venue.signed("DELETE", PATH, clientAlgoId="b").json["algoId"] == second["algoId"]
    assert venue.signed("DELETE", PATH, clientAlgoId="b").code == -2011
    assert venue.signed("DELETE", PATH, algoId=1).code == -2011
    assert venue.signed("DELETE", PATH).code == -1102
    assert get(venue, first["algoId"])["algoStatus"] == "CANCELED"
    assert venue.signed("GET", PATH, algoId=1).code == -2013


def test_all_of_a_symbol_are_cancelled_and_ordinary_orders_stay(venue: SimulatedVenue) -> None:
    stop(venue)
    stop(venue, symbol="ETHUSDT", triggerPrice="2900", quantity="1")
    venue.place(price="60000")
    answer = venue.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    assert answer.json["code"] == 200
    assert [one["symbol"] for one in venue.signed("GET", "/fapi/v1/openAlgoOrders").json] == ["ETHUSDT"]
    assert len(venue.signed("GET", "/fapi/v1/openOrders").json) == 1
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert len(venue.signed("GET", "/fapi/v1/openAlgoOrders").json) == 1


def test_it_becomes_an_ordinary_order_with_its_clients_id(venue: SimulatedVenue) -> None:
    venue.quote()
    made = stop(venue, clientAlgoId="sl-1", triggerPrice="63000").json
    venue.place(account=OTHER, side="BUY", price="62000", quantity="5")
    trade_at(venue, "63999.90")
    assert get(venue, made["algoId"])["algoStatus"] == "NEW"
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
    venue.place(account=OTHER, side="BUY", price="62000", quantity="5")
    trade_at(venue, "63000")
    told = get(venue, made["algoId"])
    assert (told["algoStatus"], told["actualQty"], told["actualType"]) == ("FINISHED", "0.010", "MARKET")
    assert Decimal(told["actualPrice"]) == 62000
    assert told["triggerTime"] == venue.exchange.now_ms()
    order = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=told["actualOrderId"]).json
    assert (order["clientOrderId"], order["type"], order["status"]) == ("sl-1", "MARKET", "FILLED")
    assert venue.signed("DELETE", PATH, algoId=made["algoId"]).code == -2011
    (row,) = venue.signed("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT").json
    assert row["algoId"] == made["algoId"]
    assert venue.signed("GET", "/fapi/v1/openAlgoOrders").json == []


def test_a_stop_limit_order_rests_at_its_price(venue: SimulatedVenue) -> None:
    made = stop(venue, type="STOP", side="BUY", price="64200", triggerPrice="64100").json
    assert made["price"] == "64200.00"
    trade_at(venue, "64100")
    (order,) = venue.signed("GET", "/fapi/v1/openOrders").json
    assert (order["type"], order["price"], order["status"]) == ("LIMIT", "64200.00", "NEW")
    assert get(venue, made["algoId"])["algoStatus"] == "TRIGGERED"
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert get(venue, made["algoId"])["algoStatus"] == "FINISHED"


@pytest.mark.parametrize(("match", "price"), [("QUEUE", "62990.00"), ("OPPONENT", "62900.00")])
def test_a_price_that_is_left_to_the_book_is_that_of_the_moment_it_triggers(
    venue: SimulatedVenue, match: str, price: str
) -> None:
    venue.quote()
    made = stop(venue, type="STOP", triggerPrice="63500", priceMatch=match).json
    assert (made["price"], made["priceMatch"], made["orderType"]) == ("0.00", match, "STOP")
    venue.exchange.cancel_all("other", "BTCUSDT")
    for side, at in (("SELL", "62990"), ("BUY", "62900")):
        assert venue.place(account=OTHER, side=side, price=at, quantity="0.5").status == 200
    trade_at(venue, "62950")
    told = get(venue, made["algoId"])
    order = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=told["actualOrderId"]).json
    assert (order["type"], order["price"], order["priceMatch"]) == ("LIMIT", price, match)


def test_there_may_be_no_price_in_the_book_when_it_triggers(venue: SimulatedVenue) -> None:
    venue.quote()
    made = stop(venue, type="STOP", triggerPrice="63500", priceMatch="OPPONENT").json
    venue.exchange.cancel_all("other", "BTCUSDT")
    trade_at(venue, "63000")
    assert get(venue, made["algoId"])["algoStatus"] == "REJECTED"


def test_the_mark_price_may_be_the_one_that_counts(venue: SimulatedVenue) -> None:
    venue.quote()
    made = stop(venue, side="BUY", triggerPrice="64500", workingType="MARK_PRICE", quantity="0.020").json
    assert made["workingType"] == "MARK_PRICE"
    trade_at_others = venue.place(account=OTHER, side="BUY", price="64600", quantity="1")
    assert trade_at_others.status == 200
    assert get(venue, made["algoId"])["algoStatus"] == "NEW"
    venue.place(account=OTHER, side="SELL", price="64000.2", quantity="1")
    venue.exchange.force_mark("BTCUSDT", Decimal(64500))
    assert get(venue, made["algoId"])["algoStatus"] == "FINISHED"
    assert venue.position() == Decimal("0.020")


def test_a_trailing_order_follows_the_price(venue: SimulatedVenue) -> None:
    venue.place(account=OTHER, side="BUY", price="62000", quantity="5")
    made = stop(venue, type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="64500", triggerPrice=None).json
    assert (made["activatePrice"], made["callbackRate"], made["triggerPrice"]) == ("64500.00", "1", "0.00")

    def waiting() -> bool:
        (row,) = venue.signed("GET", "/fapi/v1/openAlgoOrders").json
        return bool(row["isActivated"])

    assert not waiting()
    trade_at(venue, "63000")
    assert not waiting()
    trade_at(venue, "65000")
    assert waiting()
    trade_at(venue, "64350.10")
    assert waiting()
    trade_at(venue, "64350")
    assert get(venue, made["algoId"])["algoStatus"] == "FINISHED"


def test_it_may_close_the_whole_position(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market(quantity="0.123")
    made = stop(venue, closePosition="true", quantity=None, workingType="MARK_PRICE").json
    assert (made["closePosition"], made["quantity"]) == (True, "0.000")
    venue.exchange.force_mark("BTCUSDT", Decimal(60000))
    assert venue.position() == 0
    _, order = venue.signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT").json
    assert (order["closePosition"], order["origQty"]) == (True, "0.123")


def test_without_a_position_there_is_nothing_to_close(venue: SimulatedVenue) -> None:
    venue.quote()
    made = stop(venue, closePosition="true", quantity=None, workingType="MARK_PRICE").json
    venue.exchange.force_mark("BTCUSDT", Decimal(60000))
    assert get(venue, made["algoId"])["algoStatus"] == "EXPIRED"


def test_one_that_lives_with_the_position_ends_with_it(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market()
    made = stop(venue, timeInForce="GTE_GTC", reduceOnly="true").json
    assert made["timeInForce"] == "GTE_GTC"
    venue.market(side="SELL")
    assert get(venue, made["algoId"])["algoStatus"] == "EXPIRED"


def test_one_that_cannot_be_paid_for_is_rejected_when_it_triggers(venue: SimulatedVenue) -> None:
    venue.quote(quantity="30")
    venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=5)
    made = stop(venue, side="BUY", triggerPrice="64500", quantity="25", workingType="MARK_PRICE")
    assert made.status == 200
    venue.exchange.force_mark("BTCUSDT", Decimal(64500))
    told = get(venue, made.json["algoId"])
    assert (told["algoStatus"], told["actualOrderId"]) == ("REJECTED", "")


def test_it_may_end_by_a_date() -> None:
    async def main(venue: SimulatedVenue) -> None:
        now_ms = venue.exchange.now_ms()
        assert stop(venue, timeInForce="GTD", goodTillDate=now_ms + 600_000).code == -5040
        assert stop(venue, timeInForce="GTD").code == -1102
        made = stop(venue, timeInForce="GTD", goodTillDate=now_ms + 601_999).json
        assert made["goodTillDate"] == (now_ms + 601_999) // 1000 * 1000
        await pass_s(599)
        assert get(venue, made["algoId"])["algoStatus"] == "NEW"
        await pass_s(5)
        assert get(venue, made["algoId"])["algoStatus"] == "EXPIRED"

    in_virtual_time(main)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"algoType": None}, -1102),
        ({"algoType": "VP"}, -1130),
        ({"symbol": None}, -1102),
        ({"symbol": "NOPE"}, -1121),
        ({"side": "UP"}, -1117),
        ({"type": None}, -1102),
        ({"type": "LIMIT"}, -1116),
        ({"type": "MARKET"}, -1116),
        ({"triggerPrice": None}, -1102),
        ({"quantity": None}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0101"}, -1111),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "121"}, -4005),
        ({"triggerPrice": "0"}, -4006),
        ({"triggerPrice": "-1"}, -4006),
        ({"triggerPrice": "5000000"}, -4007),
        ({"triggerPrice": "60000.05"}, -4014),
        ({"triggerPrice": "60000.001"}, -1111),
        ({"triggerPrice": "64000"}, -2021),
        ({"triggerPrice": "65000"}, -2021),
        ({"triggerPrice": "600"}, -4211),
        ({"side": "BUY", "triggerPrice": "200000"}, -4210),
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "63000"}, -2021),
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "65000"}, 0),
        ({"price": "60000"}, -1106),
        ({"type": "STOP"}, -1102),
        ({"type": "STOP", "price": "60000"}, 0),
        ({"type": "STOP", "price": "56000"}, -4184),
        ({"type": "STOP", "side": "BUY", "triggerPrice": "65000", "price": "69000"}, -4183),
        ({"type": "STOP", "price": "0"}, -4001),
        ({"type": "STOP", "price": "60000", "quantity": "0.001"}, -4164),
        ({"type": "STOP", "priceMatch": "QUEUE"}, -5041),
        ({"type": "STOP", "priceMatch": "QUEUE", "price": "60000"}, -1106),
        ({"priceMatch": "QUEUE"}, -5038),
        ({"priceMatch": "BEST"}, -5037),
        ({"workingType": "INDEX_PRICE"}, -4031),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": "RPI"}, -4188),
        ({"reduceOnly": "perhaps"}, -4062),
        ({"closePosition": "true"}, -4137),
        ({"closePosition": "true", "quantity": None, "reduceOnly": "true"}, -1106),
        ({"closePosition": "true", "type": "STOP", "quantity": None, "price": "60000"}, -4020),
        ({"closePosition": "true", "quantity": None}, 0),
        ({"callbackRate": "1"}, -1106),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}, -1106),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None}, -1102),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "0.09"}, -1130),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "-1"}, -1130),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1", "activatePrice": "-1"}, -4006),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "20.1"}, -1130),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "20"}, 0),
        ({"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1", "activatePrice": "63000"}, -4135),
        ({"positionSide": "UP"}, -4060),
        ({"positionSide": "LONG"}, -4061),
        ({"clientAlgoId": "!"}, -4015),
        ({"selfTradePreventionMode": "ALL"}, -5039),
        ({"newOrderRespType": "FULL"}, -1136),
    ],
)
def test_a_conditional_order_is_refused_by_the_first_rule_that_it_breaks(
    venue: SimulatedVenue, changes: dict[str, Any], code: int
) -> None:
    answer = stop(venue, **changes)
    if code:
        assert (answer.status, answer.code) == (400, code)
        assert venue.exchange.open_triggers("main", None) == []
    else:
        assert answer.status == 200, answer.raw


def test_ids_are_taken_while_an_order_waits_and_one_closes_a_direction(venue: SimulatedVenue) -> None:
    assert stop(venue, clientAlgoId="twice").status == 200
    assert stop(venue, clientAlgoId="twice").code == -4116
    assert stop(venue, closePosition="true", quantity=None).status == 200
    assert stop(venue, closePosition="true", quantity=None, triggerPrice="59000").code == -4130
    assert (
        stop(venue, closePosition="true", quantity=None, type="TAKE_PROFIT_MARKET", triggerPrice="65000").status == 200
    )


def test_an_account_has_200_of_them_at_most(venue: SimulatedVenue) -> None:
    for number in range(200):
        symbol = ("BTCUSDT", "60000") if number % 2 else ("ETHUSDT", "2500")
        assert stop(venue, symbol=symbol[0], triggerPrice=symbol[1]).status == 200
    assert stop(venue).code == -4045
    assert len(venue.signed("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT").json) == 100


def test_its_words_are_kept_where_they_are_not_in_force(venue: SimulatedVenue) -> None:
    made = stop(venue, type="STOP", price="60000", timeInForce="FOK", selfTradePreventionMode="EXPIRE_BOTH").json
    assert (made["timeInForce"], made["selfTradePreventionMode"]) == ("FOK", "EXPIRE_BOTH")
    assert venue.exchange.open_triggers("main", None)[0].intent.self_trade == "none"


def test_the_place_for_ordinary_orders_takes_none(venue: SimulatedVenue) -> None:
    for kind in ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"):
        assert venue.place(type=kind, stopPrice="60000").code == -4120


def test_history_keeps_the_newest(venue: SimulatedVenue) -> None:
    ids = [stop(venue).json["algoId"] for _ in range(3)]
    path = "/fapi/v1/allAlgoOrders"
    assert [one["algoId"] for one in venue.signed("GET", path, symbol="BTCUSDT", limit=2).json] == ids[1:]
    assert [one["algoId"] for one in venue.signed("GET", path, symbol="BTCUSDT", algoId=ids[1]).json] == ids[1:]
    assert venue.signed("GET", path).code == -1102
    now_ms = venue.exchange.now_ms()
    assert venue.signed("GET", path, symbol="BTCUSDT", startTime=1, endTime=now_ms).code == -4165
    assert venue.signed("GET", path, symbol="BTCUSDT", startTime=now_ms + 1).json == []
    assert [one["algoId"] for one in venue.signed("GET", "/fapi/v1/openAlgoOrders", algoId=ids[2]).json] == ids[2:]
    venue.signed("DELETE", PATH, algoId=ids[0])
    venue.clock.advance(3 * 86400 + 1)
    assert venue.signed("GET", PATH, algoId=ids[0]).code == -2013
    assert get(venue, ids[1])["algoStatus"] == "NEW"
