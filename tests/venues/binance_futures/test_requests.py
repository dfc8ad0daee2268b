from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpRequest
from perpwire.model.order import Order, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.venues.base import Call
from perpwire.venues.binance_futures.venue import VENUE

KEYS = Credentials("sim-key", "sim-secret-0001")
NOW_MS = 1_790_000_000_000


def encoded(call: Call[Any], credentials: Credentials | None = KEYS) -> HttpRequest:
    return VENUE.encode(call.endpoint, call.params, credentials, NOW_MS)


def sent_params(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.target).query, strict_parsing=True))


def a_limit_order(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal("0.010"),
        "price": Decimal("64000.10"),
        "client_order_id": "a/b:c_1.d-2",
    }
    return OrderRequest(**(values | changes))


def test_a_limit_order_is_signed_as_it_is_sent() -> None:
    request = encoded(VENUE.place_order(a_limit_order()))
    assert request.method == "POST"
    assert request.body == b""
    assert request.headers["X-MBX-APIKEY"] == "sim-key"
    path, _, query = request.target.partition("?")
    assert path == "/fapi/v1/order"
    signed, _, signature = query.rpartition("&signature=")
    assert signed == (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.010&newClientOrderId=a%2Fb%3Ac_1.d-2&newOrderRespType=RESULT"
        "&price=64000.10&timeInForce=GTC&recvWindow=5000&timestamp=1790000000000"
    )
    assert signature == hmac.new(b"sim-secret-0001", signed.encode(), hashlib.sha256).hexdigest()


def test_the_same_call_gives_the_same_bytes() -> None:
    assert encoded(VENUE.place_order(a_limit_order())) == encoded(VENUE.place_order(a_limit_order()))


def test_a_symbol_beyond_ascii_is_encoded_before_it_is_signed() -> None:
    request = encoded(VENUE.get_order("测试USDT", "1", None))
    signed, _, signature = request.target.partition("?")[2].rpartition("&signature=")
    assert "symbol=%E6%B5%8B%E8%AF%95USDT" in signed
    assert signature == hmac.new(b"sim-secret-0001", signed.encode(), hashlib.sha256).hexdigest()


def test_a_market_order_carries_neither_price_nor_time_in_force() -> None:
    params = sent_params(encoded(VENUE.place_order(a_limit_order(type=OrderType.MARKET, price=None))))
    assert "price" not in params
    assert "timeInForce" not in params
    assert params["type"] == "MARKET"


@pytest.mark.parametrize(
    ("ours", "venues"),
    [(TimeInForce.POST_ONLY, "GTX"), (TimeInForce.IOC, "IOC"), (TimeInForce.FOK, "FOK"), (None, "GTC")],
)
def test_time_in_force_is_put_in_the_venues_words(ours: TimeInForce | None, venues: str) -> None:
    params = sent_params(encoded(VENUE.place_order(a_limit_order(time_in_force=ours))))
    assert params["timeInForce"] == venues


def test_reduce_only_and_position_side_are_sent_only_where_they_say_something() -> None:
    plain_order = sent_params(encoded(VENUE.place_order(a_limit_order())))
    assert not {"reduceOnly", "positionSide"} & set(plain_order)
    hedge = sent_params(encoded(VENUE.place_order(a_limit_order(reduce_only=True, position_side=PositionSide.SHORT))))
    # In hedge mode the side says it, and the venue refuses reduceOnly.
    assert "reduceOnly" not in hedge
    assert hedge["positionSide"] == "SHORT"
    assert sent_params(encoded(VENUE.place_order(a_limit_order(reduce_only=True))))["reduceOnly"] == "true"


def test_the_venues_own_parameters_win_over_ours_and_none_takes_one_away() -> None:
    extra = {"newOrderRespType": "ACK", "goodTillDate": 1790000700000, "recvWindow": 3000, "price": None}
    request = encoded(VENUE.place_order(a_limit_order(venue_params=extra | {"priceMatch": "QUEUE"})))
    params = sent_params(request)
    assert params["newOrderRespType"] == "ACK"
    assert params["goodTillDate"] == "1790000700000"
    assert params["recvWindow"] == "3000"
    assert params["priceMatch"] == "QUEUE"
    assert "price" not in params


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("1.50"), "1.50"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (12, "12"),
        ([5, 6], "[5,6]"),
        ([{"quantity": Decimal("0.10"), "reduceOnly": True}], '[{"quantity":"0.10","reduceOnly":"true"}]'),
    ],
)
def test_every_kind_of_value_has_one_spelling(value: Any, text: str) -> None:
    request = encoded(VENUE.place_order(a_limit_order(venue_params={"x": value})))
    assert sent_params(request)["x"] == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), {1, 2}, b"bytes", object(), "\ud800"])
def test_what_has_no_spelling_is_bad_input(value: Any) -> None:
    with pytest.raises(BadInput):
        encoded(VENUE.place_order(a_limit_order(venue_params={"x": value})))


def test_a_signature_of_the_callers_is_bad_input() -> None:
    with pytest.raises(BadInput):
        encoded(VENUE.place_order(a_limit_order(venue_params={"signature": "00"})))


@pytest.mark.parametrize("credentials", [None, Credentials("", ""), Credentials("key", "")])
def test_a_signed_call_without_keys_is_bad_input(credentials: Credentials | None) -> None:
    with pytest.raises(BadInput) as caught:
        encoded(VENUE.account(), credentials)
    assert caught.value.code == "NO_CREDENTIALS"


def test_a_key_cannot_smuggle_in_a_header() -> None:
    with pytest.raises(BadInput):
        encoded(VENUE.account(), Credentials("key\r\nX-Evil: 1", "secret"))


def test_blanks_around_a_pasted_key_do_no_harm() -> None:
    assert encoded(VENUE.account(), Credentials(" sim-key\n", "sim-secret-0001\n")) == encoded(VENUE.account())


def test_public_calls_go_without_key_and_signature() -> None:
    request = encoded(VENUE.book_snapshot("BTCUSDT", 1000))
    assert request.target == "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    assert request.headers == {}


def test_the_listen_key_is_asked_for_with_the_key_alone() -> None:
    token = VENUE.stream_token()
    assert token is not None
    request = encoded(token.create)
    assert (request.method, request.target) == ("POST", "/fapi/v1/listenKey")
    assert request.headers == {"X-MBX-APIKEY": "sim-key"}
    assert encoded(token.keep_alive).method == "PUT"
    assert token.every_s < 3600


@pytest.mark.parametrize(("depth", "limit", "weight"), [(1, 5, 2), (50, 50, 2), (51, 100, 5), (400, 500, 10)])
def test_a_book_is_asked_for_with_the_next_larger_depth_and_its_weight(depth: int, limit: int, weight: int) -> None:
    call = VENUE.book_snapshot("BTCUSDT", depth)
    assert call.params["limit"] == limit
    assert call.endpoint.costs_of(call.params) == {"weight_1m": weight}


@pytest.mark.parametrize("depth", [0, 1001])
def test_a_depth_that_the_venue_does_not_have_is_bad_input(depth: int) -> None:
    with pytest.raises(BadInput):
        VENUE.book_snapshot("BTCUSDT", depth)


def test_open_orders_of_all_symbols_cost_forty_times_those_of_one() -> None:
    everything, one = VENUE.open_orders(None), VENUE.open_orders("BTCUSDT")
    assert everything.endpoint.costs_of(everything.params) == {"weight_1m": 40}
    assert one.endpoint.costs_of(one.params) == {"weight_1m": 1}
    assert "symbol" not in sent_params(encoded(everything))


def an_order(price: Decimal | None = Decimal("64000.10")) -> Order:
    return Order(
        venue="binance",
        symbol="BTCUSDT",
        order_id="8389765739703625592",
        client_order_id="m1",
        side=Side.SELL,
        type=OrderType.LIMIT,
        status=OrderStatus.NEW,
        time_in_force=TimeInForce.GTC,
        price=price,
        quantity=Decimal("0.020"),
        filled_quantity=Decimal(0),
        average_price=None,
        reduce_only=False,
    )


def test_an_amendment_states_price_and_quantity_even_where_only_one_changes() -> None:
    params = VENUE.amend_order(an_order(), Decimal(64001), None).params
    assert params == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "orderId": 8389765739703625592,
        "quantity": Decimal("0.020"),
        "price": Decimal(64001),
    }


def test_an_order_without_a_price_cannot_be_amended() -> None:
    with pytest.raises(BadInput):
        VENUE.amend_order(an_order(price=None), None, Decimal(1))


def test_orders_are_named_by_either_id() -> None:
    assert VENUE.cancel_order("BTCUSDT", "7", "m1").params == {"symbol": "BTCUSDT", "orderId": 7}
    assert VENUE.get_order("BTCUSDT", None, "m1", False).params == {"symbol": "BTCUSDT", "origClientOrderId": "m1"}
    with pytest.raises(BadInput):
        VENUE.cancel_order("BTCUSDT", None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.STOP_MARKET},
        {"type": OrderType.UNKNOWN},
        {"price": None},
        {"client_order_id": ""},
        {"client_order_id": "x" * 37},
        {"client_order_id": "under score"},
        {"client_order_id": "newline\n"},
        {"time_in_force": TimeInForce.UNKNOWN},
    ],
)
def test_an_order_that_the_venue_could_not_take_is_bad_input(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        VENUE.place_order(a_limit_order(**changes))


def test_the_limits_that_the_headers_report_are_the_limits_that_calls_cost() -> None:
    headers = {"x-mbx-used-weight-1m": "17", "x-mbx-order-count-10s": "2", "x-mbx-order-count-1m": "", "date": "x"}
    endpoint = VENUE.account().endpoint
    assert VENUE.reported_usage(endpoint, headers) == {"weight_1m": 17, "orders_10s": 2}
    assert {limit.name: limit.limit for limit in VENUE.limits} == {
        "weight_1m": 2400,
        "orders_10s": 300,
        "orders_1m": 1200,
        "funding_5m": 500,
        "statistics_5m": 1000,
        "wallet_1m": 12_000,
    }
