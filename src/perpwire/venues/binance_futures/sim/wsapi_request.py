"""One request of the trading socket: what it says, and the text that its signature is over.

Source: usds-margined-futures/websocket-api-general-info, as of 2026-10-11.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from perpwire.venues.binance_futures.sim.words import Refusal, missing

NO_ID = b"null"
"""The id of an answer to what can't be attributed."""


class _Frame(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(NO_ID)
    method: Any = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Request(msgspec.Struct, frozen=True):
    """
    Attributes:
        id: As JSON, whatever it was: it is given back as it came.
        method: Without its version.
        version: 1, unless the method says another.
        params: Each value as text: strings as they are, all else as it stands in the JSON.
    """

    id: bytes
    method: str
    version: int
    params: dict[str, str]

    def signed_texts(self) -> tuple[bytes, ...]:
        """All parameters but the signature, sorted by name. Clients differ in whether they percent-encode the values,
        which matters for few of them; either is taken."""
        pairs = sorted((name, value) for name, value in self.params.items() if name != "signature")
        plain = "&".join(f"{name}={value}" for name, value in pairs).encode()
        encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs).encode()
        return (plain,) if plain == encoded else (plain, encoded)


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_params = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BadRequest(Exception):
    """What came in is no request. `id` as far as it had one."""

    def __init__(self, refusal: Refusal, request_id: bytes = NO_ID) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.id = request_id


def read_request(text: bytes) -> Request:
    """
    Raises:
        BadRequest: It is none.
    """
    try:
        msgspec.json.decode(text)  # the decoders below skip what they don't need, however broken
        frame = _decode_frame(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(Refusal(-1013, "Invalid message: not a JSON object.")) from None
    request_id = bytes(frame.id).strip()
    if not isinstance(frame.method, str) or not frame.method:
        raise BadRequest(missing("method"), request_id)
    version, method = _versioned(frame.method)
    params: dict[str, msgspec.Raw] = {}
    if isinstance(frame.params, msgspec.Raw) and bytes(frame.params).strip() != b"null":
        try:
            params = _decode_params(frame.params)
        except msgspec.ValidationError:
            raise BadRequest(missing("params"), request_id) from None
    return Request(request_id, method, version, {name: _text(value) for name, value in params.items()})


def _versioned(method: str) -> tuple[int, str]:
    head, slash, rest = method.partition("/")
    if slash and len(head) == 2 and head[0] == "v" and head[1] in "123456789":
        return int(head[1]), rest
    return 1, method


def _text(value: msgspec.Raw) -> str:
    content = bytes(value).strip()
    return str(msgspec.json.decode(content)) if content[:1] == b'"' else content.decode()
