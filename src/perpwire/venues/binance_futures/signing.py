"""Final bytes and credentials -> the signature's text.

Source: usds-margined-futures/general-info and websocket-api-general-info, as of 2026-10-23.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from perpwire.credentials import Credentials
from perpwire.signer import KeyKind

_HMAC = KeyKind.HMAC
_WORDS = {True: "true", False: "false"}


def sign(payload: bytes, credentials: Credentials) -> str:
    """The signature of `payload`: hex of an HMAC secret, base64 of an Ed25519 or RSA key.

    Args:
        payload: REST: the raw query directly followed by the raw body, without `signature`; base64 is percent-encoded
            where it is sent. Trading socket: `sorted_text`; base64 goes as it is.

    Raises:
        BadInput: The private key can't be used; see Credentials.check.
    """
    raw = credentials.sign(payload)
    return raw.hex() if credentials.kind is _HMAC else base64.b64encode(raw).decode("ascii")


def can_log_on(credentials: Credentials) -> bool:
    """`session.logon` takes Ed25519 keys only; with others each request on the trading socket is signed.

    Raises:
        BadInput: The private key can't be used.
    """
    return credentials.kind is KeyKind.ED25519


def sorted_text(params: Mapping[str, Any]) -> bytes:
    """What is signed of a request on the trading socket: its (two or more) parameters, sorted by name, not
    percent-encoded, as the values stand in the JSON (texts without their quotes)."""
    layout, take = _sorted(tuple(params))
    values = take(params)
    if bool in map(type, values):
        values = tuple([value if type(value) is not bool else _WORDS[value] for value in values])
    return (layout % values).encode()


@lru_cache(256)
def _sorted(names: tuple[str, ...]) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """The layout of such a text, and what takes its values in order: the same few sets of names come again and again,
    and to sort them would take longer than all the rest."""
    in_order = sorted(names)
    return "&".join([f"{name.replace('%', '%%')}=%s" for name in in_order]), itemgetter(*in_order)
