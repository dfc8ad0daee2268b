"""Bybit's signatures, over exactly the text that is sent: HMAC-SHA256 as lower-case hex, or RSA as base64.

Source: docs/v5/guide, "How to sign" and docs/v5/ws/connect, as of 2026-07-24.
"""

from __future__ import annotations

import base64

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.signer import KeyKind


def sign_request(
    credentials: Credentials, timestamp_ms: int | str, recv_window_ms: int | str, text: str | bytes
) -> str:
    """Signature of a REST request.

    Args:
        text: GET: the query string as sent, without "?". POST: the body as sent.

    Raises:
        BadInput: See sign.
    """
    begin = f"{timestamp_ms}{credentials.api_key}{recv_window_ms}"
    return sign(begin.encode() + (text if isinstance(text, bytes) else text.encode()), credentials)


def sign_login(credentials: Credentials, expires_ms: int | str) -> str:
    """Signature of the login of a private stream or trade socket that is valid until `expires_ms` (Unix milliseconds,
    the venue's clock).

    Raises:
        BadInput: See sign.
    """
    return sign(f"GET/realtime{expires_ms}".encode(), credentials)


def sign(payload: bytes, credentials: Credentials) -> str:
    """
    Raises:
        BadInput: The private key can't be used (Credentials.check), or is an Ed25519 key, which this venue has not.
    """
    if credentials.kind is KeyKind.HMAC:
        return credentials.sign(payload).hex()
    if credentials.kind is KeyKind.RSA:
        return base64.b64encode(credentials.sign(payload)).decode("ascii")
    raise BadInput(
        f"Bybit takes no {credentials.kind} keys",
        venue="bybit",
        code="BAD_KEY",
        advice="Use an HMAC secret, or an RSA private key whose public key is uploaded at the venue.",
    )
