"""The trading socket's frames, both ways."""

from __future__ import annotations

import json

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import ClockSkewed, OrderRejected, VenueRefused
from perpwire.venues.base import Control, TradeReply
from perpwire.venues.binance_futures import endpoints_orders
from perpwire.venues.binance_futures.trade_session import BinanceTradeSession
from perpwire.venues.binance_futures.venue import VENUE

KEY = Credentials("SIMKEY", "sim-secret-0001")
ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": "64000.10",
}  # fmt: skip


def answered(frame: str) -> TradeReply:
    said = BinanceTradeSession(5000).on_frame(frame.encode())
    assert isinstance(said, TradeReply)
    return said


def test_a_request_holds_the_venues_method_and_a_signature_over_its_own_parameters() -> None:
    frame = BinanceTradeSession(5000).request(endpoints_orders.PLACE_ORDER, ORDER, KEY, 1790000000000, "a-1")
    sent = json.loads(frame)
    assert (sent["id"], sent["method"]) == ("a-1", "order.place")
    signature = sent["params"].pop("signature")
    assert sent["params"] == {**ORDER, "apiKey": "SIMKEY", "recvWindow": 5000, "timestamp": 1790000000000}
    text = "&".join(f"{name}={value}" for name, value in sorted(sent["params"].items()))
    assert signature == KEY.sign(text.encode()).hex()


def test_an_answer_has_the_shape_of_rest_and_says_what_is_used_of_which_limits() -> None:
    result = '{"orderId":1,"clientOrderId":"x","status":"NEW"}'
    said = answered(
        f'{{"id":"7","status":200,"result":{result},"rateLimits":['
        '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":6},'
        '{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1},'
        '{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200,"count":2},'
        '{"rateLimitType":"NEW_ONE","interval":"DAY","intervalNum":1,"limit":1,"count":1}]}'
    )
    assert said.request_id == "7"
    assert (said.reply.status, said.reply.body) == (200, result.encode())
    assert said.reply.usage == {"weight_1m": 6, "orders_10s": 1, "orders_1m": 2}


@pytest.mark.parametrize("counters", ["null", "[]", '[{"rateLimitType":"ORDERS"}]'])
def test_an_answer_counts_whatever_its_counters_are_like(counters: str) -> None:
    said = answered(f'{{"id":"7","status":400,"error":{{"code":-5022,"msg":"no"}},"rateLimits":{counters}}}')
    assert VENUE.reported_usage(endpoints_orders.PLACE_ORDER, said.reply.headers) == {}
    with pytest.raises(OrderRejected):
        VENUE.decode(endpoints_orders.PLACE_ORDER, said.reply)


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(400, -5022, OrderRejected), (400, -1021, ClockSkewed), (401, -2015, VenueRefused)]
)
def test_a_refusal_is_judged_as_that_of_rest(status: int, code: int, kind: type[Exception]) -> None:
    said = answered(f'{{"id":"7","status":{status},"error":{{"code":{code},"msg":"no"}},"rateLimits":[]}}')
    with pytest.raises(kind):
        VENUE.decode(endpoints_orders.PLACE_ORDER, said.reply)


def test_what_answers_no_request_is_about_the_socket() -> None:
    said = BinanceTradeSession(5000).on_frame(
        b'{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}}'
    )
    assert isinstance(said, Control)
    assert said.kind == "closing"
    assert "-2015" in said.text


def test_an_hmac_key_does_not_log_on() -> None:
    assert BinanceTradeSession(5000).login(KEY, 1790000000000) is None


@pytest.mark.parametrize(
    ("answer", "control"),
    [
        (b'{"id":"log-on","status":200,"result":{"apiKey":"k","authorizedSince":1}}', Control("logged_in")),
        (
            b'{"id":"log-on","status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}',
            Control("login_refused", (), "Invalid API-key", -2015),
        ),
        (b'{"id":"log-on","status":503,"error":[]}', Control("login_refused", (), "status 503: []")),
    ],
)
def test_a_logon_is_taken_or_refused_with_its_code(answer: bytes, control: Control) -> None:
    assert BinanceTradeSession(5000).on_frame(answer) == control
