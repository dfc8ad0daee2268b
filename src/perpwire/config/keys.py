"""API keys from where the settings say: the environment, a closed file, or the operating system's keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from perpwire.config.settings import KeySettings
from perpwire.credentials import Credentials
from perpwire.errors import BadInput

_WORDS = ("api_key", "api_secret", "password")
SIM_KEY = Credentials("sim-key", "sim-secret")
"""The default account of an embedded exchange."""


def credentials(venue: str, env: str, settings: KeySettings, environ: Mapping[str, str] | None = None) -> Credentials:
    """The key of one venue and environment. For "sim" that of the environment (BYBIT_SIM_API_KEY) where there is one,
    or else the embedded exchange's own.

    Raises:
        BadInput: There is none, or it can't be read; the message says where it was looked for.
    """
    if env == "sim":
        known = os.environ if environ is None else environ
        is_given = f"{venue.upper()}_SIM_API_KEY" in known
        return Credentials.from_environment(venue, env, known) if is_given else SIM_KEY
    if settings.source == "environment":
        return Credentials.from_environment(venue, env, environ)
    if settings.source == "keyring":
        return _of_keyring(venue, env)
    if settings.file is None:
        raise BadInput('keys.source is "file", and keys.file names none', venue=venue, code="NO_CREDENTIALS")
    return Credentials.from_file(settings.file.expanduser(), venue, env)


# --- the keyring ------------------------------------------------------------------------------------------------------


def service(venue: str, env: str) -> str:
    """The name under which the keyring has it."""
    return f"perpwire/{venue}.{env}"


def store(venue: str, env: str, api_key: str, api_secret: str, password: str = "") -> None:
    """Put a key into the keyring, in place of an older one.

    Raises:
        BadInput: There is no keyring here, or it refuses.
    """
    keyring = _keyring()
    failed = ""
    try:
        for word, text in zip(_WORDS, (api_key, api_secret, password), strict=True):
            if text:
                keyring.set_password(service(venue, env), word, text)
            else:
                _delete(keyring, service(venue, env), word)
    except Exception as error:
        failed = type(error).__name__  # its text may hold what was stored
    del api_key, api_secret, password, text
    if failed:
        raise _refused(failed)


def forget(venue: str, env: str) -> bool:
    """Take a key out of the keyring; False where there was none.

    Raises:
        BadInput: There is no keyring here.
    """
    keyring = _keyring()
    gone = [_delete(keyring, service(venue, env), word) for word in _WORDS]
    return any(gone)


def _of_keyring(venue: str, env: str) -> Credentials:
    keyring = _keyring()
    failed = ""
    found: dict[str, str] = {}
    try:
        found = {word: keyring.get_password(service(venue, env), word) or "" for word in _WORDS}
    except Exception as error:
        failed = type(error).__name__
    if failed:
        raise _refused(failed)
    if not (found["api_key"] and found["api_secret"]):
        del found
        raise BadInput(
            f"the keyring has no key {service(venue, env)}",
            venue=venue,
            code="NO_CREDENTIALS",
            advice=f"Put it there: perpwire keys store --venue {venue} --env {env}.",
        )
    return Credentials(found["api_key"], found["api_secret"], password=found["password"] or None)


def _delete(keyring: Any, name: str, word: str) -> bool:
    try:
        keyring.delete_password(name, word)
    except Exception:  # its way to say that there is none
        return False
    return True


def _refused(why: str) -> BadInput:
    return BadInput(
        f"the keyring of this machine can't be used ({why})",
        code="NO_KEYRING",
        advice="Unlock it, or keep keys in the environment or in a file (keys.source).",
    )


def _keyring() -> Any:
    try:
        import keyring
    except ImportError:
        raise BadInput(
            "keyring is not installed", code="NO_KEYRING", advice="Install it: pip install 'perpwire[keyring]'."
        ) from None
    return keyring
