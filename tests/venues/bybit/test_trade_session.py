"""The trade socket's frames, both ways."""

from __future__ import annotations

import json

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import InsufficientBalance, OutcomeUnknown, RateLimited
from perpwire.venues.base import Control, TradeReply
from perpwire.venues.bybit import endpoints, wire
from perpwire.venues.bybit.trade_session import BybitTradeSession
from perpwire.venues.bybit.venue import VENUE

KEY = Credentials("key", "secret")
HEADER = (
    '"header":{"X-Bapi-Limit":"10","X-Bapi-Limit-Status":"7","X-Bapi-Limit-Reset-Timestamp":"1790000000500",'
    '"Traceid":"t","Timenow":"1790000000100"}'
)


def heard(frame: str) -> TradeReply | Control:
    return BybitTradeSession(5000).on_frame(frame.encode())


def answered(frame: str) -> TradeReply:
    said = heard(frame)
    assert isinstance(said, TradeReply)
    return said


def test_a_request_holds_the_venues_operation_its_time_and_the_body_of_rest() -> None:
    params = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "qty": "0.01", "positionIdx": 0, "price": None}
    frame = BybitTradeSession(5000).request(endpoints.PLACE_ORDER, params, KEY, 1790000000000, "a-1")
    assert json.loads(frame) == {
        "reqId": "a-1",
        "header": {"X-BAPI-TIMESTAMP": "1790000000000", "X-BAPI-RECV-WINDOW": "5000"},
        "op": "order.create",
        "args": [{"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "qty": "0.01", "positionIdx": 0}],
    }


def test_an_answer_has_the_shape_of_rest() -> None:
    said = answered(
        '{"reqId":"7","retCode":0,"retMsg":"OK","op":"order.create",'
        f'"data":{{"orderId":"o","orderLinkId":"l"}},"retExtInfo":{{}},{HEADER},"connId":"c"}}'
    )
    assert said.request_id == "7"
    assert VENUE.decode(endpoints.PLACE_ORDER, said.reply) == wire.OrderIds(orderId="o", orderLinkId="l")
    assert VENUE.reported_usage(endpoints.PLACE_ORDER, said.reply.headers) == {"place_1s": 3}


@pytest.mark.parametrize(
    ("code", "kind"), [(110007, InsufficientBalance), (10429, OutcomeUnknown), (10403, RateLimited)]
)
def test_a_refusal_is_judged_as_that_of_rest(code: int, kind: type[Exception]) -> None:
    said = answered(
        f'{{"reqId":"7","retCode":{code},"retMsg":"no","op":"order.create","data":{{}},"retExtInfo":{{}},{HEADER}}}'
    )
    with pytest.raises(kind):
        VENUE.decode(endpoints.PLACE_ORDER, said.reply)
    assert not said.is_last


def test_a_reached_limit_says_when_it_is_over() -> None:
    said = answered(
        f'{{"reqId":"7","retCode":10006,"retMsg":"no","op":"order.create","data":{{}},"retExtInfo":{{}},{HEADER}}}'
    )
    with pytest.raises(RateLimited) as refused:
        VENUE.decode(endpoints.PLACE_ORDER, said.reply)
    assert refused.value.retry_after_s == pytest.approx(0.4)


@pytest.mark.parametrize("header", ['{"Timenow":1790000000100,"X-Bapi-Limit":10}', '{"Timenow":"soon"}', "null", "{}"])
def test_an_answer_counts_whatever_its_header_is_like(header: str) -> None:
    said = answered(
        f'{{"reqId":"7","retCode":110007,"retMsg":"no","op":"order.create","data":{{}},"retExtInfo":{{}},"header":{header}}}'
    )
    with pytest.raises(InsufficientBalance):
        VENUE.decode(endpoints.PLACE_ORDER, said.reply)


def test_a_service_that_restarts_takes_nothing_more_on_this_socket() -> None:
    said = answered('{"reqId":"7","retCode":10019,"retMsg":"restarting","op":"order.create","data":{},"retExtInfo":{}}')
    assert said.is_last


def test_a_login_is_taken_or_refused_by_its_code() -> None:
    assert heard('{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}') == Control("logged_in")
    assert heard('{"retCode":20001,"retMsg":"Repeat auth","op":"auth","connId":"c"}').kind == "logged_in"  # type: ignore[union-attr]
    refused = heard('{"retCode":10004,"retMsg":"Invalid sign","op":"auth","connId":"c"}')
    assert refused == Control("login_refused", (), "Invalid sign", 10004)


def test_a_pong_is_a_pong_and_an_answer_to_nothing_is_about_the_socket() -> None:
    assert heard('{"retCode":0,"retMsg":"OK","op":"pong","data":["1790000000000"],"connId":"c"}') == Control("pong")
    assert heard('{"retCode":10001,"retMsg":"bad","op":"","data":{},"connId":"c"}') == Control(
        "closing", (), "bad [10001]"
    )
