from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.venues.binance_futures.signing import sign

SECRET = "sim-secret-0001"


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=64000.10"
            "&newClientOrderId=a%2Fb%3Ac_1.d-2&recvWindow=5000&timestamp=1790000000000",
            "d815231b37b1399337cd2311cb36750e1bf109192c16108e798f9057d6a64f67",
        ),
        (
            "symbol=%E6%B5%8B%E8%AF%95USDT&timestamp=1790000000000",
            "e83cf1f7f777f4eefc7673ca54180a2b96ce82ffaa9db3bb93763fb0ef807f5c",
        ),
        (
            "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22MARKET%22%2C"
            "%22quantity%22%3A%220.010%22%7D%5D&timestamp=1790000000000",
            "8925d4b81efa90d0ad5c59bc2f59e648c51ccfdeff4eb9f465660ef25f711868",
        ),
        (  # query and body, with nothing in between
            "symbol=BTCUSDT&side=SELL&type=MARKET" + "quantity=0.010&timestamp=1790000000000",
            "64ebc04a713dec9fe994c8b477a0ecd05adc90fea1fa432fcb1820a798bf9349",
        ),
        (
            "apiKey=SIMKEY&price=64000.10&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTC"
            "&timestamp=1790000000000&type=LIMIT",
            "f8350ac4fecb864de128cb3a3553440dc8cc97e7140c098c0796b82dfeddacf7",
        ),
    ],
)
def test_hmac_gives_the_known_signatures(text: str, signature: str) -> None:
    assert sign(text.encode(), Credentials("key", SECRET)) == signature


@pytest.mark.fixtures
def test_hmac_gives_the_recorded_signature(fixtures: Path) -> None:
    for path in (fixtures / "binance" / "signing").glob("*.json"):
        known = json.loads(path.read_text())
        assert sign(known["message"].encode(), Credentials("key", known["secret"])) == known["signature"]


def ed25519_pem() -> str:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            "apiKey=SIMKEY&timestamp=1790000000000",
            "dt9X3VMXgzD/Ek8eQshC8dW01e99+X3tUKFis62FhRkfLm1sWWODPqF1XDXKEqd9aOEblRpVS2PWHxzVoaoSAg==",
        ),
        (
            "apiKey=SIMKEY&price=64000.10&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTC"
            "&timestamp=1790000000000&type=LIMIT",
            "t3qRz4A2+D332132plNMQTstCXYwmQqNWAIRNnfVTXu6f91ABfTErZKd6RsKa6TxPMWtRKfvlSOSZ55O+DJTBA==",
        ),
    ],
)
def test_an_ed25519_key_in_pem_form_gives_the_known_signatures(text: str, signature: str) -> None:
    assert sign(text.encode(), Credentials("key", ed25519_pem())) == signature


def test_an_rsa_key_in_pem_form_gives_a_signature_that_its_public_key_accepts() -> None:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    padding = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.padding")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    signature = base64.b64decode(sign(b"timestamp=1", Credentials("key", pem)))
    key.public_key().verify(signature, b"timestamp=1", padding.PKCS1v15(), hashes.SHA256())


def test_a_pem_text_that_is_no_key_is_bad_input_and_is_not_shown() -> None:
    pytest.importorskip("cryptography")
    with pytest.raises(BadInput) as caught:
        sign(b"x", Credentials("key", "-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----\n"))
    assert "bm9uc2Vuc2U" not in str(caught.value)
