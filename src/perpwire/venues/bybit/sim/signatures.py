"""Is a signature the account's? HMAC-SHA256 by its secret, or RSA by its public key.

Source: docs/v5/guide, "How to sign", as of 2026-07-24: RSA is PKCS#1 v1.5 with SHA-256, in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache

from perpwire.simulator.specs import AccountSpec

Verify = Callable[[bytes, bytes], bool]
"""Signature and signed text -> whether they belong together."""


def is_signed_by(account: AccountSpec, text: str, signature: str) -> bool:
    """An account with a public key (PEM) signs by the private key to it, in base64; any other by its secret, in hex.

    Raises:
        ValueError: The public key is no RSA key, or the `keys` extra is not installed.
    """
    payload = text.encode()
    if account.public_key:
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        return _verifier(account.public_key)(raw, payload)
    right = hmac.new(account.secret_key.encode(), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode(errors="replace"), right.encode())


@lru_cache(maxsize=64)
def _verifier(pem: str) -> Verify:
    """Reading a key takes longer than checking with it."""
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ValueError("accounts with a public key need the cryptography package: perpwire[keys]") from None
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the public key is no RSA key in PEM form: the venue takes no other kind")
    rsa_key = key

    def verify(signature: bytes, payload: bytes) -> bool:
        try:
            rsa_key.verify(signature, payload, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    return verify
