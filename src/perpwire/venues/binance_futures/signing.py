"""Final bytes and credentials -> the signature's text.

Source: usds-margined-futures/general-info and websocket-api-general-info, as of 2026-10-23.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from perpwire.credentials import Credentials
from perpwire.signer import KeyKind


def sign(payload: bytes, credentials: Credentials) -> str:
    """The signature of `payload`: hex of an HMAC secret, base64 of an Ed25519 or RSA key.

    Args:
        payload: REST: the raw query directly followed by the raw body, without `signature`; base64 is percent-encoded
            where it is sent. Trading socket: `sorted_text`; base64 goes as it is.

    Raises:
        BadInput: The private key can't be used; see Credentials.check.
    """
    raw = credentials.sign(payload)
    return raw.hex() if credentials.kind is KeyKind.HMAC else base64.b64encode(raw).decode("ascii")


def can_log_on(credentials: Credentials) -> bool:
    """`session.logon` takes Ed25519 keys only; with others each request on the trading socket is signed.

    Raises:
        BadInput: The private key can't be used.
    """
    return credentials.kind is KeyKind.ED25519


def sorted_text(params: Mapping[str, Any]) -> bytes:
    """What is signed of a request on the trading socket: its parameters but for `signature`, sorted by name, not
    percent-encoded, as the values stand in the JSON (texts without their quotes)."""
    return "&".join(
        [
            f"{name}={value}" if type(value) is not bool else f"{name}={'true' if value else 'false'}"
            for name, value in sorted(params.items())
            if name != "signature"
        ]
    ).encode()
