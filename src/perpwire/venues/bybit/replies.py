"""From a reply to its typed result, or to the error that says what the caller may do next.

The rule behind every branch: an order call is refused for certain, or its outcome is unknown. Source: docs/v5/error and
docs/v5/rate-limit, as of 2026-07-24.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal, get_origin

import msgspec

from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadRequest,
    Busy,
    Garbled,
    NotAllowed,
    OutcomeUnknown,
    RateLimited,
    VenueRefused,
)
from perpwire.http_message import LONGEST_WORDS, HttpReply, described, whole_number
from perpwire.venues.base import Endpoint, Security
from perpwire.venues.bybit.error_codes import ADVICE, BY_WORDS_OF_10001, ERROR_CODES
from perpwire.venues.bybit.limits import IP_BAN_S
from perpwire.venues.bybit.wire import WHOLE, Envelope

DEFAULT_RETRY_S = 2.0
"""Where the reply does not say: the account windows are one second long, and something else has filled this one."""

HOLDS: Mapping[int, Literal["address", "account"]] = {10006: "account", 10018: "address"}
"""Which calls a rate limit holds back; all of them, where the code is not here."""

LONGEST_RETRY_S = 600.0

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_read_envelope = msgspec.json.Decoder(Envelope).decode


@cache
def _result_decoder(reply: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(reply, float_hook=Decimal)


@cache
def _is_whole(reply: Any) -> bool:
    return (get_origin(reply) or reply) in WHOLE


def decode(endpoint: Endpoint, reply: HttpReply) -> Any:
    """The endpoint's reply type.

    Raises:
        APIError: By HTTP status, then by retCode.
    """
    if not 200 <= reply.status < 300:
        raise _by_status(endpoint, reply)
    try:
        envelope = _read_envelope(reply.body)
        if envelope.retCode == 0:
            return _result_decoder(endpoint.reply).decode(reply.body if _is_whole(endpoint.reply) else envelope.result)
    except UNREADABLE as error:
        raise _unreadable(endpoint, reply, f"{described(reply)} ({error})") from error
    raise _by_code(endpoint, envelope, reply.headers)


_SERVER_TIMESTAMP = re.compile(r"server_timestamp\[(\d{13})\]")


def server_clock_ms(refusal: APIError) -> int | None:
    """The venue's time as the text of a 10002 states it: "req_timestamp[..],server_timestamp[..],recv_window[..]"."""
    stated = _SERVER_TIMESTAMP.search(refusal.reason) if refusal.code == 10002 else None
    return None if stated is None else int(stated.group(1))


def of_batch(endpoint: Endpoint, code: int, words: str | None) -> APIError:
    """Why one order of a batch was refused."""
    return _by_code(endpoint, Envelope(retCode=code, retMsg=words), {})


def login_refusal(code: int, words: str) -> APIError:
    """Why a socket's login was refused. A parameter error there is one of key, expiry or signature."""
    if code == 10001:
        advice = "Check the key, and that this machine's clock is right: the login may have run out on its way."
        return AuthenticationFailed(_without_key(words), venue="bybit", call=LOG_IN.name, code=code, advice=advice)
    return _by_code(LOG_IN, Envelope(retCode=code, retMsg=words), {})


LOG_IN = Endpoint(
    name="log in",
    http="GET /v5/private",  # it changes nothing of the account
    security=Security.SIGNED,
    reply=None,
    costs={},
    source="docs/v5/ws/connect, as of 2026-07-24",
)


def _by_status(endpoint: Endpoint, reply: HttpReply) -> APIError:
    status, words = reply.status, _words(reply)
    told: dict[str, Any] = {"venue": "bybit", "call": endpoint.name, "code": status}
    if status == 400:
        return BadRequest(words, **told, advice="The request's method or form is wrong; correct the parameters.")
    if status == 401:
        return AuthenticationFailed(words, **told)
    if status == 403:
        if b"too frequent" in reply.body.lower():
            return RateLimited(
                words,
                **told,
                retry_after_s=IP_BAN_S,
                holds="address",
                advice="This IP address made too many requests. Stop every program on it for ten minutes.",
            )
        return NotAllowed(
            words, **told, advice="The venue refuses this IP address; it serves no addresses of the US and China."
        )
    if status == 404:
        return BadRequest(words, **told, advice="No such path, or the account's mode does not have this category.")
    if status == 429 or status >= 500 or status == 408:
        return _doubtful(endpoint, words, status)
    if status == 451:
        return NotAllowed(words, **told, advice="The venue does not serve this region; no retry will help.")
    return _unreadable(endpoint, reply, words)


def _by_code(endpoint: Endpoint, envelope: Envelope, headers: Mapping[str, str]) -> APIError:
    code = envelope.retCode
    words = _without_key(envelope.retMsg or "(no words)")[:LONGEST_WORDS]
    kind = ERROR_CODES.get(code)
    if kind is None:
        # A code that our table does not have leaves a write in doubt.
        error = (OutcomeUnknown if endpoint.writes else VenueRefused)(
            words, venue="bybit", call=endpoint.name, code=code
        )
        error.is_listed = False
        return error
    if code == 10001:
        kind = next((told_by for text, told_by in BY_WORDS_OF_10001.items() if text in words.lower()), kind)
    if kind is OutcomeUnknown:
        return _doubtful(endpoint, words, code)
    told: dict[str, Any] = {"venue": "bybit", "call": endpoint.name, "code": code, "advice": ADVICE.get(code)}
    if issubclass(kind, RateLimited):
        return kind(words, **told, retry_after_s=_retry_after_s(code, envelope, headers), holds=HOLDS.get(code, "all"))
    return kind(words, **told)


def _doubtful(endpoint: Endpoint, words: str, code: int) -> APIError:
    if endpoint.writes:
        return OutcomeUnknown(words, venue="bybit", call=endpoint.name, code=code)
    return Busy(words, venue="bybit", call=endpoint.name, code=code)


def _unreadable(endpoint: Endpoint, reply: HttpReply, why: str) -> APIError:
    if endpoint.writes:
        # The venue has answered, so it may well have acted.
        return OutcomeUnknown(f"the answer can't be read: {why}", venue="bybit", call=endpoint.name, code=reply.status)
    return Garbled(why, venue="bybit", call=endpoint.name, code=reply.status, raw=reply.body)


def _retry_after_s(code: int, envelope: Envelope, headers: Mapping[str, str]) -> float:
    """Until the time that the reply says the window is free again, by the reply's own clock."""
    if code == 10018:
        return IP_BAN_S
    now_ms = _reply_time_ms(envelope, headers)
    reset_ms = whole_number(headers, "x-bapi-limit-reset-timestamp")
    if reset_ms is None or now_ms is None:
        return DEFAULT_RETRY_S
    return max(0.0, min(LONGEST_RETRY_S, (reset_ms - now_ms) / 1000))


def _reply_time_ms(envelope: Envelope, headers: Mapping[str, str]) -> int | None:
    if isinstance(envelope.time, int) and envelope.time > 0:
        return envelope.time
    if (time_ms := whole_number(headers, "timenow")) is not None:
        return time_ms
    try:
        return round(parsedate_to_datetime(headers.get("date", "")).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _words(reply: HttpReply) -> str:
    """The venue's words in a reply that is no success: its retMsg, or the start of what it sent."""
    try:
        envelope = _read_envelope(reply.body)
    except UNREADABLE:
        return described(reply)
    return f"{_without_key(envelope.retMsg or '')[:LONGEST_WORDS]} (retCode {envelope.retCode})"


def _without_key(words: str) -> str:
    """The venue answers a wrong signature with the whole text that it signed; the API key stands in it."""
    start, found, _ = words.partition("origin_string[")
    return f"{start}{found}...]" if found else words
