"""A call with its parameters -> the final bytes: written once, signed as written, sent as signed.

Everything goes in the query, on every method, as the venue's own SDK does it; `signature` is last.
Source: usds-margined-futures/general-info#signed-endpoint-security, as of 2026-10-23.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpRequest
from perpwire.model.numbers import MOST_DIGITS, exact, plain
from perpwire.venues.base import Endpoint, Params, Security
from perpwire.venues.binance_futures.signing import sign, sorted_text

VENUE = "binance"

_SIGNED = Security.SIGNED
_needs_no_quotes = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def encode(
    endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, recv_window_ms: int
) -> HttpRequest:
    """See Venue.encode."""
    if endpoint.security is Security.NONE:
        return _request(endpoint, _query(endpoint, params), {})
    key = _usable(endpoint, credentials)
    if endpoint.security is _SIGNED:
        params = {name: value for name, value in params.items() if value is not None}
        _stamp(endpoint, params, timestamp_ms, recv_window_ms)
    query = _query(endpoint, params)
    if endpoint.security is _SIGNED:
        query = f"{query}&signature={quoted(sign(query.encode('ascii'), key))}"
    # From here on nothing fails: no traceback can show key or signature.
    return _request(endpoint, query, {"X-MBX-APIKEY": key.api_key})


def message_params(
    endpoint: Endpoint,
    params: Params,
    credentials: Credentials | None,
    timestamp_ms: int,
    recv_window_ms: int,
    *,
    logged_on: bool = False,
) -> dict[str, str | int | bool]:
    """The `params` of a request on the trading socket: numbers as texts, whole ones and booleans as they are, what is
    None left out. They are to be written as JSON as they stand, since the signature is over just that.

    Args:
        logged_on: The socket's session is logged on: neither key nor signature goes along.

    Raises:
        BadInput: A parameter can't be written, or there is no usable key.
    """
    written: dict[str, str | int | bool]
    if _AS_THEY_ARE.issuperset(map(type, params.values())):
        written = dict(params)
    else:
        written = {name: _scalar(endpoint, value) for name, value in params.items() if value is not None}
    if endpoint.security is Security.NONE:
        return written
    key = _usable(endpoint, credentials)
    if endpoint.security is _SIGNED:
        _stamp(endpoint, written, timestamp_ms, recv_window_ms)
        if logged_on:
            return written
    written["apiKey"] = key.api_key
    if endpoint.security is not _SIGNED:
        return written
    try:
        written["signature"] = sign(sorted_text(written), key)
        return written
    except UnicodeEncodeError:
        pass
    # Here neither a variable nor a context of the error holds the key: a traceback may show them.
    del written
    raise not_unicode(endpoint)


def not_unicode(endpoint: Endpoint) -> BadInput:
    return _bad(endpoint, "a parameter is not valid Unicode", "BAD_PARAMETER")


_AS_THEY_ARE = frozenset({str, int, bool})


def _scalar(endpoint: Endpoint, value: Any) -> str | int | bool:
    try:
        return value if type(value) is str or isinstance(value, int) else _text(value)
    except BadInput as error:
        raise _bad(endpoint, error.reason, "BAD_PARAMETER") from None
    except TypeError as error:
        raise _bad(endpoint, f"a parameter can't be written: {error}", "BAD_PARAMETER") from None


def _stamp(endpoint: Endpoint, params: dict[str, Any], timestamp_ms: int, recv_window_ms: int) -> None:
    """Add the time stamp and its window, where the caller does not give them."""
    if "signature" in params:
        raise _bad(endpoint, "signature can't be given: it is made here", "BAD_PARAMETER")
    if "recvWindow" not in params:
        params["recvWindow"] = recv_window_ms
    if "timestamp" not in params:
        params["timestamp"] = timestamp_ms


def _usable(endpoint: Endpoint, credentials: Credentials | None) -> Credentials:
    if credentials is None or not credentials.is_complete:
        raise _bad(endpoint, f"{endpoint.name} needs an API key and its secret", "NO_CREDENTIALS")
    if not (credentials.api_key.isascii() and credentials.api_key.isprintable()):
        # It goes into a header: a line break there would end the header.
        raise _bad(endpoint, "the API key holds characters that no key has", "BAD_KEY")
    return credentials


def _request(endpoint: Endpoint, query: str, headers: dict[str, str]) -> HttpRequest:
    target = f"{endpoint.path}?{query}" if query else endpoint.path
    return HttpRequest(method=endpoint.method, target=target, headers=headers)


def _query(endpoint: Endpoint, params: Params) -> str:
    """Percent-encoded text, in the order given; what is None is left out."""
    try:
        return "&".join(
            [
                f"{quoted(name)}={quoted(value if type(value) is str else _text(value))}"
                for name, value in params.items()
                if value is not None
            ]
        )
    except BadInput as error:
        raise _bad(endpoint, error.reason, error.code) from None
    except (TypeError, UnicodeEncodeError) as error:
        raise _bad(endpoint, f"a parameter can't be written: {error}", "BAD_PARAMETER") from None


def quoted(text: str) -> str:
    """Percent-encoded; nearly everything that is sent needs no encoding, and to see that is much cheaper."""
    return text if _needs_no_quotes(text) else quote(text, safe="")


def _text(value: Any) -> str:
    """
    Raises:
        BadInput: A number that is not finite.
        TypeError: A kind of value that has no spelling.
    """
    if type(value) is Decimal:
        text = plain(value)
        # So short, it is within all bounds, and no word for what is no number.
        return text if len(text) <= MOST_DIGITS and value.is_finite() else plain(exact(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return plain(exact(value))
    if isinstance(value, list | tuple | dict):
        return msgspec.json.encode(_json(value)).decode()
    raise TypeError(f"{type(value).__name__} is no kind of parameter")


def _json(value: Any) -> Any:
    """Lists and objects go as JSON whose numbers are texts, but for whole ones (ids, times)."""
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _json(one) for name, one in value.items() if one is not None}
    return value if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _bad(endpoint: Endpoint, reason: str, code: int | str | None) -> BadInput:
    return BadInput(reason, venue=VENUE, call=endpoint.name, code=code)
