from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadRequest,
    Busy,
    ClockSkewed,
    DuplicateOrder,
    Garbled,
    InsufficientBalance,
    NoChange,
    NotAllowed,
    OrderRejected,
    OutcomeUnknown,
    Overloaded,
    PositionModeMismatch,
    RateLimited,
    UnknownOrder,
    UnknownSymbol,
    VenueRefused,
)
from perpwire.http_message import HttpReply
from perpwire.venues.base import Endpoint
from perpwire.venues.binance_futures import endpoints_account, endpoints_orders
from perpwire.venues.binance_futures.error_codes import ERROR_CODES
from perpwire.venues.binance_futures.venue import VENUE

PLACE, CANCEL, READ = endpoints_orders.PLACE_ORDER, endpoints_orders.CANCEL_ORDER, endpoints_account.ACCOUNT


def refused(endpoint: Endpoint, status: int, body: bytes | dict[str, Any], **headers: str) -> APIError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = HttpReply(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=content
    )
    with pytest.raises(APIError) as caught:
        VENUE.decode(endpoint, reply)
    error = caught.value
    assert error.venue == "binance"
    assert error.call == endpoint.name
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-1001, Busy),
        (-1016, Busy),
        (-1002, AuthenticationFailed),
        (-1022, AuthenticationFailed),
        (-1021, ClockSkewed),
        (-5028, ClockSkewed),
        (-1102, BadRequest),
        (-1111, BadRequest),
        (-1121, UnknownSymbol),
        (-4014, BadRequest),
        (-4164, BadRequest),
        (-4120, BadRequest),
        (-2010, OrderRejected),
        (-2021, OrderRejected),
        (-5021, OrderRejected),
        (-5022, OrderRejected),
        (-2022, OrderRejected),
        (-2011, UnknownOrder),
        (-2013, UnknownOrder),
        (-2018, InsufficientBalance),
        (-2019, InsufficientBalance),
        (-2027, InsufficientBalance),
        (-4116, DuplicateOrder),
        (-4046, NoChange),
        (-5027, NoChange),
        (-4061, PositionModeMismatch),
        (-4141, NotAllowed),
        (-4408, NotAllowed),
        (-2025, NotAllowed),
        (-1125, VenueRefused),
        (-9999, OutcomeUnknown),  # not in the table: it may have been done
    ],
)
def test_a_code_says_what_the_caller_may_do(code: int, kind: type[APIError]) -> None:
    error = refused(PLACE, 400, {"code": code, "msg": "the venue's words"})
    assert type(error) is kind
    assert error.code == code
    assert error.reason == "the venue's words"
    assert error.advice


@pytest.mark.parametrize("code", [-2014, -2015])
def test_a_bad_key_is_an_authentication_failure(code: int) -> None:
    assert type(refused(READ, 401, {"code": code, "msg": "no"})) is AuthenticationFailed


def test_every_code_of_the_table_raises_for_every_kind_of_call() -> None:
    for code in ERROR_CODES:
        for endpoint in (PLACE, CANCEL, READ):
            error = refused(endpoint, 400, {"code": code, "msg": "x"})
            assert isinstance(error, VenueRefused | OutcomeUnknown)


@pytest.mark.parametrize("code", [-1000, -1006, -1007])
@pytest.mark.parametrize("status", [400, 408, 500, 503])
def test_an_unknown_execution_status_is_doubt_about_orders_and_only_busy_for_reads(code: int, status: int) -> None:
    body = {"code": code, "msg": "execution status unknown"}
    assert type(refused(PLACE, status, body)) is OutcomeUnknown
    assert type(refused(CANCEL, status, body)) is OutcomeUnknown
    assert type(refused(endpoints_orders.AMEND_ORDER, status, body)) is OutcomeUnknown
    assert type(refused(READ, status, body)) is Busy
    assert type(refused(endpoints_account.CREATE_LISTEN_KEY, status, body)) is Busy


def test_an_error_from_behind_the_gateway_is_doubt_only_about_what_would_create_something() -> None:
    body = {"code": -1010, "msg": "ERROR_MSG_RECEIVED."}
    assert type(refused(PLACE, 400, body)) is OutcomeUnknown
    assert type(refused(CANCEL, 400, body)) is BadRequest
    assert type(refused(READ, 400, body)) is BadRequest


UNKNOWN_503 = "Unknown error, please check your request or try again later."
INTERNAL_503 = "Internal error; unable to process your request. Please try again."
OVERLOAD_503 = "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."


@pytest.mark.parametrize("body", [{"code": -1000, "msg": UNKNOWN_503}, UNKNOWN_503.encode(), {"msg": UNKNOWN_503}])
def test_a_503_of_unknown_outcome_is_doubt_about_an_order(body: Any) -> None:
    error = refused(PLACE, 503, body)
    assert type(error) is OutcomeUnknown
    assert UNKNOWN_503 in error.reason


@pytest.mark.parametrize(
    "body",
    [
        b"Service Unavailable.",
        {"code": -1000, "msg": "Service Unavailable."},
        {"code": -1001, "msg": INTERNAL_503},
        INTERNAL_503.encode(),
        {"code": -1016, "msg": "This service is no longer available."},
    ],
)
@pytest.mark.parametrize("endpoint", [PLACE, CANCEL, READ], ids=lambda one: one.name)
def test_a_503_that_failed_for_certain_is_busy(endpoint: Endpoint, body: Any) -> None:
    assert type(refused(endpoint, 503, body)) is Busy


def test_a_refusal_for_overload_is_a_kind_of_its_own() -> None:
    assert type(refused(PLACE, 503, {"code": -1008, "msg": OVERLOAD_503})) is Overloaded


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body", [b"", b"<html><body>502 Bad Gateway</body></html>", b'{"code":-10', b"Request occur unknown error."]
)
def test_a_failing_server_leaves_an_order_in_doubt_whatever_it_says(status: int, body: bytes) -> None:
    assert type(refused(PLACE, status, body)) is OutcomeUnknown
    assert type(refused(CANCEL, status, body)) is OutcomeUnknown


def test_a_failing_server_is_busy_or_unreadable_for_a_read() -> None:
    assert type(refused(READ, 500, b"Request occur unknown error.")) is Busy
    page = refused(READ, 502, b"<html>\n<h1>Bad   Gateway</h1></html>")
    assert type(page) is Garbled
    assert page.reason == "HTTP 502 (gateway): Bad Gateway"
    assert type(refused(READ, 504, b"")) is Garbled


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"orderId":1', b"[]", b'{"orderId":"x"}', b"\xff\xfe"])
def test_a_success_that_cannot_be_read_leaves_a_write_in_doubt_and_is_garbled_for_a_read(body: bytes) -> None:
    assert type(refused(PLACE, 200, body)) is OutcomeUnknown
    error = refused(READ, 200, body)
    assert isinstance(error, Garbled)
    assert error.raw == body


def test_a_refusal_counts_even_where_the_status_says_success() -> None:
    assert type(refused(PLACE, 200, b'{"code":-2019,"msg":"Margin is insufficient."}')) is InsufficientBalance
    assert type(refused(endpoints_account.KEEP_LISTEN_KEY, 200, b' { "code" : -1125, "msg": "x" }')) is VenueRefused


def pause_of(error: APIError) -> float:
    assert isinstance(error, RateLimited)
    return error.retry_after_s


def test_a_429_says_how_long_to_wait() -> None:
    too_many = {"code": -1003, "msg": "Too many requests."}
    assert pause_of(refused(READ, 429, too_many, retry_after="17")) == 17
    assert pause_of(refused(READ, 429, too_many)) == 60
    assert pause_of(refused(PLACE, 429, {"code": -1015, "msg": "Too many new orders."})) == 10
    assert pause_of(refused(READ, 429, b"")) == 60
    assert pause_of(refused(READ, 400, too_many)) == 60
    assert pause_of(refused(READ, 429, too_many, retry_after="0")) == 1


def test_a_418_is_waited_out_to_the_time_that_it_names() -> None:
    # 2026-09-21 14:13:20 UTC
    body = {"code": -1003, "msg": "Way too many requests; IP(1.2.3.4) banned until 1790000300000. Use the websocket."}
    date = "Mon, 21 Sep 2026 14:13:20 GMT"
    assert pause_of(refused(READ, 418, body, date=date)) == 300
    assert pause_of(refused(READ, 418, body, date=date, retry_after="400")) == 400
    assert pause_of(refused(READ, 418, body, retry_after="250")) == 250
    assert pause_of(refused(READ, 418, body)) == 120
    assert pause_of(refused(READ, 418, body, date="nonsense")) == 120
    assert pause_of(refused(READ, 418, b"I'm a teapot")) == 120


def test_the_firewall_means_a_long_pause() -> None:
    error = refused(READ, 403, b"<html><head><title>403 Forbidden</title></head></html>")
    assert pause_of(error) == 600
    assert pause_of(refused(READ, 403, b"")) == 600
    assert type(refused(READ, 403, {"code": -1011, "msg": "This IP cannot access this route."})) is NotAllowed


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationFailed), (404, BadRequest), (451, NotAllowed), (400, Garbled), (301, Garbled)],
)
def test_a_status_without_a_code_is_judged_by_itself(status: int, kind: type[APIError]) -> None:
    assert type(refused(PLACE, status, b"<html></html>")) is kind


@pytest.mark.fixtures
def test_every_recorded_error_is_understood(fixtures: Path) -> None:
    for path in (fixtures / "binance" / "error").glob("*.json"):
        body = path.read_bytes()
        content = json.loads(body)
        error = refused(PLACE, 400, body)
        assert isinstance(error, VenueRefused)
        assert (error.code, error.reason) == (content["code"], content["msg"])
        assert type(error) is ERROR_CODES[content["code"]]
    # The text of one of them is that of the 503 which may have been executed.
    assert type(refused(PLACE, 503, (fixtures / "binance" / "error" / "1003.json").read_bytes())) is OutcomeUnknown
