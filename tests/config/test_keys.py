"""Keys from the environment, a closed file, or the keyring; what is missing is said, what is there is not shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from perpwire.config import keys
from perpwire.config.settings import KeySettings
from perpwire.credentials import Credentials
from perpwire.errors import BadInput


class Ring(keyring.backend.KeyringBackend):  # type: ignore[misc, unused-ignore]
    """A keyring in memory, behind the library's own door."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked(f"locked: {password}")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError("none")
        del self.kept[service, username]


@contextmanager
def in_memory() -> Iterator[Ring]:
    """The library's keyring, while the block runs."""
    before = keyring.get_keyring()
    keyring.set_keyring(one := Ring())
    try:
        yield one
    finally:
        keyring.set_keyring(before)


@pytest.fixture
def ring() -> Iterator[Ring]:
    with in_memory() as one:
        yield one


def test_the_embedded_exchange_has_its_own_key() -> None:
    settings = KeySettings(source="keyring")
    assert keys.credentials("bybit", "sim", settings, {}).api_key == "sim-key"
    other = {"BYBIT_SIM_API_KEY": "k", "BYBIT_SIM_API_SECRET": "s"}
    assert keys.credentials("bybit", "sim", settings, other).api_key == "k"


def test_from_the_environment() -> None:
    environ = {"BYBIT_TESTNET_API_KEY": "k", "BYBIT_TESTNET_API_SECRET": "s"}
    assert keys.credentials("bybit", "testnet", KeySettings(), environ).api_key == "k"
    with pytest.raises(BadInput, match="BYBIT_API_KEY"):
        keys.credentials("bybit", "live", KeySettings(), environ)


def test_from_a_closed_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("[bybit.demo]\napi_key = 'k'\napi_secret = 's'")
    file.chmod(0o600)
    settings = KeySettings(source="file", file=file)
    assert keys.credentials("bybit", "demo", settings).api_key == "k"
    file.chmod(0o644)
    with pytest.raises(BadInput, match="open to every user"):
        keys.credentials("bybit", "demo", settings)
    with pytest.raises(BadInput, match=r"keys\.file names none"):
        keys.credentials("bybit", "demo", KeySettings(source="file"))


def test_the_keyring_gives_back_what_was_stored_until_it_is_forgotten(ring: Ring) -> None:
    settings = KeySettings(source="keyring")
    with pytest.raises(BadInput, match=r"no key perpwire/bybit\.live") as missing:
        keys.credentials("bybit", "live", settings)
    assert "perpwire keys store --venue bybit --env live" in missing.value.advice
    keys.store("bybit", "live", "old", "older", "password")
    keys.store("bybit", "live", "k", "s")
    assert keys.credentials("bybit", "live", settings).sign(b"x") == Credentials("k", "s").sign(b"x")
    assert ("perpwire/bybit.live", "password") not in ring.kept
    assert keys.forget("bybit", "live")
    assert not keys.forget("bybit", "live")


def test_a_locked_keyring_is_said_without_what_was_stored(ring: Ring) -> None:
    ring.is_locked = True
    with pytest.raises(BadInput, match="KeyringLocked") as refused:
        keys.store("bybit", "live", "canary-key", "canary-secret")
    assert "canary" not in f"{refused.value} {refused.value.__context__!r}"
    with pytest.raises(BadInput, match="KeyringLocked"):
        keys.credentials("bybit", "live", KeySettings(source="keyring"))
