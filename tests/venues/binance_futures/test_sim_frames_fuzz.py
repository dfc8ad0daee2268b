"""Thousands of seeded bad frames: the simulated sockets answer each in the venue's shape, and go on answering."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import MAIN, FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.simulator.dialect import DialectOptions
from perpwire.venues.binance_futures.sim.wsapi import METHODS

FRAMES = 1500

SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**64,
    -(2**70),
    1e308,
    0.1,
    "",
    "0",
    "-1",
    "NaN",
    "Infinity",
    "1e9",
    "1" * 400,
    "0." + "1" * 60,
    "BTCUSDT",
    "btcusdt@depth",
    "!markPrice@arr",
    "币安人生USDT",
    "\x00\u2028\ud83d\ude00",
    "' OR 1=1 --",
    "../../etc/passwd",
    "a" * 5000,
)


def junk(rng: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.random()
    if depth > 3 or kind < 0.6:
        return rng.choice(SCALARS)
    if kind < 0.8:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(("a", "symbol", "", "id", "é")): junk(rng, depth + 1) for _ in range(rng.randrange(4))}


def broken(rng: Random, text: bytes) -> bytes:
    """A frame with some bytes lost, doubled or changed."""
    content = bytearray(text)
    for _ in range(rng.randrange(1, 4)):
        if not content:
            break
        place = rng.randrange(len(content))
        match rng.randrange(4):
            case 0:
                del content[place:]
            case 1:
                content[place] = rng.randrange(256)
            case 2:
                content[place:place] = content[: rng.randrange(10)]
            case _:
                del content[place : place + rng.randrange(1, 5)]
    return bytes(content)


def command(rng: Random) -> bytes:
    """A control message that is right in most of its parts."""
    message: dict[str, Any] = {
        "method": rng.choice(("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")),
        "params": rng.choice((["btcusdt@depth"], ["combined", True], ["combined"], [])),
        "id": rng.randrange(100),
    }
    for name in list(message):
        if rng.random() < 0.4:
            message[name] = junk(rng)
        elif rng.random() < 0.1:
            del message[name]
    text = json.dumps(message).encode()
    return broken(rng, text) if rng.random() < 0.3 else text


def request(rng: Random, venue: SimulatedVenue) -> bytes:
    """A request of the trading socket, likewise."""
    version, method = rng.choice(list(METHODS))
    params: dict[str, Any] = {
        "apiKey": MAIN.api_key,
        "timestamp": venue.exchange.now_ms(),
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "64000",
        "orderId": 1,
        "signature": "00" * 32,
    }
    for name in list(params):
        if rng.random() < 0.2:
            params[name] = junk(rng)
        elif rng.random() < 0.1:
            del params[name]
    if rng.random() < 0.7:
        params = sign(params)
    message: dict[str, Any] = {
        "id": junk(rng),
        "method": f"v{version}/{method}" if rng.random() < 0.3 else method,
        "params": params,
    }
    for name in list(message):
        if rng.random() < 0.08:
            message[name] = junk(rng)
        elif rng.random() < 0.05:
            del message[name]
    text = json.dumps(message).encode()
    return broken(rng, text) if rng.random() < 0.2 else text


def sign(params: dict[str, Any]) -> dict[str, Any]:
    """As a client would, so that what is wrong is found behind the signature."""
    from perpwire.venues.binance_futures.sim.signatures import hmac_hex

    def text_of(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    text = "&".join(f"{name}={text_of(params[name])}" for name in sorted(params) if name != "signature")
    return params | {"signature": hmac_hex(text.encode("utf-8", "replace"), MAIN.secret_key)}


def replies(peer: FakePeer, text: bytes) -> list[Any]:
    assert peer.session is not None
    before = len(peer.sent)
    peer.session.on_text(text)
    return [json.loads(one) for one, topic, _ in peer.sent[before:] if topic == ""]


@pytest.mark.parametrize("seed", range(4))
def test_every_bad_command_is_answered_in_the_venues_shape(seed: int) -> None:
    rng = Random(f"commands/{seed}")

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        refused = 0
        for number in range(FRAMES):
            if number % 9 == 0:
                await pass_s(1)  # no more than ten a second
            (reply,) = replies(peer, command(rng))
            if "error" in reply:
                refused += 1
                assert set(reply) == {"error", "id"}
                assert set(reply["error"]) == {"code", "msg"}
                assert reply["error"]["code"] in (0, 1, 2, 3)
                assert isinstance(reply["error"]["msg"], str)
            else:
                assert set(reply) == {"result", "id"}
        assert refused > FRAMES // 3
        await pass_s(1)
        assert replies(peer, b'{"method":"UNSUBSCRIBE","params":[],"id":77}') == [{"result": None, "id": 77}]
        assert peer.closed is None

    in_virtual_time(main)


@pytest.mark.parametrize("seed", range(4))
def test_every_bad_request_is_answered_in_the_venues_shape(seed: int) -> None:
    rng = Random(f"requests/{seed}")

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/ws-fapi/v1")
        refused = 0
        for number in range(FRAMES):
            if number % 100 == 0:
                await pass_s(60)  # so that no limit is in the way
            (reply,) = replies(peer, request(rng, venue))
            assert list(reply)[:2] == ["id", "status"]
            if reply["status"] == 200:
                assert "result" in reply
                continue
            refused += 1
            assert set(reply["error"]) == {"code", "msg"}
            assert reply["error"]["code"] < 0
            assert 400 <= reply["status"] < 500
        assert refused > FRAMES // 3
        (reply,) = replies(peer, b'{"id":"good","method":"ticker.price","params":{"symbol":"BTCUSDT"}}')
        assert (reply["id"], reply["status"]) == ("good", 200)
        assert peer.closed is None

    in_virtual_time(main, options=DialectOptions(coin_margined_rows=False))


def stream_name(rng: Random) -> str:
    """A name that is right, nearly right, or far off."""
    symbol = rng.choice(
        ("btcusdt", "BTCUSDT", "ethusdt", "nosuch", "btcusd", "defiusdt", "", "!", "é", "btcusdt_perpetual")
    )
    kind = rng.choice(
        (
            *("bookTicker", "depth", "depth5", "depth20@100ms", "depth@0ms", "depth@250ms", "rpiDepth@500ms", "trade"),
            *("aggTrade", "markPrice", "markPrice@1s", "kline_1m", "kline_1M", "kline_7m", "continuousKline_3d"),
            *("miniTicker", "ticker", "forceOrder", "compositeIndex", "assetIndex", "arr", "arr@1s", "nothing"),
        )
    )
    whole: tuple[str, ...] = ("!bookTicker", "!markPrice@arr", "!ticker@arr", "!miniTicker@arr", "!forceOrder@arr")
    whole += ("!contractInfo", "!assetIndex@arr", "tradingSession")
    name = rng.choice(whole) if rng.random() < 0.2 else f"{symbol}@{kind}"
    if rng.random() < 0.1:
        place = rng.randrange(len(name))
        name = name[:place] + rng.choice(" /@!%\n\x00ß") + name[place + 1 :]
    return name


@pytest.mark.parametrize("route", ["/public/ws", "/market/stream", "/private/ws", "/ws"])
def test_any_names_may_come_and_go_while_the_market_moves(route: str) -> None:
    rng = Random(f"names/{route}")

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(route)
        for number in range(150):
            names = [stream_name(rng) for _ in range(rng.randrange(1, 15))]
            method = "SUBSCRIBE" if rng.random() < 0.6 else "UNSUBSCRIBE"
            (reply,) = replies(peer, json.dumps({"method": method, "params": names, "id": number}).encode())
            assert reply == {"result": None, "id": number}
            await pass_s(rng.choice((0.11, 0.3, 1.0)))
        (listed,) = replies(peer, b'{"method":"LIST_SUBSCRIPTIONS","id":1}')
        (reply,) = replies(peer, json.dumps({"method": "UNSUBSCRIBE", "params": listed["result"], "id": 2}).encode())
        peer.clear()
        await pass_s(6)
        assert peer.sent == []  # nothing runs on for nobody
        assert peer.closed is None

    in_virtual_time(main, rate=5.0)
