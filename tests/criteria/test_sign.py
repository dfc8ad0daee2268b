"""SIGN: the bytes that are signed are the bytes that are sent."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import NotOffered
from perpwire.model.order import Order
from perpwire.simulator.listing import Listing
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import offline
from perpwire.transport.base import HttpTransport
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport
from perpwire.venues.base import Endpoint, Security
from perpwire.venues.binance_futures import requests as binance
from perpwire.venues.binance_futures.signing import sorted_text
from perpwire.venues.bybit import requests as bybit

NOW_MS = 1_790_000_000_000
SECRET = "golden-secret"
HMAC_KEYS = Credentials("golden-key", SECRET)
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ED_KEYS = Credentials("golden-key", PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
RSA_PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_KEYS = Credentials(
    "golden-key", RSA_PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)

PUBLIC_FORM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

GOLDEN: dict[str, dict[str, Any]] = {
    "ascii": {"symbol": "BTCUSDT", "id": "a-b_c.d"},
    "cjk": {"symbol": "币安人生USDT", "name": "測試テスト"},
    "emoji": {"symbol": "🚀USDT", "note": "👩‍👩‍👧"},
    "spaces": {"note": " a  b ", "tab": "a\tb"},
    "reserved": {"id": "a+b/c=d&e?f#g%h:i,j;k", "percent": "%2B"},
    "list": {"orderIdList": [5, 6], "names": ["a b", "币"]},
    "nested": {"batchOrders": [{"symbol": "币安人生USDT", "quantity": "0.010", "deep": {"x": ["1", "b c"]}}]},
    "empty": {"newClientOrderId": "", "list": []},
    "none": {},
}


def endpoint(http: str) -> Endpoint:
    return Endpoint(name="golden", http=http, security=Security.SIGNED, reply=Any, costs={}, source="")


@asynccontextmanager
async def captured() -> AsyncIterator[tuple[str, list[tuple[str, bytes, dict[str, str]]]]]:
    """A server's address, and what reached its socket: raw target, raw body, headers."""
    seen: list[tuple[str, bytes, dict[str, str]]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.raw_path, await request.read(), headers))
        return web.json_response({})

    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def belongs(signature: str, signed: bytes, keys: Credentials) -> bool:
    if keys is HMAC_KEYS:
        return hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() == signature
    if keys is RSA_KEYS:
        RSA_PRIVATE.public_key().verify(base64.b64decode(signature), signed, padding.PKCS1v15(), SHA256())
        return True
    PRIVATE.public_key().verify(base64.b64decode(signature), signed)
    return True


@pytest.mark.parametrize("client", [AiohttpTransport, Http1Transport])
@pytest.mark.parametrize("keys", [HMAC_KEYS, ED_KEYS, RSA_KEYS], ids=["hmac", "ed25519", "rsa"])
async def test_sign_1_binance_signs_the_text_that_reaches_the_socket(client: Any, keys: Credentials) -> None:
    http: HttpTransport = client()
    async with captured() as (url, seen):
        for method in ("GET", "POST", "PUT", "DELETE"):
            for params in GOLDEN.values():
                request = binance.encode(endpoint(f"{method} /fapi/v1/golden"), params, keys, NOW_MS, 5000)
                await http.exchange(url, request, 5)
                target, body, headers = seen[-1]
                query = target.partition("?")[2]
                signed, _, signature = query.rpartition("&signature=")
                assert belongs(unquote(signature), signed.encode("ascii") + body, keys)
                assert headers["x-mbx-apikey"] == "golden-key"
                # What is read there is what was meant.
                read = {name: values[0] for name, values in parse_qs(signed, keep_blank_values=True).items()}
                for name, value in params.items():
                    assert (json.loads(read[name]) if isinstance(value, list) else read[name]) == value
    await http.close()


@pytest.mark.parametrize("client", [AiohttpTransport, Http1Transport])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("keys", [HMAC_KEYS, RSA_KEYS], ids=["hmac", "rsa"])
async def test_sign_1_bybit_signs_the_query_or_the_body_that_reaches_the_socket(
    client: Any, method: str, keys: Credentials
) -> None:
    http: HttpTransport = client()
    async with captured() as (url, seen):
        for name, params in GOLDEN.items():
            if method == "GET" and name in ("list", "nested", "empty"):
                params = {"flat": "".join(map(str, params))}  # the venue's queries are flat
            request = bybit.encode(endpoint(f"{method} /v5/golden"), params, keys, NOW_MS, 5000)
            await http.exchange(url, request, 5)
            target, body, headers = seen[-1]
            text = target.partition("?")[2].encode() if method == "GET" else body
            assert belongs(headers["x-bapi-sign"], f"{NOW_MS}golden-key5000".encode() + text, keys)
            if method == "POST":
                assert json.loads(body) == params
                assert headers["content-type"] == "application/json"
            else:
                assert body == b""
    await http.close()


@pytest.mark.parametrize("keys", [HMAC_KEYS, ED_KEYS, RSA_KEYS], ids=["hmac", "ed25519", "rsa"])
def test_sign_1_a_request_on_binances_trading_socket_is_signed_as_its_json_stands(keys: Credentials) -> None:
    for params in GOLDEN.values():
        given = params | {"orderId": 7, "reduceOnly": True, "left_out": None}
        written = binance.message_params(endpoint("POST /fapi/v1/order"), given, keys, NOW_MS, 5000)
        read = json.loads(json.dumps(written, ensure_ascii=False))
        assert "left_out" not in read
        assert read["apiKey"] == "golden-key"
        signature = read.pop("signature")
        assert belongs(signature, sorted_text(read), keys)
        logged_on = binance.message_params(endpoint("POST /fapi/v1/order"), given, keys, NOW_MS, 5000, logged_on=True)
        assert not {"apiKey", "signature"} & set(logged_on)
        assert logged_on["timestamp"] == NOW_MS


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("road", ["rest", "websocket"])
@pytest.mark.parametrize("kind", ["hmac", "ed25519", "rsa"])
def test_sign_2_every_symbol_can_be_traded_without_a_signature_error(venue: str, road: str, kind: str) -> None:
    """One of them beyond ASCII; the exchange computes each signature anew from the raw bytes."""
    if (venue, kind) == ("bybit", "ed25519"):
        return  # it has no such keys
    clock = ManualClock()
    privates: dict[str, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {"ed25519": PRIVATE, "rsa": RSA_PRIVATE}
    private = privates.get(kind)
    public = "" if private is None else private.public_key().public_bytes(*PUBLIC_FORM).decode()
    account = AccountSpec(public_key=public, secret_key=SECRET, api_key="golden-key")
    keys = {"ed25519": ED_KEYS, "rsa": RSA_KEYS, "hmac": HMAC_KEYS}[kind]

    async def scene() -> None:
        symbols = (Listing(symbol="币安人生USDT", start_price=Decimal("1.5")),)
        async with offline(clock=clock, venues=(venue,), accounts=(account,), symbols=symbols) as world:
            connector = world.connector(venue, api_key="", secret_key="", credentials=keys, road=road)
            async with connector:
                await clock.sleep(1)
                listed = await connector.get_instruments()
                assert any(not symbol.isascii() for symbol in listed)
                for symbol, instrument in listed.items():
                    book = await connector.get_order_book(symbol, 5)
                    price = instrument.round_price(book.bids[0][0] * 98 / 100, "down")
                    quantity = instrument.round_quantity(max(150 / price, instrument.min_quantity), "up")
                    order = await connector.place_order(symbol, "BUY", quantity, "LIMIT", price=price)
                    await connector.cancel_order(symbol, order.order_id)
                    one: NewOrder = {
                        "symbol": symbol, "side": "BUY", "quantity": quantity, "order_type": "LIMIT", "price": price
                    }  # fmt: skip
                    placed = [done for done in await connector.place_orders([one, one]) if isinstance(done, Order)]
                    ended = await connector.cancel_orders(placed)
                    assert [isinstance(done, Order) for done in ended] == [True, True]
                    with contextlib.suppress(NotOffered):
                        await connector.set_leverage(symbol, 5)

    clock.run(scene())
