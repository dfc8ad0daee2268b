"""What a reply means: its result, or the error that says what may be done next."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

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
    PositionModeMismatch,
    RateLimited,
    UnknownOrder,
    VenueRefused,
)
from perpwire.http_message import HttpReply
from perpwire.venues.base import Endpoint
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.endpoints import AMEND_ORDER, BOOK_SNAPSHOT, CANCEL_ORDER, GET_ORDER, PLACE_ORDER
from perpwire.venues.bybit.error_codes import ERROR_CODES
from perpwire.venues.bybit.venue import VENUE

MUTATIONS = (PLACE_ORDER, AMEND_ORDER, CANCEL_ORDER)


def reply(body: str | bytes, status: int = 200, headers: dict[str, str] | None = None) -> HttpReply:
    return HttpReply(status=status, headers=headers or {}, body=body if isinstance(body, bytes) else body.encode())


def refusal(code: int, words: str = "no", time: int = 1790000000000) -> str:
    return f'{{"retCode":{code},"retMsg":"{words}","result":{{}},"retExtInfo":{{}},"time":{time}}}'


def error_of(endpoint: Endpoint, answer: HttpReply) -> APIError:
    with pytest.raises(APIError) as caught:
        VENUE.decode(endpoint, answer)
    error = caught.value
    assert (error.venue, error.call) == ("bybit", endpoint.name)
    assert error.advice
    return error


def test_success_gives_the_typed_result_whatever_the_words_are() -> None:
    for words in ("OK", "success", ""):
        ids = VENUE.decode(
            PLACE_ORDER, reply(f'{{"retCode":0,"retMsg":"{words}","result":{{"orderId":"a","orderLinkId":"b"}}}}')
        )
        assert ids == wire.OrderIds("a", "b")


def test_amounts_in_scientific_notation_are_read_exactly() -> None:
    body = '{"retCode":0,"result":{"s":"X","b":[["1.3117285e+06","9e-8"]],"a":[],"u":2}}'
    book = VENUE.decode(BOOK_SNAPSHOT, reply(body))
    assert book.b == ((Decimal("1311728.5"), Decimal("0.00000009")),)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10002, ClockSkewed),
        (10003, AuthenticationFailed),
        (10004, AuthenticationFailed),
        (10005, AuthenticationFailed),
        (10001, BadRequest),
        (110001, UnknownOrder),
        (110007, InsufficientBalance),
        (110017, OrderRejected),
        (110043, NoChange),
        (110072, DuplicateOrder),
        (33004, AuthenticationFailed),
        (123456, OutcomeUnknown),  # not in the table: it may have been done
    ],
)
def test_each_code_has_its_kind_of_error(code: int, kind: type[APIError]) -> None:
    error = error_of(PLACE_ORDER, reply(refusal(code, "the words")))
    assert type(error) is kind
    assert (error.code, error.reason) == (code, "the words")


def test_not_modified_is_no_change_although_its_code_is_that_of_bad_parameters() -> None:
    assert type(error_of(AMEND_ORDER, reply(refusal(10001, "order not modified")))) is NoChange


def test_an_order_for_the_other_position_mode_is_told_by_the_words_of_10001() -> None:
    assert type(error_of(PLACE_ORDER, reply(refusal(10001, "position idx not match position mode")))) is (
        PositionModeMismatch
    )


def test_the_key_in_the_words_about_a_wrong_signature_is_left_out() -> None:
    error = error_of(PLACE_ORDER, reply(refusal(10004, "error sign! origin_string[1790000000000MYKEY5000a=[1]]")))
    assert error.reason == "error sign! origin_string[...]"
    assert "MYKEY" not in str(error)


@pytest.mark.parametrize("code", [429, 10000, 10016, 10019, 10429, 500000, 170007])
def test_a_code_that_leaves_an_order_in_doubt_is_only_busy_for_a_read(code: int) -> None:
    for endpoint in MUTATIONS:
        assert type(error_of(endpoint, reply(refusal(code)))) is OutcomeUnknown
    assert type(error_of(GET_ORDER, reply(refusal(code)))) is Busy


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["", "<html>Bad Gateway</html>", refusal(10016)])
def test_a_server_error_leaves_an_order_in_doubt_and_a_read_busy(status: int, body: str) -> None:
    for endpoint in MUTATIONS:
        assert type(error_of(endpoint, reply(body, status))) is OutcomeUnknown
    assert type(error_of(GET_ORDER, reply(body, status))) is Busy


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        '{"retCode":0,"result":{"orderId":"a',
        "{}",
        "[]",
        '{"retCode":"0"}',
        b"\xff\xfe",
        "[" * 5000,
    ],
)
def test_an_unreadable_answer_leaves_an_order_in_doubt_and_a_read_garbled(body: str | bytes) -> None:
    assert type(error_of(PLACE_ORDER, reply(body))) is OutcomeUnknown
    error = error_of(GET_ORDER, reply(body))
    assert isinstance(error, Garbled)
    assert error.raw == reply(body).body[:2000]


def test_an_acknowledgement_without_an_order_id_leaves_the_order_in_doubt() -> None:
    assert type(error_of(PLACE_ORDER, reply('{"retCode":0,"retMsg":"OK","result":{}}'))) is OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (401, AuthenticationFailed), (403, NotAllowed), (404, BadRequest)]
)
def test_refusals_by_http_status(status: int, kind: type[APIError]) -> None:
    error = error_of(PLACE_ORDER, reply("", status))
    assert type(error) is kind
    assert error.code == status


def test_too_frequent_access_is_a_rate_limit_of_ten_minutes() -> None:
    error = error_of(GET_ORDER, reply("403, Access too frequent", 403))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 600


def test_a_blocked_region_is_told_from_a_rate_limit() -> None:
    words = "The Amazon CloudFront distribution is configured to block access from your country."
    assert type(error_of(GET_ORDER, reply(words, 403))) is NotAllowed


@pytest.mark.parametrize(
    ("headers", "time", "wait_s"),
    [
        ({}, 1790000000000, 2.0),
        ({"x-bapi-limit-reset-timestamp": "1790000000400"}, 1790000000000, 0.4),
        ({"x-bapi-limit-reset-timestamp": "1790000000400"}, 1790000000401, 0.0),
        ({"x-bapi-limit-reset-timestamp": "soon"}, 1790000000000, 2.0),
        ({"x-bapi-limit-reset-timestamp": "1790000000900", "timenow": "1790000000000"}, 0, 0.9),
        (
            {"x-bapi-limit-reset-timestamp": "1790000003000", "date": "Mon, 21 Sep 2026 14:13:20 GMT"},
            0,
            3.0,
        ),
        ({"x-bapi-limit-reset-timestamp": "9990000000000"}, 1790000000000, 600.0),
    ],
)
def test_the_account_limit_says_when_its_window_is_free(headers: dict[str, str], time: int, wait_s: float) -> None:
    error = error_of(PLACE_ORDER, reply(refusal(10006, "Too many visits.", time), headers=headers))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == pytest.approx(wait_s)


@pytest.mark.fixtures
def test_recorded_refusals_are_read(fixtures: Path) -> None:
    folder = fixtures / "bybit" / "error"
    assert type(error_of(PLACE_ORDER, reply((folder / "10001.json").read_bytes()))) is BadRequest
    assert type(error_of(PLACE_ORDER, reply((folder / "10003.json").read_bytes()))) is AuthenticationFailed
    failed = error_of(PLACE_ORDER, reply((folder / "3400045_POST_v5_account_set_margin_mode.json").read_bytes()))
    assert (type(failed), failed.code) == (VenueRefused, 3400045)


def test_every_published_code_is_in_the_table() -> None:
    ranges: list[range | tuple[int, ...]] = [
        (-1, 429, 10014, 10024, 10027, 10028, 100028, 10029, 33004, -2015, 30208, 30209, 30228, 34040, 40004, 181017),
        range(10000, 10011),
        range(10016, 10020),
        range(30133, 30137),
        range(110003, 110062),
        (110001, 110063, 110064, 110066, 110082, 110083, 110085, 110086, 110087, 110089, 110090, 110092, 110093),
        range(110067, 110081),
        range(110094, 110101),
        range(110103, 110122),
        (110123, 110124, 110125, 110131, 110132, 110135, 110136, 110137, 500000),
        (3100181, 3100197, 3200403, 3200419, 3200425, 3200320, 3200641, 3400045, 3400139, 3400214),
        range(3400052, 3400055),
        range(3400208, 3400214),
        (170346, 170360, 170001, 170007, 170032, 170146, 170147, 170213, 20001, 10403, 10404, 10429, 20003, 20006),
    ]
    published = {code for codes in ranges for code in codes}
    assert published - ERROR_CODES.keys() == {110002} & published


def test_a_refused_time_stamp_says_what_time_it_is_at_the_venue() -> None:
    words = "invalid request, please check your server timestamp or recv_window param. "
    stamps = "req_timestamp[1790000000000],server_timestamp[1790000007123],recv_window[5000]"
    assert VENUE.server_clock_ms(error_of(PLACE_ORDER, reply(refusal(10002, words + stamps)))) == 1790000007123
    assert VENUE.server_clock_ms(error_of(PLACE_ORDER, reply(refusal(10002, words)))) is None
    assert VENUE.server_clock_ms(error_of(PLACE_ORDER, reply(refusal(10001, stamps)))) is None
