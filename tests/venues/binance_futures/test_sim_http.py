"""The simulated venue's REST calls, byte by byte."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import MAIN, OTHER, SimulatedVenue, in_virtual_time, pass_s

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.signatures import hmac_hex


@pytest.fixture
def venue(clock: Any) -> SimulatedVenue:
    """For calls that need no running loop: nothing is listening and no timer is set."""
    return SimulatedVenue(clock)


# --- the door ---------------------------------------------------------------------------------------------------------


def test_public_calls_need_no_key(venue: SimulatedVenue) -> None:
    assert venue.public("/fapi/v1/ping").raw == b"{}"
    assert venue.public("/fapi/v1/time").json == {"serverTime": venue.exchange.now_ms()}


def test_what_is_not_served_is_404_in_the_venues_manner(venue: SimulatedVenue) -> None:
    for method, path in (("GET", "/fapi/v1/candles"), ("POST", "/fapi/v1/time"), ("GET", "/")):
        answer = venue.raw(method, path)
        assert (answer.status, answer.code) == (404, -5000)


QUERY = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=60000"


def test_a_signature_counts_in_query_or_body_over_the_raw_text(venue: SimulatedVenue) -> None:
    stamp = f"timestamp={venue.exchange.now_ms()}"

    def order(query: str, body: str, signature_in: str) -> int:
        signature = f"&signature={hmac_hex((query + body).encode(), MAIN.secret_key)}"
        if signature_in == "query":
            query += signature
        else:
            body += signature
        return venue.raw("POST", "/fapi/v1/order", query, body, key=MAIN.api_key).status

    assert order(f"{QUERY}&{stamp}", "", "query") == 200  # the venue's own SDK
    assert order("", f"{QUERY}&{stamp}", "body") == 200  # form bodies
    assert order(QUERY, stamp, "body") == 200
    assert order(QUERY, stamp, "query") == 200
    # A body on DELETE, parameters in any order, text that is encoded in an unusual way.
    order_id = venue.place(price="60000").json["orderId"]
    body = f"symbol=%42TCUSDT&timestamp={venue.exchange.now_ms()}&orderId={order_id}"
    signature = hmac_hex(body.encode(), MAIN.secret_key).upper()
    answer = venue.raw("DELETE", "/fapi/v1/order", "", f"{body}&signature={signature}", key=MAIN.api_key)
    assert answer.json["status"] == "CANCELED"


def test_a_wrong_or_misplaced_signature_is_refused(venue: SimulatedVenue) -> None:
    query = f"timestamp={venue.exchange.now_ms()}"
    good = hmac_hex(query.encode(), MAIN.secret_key)

    def code(text: str) -> int:
        return venue.raw("GET", "/fapi/v3/account", text, key=MAIN.api_key).code

    assert code(f"{query}&signature={good[:-1]}x") == -1022
    assert code(f"signature={good}&{query}") == -1022
    assert code(f"{query}&x=1&signature={good}") == -1022
    assert code(query) == -1102
    assert code("") == -1102


@pytest.mark.parametrize(
    ("late_ms", "window_ms", "code"),
    [(0, None, 0), (-999, None, 0), (-1000, None, -1021), (5000, None, 0), (5001, None, -1021), (9000, 9000, 0)],
)
def test_a_time_stamp_must_lie_in_the_window(venue: SimulatedVenue, late_ms: int, window_ms: int, code: int) -> None:
    window: dict[str, Any] = {} if window_ms is None else {"recvWindow": window_ms}
    answer = venue.signed("GET", "/fapi/v3/account", timestamp=venue.exchange.now_ms() - late_ms, **window)
    if code:
        assert (answer.status, answer.code) == (400, code)
        assert ("1000ms ahead" in answer.json["msg"]) is (late_ms < 0)
        assert ("outside of the recvWindow" in answer.json["msg"]) is (late_ms > 0)
    else:
        assert answer.status == 200


def test_a_window_is_at_most_a_minute(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v3/account", recvWindow=60000).status == 200
    assert venue.signed("GET", "/fapi/v3/account", recvWindow=60001).code == -1130


def test_keys_are_checked_before_anything_else(venue: SimulatedVenue) -> None:
    assert venue.raw("GET", "/fapi/v3/account").code == -2014
    assert venue.raw("GET", "/fapi/v3/account", key="no spaces please").code == -2014
    unknown = venue.raw("GET", "/fapi/v3/account", key="unknown-key")
    assert (unknown.status, unknown.code) == (401, -2015)
    assert venue.raw("POST", "/fapi/v1/listenKey", key="unknown-key").code == -2015


def test_a_parameter_sent_twice_is_refused_but_the_query_wins_over_the_body(venue: SimulatedVenue) -> None:
    assert venue.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT&symbol=ETHUSDT").code == -1101
    query, body = "symbol=ETHUSDT", f"symbol=BTCUSDT&timestamp={venue.exchange.now_ms()}"
    signature = hmac_hex((query + body).encode(), MAIN.secret_key)
    answer = venue.raw("GET", "/fapi/v1/commissionRate", query, f"{body}&signature={signature}", key=MAIN.api_key)
    assert answer.json["symbol"] == "ETHUSDT"


# --- limits -----------------------------------------------------------------------------------------------------------


def test_weight_is_counted_by_the_minute_of_the_clock_and_told(venue: SimulatedVenue) -> None:
    def used(answer: Any) -> str:
        return str(answer.headers["x-mbx-used-weight-1m"])

    assert used(venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)) == "20"
    assert used(venue.public("/fapi/v1/depth", symbol="BTCUSDT")) == "21"
    assert used(venue.public("/fapi/v1/depth", symbol="NONE", limit=100)) == "26"  # refused, and counted
    assert used(venue.raw("GET", "/fapi/v1/ping", peer="5.6.7.8")) == "1"
    venue.clock.advance(60)
    assert used(venue.public("/fapi/v1/time")) == "1"


def test_who_goes_on_beyond_the_weight_limit_is_banned_for_longer_each_time(venue: SimulatedVenue) -> None:
    def spend() -> list[Any]:
        answers = [venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000) for _ in range(145)]
        assert [answer.status for answer in answers[:120]] == [200] * 120
        return answers

    answers = spend()
    first = answers[120]
    assert (first.status, first.code) == (429, -1003)
    seconds_left = 60 - venue.exchange.now_ms() // 1000 % 60
    assert int(first.headers["retry-after"]) in (seconds_left, seconds_left + 1)
    last = answers[-1]
    assert (last.status, last.code) == (418, -1003)
    assert f"banned until {venue.exchange.now_ms() + 120_000}" in last.json["msg"]
    assert last.headers["retry-after"] == "120"
    venue.clock.advance(119)
    assert venue.public("/fapi/v1/ping").status == 418
    venue.clock.advance(1)
    assert venue.public("/fapi/v1/ping").status == 200
    venue.clock.advance(60 - venue.exchange.now_ms() / 1000 % 60)
    assert spend()[-1].headers["retry-after"] == "240"


def test_orders_are_counted_for_the_account_in_two_windows(venue: SimulatedVenue) -> None:
    venue.clock.advance(60 - venue.exchange.now_ms() / 1000 % 60)
    first = venue.place(price="60000")
    assert (first.headers["x-mbx-order-count-10s"], first.headers["x-mbx-order-count-1m"]) == ("1", "1")
    order_id = first.json["orderId"]
    for index in range(299):
        # Each is refused as no change, and counts all the same; each window of ten seconds takes 300.
        answer = venue.signed(
            "PUT", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", orderId=order_id, quantity="0.010", price="60000"
        )
        assert answer.code == -5027, index
    full = venue.place(price="60000")
    assert (full.status, full.code, full.headers["retry-after"]) == (429, -1015, "10")
    assert venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id).status == 200
    assert venue.place(account=OTHER, price="60000").status == 200
    venue.clock.advance(10)
    again = venue.place(price="60000")
    assert (again.headers["x-mbx-order-count-10s"], again.headers["x-mbx-order-count-1m"]) == ("1", "301")


# --- market data ------------------------------------------------------------------------------------------------------


def test_exchange_information_states_the_rules_that_hold(venue: SimulatedVenue) -> None:
    info = venue.public("/fapi/v1/exchangeInfo").json
    assert [one["symbol"] for one in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    bitcoin = info["symbols"][0]
    rules = {rule["filterType"]: rule for rule in bitcoin["filters"]}
    assert rules["PRICE_FILTER"] == {
        "filterType": "PRICE_FILTER",
        "minPrice": "556.80",
        "maxPrice": "4529764",
        "tickSize": "0.10",
    }
    assert rules["MIN_NOTIONAL"] == {"filterType": "MIN_NOTIONAL", "notional": "100"}
    assert (bitcoin["contractType"], bitcoin["status"]) == ("PERPETUAL", "TRADING")
    assert {
        (one["rateLimitType"], one["interval"], one["intervalNum"], one["limit"]) for one in info["rateLimits"]
    } == {
        ("REQUEST_WEIGHT", "MINUTE", 1, 2400),
        ("ORDERS", "SECOND", 10, 300),
        ("ORDERS", "MINUTE", 1, 1200),
    }


def test_the_book_shows_what_rests_best_first(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.place(price="63990.5", quantity="0.5")
    book = venue.public("/fapi/v1/depth", symbol="btcusdt", limit=5).json
    assert book["bids"] == [["63999.90", "1.000"], ["63990.50", "0.500"]]
    assert book["asks"] == [["64000.10", "1.000"]]
    assert book["E"] >= book["T"]
    ticker = venue.public("/fapi/v1/ticker/bookTicker", symbol="BTCUSDT").json
    assert (ticker["bidPrice"], ticker["askQty"], ticker["lastUpdateId"]) == ("63999.90", "1.000", book["lastUpdateId"])
    assert venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=7).code == -4021
    assert venue.public("/fapi/v1/depth", symbol="NONE").code == -1121
    assert venue.public("/fapi/v1/depth").code == -1102


def test_a_side_without_orders_is_quoted_as_zero(venue: SimulatedVenue) -> None:
    quotes = venue.public("/fapi/v1/ticker/bookTicker").json
    assert [one["symbol"] for one in quotes] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert (quotes[0]["bidPrice"], quotes[0]["bidQty"]) == ("0.00", "0.000")


def test_public_trades_and_their_aggregates(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market(quantity="0.010")
    venue.market(quantity="0.020")
    venue.market(side="SELL", quantity="0.030")
    trades = venue.public("/fapi/v1/trades", symbol="BTCUSDT").json
    assert [one["qty"] for one in trades] == ["0.010", "0.020", "0.030"]
    assert [one["isBuyerMaker"] for one in trades] == [False, False, True]
    assert trades[0]["quoteQty"] == "640.00100"
    assert venue.public("/fapi/v1/aggTrades", symbol="BTCUSDT").json == []  # their tenth of a second still runs
    venue.clock.advance(0.1)
    first, second = venue.public("/fapi/v1/aggTrades", symbol="BTCUSDT").json
    assert (first["q"], first["f"], first["l"]) == ("0.030", trades[0]["id"], trades[1]["id"])
    assert (second["q"], second["m"], second["a"]) == ("0.030", True, first["a"] + 1)
    assert venue.public("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=second["a"]).json == [second]
    assert venue.public("/fapi/v1/trades", symbol="BTCUSDT", limit=1001).code == -1130
    assert venue.public("/fapi/v1/ticker/price", symbol="BTCUSDT").json["price"] == "63999.90"
    assert len(venue.public("/fapi/v2/ticker/price").json) == 3


def test_the_premium_index_tells_mark_price_and_funding(venue: SimulatedVenue) -> None:
    row = venue.public("/fapi/v1/premiumIndex", symbol="BTCUSDT").json
    assert row["markPrice"] == "64000.00000000"
    assert row["nextFundingTime"] % (8 * 3600 * 1000) == 0
    assert len(venue.public("/fapi/v1/premiumIndex").json) == 3


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_resting_order_can_be_placed_read_and_cancelled(venue: SimulatedVenue) -> None:
    placed = venue.place(newClientOrderId="m1", price="60000.1").json
    assert placed == placed | {
        "symbol": "BTCUSDT",
        "status": "NEW",
        "clientOrderId": "m1",
        "price": "60000.10",
        "origQty": "0.010",
        "executedQty": "0.000",
        "cumQty": "0.000",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "reduceOnly": False,
        "side": "BUY",
        "positionSide": "BOTH",
    }
    assert not {"avgPrice", "cumQuote", "time"} & set(placed)
    for key in ({"orderId": placed["orderId"]}, {"origClientOrderId": "m1"}):
        read = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", **key).json
        assert (read["orderId"], read["status"], read["avgPrice"]) == (placed["orderId"], "NEW", "0.00000")
        assert read["time"] == placed["updateTime"]
        assert "cumQty" not in read
    assert len(venue.signed("GET", "/fapi/v1/openOrders").json) == 1
    assert venue.signed("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="m1").status == 200
    cancelled = venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="m1").json
    assert (cancelled["status"], cancelled["orderId"]) == ("CANCELED", placed["orderId"])
    assert venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="m1").code == -2011
    assert venue.signed("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", origClientOrderId="m1").code == -2013
    assert venue.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT").json == []
    assert venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=5).code == -2013
    assert venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT").code == -1102


def test_an_order_that_ended_unfilled_is_forgotten_after_three_days(venue: SimulatedVenue) -> None:
    order_id = venue.place(price="60000").json["orderId"]
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id)
    venue.clock.advance(3 * 24 * 3600)
    assert venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id).status == 200
    venue.clock.advance(1)
    assert venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id).code == -2013


def test_a_market_order_fills_and_says_so_only_where_the_result_is_asked_for(venue: SimulatedVenue) -> None:
    venue.quote()
    result = venue.market().json
    assert (result["status"], result["executedQty"], result["price"]) == ("FILLED", "0.010", "0.00")
    assert "avgPrice" not in result
    acknowledged = venue.market(newOrderRespType="ACK").json
    assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0.000")
    read = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=acknowledged["orderId"]).json
    assert (read["status"], read["avgPrice"], read["cumQuote"]) == ("FILLED", "64000.10000", "640.00100")
    assert venue.position() == Decimal("0.020")
    assert venue.market(newOrderRespType="FULL").code == -1136


def test_what_a_market_order_cannot_fill_expires(venue: SimulatedVenue) -> None:
    venue.quote(quantity="0.005")
    order = venue.market().json
    assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.005")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": None}, -1102),
        ({"symbol": "NONE"}, -1121),
        ({"side": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": None}, -1102),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET", "stopPrice": "1"}, -4120),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": "GTE_GTC"}, -1115),
        ({"timeInForce": "RPI"}, -4188),
        ({"quantity": None}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "-1"}, -4003),
        ({"quantity": "much"}, -1100),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": "0.01000000"}, 0),
        ({"quantity": "1001"}, -4005),
        ({"price": None}, -1102),
        ({"price": "0"}, -4001),
        ({"price": "-5"}, -4001),
        ({"price": "63000.15"}, -4014),
        ({"price": "63000.155"}, -1111),
        ({"price": "500"}, -4013),
        ({"price": "6.3e4"}, -1100),
        ({"price": "67200.1"}, -4016),
        ({"price": "67200"}, 0),
        ({"price": "60799.9", "side": "SELL"}, -4024),
        ({"price": "60000", "quantity": "0.001"}, -4164),
        ({"newClientOrderId": "no spaces"}, -4015),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -4060),
        ({"positionSide": "BOTH"}, 0),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "yes"}, -4062),
        ({"quantity": "40"}, -2019),
        ({"selfTradePreventionMode": "EXPIRE_ALL"}, -5039),
        ({"priceMatch": "QUEUE"}, -1106),
        ({"priceMatch": "QUEUE", "price": None}, -5041),
        ({"priceMatch": "OPPONENT_10", "price": None}, -5037),
        ({"type": "MARKET", "price": None}, -1106),
        ({"type": "MARKET", "price": None, "timeInForce": None}, -1112),
        ({"type": "MARKET", "timeInForce": None}, -1106),
        ({"timeInForce": "FOK"}, -5021),
        ({"timeInForce": "IOC"}, 0),
        ({"timeInForce": "GTX"}, 0),
    ],
)
def test_an_order_is_refused_by_the_first_rule_that_it_breaks(
    venue: SimulatedVenue, params: dict[str, Any], code: int
) -> None:
    answer = venue.place(**params)
    if code:
        assert (answer.status, answer.code) == (400, code)
        assert answer.json["msg"]
        assert not venue.exchange.orders("main", None)
    else:
        assert answer.status == 200, answer.raw


def test_a_post_only_order_that_would_take_is_refused_and_not_recorded(venue: SimulatedVenue) -> None:
    venue.quote()
    assert venue.place(timeInForce="GTX", price="64000.1").code == -5022
    assert venue.place(timeInForce="FOK", quantity="2", price="64000.1").code == -5021
    assert venue.signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT").json == []


def test_a_client_order_id_is_taken_only_while_its_order_is_open(venue: SimulatedVenue) -> None:
    assert venue.place(newClientOrderId="twice", price="60000").status == 200
    assert venue.place(newClientOrderId="twice", price="60000").code == -4116
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="twice")
    assert venue.place(newClientOrderId="twice", price="60000").status == 200


def test_orders_without_a_client_order_id_are_given_one_each(venue: SimulatedVenue) -> None:
    first, second = venue.place(price="60000").json, venue.place(price="60000").json
    assert first["clientOrderId"] != second["clientOrderId"]


def test_a_price_may_be_matched_to_the_book(venue: SimulatedVenue) -> None:
    venue.quote()
    assert venue.place(priceMatch="QUEUE", price=None).json["price"] == "63999.90"
    assert venue.place(priceMatch="OPPONENT", price=None).json["price"] == "64000.10"
    assert venue.market(priceMatch="QUEUE").code == -5038


def test_an_order_is_amended_in_price_and_total_quantity(venue: SimulatedVenue) -> None:
    order_id = venue.place(price="60000").json["orderId"]

    def amend(**params: Any) -> Any:
        values = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order_id, "quantity": "0.020", "price": "60000.1"}
        chosen = {name: value for name, value in (values | params).items() if value is not None}
        return venue.signed("PUT", "/fapi/v1/order", **chosen)

    amended = amend(modifyId=7).json
    assert (amended["price"], amended["origQty"], amended["modifyId"]) == ("60000.10", "0.020", 7)
    assert amended["pair"] == "BTCUSDT"
    assert amend().code == -5027
    assert amend(price=None).code == -1102
    assert amend(quantity=None).code == -1102
    assert amend(orderId=5).code == -2013
    assert amend(side="SELL").code == -1117
    assert amend(price="60000.15").code == -4014
    assert amend(price="67200.1").code == -4016
    assert amend(quantity="0.001").code == -5029
    assert amend(reduceOnly="true").code == -5047
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id)
    assert amend(price="60000.2").code == -2013


def test_an_amendment_that_leaves_nothing_to_fill_or_would_take_cancels(venue: SimulatedVenue) -> None:
    venue.quote(quantity="0.005")
    partly = venue.place(price="64000.1", quantity="0.010").json
    assert (partly["status"], partly["executedQty"]) == ("PARTIALLY_FILLED", "0.005")
    order: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "price": "64000.1"}
    ended = venue.signed("PUT", "/fapi/v1/order", **order, orderId=partly["orderId"], quantity="0.005")
    assert ended.json["status"] == "CANCELED"
    venue.place(account=OTHER, side="SELL", price="64000.1", quantity="1")
    waiting = venue.place(price="60000", timeInForce="GTX").json
    ended = venue.signed("PUT", "/fapi/v1/order", **order, orderId=waiting["orderId"], quantity="0.010")
    assert (ended.json["status"], ended.json["executedQty"]) == ("CANCELED", "0.000")


def test_all_open_orders_of_a_symbol_are_cancelled_at_once(venue: SimulatedVenue) -> None:
    for price in ("60000", "60001", "60002"):
        venue.place(price=price)
    answer = venue.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert (answer.json["code"], answer.status) == (200, 200)
    assert venue.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT").json == []


def test_a_symbol_takes_200_open_orders(venue: SimulatedVenue) -> None:
    for _ in range(200):
        assert venue.place(price="60000", quantity="0.002").status == 200
    assert venue.place(price="60000", quantity="0.002").code == -2025


def test_history_keeps_the_newest_orders_and_the_oldest_trades(venue: SimulatedVenue) -> None:
    venue.quote()
    ids = [venue.market().json["orderId"] for _ in range(3)]
    orders = venue.signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT", limit=2).json
    assert [one["orderId"] for one in orders] == ids[1:]
    assert orders[0]["pair"] == "BTCUSDT"
    trades = venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", limit=2).json
    assert [one["orderId"] for one in trades] == ids[:2]
    assert trades[0] == trades[0] | {
        "side": "BUY",
        "price": "64000.10",
        "qty": "0.010",
        "quoteQty": "640.00100",
        "commission": "0.32000050",
        "commissionAsset": "USDT",
        "realizedPnl": "0.00000000",
        "buyer": True,
        "maker": False,
    }
    by_id = venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=trades[1]["id"]).json
    assert [one["orderId"] for one in by_id] == ids[1:]
    by_order = venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", orderId=ids[2]).json
    assert [one["orderId"] for one in by_order] == ids[2:]
    now_ms = venue.exchange.now_ms()
    later = venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=now_ms + 1)
    assert later.json == []
    assert venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=2, endTime=1).code == -1023
    assert venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime=1, endTime=now_ms).code == -4165


# --- account ----------------------------------------------------------------------------------------------------------


def test_an_account_is_worth_what_the_exchange_says(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market(quantity="1")
    venue.place(price="60000", quantity="0.100")
    account = venue.signed("GET", "/fapi/v3/account").json
    view = venue.exchange.view("main")
    assert Decimal(account["totalWalletBalance"]) == view.wallet == Decimal(100000) - Decimal("32.00005")
    assert Decimal(account["totalMarginBalance"]) == view.equity
    assert Decimal(account["availableBalance"]) == view.available
    assert Decimal(account["totalInitialMargin"]) == view.initial_margin + view.order_margin
    assert account["totalOpenOrderInitialMargin"] == "300.00000000"
    assert [one["asset"] for one in account["assets"]] == ["USDT"]
    (position,) = account["positions"]
    assert (position["symbol"], position["positionAmt"]) == ("BTCUSDT", "1.000")
    second = venue.signed("GET", "/fapi/v2/account").json
    assert [one["symbol"] for one in second["positions"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert (second["positions"][0]["leverage"], second["positions"][0]["isolated"]) == ("20", False)
    assert second["canTrade"] is True
    for version in ("v2", "v3"):
        (balance,) = venue.signed("GET", f"/fapi/{version}/balance").json
        assert balance["balance"] == account["totalWalletBalance"]


def test_positions_with_margin_and_liquidation_price(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json == []
    assert [one["positionAmt"] for one in venue.signed("GET", "/fapi/v2/positionRisk").json] == [
        "0.000",
        "0.000",
        "0.00",
    ]
    venue.quote()
    venue.market(quantity="1", side="SELL")
    (risk,) = venue.signed("GET", "/fapi/v3/positionRisk").json
    assert (risk["positionAmt"], risk["entryPrice"], risk["markPrice"]) == ("-1.000", "63999.9", "64000.00000000")
    assert (risk["unRealizedProfit"], risk["notional"]) == ("-0.10000000", "-64000.00000000")
    assert (risk["positionInitialMargin"], risk["maintMargin"]) == ("3200.00000000", "256.00000000")
    assert risk["breakEvenPrice"] == "63967.90005"
    # At the liquidation price, equity is the maintenance margin.
    price = Decimal(risk["liquidationPrice"])
    equity = venue.exchange.view("main").wallet + (Decimal("63999.9") - price)
    assert abs(equity - price * Decimal("0.004")) < Decimal("0.000001")
    second = venue.signed("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").json[0]
    assert (second["leverage"], second["marginType"]) == ("20", "cross")
    assert second["liquidationPrice"] == risk["liquidationPrice"]


def test_a_small_long_position_cannot_be_liquidated(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market()
    (risk,) = venue.signed("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT").json
    assert risk["liquidationPrice"] == "0"


def test_a_symbol_with_open_orders_only_is_listed_without_a_position(venue: SimulatedVenue) -> None:
    venue.place(price="60000")
    (risk,) = venue.signed("GET", "/fapi/v3/positionRisk").json
    assert (risk["positionAmt"], risk["bidNotional"], risk["openOrderInitialMargin"]) == ("0.000", "600", "30.00000000")


def test_leverage_and_the_settings_of_an_account(venue: SimulatedVenue) -> None:
    assert venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=50).json == {
        "leverage": 50,
        "maxNotionalValue": "12000000",
        "symbol": "BTCUSDT",
    }
    assert venue.signed("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT").json[0]["leverage"] == 50
    assert len(venue.signed("GET", "/fapi/v1/symbolConfig").json) == 3
    for leverage in (0, 126):
        assert venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=leverage).code == -4028
    assert venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT").code == -1102
    assert venue.signed("GET", "/fapi/v1/positionSide/dual").json == {"dualSidePosition": False}
    assert venue.signed("GET", "/fapi/v1/accountConfig").json["canTrade"] is True
    assert venue.signed("GET", "/fapi/v1/commissionRate", symbol="BTCUSDT").json == {
        "symbol": "BTCUSDT",
        "makerCommissionRate": "0.0002",
        "takerCommissionRate": "0.0005",
        "rpiCommissionRate": "0.00005",
    }
    (brackets,) = venue.signed("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT").json
    assert brackets["brackets"][0]["maintMarginRatio"] == 0.004


def test_lower_leverage_than_the_margin_allows_is_refused(venue: SimulatedVenue) -> None:
    venue.quote(quantity="20")
    assert venue.market(quantity="20").status == 200
    assert venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=2).code == -2028


# --- listen keys ------------------------------------------------------------------------------------------------------


def test_a_listen_key_lives_for_an_hour_after_it_was_last_asked_for() -> None:
    async def main(venue: SimulatedVenue) -> None:
        def keep() -> Any:
            return venue.raw("PUT", "/fapi/v1/listenKey", key=MAIN.api_key)

        venue.exchange.close()  # nothing else is to happen for so long
        assert keep().code == -1125
        key = venue.listen_key()
        assert len(key) == 64
        assert venue.listen_key() == key
        await pass_s(3000)
        assert keep().json == {"listenKey": key}
        await pass_s(3000)
        assert keep().status == 200
        await pass_s(3601)
        assert keep().code == -1125
        assert venue.listen_key() != key
        assert venue.raw("DELETE", "/fapi/v1/listenKey", key=MAIN.api_key).raw == b"{}"
        assert keep().code == -1125

    in_virtual_time(main)


def test_every_answer_is_json_and_dated_by_the_venues_clock(venue: SimulatedVenue) -> None:
    answer = venue.public("/fapi/v1/time")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    assert json.loads(answer.raw)
    assert isinstance(venue.exchange, Exchange)


# --- meeting orders of one's own --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "shown", "taker", "maker"),
    [
        (None, "EXPIRE_MAKER", "FILLED", "EXPIRED_IN_MATCH"),
        ("EXPIRE_MAKER", "EXPIRE_MAKER", "FILLED", "EXPIRED_IN_MATCH"),
        ("EXPIRE_TAKER", "EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_BOTH", "EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_the_takers_mode_decides_what_expires_in_a_match_with_itself(
    venue: SimulatedVenue, mode: str | None, shown: str, taker: str, maker: str
) -> None:
    own = venue.place(side="SELL", price="64000", selfTradePreventionMode="EXPIRE_BOTH").json
    assert own["selfTradePreventionMode"] == "EXPIRE_BOTH"
    venue.place(account=OTHER, side="SELL", price="64000.10")
    answer = venue.place(price="64000.10", selfTradePreventionMode=mode).json
    assert (answer["status"], answer["selfTradePreventionMode"]) == (taker, shown)
    now = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=own["orderId"]).json
    assert (now["status"], now["selfTradePreventionMode"]) == (maker, "EXPIRE_BOTH")


def test_a_modified_order_goes_to_the_rear_even_for_less_quantity(venue: SimulatedVenue) -> None:
    first = venue.place(quantity="0.020").json
    venue.place(quantity="0.010")
    path = "/fapi/v1/order"
    changes = {"symbol": "BTCUSDT", "side": "BUY", "orderId": first["orderId"], "quantity": "0.010", "price": "64000"}
    assert venue.signed("PUT", path, **changes).status == 200
    venue.place(account=OTHER, side="SELL", quantity="0.010")
    now = venue.signed("GET", path, symbol="BTCUSDT", orderId=first["orderId"]).json
    assert (now["status"], now["executedQty"]) == ("NEW", "0.000")


@pytest.mark.parametrize("number", ["\u0661", "\u0967.5", "-\u0661", "1\u0660"])
def test_digits_of_other_scripts_are_illegal_characters(venue: SimulatedVenue, number: str) -> None:
    assert venue.place(quantity=number).code == -1100
    assert venue.place(price=number).code == -1100


def test_bytes_that_are_no_text_are_refused_like_any_other(venue: SimulatedVenue) -> None:
    """Raw bytes reach the venue as surrogates, as the HTTP server writes what it can't decode."""
    odd = "\udcff"
    assert venue.raw("GET", f"/fapi/{odd}").code == -5000
    assert venue.raw("GET", "/fapi/v1/depth", f"symbol={odd}").code == -1121
    query = f"symbol=BTCUSDT&newClientOrderId={odd}&timestamp={venue.exchange.now_ms()}"
    signature = hmac_hex(query.encode("utf-8", "surrogateescape"), MAIN.secret_key)
    answer = venue.raw("GET", "/fapi/v1/commissionRate", f"{query}&signature={signature}", key=MAIN.api_key)
    assert answer.json["symbol"] == "BTCUSDT"
    assert venue.raw("GET", "/fapi/v3/balance", f"{query}&signature={odd}", key=MAIN.api_key).code == -1022


def test_the_firewall_answers_with_a_page(venue: SimulatedVenue) -> None:
    def ask(path: str) -> HttpReply:
        request = IncomingRequest(method="GET", path=path, query="", headers={}, body=b"", peer="1.2.3.4")
        return venue.dialect.http(request)

    heavy = "/fapi/v1/historicalTrades"
    statuses = [ask(heavy).status for _ in range(12 + 20 + 1 + 100)]
    assert statuses == [401] * 12 + [429] * 20 + [418] * 101
    reply = ask("/fapi/v1/ping")
    assert (reply.status, reply.headers["content-type"]) == (403, "text/html")
    assert reply.body.startswith(b"<html>")
    venue.clock.advance(121)
    assert ask("/fapi/v1/ping").status == 200


def test_accounts_cannot_see_each_other(venue: SimulatedVenue) -> None:
    venue.quote()
    order_id = venue.place(account=OTHER, price="60000", newClientOrderId="theirs").json["orderId"]
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010"}
    params: dict[str, Any] = stop | {"triggerPrice": "60000"}
    algo_id = venue.signed("POST", "/fapi/v1/algoOrder", account=OTHER, **params).json["algoId"]
    btc: dict[str, Any] = {"symbol": "BTCUSDT"}
    path = "/fapi/v1/order"
    assert venue.signed("GET", path, **btc, orderId=order_id).code == -2013
    assert venue.signed("GET", path, **btc, origClientOrderId="theirs").code == -2013
    assert venue.signed("DELETE", path, **btc, orderId=order_id).code == -2011
    change: dict[str, Any] = {"side": "BUY", "quantity": "0.010", "price": "60001"}
    assert venue.signed("PUT", path, **btc, **change, orderId=order_id).code == -2013
    assert venue.signed("GET", "/fapi/v1/algoOrder", algoId=algo_id).code == -2013
    assert venue.signed("DELETE", "/fapi/v1/algoOrder", algoId=algo_id).code == -2011
    venue.market()
    assert len(venue.signed("GET", "/fapi/v1/userTrades", **btc).json) == 1
    for name in ("openOrders", "openAlgoOrders"):
        assert venue.signed("GET", f"/fapi/v1/{name}").json == []
    assert [one["incomeType"] for one in venue.signed("GET", "/fapi/v1/income").json] == ["COMMISSION"]
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", **btc)
    assert venue.signed("GET", path, account=OTHER, **btc, orderId=order_id).json["status"] == "NEW"
    assert venue.place(price="60000", newClientOrderId="theirs").status == 200


def test_two_hundred_orders_may_rest_on_a_symbol_and_what_does_not_rest_still_goes(venue: SimulatedVenue) -> None:
    venue.quote()
    for number in range(200):
        assert venue.place(price=str(60000 + number), quantity="0.002").status == 200
        if number % 100 == 99:
            venue.clock.advance(10)  # another window of the order count
    refused = venue.place(price="60500", quantity="0.002")
    assert (refused.status, refused.json["code"]) == (400, -2025)
    assert venue.market(quantity="0.010", side="SELL").status == 200
