"""Parameters become final bytes, and those very bytes are signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpRequest
from perpwire.venues.base import Endpoint
from perpwire.venues.bybit import endpoints
from perpwire.venues.bybit.signing import sign_request
from perpwire.venues.bybit.venue import VENUE

KEYS = Credentials("DOCKEY0000000000AA", "docsecret0000000000000000000000BB")
NOW_MS = 1790000000000


def encode(endpoint: Endpoint, **params: Any) -> HttpRequest:
    return VENUE.encode(endpoint, params, KEYS, NOW_MS)


def test_a_signed_get_carries_the_signature_of_its_query_in_a_header() -> None:
    request = encode(endpoints.OPEN_ORDERS, category="linear", symbol="BTCUSDT", limit=50)
    assert request.method == "GET"
    assert request.target == "/v5/order/realtime?category=linear&symbol=BTCUSDT&limit=50"
    assert request.body == b""
    assert request.headers == {
        "X-BAPI-API-KEY": KEYS.api_key,
        "X-BAPI-TIMESTAMP": str(NOW_MS),
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "88550dad4066cdb30868d2a9b23117e72fa3821839ed96e4458e20053b6d235a",
    }


def test_a_signed_post_carries_the_signature_of_its_body() -> None:
    request = encode(
        endpoints.PLACE_ORDER,
        category="linear",
        symbol="BTCUSDT",
        side="Buy",
        orderType="Limit",
        qty=Decimal("0.001"),
        price=Decimal(60000),
        timeInForce="PostOnly",
        orderLinkId="ref-0001",
    )
    assert request.target == "/v5/order/create"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-BAPI-SIGN"] == "41c92fec7065c25333869d6fba370d5ba993527a4eeaa0327910d47ce1e33ba1"


def test_a_public_call_is_not_signed_and_a_call_without_parameters_has_no_question_mark() -> None:
    request = VENUE.encode(endpoints.SERVER_TIME, {}, None, NOW_MS)
    assert (request.target, request.headers, request.body) == ("/v5/market/time", {}, b"")


def test_amounts_are_texts_in_plain_notation_and_json_values_stay_what_they_are() -> None:
    request = encode(
        endpoints.PLACE_ORDER,
        qty=0.1,
        price=Decimal("1E+3"),
        small=Decimal("0.00000001"),
        tiny=1e-9,
        positionIdx=1,
        reduceOnly=True,
        left_out=None,
        nested={"list": [Decimal("1.50"), 2, "x"]},
    )
    assert request.body == (
        b'{"qty":"0.1","price":"1000","small":"0.00000001","tiny":"0.000000001","positionIdx":1,"reduceOnly":true,'
        b'"nested":{"list":["1.50",2,"x"]}}'
    )


def test_query_values_are_percent_encoded_once_and_signed_as_sent() -> None:
    request = encode(endpoints.ACCOUNT, coin=["BTC", "ETH"], note="a b&c=d", flag=False, amount=Decimal("1.0"))
    query = request.target.partition("?")[2]
    assert query == "coin=BTC%2CETH&note=a%20b%26c%3Dd&flag=false&amount=1.0"
    assert request.headers["X-BAPI-SIGN"] == sign_request(KEYS, NOW_MS, 5000, query)


def test_a_page_token_goes_back_exactly_as_it_came() -> None:
    request = encode(endpoints.OPEN_ORDERS, cursor="page_args%3Dfd4300ae-7847%26symbol%3D6%26")
    assert request.target.endswith("?cursor=page_args%3Dfd4300ae-7847%26symbol%3D6%26")


def test_non_ascii_symbols_are_encoded_as_utf8_in_queries_and_bodies() -> None:
    assert encode(endpoints.POSITIONS, symbol="币安人生USDT").target.endswith(
        "?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"
    )
    assert encode(endpoints.PLACE_ORDER, symbol="币安人生USDT").body == '{"symbol":"币安人生USDT"}'.encode()


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), float("inf"), {1, 2}, b"x", object(), [Decimal("-Infinity")], {1: 2}, "\ud800"]
)
@pytest.mark.parametrize("endpoint", [endpoints.PLACE_ORDER, endpoints.POSITIONS], ids=["post", "get"])
def test_what_can_not_be_written_is_refused_before_anything_is_sent(endpoint: Endpoint, value: Any) -> None:
    with pytest.raises(BadInput) as caught:
        encode(endpoint, qty=value)
    assert caught.value.call == endpoint.name


@pytest.mark.parametrize("token", ["a b", "a&b=c", "a\nb", "ä", "a#b"])
def test_a_page_token_that_would_change_the_query_is_refused(token: str) -> None:
    with pytest.raises(BadInput):
        encode(endpoints.OPEN_ORDERS, cursor=token)


def test_a_signed_call_without_a_key_is_refused() -> None:
    with pytest.raises(BadInput, match="needs an API key"):
        VENUE.encode(endpoints.ACCOUNT, {}, None, NOW_MS)
    with pytest.raises(BadInput, match="characters that no key has"):
        VENUE.encode(endpoints.ACCOUNT, {}, Credentials("key\r\nX-Evil: 1", "s"), NOW_MS)
