"""A call with its parameters -> the final bytes: written once, signed as written, sent as signed.

Everything goes in the query, on every method, as the venue's own SDK does it; `signature` is last.
Source: usds-margined-futures/general-info#signed-endpoint-security, as of 2026-10-23.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpRequest
from perpwire.model.numbers import exact, plain
from perpwire.venues.base import Endpoint, Params, Security
from perpwire.venues.binance_futures.signing import sign

VENUE = "binance"


def encode(
    endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, recv_window_ms: int
) -> HttpRequest:
    """See Venue.encode."""
    written = dict(params)
    headers: dict[str, str] = {}
    if endpoint.security is not Security.NONE:
        if credentials is None or not credentials.api_key or not credentials.secret_key:
            raise _bad(endpoint, f"{endpoint.name} needs an API key and its secret", "NO_CREDENTIALS")
        key = credentials.api_key.strip()
        if not key.isascii() or not key.isprintable():
            raise _bad(endpoint, "the API key holds characters that no key has", "BAD_KEY")
        headers["X-MBX-APIKEY"] = key
    if endpoint.security is not Security.SIGNED or credentials is None:
        return _request(endpoint, _query(endpoint, written), headers)
    if "signature" in written:
        raise _bad(endpoint, "signature can't be given: it is made here", "BAD_PARAMETER")
    written.setdefault("recvWindow", recv_window_ms)
    written.setdefault("timestamp", timestamp_ms)
    query = _query(endpoint, written)
    signature = quote(sign(query.encode("ascii"), credentials.secret_key.strip()), safe="")
    return _request(endpoint, f"{query}&signature={signature}", headers)


def _request(endpoint: Endpoint, query: str, headers: dict[str, str]) -> HttpRequest:
    target = f"{endpoint.path}?{query}" if query else endpoint.path
    return HttpRequest(method=endpoint.method, target=target, headers=headers)


def _query(endpoint: Endpoint, params: Params) -> str:
    """Percent-encoded text, in the order given; what is None is left out."""
    try:
        return "&".join(
            f"{quote(name, safe='')}={quote(_text(value), safe='')}"
            for name, value in params.items()
            if value is not None
        )
    except BadInput as error:
        raise _bad(endpoint, error.reason, error.code) from None
    except (TypeError, UnicodeEncodeError) as error:
        raise _bad(endpoint, f"a parameter can't be written: {error}", "BAD_PARAMETER") from None


def _text(value: Any) -> str:
    """
    Raises:
        BadInput: A number that is not finite.
        TypeError: A kind of value that has no spelling.
    """
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
