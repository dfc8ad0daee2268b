"""KEYT: every kind of key, and what it may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import BadInput, NotAllowed
from perpwire.model.incident import Incident, KeyWarning
from perpwire.model.order import OrderStatus
from perpwire.notification.rules import Rules
from perpwire.signer import KeyKind
from perpwire.simulator.faults import Answer
from perpwire.simulator.specs import AccountSpec, KeySpec
from perpwire.testing import World, offline

PRIVATE: dict[KeyKind, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {
    KeyKind.ED25519: ed25519.Ed25519PrivateKey.generate(),
    KeyKind.RSA: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
PASSWORD = "open sesame"
DAY_MS = 24 * 3600 * 1000


def pem(kind: KeyKind, password: str | None = None) -> str:
    how: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return PRIVATE[kind].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


def public(kind: KeyKind) -> str:
    return PRIVATE[kind].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def credentials(kind: KeyKind, form: str, folder: Path) -> Credentials:
    if kind is KeyKind.HMAC:
        return Credentials("sim-key", "sim-secret")
    if form == "text":
        return Credentials("sim-key", pem(kind))
    if form == "encrypted":
        return Credentials("sim-key", pem(kind, PASSWORD), password=PASSWORD)
    file = folder / "key.pem"
    file.write_text(pem(kind))
    file.chmod(0o600)
    return Credentials("sim-key", file)


@pytest.mark.parametrize("road", ["rest", "websocket"])
@pytest.mark.parametrize("form", ["text", "file", "encrypted"])
@pytest.mark.parametrize(
    ("venue", "kind"),
    [
        ("binance", KeyKind.HMAC),
        ("binance", KeyKind.RSA),
        ("binance", KeyKind.ED25519),
        ("bybit", KeyKind.HMAC),
        ("bybit", KeyKind.RSA),
    ],
)
def test_keyt_1_calls_streams_logins_and_socket_orders_pass_with_every_kind_of_key(
    venue: str, kind: KeyKind, form: str, road: str, tmp_path: Path
) -> None:
    clock = ManualClock()
    account = AccountSpec(public_key="" if kind is KeyKind.HMAC else public(kind))

    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), accounts=(account,)) as world:
            keys = credentials(kind, form, tmp_path)
            async with world.connector(venue, api_key="", secret_key="", credentials=keys, road=road) as connector:
                assert (keys.kind, connector.key_info is not None) == (kind, True)
                await connector.get_account_info()
                await connector.open_account_stream()
                await clock.sleep(1)
                assert connector.is_trade_socket_live is (road == "websocket")
                order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000")
                assert (await connector.cancel_order("BTCUSDT", order.order_id)).status is OrderStatus.CANCELED

    clock.run(scene())


def test_keyt_1_bybit_takes_no_ed25519_key_and_nothing_is_sent() -> None:
    clock = ManualClock()

    async def scene() -> None:
        async with offline(clock=clock, venues=("bybit",)) as world:
            keys = Credentials("sim-key", pem(KeyKind.ED25519))
            connector = world.connector("bybit", api_key="", secret_key="", credentials=keys, check_key=False)
            async with connector:
                with pytest.raises(BadInput, match="no Ed25519"):
                    await connector.get_account_info()

    clock.run(scene())


@pytest.mark.parametrize(
    ("secret", "password", "words"),
    [
        (pem(KeyKind.RSA, PASSWORD), None, "needs its password"),
        (pem(KeyKind.RSA, PASSWORD), "wrong", "password is wrong"),
        (pem(KeyKind.ED25519), PASSWORD, "not encrypted"),
        ("-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----\n", None, "can be read"),
    ],
)
def test_a_private_key_that_can_not_be_used_says_why_and_shows_nothing(
    secret: str, password: str | None, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        Credentials("key", secret, password=password).check()
    assert not any(line in str(caught.value) for line in secret.splitlines() if line)


def test_keys_come_from_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    file, private = tmp_path / "keys.toml", tmp_path / "ed.pem"
    private.write_text(pem(KeyKind.ED25519, PASSWORD))
    private.chmod(0o600)
    file.write_text(
        '[binance.live]\napi_key = "k"\nprivate_key_file = "ed.pem"\npassword = "open sesame"\n'
        '[bybit.testnet]\napi_key = "k2"\napi_secret = "s2"\n'
    )
    file.chmod(0o600)
    assert Credentials.from_file(file, "binance").kind is KeyKind.ED25519
    assert Credentials.from_file(file, "bybit", "testnet").sign(b"x") == Credentials("k2", "s2").sign(b"x")
    with pytest.raises(BadInput, match=r"\[bybit\.live\]"):
        Credentials.from_file(file, "bybit")
    file.chmod(0o644)
    with pytest.raises(BadInput, match="every user") as caught:
        Credentials.from_file(file, "binance")
    assert caught.value.code == "KEY_FILE_OPEN"
    private.chmod(0o604)
    file.chmod(0o600)
    with pytest.raises(BadInput, match="every user"):
        Credentials.from_file(file, "binance").check()


# --- what a key may do ------------------------------------------------------------------------------------------------


def started(venue: str, key: KeySpec, **options: Any) -> tuple[Any, list[KeyWarning]]:
    """What a start told of a key, and its warnings; the error where it was refused."""
    clock = ManualClock()
    told: list[Incident] = []

    async def scene() -> Any:
        account = AccountSpec(name="other", api_key="other-key", key=key)

        async with offline(clock=clock, venues=(venue,), accounts=(AccountSpec(), account)) as world:
            return await begin(world, told, venue, options)

    return clock.run(scene()), [one for one in told if isinstance(one, KeyWarning)]


async def begin(world: World, told: list[Incident], venue: str, options: dict[str, Any]) -> Any:
    connector = world.connector(venue, api_key="other-key", **options)
    connector.on_incident(told.append)
    try:
        async with connector:
            return connector.key_info
    except NotAllowed as refused:
        return refused


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_key_that_may_withdraw_is_refused_unless_that_is_allowed_by_name(venue: str) -> None:
    refused, _ = started(venue, KeySpec(withdrawals=True))
    assert isinstance(refused, NotAllowed)
    assert refused.code == "WITHDRAWAL_RIGHTS"
    info, warnings = started(venue, KeySpec(withdrawals=True), allow_withdrawal_key=True)
    assert info.can_withdraw
    assert [one.what for one in warnings] == ["withdrawal"]
    unasked, warnings = started(venue, KeySpec(withdrawals=True), check_key=False)
    assert (unasked, warnings) == (None, [])


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize(("days", "warned"), [(13, True), (15, False)])
def test_a_key_near_its_end_or_not_bound_to_addresses_is_warned_of(venue: str, days: int, warned: bool) -> None:
    at_ms = ManualClock().time_ns() // 1_000_000 + days * DAY_MS
    info, warnings = started(venue, KeySpec(ips=(), expires_ms=at_ms))
    assert (info.can_trade, info.can_withdraw, info.ip_bound) == (True, False, False)
    assert abs(info.expires_time_ms - at_ms) <= 1000
    assert {one.what for one in warnings} == {"ip", "expiry"} if warned else {"ip"}
    for one in warnings:
        alert = Rules().alert(one)
        assert alert is not None
        assert alert.sentence == one.detail
    fine, none = started(venue, KeySpec())
    assert (fine.ip_bound, fine.expires_time_ms, none) == (True, None, [])


@pytest.mark.parametrize(
    ("venue", "path"), [("binance", "/sapi/v1/account/apiRestrictions"), ("bybit", "/v5/user/query-api")]
)
def test_what_a_key_may_do_is_told_as_unknown_where_nobody_answers(venue: str, path: str) -> None:
    clock = ManualClock()
    told: list[Incident] = []

    async def scene() -> Any:
        account = AccountSpec(name="other", api_key="other-key", key=KeySpec(withdrawals=True))
        async with offline(clock=clock, venues=(venue,), accounts=(AccountSpec(), account)) as world:
            world.simulation.faults[venue].add(Answer(path=path, status=500, body="<html>sorry</html>", count=None))
            return await begin(world, told, venue, {})

    assert clock.run(scene()) is None
    (warning,) = [one for one in told if isinstance(one, KeyWarning)]
    assert (warning.venue, warning.what) == (venue, "unknown")
