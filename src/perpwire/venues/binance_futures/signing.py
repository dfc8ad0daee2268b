"""Final bytes and a secret -> the signature text. Source: usds-margined-futures/general-info, as of 2026-10-23."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache

from perpwire.errors import BadInput


def sign(payload: bytes, secret_key: str) -> str:
    """The signature of `payload`, which is the raw query directly followed by the raw body, without `signature`.

    A secret in PEM form (`-----BEGIN PRIVATE KEY-----`) is an Ed25519 or RSA key and gives base64, to be
    percent-encoded where it is sent; any other is an HMAC-SHA256 secret and gives hex.

    Raises:
        BadInput: The PEM text is no usable key, or the `keys` extra is not installed.
    """
    if secret_key.lstrip().startswith("-----BEGIN"):
        return base64.b64encode(_private_key(secret_key)(payload)).decode("ascii")
    return hmac_hex(payload, secret_key)


def hmac_hex(payload: bytes, secret_key: str) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret_key.encode(), payload, hashlib.sha256).hexdigest()


@lru_cache(maxsize=16)
def _private_key(pem: str) -> Callable[[bytes], bytes]:
    """Reading a key takes longer than signing with it."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise BadInput(
            "an Ed25519 or RSA key needs the cryptography package",
            venue="binance",
            code="NO_CRYPTOGRAPHY",
            advice="Install it: pip install 'perpwire[keys]'. Or use an HMAC key.",
        ) from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_key = key
        return lambda payload: rsa_key.sign(payload, padding.PKCS1v15(), SHA256())
    raise BadInput(
        "the secret is no Ed25519 or RSA private key in unencrypted PEM form", venue="binance", code="BAD_KEY"
    )
