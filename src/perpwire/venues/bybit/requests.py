"""From parameters to final bytes: encoded once, signed, and sent as they stand.

Source: docs/v5/guide, "Authentication", as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpRequest
from perpwire.model.numbers import MOST_DIGITS, exact, plain
from perpwire.venues.base import Endpoint, Params, Security
from perpwire.venues.bybit.signing import sign_request

_AS_THEY_ARE = frozenset({str, int, bool})

VERBATIM = "cursor"
"""Page tokens come percent-encoded and go back as they came."""


def encode(
    endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, recv_window_ms: int
) -> HttpRequest:
    """GET: parameters in the query string; POST: compact JSON, amounts as texts.

    Raises:
        BadInput: A parameter can't be written, or a signed call has no usable key.
    """
    given = {name: value for name, value in params.items() if value is not None}
    if endpoint.method == "GET":
        text = "&".join(
            f"{quote(_encodable(endpoint, name, name), safe='')}={_query_text(endpoint, name, value)}"
            for name, value in given.items()
        )
        signed = text.encode("ascii")
        target, body, headers = f"{endpoint.path}?{text}" if text else endpoint.path, b"", {}
    else:
        signed = body = msgspec.json.encode(message_args(endpoint, given))
        target, headers = endpoint.path, {"Content-Type": "application/json"}
    if endpoint.security is not Security.NONE:
        key = usable(endpoint, credentials)
        signature = sign_request(key, timestamp_ms, recv_window_ms, signed)
        # From here on nothing fails: no traceback can show key or signature.
        headers |= {
            "X-BAPI-API-KEY": key.api_key,
            "X-BAPI-TIMESTAMP": str(timestamp_ms),
            "X-BAPI-RECV-WINDOW": str(recv_window_ms),
            "X-BAPI-SIGN": signature,
        }
    return HttpRequest(method=endpoint.method, target=target, headers=headers, body=body)


def message_args(endpoint: Endpoint, params: Params) -> dict[str, Any]:
    """The one item of `args` of a request on the trade socket, ready to be written as JSON: amounts as texts.

    Raises:
        BadInput: A parameter can't be written.
    """
    if _AS_THEY_ARE.issuperset(map(type, params.values())) and "".join(map(str, (*params, *params.values()))).isascii():
        return dict(params)
    return {
        _encodable(endpoint, name, name): _json_value(endpoint, name, value)
        for name, value in params.items()
        if value is not None
    }


def usable(endpoint: Endpoint, credentials: Credentials | None) -> Credentials:
    """
    Raises:
        BadInput: There is no key, or it can't be one.
    """
    if credentials is None or not credentials.is_complete:
        raise _bad(
            endpoint, "NO_CREDENTIALS", "this call needs an API key", "Give the connector an API key and its secret."
        )
    if not (credentials.api_key.isascii() and credentials.api_key.isprintable()):
        # It goes into a header: a line break there would end the header.
        raise _bad(endpoint, "BAD_CREDENTIALS", "the API key has characters that no key has", "Check the key.")
    return credentials


def _query_text(endpoint: Endpoint, name: str, value: Any) -> str:
    if name == VERBATIM and isinstance(value, str):
        if not (value.isascii() and value.isprintable()) or " " in value or "&" in value or "#" in value:
            raise _bad(endpoint, "BAD_PARAMETER", f"{name} {value!r} is not a page token of the venue's")
        return value
    if isinstance(value, list | tuple):
        return quote(",".join(_plain_text(endpoint, name, one) for one in value), safe="")
    return quote(_plain_text(endpoint, name, value), safe="")


def _plain_text(endpoint: Endpoint, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _encodable(endpoint, name, value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _amount(endpoint, name, value)
    raise _unwritable(endpoint, name, value)


def _json_value(endpoint: Endpoint, name: str, value: Any) -> Any:
    """Amounts become texts, as the venue has them; int and bool stay JSON values, as positionIdx wants it."""
    if type(value) is Decimal:
        return _amount(endpoint, name, value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return _encodable(endpoint, name, value)
    if isinstance(value, float | Decimal):
        return _amount(endpoint, name, value)
    if isinstance(value, list | tuple):
        return [_json_value(endpoint, name, one) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {_encodable(endpoint, name, key): _json_value(endpoint, key, one) for key, one in value.items()}
    raise _unwritable(endpoint, name, value)


def _amount(endpoint: Endpoint, name: str, value: float | Decimal) -> str:
    if type(value) is Decimal:
        text = plain(value)
        if len(text) <= MOST_DIGITS and value.is_finite():  # so short, it is within all bounds
            return text
    try:
        return plain(exact(value, name))
    except BadInput as error:
        raise _bad(endpoint, "BAD_PARAMETER", error.reason) from None


def _encodable(endpoint: Endpoint, name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _bad(endpoint, "BAD_PARAMETER", f"{name} {text!r} is not valid Unicode") from None
    # A plain str also where an enum or another subclass came in.
    return str(text)


def _unwritable(endpoint: Endpoint, name: str, value: Any) -> BadInput:
    return _bad(endpoint, "BAD_PARAMETER", f"{name} can't be written as {type(value).__name__}")


def _bad(endpoint: Endpoint, code: str, reason: str, advice: str | None = None) -> BadInput:
    return BadInput(reason, venue="bybit", call=endpoint.name, code=code, advice=advice)
