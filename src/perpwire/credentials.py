"""An API key and what signs for it; neither shows in a repr, a log, an error, a pickle or a traceback."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perpwire.errors import BadInput
from perpwire.signer import KeyKind, Signer, is_pem, signer_of


class Credentials:
    """An API key with its secret.

        Credentials("key", "secret")                                     # HMAC
        Credentials("key", "-----BEGIN PRIVATE KEY-----...")             # Ed25519 or RSA, of which the venue has the
        Credentials("key", Path("key.pem"), password="open sesame")      # public key

    Binance takes all three kinds, Bybit HMAC and RSA. The key is read when it is first used: `check()` does so at once.

    Args:
        api_key: As the venue shows it.
        secret_key: The HMAC secret, or a private key in PEM form as text or as the path of a file.
        password: Of an encrypted private key.
    """

    __slots__ = ("_api_key", "_password", "_secret", "_signer")

    def __init__(self, api_key: str, secret_key: str | Path, *, password: str | None = None) -> None:
        self._api_key = api_key.strip()
        self._secret: str | Path = secret_key if isinstance(secret_key, Path) else secret_key.strip()
        self._password = password
        self._signer: Signer | None = None

    @property
    def api_key(self) -> str:
        return self._api_key

    @property
    def is_complete(self) -> bool:
        """There are both a key and a secret."""
        return bool(self._api_key) and self._secret != ""

    @property
    def kind(self) -> KeyKind:
        """How it signs.

        Raises:
            BadInput: See check.
        """
        return (self._signer or self._load()).kind

    def sign(self, payload: bytes) -> bytes:
        """The raw signature of `payload`; see signer.Signer.

        Raises:
            BadInput: See check.
        """
        return (self._signer or self._load()).sign(payload)

    def check(self) -> None:
        """Read the secret now.

        Raises:
            BadInput: The private key can't be read (no such file, no key, wrong password), or the `keys` extra, which
                Ed25519 and RSA need, is not installed.
        """
        self._load()

    def _load(self) -> Signer:
        self._signer = signer_of(self._reveal)
        return self._signer

    def _reveal(self) -> tuple[str, str | None]:
        if isinstance(self._secret, Path):
            self._secret = _text_of(self._secret, "private key file")
        return self._secret, self._password

    # --- secrecy --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __rich_repr__(self) -> tuple[()]:
        return ()

    def __reduce__(self) -> str:
        raise TypeError("credentials are not pickled: read them again where they are needed")

    def __copy__(self) -> Credentials:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Credentials:
        return self

    def redact(self, text: str) -> str:
        """`text` with key and secret blanked out; venues repeat the key in their words about a bad signature."""
        for secret in self._shown_by():
            if secret in text:
                text = text.replace(secret, "***")
        return text

    def _shown_by(self) -> list[str]:
        """Texts that give something away, also one line of a private key."""
        secret = "" if isinstance(self._secret, Path) else self._secret
        lines = [line for line in secret.splitlines() if not line.startswith("-----")] if is_pem(secret) else []
        return [text for text in (self._api_key, secret, *lines, self._password) if text]

    # --- where from -----------------------------------------------------------------------------------------------

    @classmethod
    def from_environment(cls, venue: str, env: str = "live", variables: Mapping[str, str] | None = None) -> Credentials:
        """Read them from environment variables, named as other tools name them.

        BINANCE_API_KEY with BINANCE_API_SECRET (an HMAC secret, or a private key as PEM text) or with
        BINANCE_API_PRIVATE_KEY_FILE (the path of one), and BINANCE_API_PRIVATE_KEY_PASSWORD where it is encrypted.
        TESTNET or DEMO is put in for those environments: BYBIT_TESTNET_API_KEY.

        Raises:
            BadInput: A variable is missing; the message names it.
        """
        known = os.environ if variables is None else variables
        prefix = f"{venue.upper()}_{'' if env == 'live' else f'{env.upper()}_'}API_"
        found = {
            "api_key": known.get(f"{prefix}KEY", ""),
            "api_secret": known.get(f"{prefix}SECRET", ""),
            "private_key_file": known.get(f"{prefix}PRIVATE_KEY_FILE", ""),
            "password": known.get(f"{prefix}PRIVATE_KEY_PASSWORD", ""),
        }
        made = _made_of(found, Path())
        if made is None:
            missing = [f"{prefix}KEY"] if not found["api_key"] else []
            if not (found["api_secret"] or found["private_key_file"]):
                missing.append(f"{prefix}SECRET")
            del found, known, variables  # a traceback may show variables
            raise BadInput(
                f"environment variable {' and '.join(missing)} not set",
                venue=venue,
                code="NO_CREDENTIALS",
                advice=f"Set {prefix}KEY and {prefix}SECRET (or {prefix}PRIVATE_KEY_FILE), or pass the key yourself.",
            )
        return made

    @classmethod
    def from_file(cls, path: Path | str, venue: str, env: str = "live") -> Credentials:
        """Read them from a TOML file that only you may read (chmod 600), with one table for each venue and environment:

            [bybit.testnet]
            api_key = "..."
            api_secret = "..."                  # or private_key_file = "rsa.pem", beside this file
            password = "..."                    # of an encrypted private key

        Raises:
            BadInput: The file, or a private key's, can be read by others, or can't be read by us; or it has no such
                key. Its content is never shown.
        """
        file = Path(path)
        table = _table(_text_of(file, "key file"), venue, env)
        made = None if table is None else _made_of(table, file.parent)
        del table
        if made is None:
            raise BadInput(
                f"{file} has no api_key with api_secret or private_key_file in [{venue}.{env}], or is no TOML",
                venue=venue,
                code="NO_CREDENTIALS",
                advice=f"Write a table [{venue}.{env}] with api_key and api_secret.",
            )
        return made


def _made_of(found: Mapping[str, Any], folder: Path) -> Credentials | None:
    """None where something is missing. It must not raise: its frame sees the secret."""
    key, secret, file, password = (
        value if isinstance(value := found.get(name, ""), str) else ""
        for name in ("api_key", "api_secret", "private_key_file", "password")
    )
    if not key or not (secret or file):
        return None
    return Credentials(key, secret or (folder / Path(file).expanduser()), password=password or None)


def _table(text: str, venue: str, env: str) -> Mapping[str, Any] | None:
    """It must not raise either."""
    try:
        table = tomllib.loads(text)
        for name in (venue, env):
            table = table[name]
    except (ValueError, KeyError, TypeError):
        return None
    return table if isinstance(table, dict) else None


def _text_of(path: Path, what: str) -> str:
    """
    Raises:
        BadInput: Others may read it too, or we may not.
    """
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
            raise BadInput(
                f"{what} {path} is open to every user of this machine",
                code="KEY_FILE_OPEN",
                advice=f"Close it: chmod 600 {path}. If others could read it, replace the key at the venue.",
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no text"
    raise BadInput(f"{what} {path} can't be read: {words}", code="NO_KEY_FILE", advice="Check the path and its owner.")
