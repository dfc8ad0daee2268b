"""Several orders in one call, in each of the ways in which clients write them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from tests.venues.binance_futures.simulated import MAIN, Answer, SimulatedVenue

from perpwire.venues.binance_futures.sim.signatures import hmac_hex

PATH = "/fapi/v1/batchOrders"
TWO_NAMES = '["c-1","c-2"]'


@pytest.fixture
def venue(clock: Any) -> SimulatedVenue:
    return SimulatedVenue(clock)


def order(**changes: Any) -> dict[str, Any]:
    rows = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    return rows | {"price": "60000"} | changes


def signed(venue: SimulatedVenue, method: str, text: str, *, in_body: bool = False) -> Answer:
    """These very characters, with a time stamp and a signature."""
    text = f"{text}&timestamp={venue.exchange.now_ms()}"
    text = f"{text}&signature={hmac_hex(text.encode(), MAIN.secret_key)}"
    return venue.raw(method, PATH, "" if in_body else text, text if in_body else "", key=MAIN.api_key)


def batch(venue: SimulatedVenue, method: str, items: Any) -> Answer:
    return signed(venue, method, f"batchOrders={quote(json.dumps(items))}")


def test_each_order_of_a_batch_has_its_own_answer(venue: SimulatedVenue) -> None:
    answer = batch(venue, "POST", [order(), order(price="60000.05"), order(symbol="NOPE"), order(price="60001")])
    assert answer.status == 200
    first, off_tick, unknown, last = answer.json
    assert (first["status"], first["price"], last["price"]) == ("NEW", "60000.00", "60001.00")
    assert "avgPrice" not in first
    assert off_tick == {"code": -4014, "msg": "Price not increased by tick size."}
    assert unknown["code"] == -1121
    assert len(venue.exchange.open_orders("main", None)) == 2


def test_a_batch_costs_the_same_whatever_is_in_it(venue: SimulatedVenue) -> None:
    before = int(venue.public("/fapi/v1/ping").headers["x-mbx-used-weight-1m"])
    for items in ([order()], [order()] * 5):
        answer = batch(venue, "POST", items)
    assert (answer.headers["x-mbx-order-count-10s"], answer.headers["x-mbx-order-count-1m"]) == ("10", "2")
    assert int(answer.headers["x-mbx-used-weight-1m"]) - before == 10


@pytest.mark.parametrize(
    ("items", "code"),
    [([], -4082), ([order()] * 6, -4082), ({}, -1102), ("x", -1102), ([1], -1102), ([order(price=[1])], -1102)],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(venue: SimulatedVenue, items: Any, code: int) -> None:
    assert batch(venue, "POST", items).code == code


def test_a_batch_of_broken_json_is_refused_as_a_whole(venue: SimulatedVenue) -> None:
    for text in ("[{", "[" * 5000, "%00", "[1e999999999]"):
        assert signed(venue, "POST", f"batchOrders={text}").code == -1102


def test_numbers_and_truths_may_be_json_values(venue: SimulatedVenue) -> None:
    (answer,) = batch(venue, "POST", [order(quantity=0.01, price=60000.1, reduceOnly=False, goodTillDate=None)]).json
    assert (answer["origQty"], answer["price"], answer["reduceOnly"]) == ("0.010", "60000.10", False)


def test_json_is_taken_as_each_client_writes_it(venue: SimulatedVenue) -> None:
    compact = json.dumps([order()], separators=(",", ":"))
    assert signed(venue, "POST", f"batchOrders={compact}", in_body=True).json[0]["status"] == "NEW"  # ccxt
    spaced = quote_plus(json.dumps([order()]))
    assert "%3A+%22" in spaced
    assert signed(venue, "POST", f"batchOrders={spaced}", in_body=True).json[0]["status"] == "NEW"  # python-binance
    assert signed(venue, "POST", f"batchOrders={quote(compact)}").json[0]["status"] == "NEW"  # the venue's SDK


def test_orders_are_amended_in_a_batch(venue: SimulatedVenue) -> None:
    order_id = venue.place(price="60000").json["orderId"]
    change = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order_id, "quantity": "0.020", "price": "60001"}
    changed, missing = batch(venue, "PUT", [change | {"modifyId": 7}, change | {"orderId": 5}]).json
    assert (changed["origQty"], changed["price"], changed["modifyId"]) == ("0.020", "60001.00", 7)
    assert missing["code"] == -2013


@pytest.mark.parametrize(
    ("ids", "names"), [("orderIdList", "origClientOrderIdList"), ("orderidlist", "origclientorderidlist")]
)
@pytest.mark.parametrize("in_body", [False, True])
def test_orders_are_cancelled_in_a_batch_by_either_id(
    venue: SimulatedVenue, ids: str, names: str, in_body: bool
) -> None:
    made = [venue.place(price="60000", newClientOrderId=f"c-{index}").json["orderId"] for index in range(3)]
    by_id = signed(venue, "DELETE", f"symbol=BTCUSDT&{ids}={quote(f'[{made[0]},5]')}", in_body=in_body).json
    assert (by_id[0]["orderId"], by_id[0]["status"], by_id[1]) == (
        made[0],
        "CANCELED",
        {"code": -2011, "msg": "Unknown order sent."},
    )
    by_name = signed(venue, "DELETE", f"symbol=BTCUSDT&{names}={quote(TWO_NAMES)}", in_body=in_body).json
    assert [one["clientOrderId"] for one in by_name] == ["c-1", "c-2"]
    assert venue.exchange.open_orders("main", None) == []


def test_what_a_batch_of_cancels_must_look_like(venue: SimulatedVenue) -> None:
    def code(text: str) -> int:
        return signed(venue, "DELETE", text).code

    assert code("symbol=BTCUSDT") == -1102
    assert code(f"symbol=BTCUSDT&orderIdList={quote(str(list(range(1, 12))))}") == -4032
    assert code("symbol=BTCUSDT&orderIdList=[]") == -4082
    assert code("symbol=BTCUSDT&orderIdList=7") == -1102
    assert code("symbol=BTCUSDT&orderIdList=%5B%22a%22%5D") == -1100
    assert code("symbol=BTCUSDT&origClientOrderIdList=[7]") == -1102
    assert code("symbol=NOPE&orderIdList=[7]") == -1121


def test_an_order_may_be_tried_without_being_placed(venue: SimulatedVenue) -> None:
    good = venue.signed("POST", "/fapi/v1/order/test", **order())
    assert (good.json["symbol"], good.json["status"], good.json["origQty"]) == ("BTCUSDT", "NEW", "0.010")
    assert venue.exchange.orders("main", None) == []
    assert "x-mbx-order-count-10s" not in good.headers
    for change, code in (({"price": "60000.05"}, -4014), ({"quantity": "40"}, -2019), ({"side": "UP"}, -1117)):
        assert venue.signed("POST", "/fapi/v1/order/test", **order(**change)).code == code


def test_conditional_orders_are_tried_by_their_older_names(venue: SimulatedVenue) -> None:
    stop: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.010",
        "stopPrice": "60000",
    }
    told = venue.signed("POST", "/fapi/v1/order/test", **stop, workingType="MARK_PRICE", newClientOrderId="s").json
    assert (told["type"], told["origType"], told["stopPrice"]) == ("STOP_MARKET", "STOP_MARKET", "60000.00")
    assert (told["workingType"], told["clientOrderId"], told["price"]) == ("MARK_PRICE", "s", "0.00")
    trailing: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "TRAILING_STOP_MARKET",
        "quantity": "0.010",
    }
    trailing |= {"callbackRate": "0.3", "activationPrice": "65000"}
    told = venue.signed("POST", "/fapi/v1/order/test", **trailing).json
    assert (told["activatePrice"], told["priceRate"]) == ("65000.00", "0.3")
    for change, code in (
        ({"stopPrice": "65000"}, -2021),
        ({"stopPrice": "0"}, -4006),
        ({"closePosition": "true"}, -4137),
    ):
        assert venue.signed("POST", "/fapi/v1/order/test", **(stop | change)).code == code
    assert venue.exchange.open_triggers("main", None) == []


def test_what_clients_ask_of_other_services_at_their_start(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/sapi/v1/capital/config/getall").raw == b"[]"
    assert venue.raw("GET", "/sapi/v1/capital/config/getall").code == -2014
    ping = venue.public("/api/v3/ping")
    assert (ping.raw, ping.headers["x-mbx-used-weight"]) == (b"{}", ping.headers["x-mbx-used-weight-1m"])
    for path in ("/api/v3/exchangeInfo", "/dapi/v1/exchangeInfo"):
        assert venue.public(path).json["symbols"] == []
    assert venue.public("/eapi/v1/exchangeInfo").json["optionSymbols"] == []
    for service in ("/api/v3", "/dapi/v1", "/eapi/v1"):
        assert venue.public(f"{service}/time").json == {"serverTime": venue.exchange.now_ms()}


def test_parameters_that_are_sent_empty_are_refused_by_name(venue: SimulatedVenue) -> None:
    assert venue.public("/fapi/v1/depth", symbol="").code == -1105
    assert venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit="").code == -1105
    assert venue.place(newClientOrderId="").code == -1118
    assert venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="").code == -1119
