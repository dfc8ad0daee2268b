"""Is a signature the account's? HMAC-SHA256 by its secret, or Ed25519 or RSA by its public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from perpwire.simulator.specs import AccountSpec

KeyKind = Literal["hmac", "ed25519", "rsa"]

Verify = Callable[[bytes, bytes], bool]
"""Signature and signed text -> whether they belong together."""


def is_signed_by(account: AccountSpec, payload: bytes, signature: str) -> bool:
    """An account with a public key (PEM) signs by the private key to it, in base64; any other by its secret, in hex.

    Raises:
        ValueError: The public key is none, or the `keys` extra is not installed.
    """
    public_key = account.public_key
    if not public_key:
        return signature.isascii() and hmac.compare_digest(hmac_hex(payload, account.secret_key), signature.lower())
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return _verifier(public_key)[1](raw, payload)


def hmac_hex(payload: bytes, secret_key: str) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret_key.encode(), payload, hashlib.sha256).hexdigest()


def kind_of(account: AccountSpec) -> KeyKind:
    """
    Raises:
        ValueError: As `is_signed_by`.
    """
    public_key = account.public_key
    return _verifier(public_key)[0] if public_key else "hmac"


@lru_cache(maxsize=64)
def _verifier(pem: str) -> tuple[KeyKind, Verify]:
    """Reading a key takes longer than checking with it."""
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ValueError("accounts with a public key need the cryptography package: perpwire[keys]") from None
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None

    def checked(verify: Callable[[], None]) -> bool:
        try:
            verify()
        except InvalidSignature:
            return False
        return True

    if isinstance(key, ed25519.Ed25519PublicKey):
        ed_key = key
        return "ed25519", lambda signature, payload: checked(lambda: ed_key.verify(signature, payload))
    if isinstance(key, rsa.RSAPublicKey):
        rsa_key = key
        return "rsa", lambda signature, payload: checked(
            lambda: rsa_key.verify(signature, payload, padding.PKCS1v15(), SHA256())
        )
    raise ValueError("the public key is no Ed25519 or RSA key in PEM form")
