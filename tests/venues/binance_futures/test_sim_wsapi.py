"""The simulated venue's trading socket: its frames, its logins, its counts, and that it is the same venue as REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from tests.venues.binance_futures.simulated import MAIN, OTHER, FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.credentials import Credentials
from perpwire.simulator.dialect import SocketRefused
from perpwire.simulator.exchange import AccountSpec
from perpwire.venues.binance_futures.signing import sign
from perpwire.venues.binance_futures.sim import signatures
from perpwire.venues.binance_futures.sim.signatures import hmac_hex
from perpwire.venues.binance_futures.sim.wsapi import METHODS

PATH = "/ws-fapi/v1"
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "64000",
}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def signed(venue: SimulatedVenue, params: dict[str, Any], account: AccountSpec = MAIN) -> dict[str, Any]:
    """With key, time stamp and signature."""
    params = {"apiKey": account.api_key, "timestamp": venue.exchange.now_ms()} | params
    text = "&".join(f"{name}={text_of(params[name])}" for name in sorted(params))
    return params | {"signature": hmac_hex(text.encode(), account.secret_key)}


def ask(peer: FakePeer, method: str, params: Any = None, request_id: Any = "1") -> Any:
    (reply,) = peer.say({"id": request_id, "method": method, "params": params or {}})
    assert reply["id"] == request_id
    return reply


def call(venue: SimulatedVenue, peer: FakePeer, method: str, **params: Any) -> Any:
    """A signed request that is to succeed."""
    reply = ask(peer, method, signed(venue, params))
    assert reply["status"] == 200, reply
    return reply["result"]


# --- it is the same venue ---------------------------------------------------------------------------------------------


def test_an_order_lives_its_whole_life_here() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        placed = call(venue, peer, "order.place", **ORDER, newClientOrderId="w1")
        assert (placed["status"], placed["clientOrderId"], placed["origQty"]) == ("NEW", "w1", "0.010")
        assert "avgPrice" not in placed
        changed = call(
            venue,
            peer,
            "order.modify",
            symbol="BTCUSDT",
            side="BUY",
            orderId=placed["orderId"],
            quantity="0.02",
            price=63000,
        )
        assert (changed["price"], changed["origQty"]) == ("63000.00", "0.020")
        asked = call(venue, peer, "order.status", symbol="BTCUSDT", origClientOrderId="w1")
        rest = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"]).json
        assert asked == rest
        ended = call(venue, peer, "order.cancel", symbol="BTCUSDT", orderId=str(placed["orderId"]))
        assert ended["status"] == "CANCELED"
        refused = ask(peer, "order.cancel", signed(venue, {"symbol": "BTCUSDT", "orderId": placed["orderId"]}))
        assert (refused["status"], refused["error"]["code"]) == (400, -2011)
        assert "result" not in refused

    in_virtual_time(main)


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("account.status", "/fapi/v2/account"),
        ("v2/account.status", "/fapi/v3/account"),
        ("account.balance", "/fapi/v2/balance"),
        ("v2/account.balance", "/fapi/v3/balance"),
        ("account.position", "/fapi/v2/positionRisk"),
        ("v1/account.position", "/fapi/v2/positionRisk"),
        ("v2/account.position", "/fapi/v3/positionRisk"),
    ],
)
def test_account_methods_answer_as_the_rest_call_of_their_version(method: str, rest: str) -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        venue.market()
        result = call(venue, venue.socket(PATH), method)
        expected = venue.signed("GET", rest).json
        if method == "v2/account.position":
            for row in expected:
                row["unrealizedProfit"] = row["unRealizedProfit"]
        assert result == expected

    in_virtual_time(main)


def test_market_methods_need_no_key() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        peer = venue.socket(PATH)
        depth = ask(peer, "depth", {"symbol": "BTCUSDT", "limit": 5})
        assert depth["result"] == venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=5).json
        book = ask(peer, "ticker.book", {"symbol": "BTCUSDT"})["result"]
        assert (book["bidPrice"], book["askQty"], book["symbol"]) == ("63999.90", "1.000", "BTCUSDT")
        price = ask(peer, "ticker.price", {"symbol": "BTCUSDT"})["result"]
        assert set(price) == {"symbol", "price", "time"}
        assert len(ask(peer, "ticker.price")["result"]) == 3
        assert ask(peer, "depth", {"symbol": "NOPE"})["error"]["code"] == -1121
        assert ask(peer, "depth")["error"]["code"] == -1102
        # Keys and signatures on them are let be, right or wrong.
        assert ask(peer, "ticker.price", {"symbol": "BTCUSDT", "apiKey": "?", "signature": "x"})["status"] == 200

    in_virtual_time(main)


def test_a_conditional_order_is_placed_and_cancelled_here() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET"}
        placed = call(venue, peer, "algoOrder.place", **params, quantity="0.01", triggerPrice=70000)
        assert (placed["algoStatus"], placed["triggerPrice"]) == ("NEW", "70000.00")
        ended = call(venue, peer, "algoOrder.cancel", algoId=placed["algoId"])
        assert (ended["algoId"], ended["code"]) == (placed["algoId"], "200")
        again = ask(peer, "algoOrder.cancel", signed(venue, {"algoId": placed["algoId"]}))
        assert (again["status"], again["error"]["code"]) == (400, -2011)

    in_virtual_time(main)


def test_listen_keys_are_those_of_rest() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        key = ask(peer, "userDataStream.start", {"apiKey": MAIN.api_key})["result"]["listenKey"]
        assert key == venue.listen_key()
        assert ask(peer, "userDataStream.ping", {"apiKey": MAIN.api_key})["result"] == {"listenKey": key}
        assert ask(peer, "userDataStream.stop", {"apiKey": MAIN.api_key})["result"] == {}
        gone = ask(peer, "userDataStream.ping", {"apiKey": MAIN.api_key})
        assert (gone["status"], gone["error"]["code"]) == (400, -1125)
        assert ask(peer, "userDataStream.start")["error"]["code"] == -1102

    in_virtual_time(main)


def test_no_events_come_on_it() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        venue.quote()
        call(venue, peer, "order.place", **ORDER)
        await pass_s(2)
        assert len(peer.sent) == 1

    in_virtual_time(main)


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_id", [1, "7", "", None, 1.5, True, [1, "a"], {"x": {"y": 2}}, -3, 2**70])
def test_an_id_of_any_kind_is_given_back_as_it_was(request_id: Any) -> None:
    async def main(venue: SimulatedVenue) -> None:
        assert ask(venue.socket(PATH), "ticker.price", {"symbol": "BTCUSDT"}, request_id)["status"] == 200

    in_virtual_time(main)


@pytest.mark.parametrize(
    ("text", "status", "code", "request_id"),
    [
        (b"{", 400, -1013, None),
        (b"", 400, -1013, None),
        (b"\xff\xfe", 400, -1013, None),
        (b"[]", 400, -1013, None),
        (b"5", 400, -1013, None),
        (b"[" * 100_000, 400, -1013, None),
        (b"{}", 400, -1102, None),
        (b'{"id":5}', 400, -1102, 5),
        (b'{"id":5,"method":7}', 400, -1102, 5),
        (b'{"id":5,"method":"order.place","params":[]}', 400, -1102, 5),
        (b'{"id":5,"method":"order.dance","params":{}}', 400, -1020, 5),
        (b'{"id":5,"method":"v3/account.status","params":{}}', 400, -1020, 5),
        (b'{"id":5,"method":"v2/order.place","params":{}}', 400, -1020, 5),
        (b'{"id":5,"method":"ticker.price","params":{"symbol":""}}', 400, -1105, 5),
        (b'{"id":5,"method":"ticker.price","params":{"symbol":{"a":1}}}', 400, -1121, 5),
        (b'{"id":5,"method":"ticker.price","params":{"returnRateLimits":5}}', 400, -1102, 5),
    ],
)
def test_what_is_no_request_is_answered_and_the_socket_stays(
    text: bytes, status: int, code: int, request_id: Any
) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        (reply,) = peer.say(text)
        assert (reply["id"], reply["status"], reply["error"]["code"]) == (request_id, status, code)
        assert set(reply) == {"id", "status", "error", "rateLimits"}
        assert ask(peer, "ticker.price")["status"] == 200

    in_virtual_time(main)


def test_numbers_and_truths_are_signed_as_they_stand_in_the_frame() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        order = ORDER | {"price": 64000.10, "quantity": 0.010, "reduceOnly": False, "returnRateLimits": False}
        reply = ask(peer, "order.place", signed(venue, order))
        assert (reply["status"], reply["result"]["price"]) == (200, "64000.10")
        assert "rateLimits" not in reply

    in_virtual_time(main)


def test_a_client_id_that_is_empty_has_a_code_of_its_own_as_on_rest() -> None:
    async def main(venue: SimulatedVenue) -> None:
        reply = ask(venue.socket(PATH), "order.place", signed(venue, ORDER | {"newClientOrderId": ""}))
        assert reply["error"]["code"] == -1118

    in_virtual_time(main)


def test_a_client_id_may_be_signed_percent_encoded_or_not() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        assert call(venue, peer, "order.place", **ORDER, newClientOrderId="a/b:c")["clientOrderId"] == "a/b:c"
        params = {"apiKey": MAIN.api_key, "timestamp": venue.exchange.now_ms(), **ORDER, "newClientOrderId": "d/e:f"}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params)).replace("d/e:f", "d%2Fe%3Af")
        reply = ask(peer, "order.place", params | {"signature": hmac_hex(text.encode(), MAIN.secret_key)})
        assert reply["status"] == 200

    in_virtual_time(main)


# --- who is it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"apiKey": None}, 400, -1102),
        ({"apiKey": "no key!"}, 401, -2014),
        ({"apiKey": "nobody"}, 401, -2015),
        ({"apiKey": OTHER.api_key}, 400, -1022),
        ({"signature": None}, 400, -1102),
        ({"signature": "00" * 32}, 400, -1022),
        ({"signature": "ünsigned"}, 400, -1022),
        ({"symbol": "ETHUSDT"}, 400, -1022),
        ({"timestamp": None}, 400, -1102),
        ({"timestamp": "x"}, 400, -1100),
        ({"timestamp": 1_000_000}, 400, -1021),
        ({"timestamp": 9_000_000_000_000}, 400, -1021),
        ({"recvWindow": 60_001}, 400, -1130),
    ],
)
def test_a_signed_request_must_be_in_order(change: dict[str, Any], status: int, code: int) -> None:
    async def main(venue: SimulatedVenue) -> None:
        params = signed(venue, {"symbol": "BTCUSDT"}) | change
        params = {name: value for name, value in params.items() if value is not None}
        reply = ask(venue.socket(PATH), "account.position", params)
        assert (reply["status"], reply["error"]["code"]) == (status, code)

    in_virtual_time(main)


def test_the_vectors_of_the_reference_are_signed_by_these_keys() -> None:
    text = b"apiKey=SIMKEY&price=64000.10&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTC"
    text += b"&timestamp=1790000000000&type=LIMIT"
    account = AccountSpec(secret_key="sim-secret-0001")
    signature = "f8350ac4fecb864de128cb3a3553440dc8cc97e7140c098c0796b82dfeddacf7"
    assert signatures.is_signed_by(account, text, signature)
    assert signatures.is_signed_by(account, text, signature.upper())
    assert not signatures.is_signed_by(account, text + b"x", signature)
    assert signatures.kind_of(account) == "hmac"


class KeyPair:
    """A key pair of one of the two kinds that sign in base64."""

    def __init__(self, kind: str) -> None:
        key = (
            ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
            if kind == "ed25519"
            else rsa.generate_private_key(65537, 2048)
        )
        self.private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.public = (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        self.account = AccountSpec(name="keyed", api_key="keyed-key", public_key=self.public)

    def signed(self, venue: SimulatedVenue, params: dict[str, Any], **auth: Any) -> dict[str, Any]:
        params = auth | {"timestamp": venue.exchange.now_ms()} | params
        text = "&".join(f"{name}={text_of(params[name])}" for name in sorted(params))
        return params | {"signature": sign(text.encode(), Credentials(self.account.api_key, self.private))}


@pytest.fixture(scope="module")
def ed_keys() -> KeyPair:
    return KeyPair("ed25519")


@pytest.fixture(scope="module")
def rsa_keys() -> KeyPair:
    return KeyPair("rsa")


def test_the_ed25519_vectors_of_the_reference_are_signed_by_this_key(ed_keys: KeyPair) -> None:
    signature = "dt9X3VMXgzD/Ek8eQshC8dW01e99+X3tUKFis62FhRkfLm1sWWODPqF1XDXKEqd9aOEblRpVS2PWHxzVoaoSAg=="
    text = b"apiKey=SIMKEY&timestamp=1790000000000"
    assert signatures.is_signed_by(ed_keys.account, text, signature)
    assert not signatures.is_signed_by(ed_keys.account, text, signature[:-4] + "AAA=")
    assert not signatures.is_signed_by(ed_keys.account, text, "no base64!")
    assert signatures.kind_of(ed_keys.account) == "ed25519"


def test_a_public_key_that_is_none_is_said_so() -> None:
    account = AccountSpec(public_key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
    with pytest.raises(ValueError, match="no Ed25519 or RSA key"):
        signatures.kind_of(account)


def test_after_a_logon_requests_need_neither_key_nor_signature(ed_keys: KeyPair) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        before = ask(peer, "session.status")["result"]
        assert (before["apiKey"], before["authorizedSince"]) == (None, None)
        logged_on = ask(peer, "session.logon", ed_keys.signed(venue, {}, apiKey="keyed-key"))
        assert logged_on["status"] == 200
        assert list(logged_on["result"]) == [
            "apiKey",
            "authorizedSince",
            "connectedSince",
            "returnRateLimits",
            "serverTime",
        ]
        assert logged_on["result"]["apiKey"] == "keyed-key"
        assert ask(peer, "session.status")["result"]["authorizedSince"] == venue.exchange.now_ms()
        placed = ask(peer, "order.place", ORDER | {"timestamp": venue.exchange.now_ms()})
        assert placed["status"] == 200
        assert len(venue.exchange.open_orders("keyed", "BTCUSDT")) == 1
        assert ask(peer, "userDataStream.start")["status"] == 200
        # The time stamp is still needed, and a signature that is there must be right.
        assert ask(peer, "order.place", ORDER)["error"]["code"] == -1102
        wrong = ORDER | {"timestamp": venue.exchange.now_ms(), "signature": "AAAA"}
        assert ask(peer, "order.place", wrong)["error"]["code"] == -1022
        # A key of its own counts for its request only.
        assert ask(peer, "order.place", signed(venue, ORDER))["status"] == 200
        assert len(venue.exchange.open_orders("main", "BTCUSDT")) == 1
        assert ask(peer, "session.status")["result"]["apiKey"] == "keyed-key"
        # So does a logon need its own, whoever is logged on.
        again = ask(peer, "session.logon", {"timestamp": venue.exchange.now_ms()})
        assert again["error"]["code"] == -1102
        assert ask(peer, "session.logout")["result"]["apiKey"] is None
        assert ask(peer, "order.place", ORDER | {"timestamp": venue.exchange.now_ms()})["error"]["code"] == -1102
        assert peer.closed is None

    in_virtual_time(main, accounts=(MAIN, OTHER, ed_keys.account))


def test_only_ed25519_keys_log_on_but_rsa_keys_sign_requests(rsa_keys: KeyPair) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        assert ask(peer, "session.logon", signed(venue, {}))["error"]["code"] == -4056
        assert ask(peer, "session.logon", rsa_keys.signed(venue, {}, apiKey="keyed-key"))["error"]["code"] == -4056
        assert ask(peer, "order.place", rsa_keys.signed(venue, ORDER, apiKey="keyed-key"))["status"] == 200
        # The secret is none of an account with a public key.
        by_secret = signed(venue, ORDER, rsa_keys.account)
        assert ask(peer, "order.place", by_secret)["error"]["code"] == -1022

    in_virtual_time(main, accounts=(MAIN, OTHER, rsa_keys.account))


# --- counts -----------------------------------------------------------------------------------------------------------


def counts(reply: Any) -> dict[tuple[str, str], int]:
    return {(one["rateLimitType"], one["interval"]): one["count"] for one in reply["rateLimits"]}


def test_weights_are_counted_apart_from_rest_and_orders_together_with_it() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)  # 5
        venue.place(price="60000")
        reply = ask(peer, "order.place", signed(venue, ORDER))
        assert reply["rateLimits"] == [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 2},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200, "count": 2},
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 5},
        ]
        weights = {"order.status": 1, "account.status": 5, "ticker.book": 5, "depth": 10, "session.status": 2}
        used = 5
        for method, weight in weights.items():
            reply = ask(peer, method, signed(venue, {"limit": 500}))
            used += weight
            assert counts(reply) == {("REQUEST_WEIGHT", "MINUTE"): used}, method
        assert venue.public("/fapi/v1/time").json
        other = ask(venue.socket(PATH), "ticker.price", {"symbol": "BTCUSDT"})  # same address, 5 + 1
        assert counts(other) == {("REQUEST_WEIGHT", "MINUTE"): used + 6}
        await pass_s(60)
        assert counts(ask(peer, "session.status")) == {("REQUEST_WEIGHT", "MINUTE"): 2}

    in_virtual_time(main)


def test_an_address_that_has_used_up_its_weight_is_refused() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        for _ in range(479):
            assert ask(peer, "ticker.book")["status"] == 200
        reply = ask(peer, "ticker.book")
        assert (reply["status"], reply["error"]["code"]) == (429, -1003)
        assert ask(peer, "order.place", signed(venue, ORDER))["status"] == 200  # has no weight
        with pytest.raises(SocketRefused) as caught:
            venue.socket(PATH)
        assert caught.value.status == 429
        for _ in range(25):
            reply = ask(peer, "ticker.book")
        assert (reply["status"], reply["error"]["code"]) == (418, -1003)
        assert "banned until" in reply["error"]["msg"]

    in_virtual_time(main)


def test_orders_have_their_limit_here_too() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        for _ in range(300):
            ask(peer, "order.place", signed(venue, ORDER | {"price": "1"}))
        reply = ask(peer, "order.place", signed(venue, ORDER))
        assert (reply["status"], reply["error"]["code"]) == (429, -1015)
        assert venue.place().code == -1015

    in_virtual_time(main)


def test_the_counts_can_be_hidden_for_the_socket_or_for_one_request() -> None:
    async def main(venue: SimulatedVenue) -> None:
        hidden = venue.socket(PATH, "returnRateLimits=false")
        assert "rateLimits" not in ask(hidden, "ticker.price")
        assert "rateLimits" not in hidden.say(b"{")[0]
        assert "rateLimits" in ask(hidden, "ticker.price", {"returnRateLimits": True})
        assert ask(hidden, "session.status")["result"]["returnRateLimits"] is False
        shown = venue.socket(PATH)
        assert "rateLimits" in ask(shown, "ticker.price")
        assert "rateLimits" not in ask(shown, "ticker.price", {"returnRateLimits": "false"})
        assert ask(shown, "session.status")["result"]["returnRateLimits"] is True

    in_virtual_time(main)


# --- life -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["on_ping", "on_pong"])
def test_more_than_five_pings_or_pongs_a_second_end_the_socket(frame: str) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(PATH)
        for _ in range(3):
            for _ in range(5):
                getattr(peer.session, frame)()
            await pass_s(1)
        assert peer.closed is None
        for _ in range(6):
            getattr(peer.session, frame)()
        assert peer.closed == (1008, "Too many requests")

    in_virtual_time(main)


def test_it_lives_for_a_day() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.exchange.close()  # nothing else is to happen for so long
        peer = venue.socket(PATH)
        await pass_s(24 * 3600 - 1)
        assert ask(peer, "session.status")["result"]["connectedSince"] == venue.exchange.now_ms() - 86_399_000
        await pass_s(2)
        assert peer.closed is not None
        peer.session.on_text(b"{}")  # type: ignore[union-attr]

    in_virtual_time(main)


def test_there_are_eighteen_methods_and_three_for_the_session() -> None:
    assert len(METHODS) == 18
