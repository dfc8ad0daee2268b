"""Accounts that sign with a key pair of their own."""

from __future__ import annotations

import base64
import json

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim.signatures import is_signed_by

from .desk import Desk, FakePeer

rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: E402
from cryptography.hazmat.primitives.hashes import SHA256  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ACCOUNT = AccountSpec(name="pair", api_key="pair-key", public_key=PEM)


def signed(text: str) -> str:
    return base64.b64encode(KEY.sign(text.encode(), PKCS1v15(), SHA256())).decode()


def test_a_signature_belongs_to_its_text_and_key() -> None:
    assert is_signed_by(ACCOUNT, "text", signed("text"))
    for wrong in (signed("other"), "", "no base64", "00" * 32, signed("text")[:-4], "é"):
        assert not is_signed_by(ACCOUNT, "text", wrong)


def test_another_kind_of_key_is_said_to_be_wrong() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    for pem in (other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), "no key"):
        with pytest.raises(ValueError, match="RSA"):
            is_signed_by(AccountSpec(public_key=pem), "text", signed("text"))


def test_such_an_account_calls_and_logs_in() -> None:
    clock = ManualClock()

    async def main() -> None:
        desk = Desk(clock, others=(ACCOUNT,))
        now_ms = desk.exchange.now_ms()
        query = "accountType=UNIFIED"
        headers = {
            "x-bapi-api-key": "pair-key",
            "x-bapi-timestamp": str(now_ms),
            "x-bapi-recv-window": "5000",
            "x-bapi-sign": signed(f"{now_ms}pair-key5000{query}"),
        }
        reply = desk.send("GET", "/v5/account/wallet-balance", query, keys=None, headers=headers)
        assert json.loads(reply.body)["retCode"] == 0
        headers["x-bapi-sign"] = "00" * 32
        assert json.loads(desk.send("GET", "/v5/account/info", "", keys=None, headers=headers).body)["retCode"] == 10004
        expires = now_ms + 1000
        login = {"op": "auth", "args": ["pair-key", expires, signed(f"GET/realtime{expires}")]}
        for path, name, good in (("/v5/private", "success", True), ("/v5/trade", "retCode", 0)):
            peer = FakePeer()
            desk.dialect.open_socket(path, "", peer).on_text(json.dumps(login).encode())
            assert peer.read()[0][name] == good
        desk.dialect.close()

    clock.run(main())
