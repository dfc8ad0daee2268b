"""A secret in use: final bytes -> raw signature. HMAC-SHA256, RSA (PKCS#1 v1.5 with SHA-256) or Ed25519.

Nothing here shows a secret: not in a repr, not in a pickle, and no frame that raises has one among its locals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from perpwire.errors import BadInput

PEM_BEGINS = "-----BEGIN"


class KeyKind(StrEnum):
    HMAC = "HMAC"
    RSA = "RSA"
    ED25519 = "Ed25519"


class Signer(NamedTuple):
    """
    Attributes:
        sign: Final bytes -> raw signature: 32 bytes of HMAC, the size of the key of RSA, 64 of Ed25519. Whether they
            travel as hex or base64 is the venue's business.
    """

    kind: KeyKind
    sign: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"<Signer {self.kind}>"

    def __reduce__(self) -> str:
        raise TypeError("a signer is not written down")


def is_pem(secret: str) -> bool:
    return secret.lstrip().startswith(PEM_BEGINS)


def signer_of(reveal: Callable[[], tuple[str, str | None]]) -> Signer:
    """The signer of a secret: PEM text is a private key, anything else an HMAC secret.

    Args:
        reveal: Gives the secret and the password of an encrypted PEM, or None. They are asked for and not passed, so
            that a traceback with the values of variables can't show them.

    Raises:
        BadInput: The PEM text is no usable key, its password is wrong or missing, or the `keys` extra is not installed.
    """
    if not is_pem(reveal()[0]):
        return Signer(KeyKind.HMAC, _hmac(reveal))
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        raise BadInput(
            "an Ed25519 or RSA key needs the cryptography package",
            code="NO_CRYPTOGRAPHY",
            advice="Install it: pip install 'perpwire[keys]'. Or use an HMAC key.",
        ) from None
    key, problem = _loaded(reveal)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(KeyKind.ED25519, key.sign)
    if isinstance(key, rsa.RSAPrivateKey):
        # Looked up and made once: they are a tenth of what signing costs.
        sign, how, digest = key.sign, padding.PKCS1v15(), SHA256()
        return Signer(KeyKind.RSA, lambda payload: sign(payload, how, digest))
    raise BadInput(
        problem or f"the private key is of another kind: {type(key).__name__}",
        code="BAD_KEY",
        advice="Give an Ed25519 or RSA private key in PEM form (PKCS#8), with its password where it is encrypted.",
    )


def _hmac(reveal: Callable[[], tuple[str, str | None]]) -> Callable[[bytes], bytes]:
    """RFC 2104, with the two blocks that are made of the secret hashed beforehand: a signature starts from copies,
    which is twice as fast as the library's own."""
    secret = reveal()[0].encode()
    block = (hashlib.sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)).copy for pad in (0x36, 0x5C))

    def sign(payload: bytes) -> bytes:
        digest = inner()
        digest.update(payload)
        whole = outer()
        whole.update(digest.digest())
        return whole.digest()

    return sign


def _loaded(reveal: Callable[[], tuple[str, str | None]]) -> tuple[object, str]:
    """The private key, or None and why not. It must not raise: its frame has seen the secret."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem, password = reveal()
    try:
        return load_pem_private_key(pem.strip().encode(), None if password is None else password.encode()), ""
    except UnsupportedAlgorithm:
        return None, "the private key is of a kind that is not supported"
    except TypeError:
        if password is None:
            return None, "the private key is encrypted: it needs its password"
        return None, "the private key is not encrypted, but a password was given"
    except ValueError:
        return None, "the PEM text is no private key that can be read" + (
            "" if password is None else ", or its password is wrong"
        )
