"""Whose certificates are trusted, and what to do where a server's is not. Verification can't be switched off here."""

from __future__ import annotations

import ssl


def default_context() -> ssl.SSLContext:
    """Trusts the system's authorities; those of the certifi package where Python knows of none, as some installers
    leave it on macOS and Windows."""
    context = ssl.create_default_context()
    if _store() == NO_STORE and not context.cert_store_stats()["x509_ca"]:
        try:
            import certifi
        except ImportError:
            return context  # every connection will say what is missing
        context.load_verify_locations(certifi.where())
    return context


NO_STORE = "no store of certificates: Python has found none on this machine"


def _store() -> str:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or NO_STORE


def failure_words(error: BaseException, own: ssl.SSLContext | None) -> str:
    """What went wrong with a connection, and, where it was the certificate, what to do.

    Args:
        own: The TLS settings that the user gave, if any.
    """
    found = _verification(error)
    if found is None:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    trusted = f"the system's authorities ({_store()})" if own is None else "the authorities of the ssl_context given"
    return (
        f"CERTIFICATE_VERIFY_FAILED: the server's certificate is not trusted ({found.verify_message}). Trusted are "
        f"{trusted}. If this network, a proxy or the server signs with an authority of its own, trust that one: "
        "ssl_context=ssl.create_default_context(cafile=...). If not, somebody may be listening: do not go on"
    )


def _verification(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The failed verification behind an error of a client's."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
        error = inner or error.__cause__ or error.__context__
    return None
