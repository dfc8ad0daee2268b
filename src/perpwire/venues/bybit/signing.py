"""Bybit's signatures: HMAC-SHA256 as lower-case hex, over exactly the text that is sent.

Source: docs/v5/guide, "How to sign" and docs/v5/ws/connect, as of 2026-07-24.
"""

from __future__ import annotations

import hashlib
import hmac


def sign_request(secret_key: str, api_key: str, timestamp_ms: int | str, recv_window_ms: int | str, text: str) -> str:
    """Signature of a REST request.

    Args:
        text: GET: the query string as sent, without "?". POST: the body as sent.
    """
    return _hex(secret_key, f"{timestamp_ms}{api_key}{recv_window_ms}{text}")


def sign_login(secret_key: str, expires_ms: int | str) -> str:
    """Signature of a stream's login that is valid until `expires_ms` (Unix milliseconds, the venue's clock)."""
    return _hex(secret_key, f"GET/realtime{expires_ms}")


def _hex(secret_key: str, text: str) -> str:
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
