"""Answers as nobody should send them: each ends in one of our errors, and in no wait without an end."""

from __future__ import annotations

from itertools import product

import pytest

from perpwire.errors import APIError, RateLimited
from perpwire.http_message import HttpReply, whole_number
from perpwire.venues.base import Venue
from perpwire.venues.binance_futures.venue import VENUE as BINANCE
from perpwire.venues.bybit.venue import VENUE as BYBIT

STATUSES = (200, 204, 307, 400, 403, 404, 408, 418, 429, 451, 503, 599)
BODIES = (
    b"", b"null", b"[]", b"{}", b"0", b'"x"', b"NaN", b"\0\0", b"<html>", b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}",
    b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000, b'{"code":' + b"[" * 20_000,
    b'{"retCode":"10006","retMsg":"x"}', b'{"retCode":0}', b'{"retCode":0,"result":null}', b'{"retCode":null}',
    b'{"retCode":0,"retCode":10006}', b'{"retCode":1e4,"retMsg":5}', b'{"retCode":99999999999999999999999}',
    b'{"retCode":10006,"retMsg":"x","time":99999999999999999999}', b'{"retCode":10006,"retMsg":"x"}',
    b'{"retMsg":"\xff\xfe","retCode":10018}', b'\xef\xbb\xbf{"retCode":10006,"retMsg":"x"}',
    '{"retCode":10006,"retMsg":"x"}'.encode("utf-16"), b'{"code":"-2019","msg":"x"}', b'{"code":-2019,"msg":null}',
    b'{"code":-2019}', b'{"code":-2019.0,"msg":"x"}', b'{"code":NaN,"msg":"x"}', b'{"code":-2019,"msg":"x"',
    b'{"code":-99999999999999999999,"msg":"x"}', b'{"code":-1003,"msg":"banned until 99999999999999"}',
    b'{"code":-1003,"msg":"banned until 1618228675371"}', b'{"code":200,"msg":"x"}', b'[{"code":-2011,"msg":"x"}]',
)  # fmt: skip
NINES = "9" * 5000
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"retry-after": "-5", "date": "Wed, 25 Nov 9999 10:00:00 GMT", "x-bapi-limit-reset-timestamp": "9" * 14},
    {"retry-after": "9" * 14, "date": "Wed, 25 Nov 0001 00:00:00 GMT", "timenow": "1", "x-mbx-used-weight-1m": "-1"},
    {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "x", "timenow": "\u00b2"},
    dict.fromkeys(("retry-after", "timenow", "x-bapi-limit", "x-bapi-limit-status", "x-mbx-used-weight-1m",
                   "x-mbx-order-count-10s", "x-bapi-limit-reset-timestamp", "date", "server"), NINES),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("venue", [BINANCE, BYBIT], ids=lambda one: str(one.name))
@pytest.mark.parametrize("name", ["place_order", "cancel_order", "open_orders", "server_time"])
def test_whatever_is_answered_is_an_error_of_ours_and_ends_some_time(venue: Venue, name: str) -> None:
    endpoint = next(row for row in venue.rows if row.name == name)
    read, raised = [], []
    for status, body, headers in product(STATUSES, BODIES, HEADERS):
        for said in (venue.reported_usage(endpoint, headers), venue.reported_limits(endpoint, headers)):
            assert all(0 <= units < 10**15 for units in said.values())
        try:
            read.append(venue.decode(endpoint, HttpReply(status=status, headers=headers, body=body)))
        except APIError as error:
            raised.append(error)
    assert max(len(str(error)) for error in raised) < 1500
    assert {0 <= error.retry_after_s <= 3 * 86400 for error in raised if isinstance(error, RateLimited)} == {True}
    assert all(one == [] for one in read)  # an empty list of Binance is one


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", "\u0663", "1_0", " 1", "9" * 16, NINES])
def test_a_header_that_is_no_whole_number_of_sensible_size_says_nothing(text: str) -> None:
    assert whole_number({"x": text}, "x") is None
    assert whole_number({}, "x") is None
    assert whole_number({"x": "042"}, "x") == 42
