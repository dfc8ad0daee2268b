"""What an answer that is no success means: by its HTTP status, the venue's code, and, for 503 only, its text.

Source: usds-margined-futures/general-info#http-return-codes and error-code, as of 2026-10-23.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadRequest,
    Busy,
    Garbled,
    NotAllowed,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    VenueRefused,
)
from perpwire.http_message import LONGEST_WORDS, HttpReply, described, whole_number, words_of
from perpwire.venues.base import Endpoint
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.error_codes import ADVICE, DOUBTFUL_WHEN_PLACING, ERROR_CODES

VENUE = "binance"

WEIGHT_PAUSE_S = 60.0  # 429 without a Retry-After: the weight window is a minute,
ORDERS_PAUSE_S = 10.0  # the shorter order window ten seconds
BAN_PAUSE_S = 120.0  # the shortest ban
FIREWALL_PAUSE_S = 600.0

LONGEST_PAUSE_S = 3 * 86400.0
"""The venue's longest ban; a longer time is a mistake."""

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

_decode_error = msgspec.json.Decoder(wire.Error).decode
_BANNED_UNTIL = re.compile(r"banned until (\d{12,14})")

# A 503 with one of these texts failed for certain; any other may have been executed.
_FAILED_TEXTS = ("Service Unavailable", "Internal error; unable to process your request")
_FAILED_CODES = frozenset({-1001, -1008, -1016})
# The venue's own words for a failure of unknown outcome, where it sends no code.
_SERVER_TEXTS = ("Unknown error", "Request occur unknown error")


_ERROR_BODY = re.compile(rb'\s*\{\s*"code"\s*:\s*-\d')


def is_success(reply: HttpReply) -> bool:
    """A refusal is told by its body, too, whatever the HTTP status: its codes are negative."""
    return 200 <= reply.status < 300 and not _ERROR_BODY.match(reply.body)


def refusal(endpoint: Endpoint, reply: HttpReply) -> APIError:
    """The exception for a reply that is no success."""
    error = _error_of(reply.body)
    code = error.code if error is not None else None
    text = (error.msg if error is not None else _words(reply))[:LONGEST_WORDS]
    if reply.status in (418, 429) or (code is not None and ERROR_CODES.get(code) is RateLimited and reply.status < 500):
        return RateLimited(
            text if _is_json(reply.body) else described(reply),
            venue=VENUE,
            call=endpoint.name,
            code=code if code is not None else reply.status,
            retry_after_s=_pause_s(reply, code, text),
            # Another service's ban is none of this one.
            holds="account" if code == -1015 or endpoint.host != "rest" else "all",
            until_ms=None if (stated := _BANNED_UNTIL.search(text)) is None else int(stated.group(1)),
        )
    if reply.status == 408 or reply.status >= 500:
        return _server_failed(endpoint, reply, code, text)
    if code is not None:
        return by_code(endpoint, code, text)
    return _by_status(endpoint, reply, text)


def _server_failed(endpoint: Endpoint, reply: HttpReply, code: int | None, text: str) -> APIError:
    """408 and 5xx: done or not? Only a few answers say for certain that it was not."""
    shown = f"HTTP {reply.status}: {text}" if _is_json(reply.body) else described(reply)
    number = code if code is not None else reply.status
    if code in _FAILED_CODES or (reply.status == 503 and text.startswith(_FAILED_TEXTS)):
        kind = Overloaded if code in ERROR_CODES and ERROR_CODES[code] is Overloaded else Busy
        return kind(shown, venue=VENUE, call=endpoint.name, code=number)
    if endpoint.writes:
        return OutcomeUnknown(shown, venue=VENUE, call=endpoint.name, code=number)
    if code is None and not text.startswith(_SERVER_TEXTS):
        return Garbled(shown, venue=VENUE, call=endpoint.name, code=number, raw=reply.body)
    return Busy(shown, venue=VENUE, call=endpoint.name, code=number)


def by_code(endpoint: Endpoint, code: int, text: str) -> APIError:
    """What a code means for this call. One that our table does not have leaves a write in doubt."""
    kind: type[APIError] | None = ERROR_CODES.get(code)
    is_listed = kind is not None
    if kind is None:
        kind = OutcomeUnknown if endpoint.writes else VenueRefused
    if code in DOUBTFUL_WHEN_PLACING and not endpoint.repeatable:
        kind = OutcomeUnknown
    if kind is OutcomeUnknown and not endpoint.writes:
        kind = Busy
    error = kind(text, venue=VENUE, call=endpoint.name, code=code, advice=ADVICE.get(code))
    error.is_listed = is_listed
    return error


def _by_status(endpoint: Endpoint, reply: HttpReply, text: str) -> APIError:
    """An answer without the venue's own code: from something in front of it, or not the venue at all."""
    status = reply.status
    reason = f"HTTP {status}: {text}" if _is_json(reply.body) else described(reply)
    if status == 403:
        return RateLimited(
            reason,
            venue=VENUE,
            call=endpoint.name,
            code=status,
            advice="The venue's firewall blocks this machine: stop for a while, and look at what was sent.",
            retry_after_s=_retry_after_s(reply.headers) or FIREWALL_PAUSE_S,
            holds="all" if endpoint.host == "rest" else "account",
        )
    if status == 401:
        return AuthenticationFailed(reason, venue=VENUE, call=endpoint.name, code=status)
    if status == 451:
        advice = "The venue does not serve this region; no retry will help."
        return NotAllowed(reason, venue=VENUE, call=endpoint.name, code=status, advice=advice)
    if status == 404:
        advice = "There is no such path at this address: check the environment and the base URL."
        return BadRequest(reason, venue=VENUE, call=endpoint.name, code=status, advice=advice)
    return Garbled(reason, venue=VENUE, call=endpoint.name, code=status, raw=reply.body)


def _error_of(body: bytes) -> wire.Error | None:
    """The venue's error, or None where the body is something else. Its codes are negative, but for a known few."""
    try:
        error = _decode_error(body)
    except _UNREADABLE:
        return None
    return error if error.code < 0 or error.code in ERROR_CODES else None


class _Message(msgspec.Struct):
    msg: str


_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def _words(reply: HttpReply) -> str:
    """The first words of a reply that is not the venue's error: its message where it is JSON without a code, or else
    those of its page."""
    try:
        return _decode_message(reply.body).msg
    except _UNREADABLE:
        return words_of(reply)


def _is_json(body: bytes) -> bool:
    try:
        _decode_object(body)
    except _UNREADABLE:
        return False
    return True


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    seconds = whole_number(headers, "retry-after")
    return None if seconds is None else min(float(seconds), LONGEST_PAUSE_S)


def _pause_s(reply: HttpReply, code: int | None, text: str) -> float:
    """Seconds until calls are taken again: as the venue says, or else as its shortest window or ban goes."""
    stated = _retry_after_s(reply.headers)
    banned_until = _BANNED_UNTIL.search(text)
    if banned_until is not None:
        # The text states an absolute time; there is no clock here but the reply's own.
        sent_ms = _date_ms(reply.headers)
        if sent_ms is not None:
            stated = min(LONGEST_PAUSE_S, max(stated or 0.0, (int(banned_until.group(1)) - sent_ms) / 1000))
    if reply.status == 418 or banned_until is not None:
        return stated if stated is not None and stated > 0 else BAN_PAUSE_S
    if stated is not None:
        return max(stated, 1.0)
    return ORDERS_PAUSE_S if code == -1015 else WEIGHT_PAUSE_S


def _date_ms(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers.get("date", "")).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
