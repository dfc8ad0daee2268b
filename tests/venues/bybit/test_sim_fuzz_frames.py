"""Thousands of frames on every kind of socket: each is answered once, in that socket's shape, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.venues.bybit.signing import sign_login

from .desk import KEYS, Desk, FakePeer, moment

PATHS = tuple(
    f"/v5/{path}"
    for path in ("public/linear", "public/spot", "public/option", "public/misc/status", "private", "trade")
)
FRAMES = 1000
"""For each path and seed."""

TOPICS = (
    *("orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "orderbook.200.ETHUSDT", "orderbook.rpi.SOLUSDT", "orderbook.7.X"),
    *("publicTrade.BTCUSDT", "tickers.BTCUSDT", "priceLimit.ETHUSDT", "kline.1.BTCUSDT", "kline.D.SOLUSDT", "kline.."),
    *("allLiquidation.BTCUSDT", "adlAlert.USDT", "insurance.USDT", "system.status", "order", "order.linear", "wallet"),
    *("execution", "execution.fast", "position.linear", "dcp.future", "greeks", "", ".", "\ud800", "é", "x" * 3000),
)
SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 2**64, 10**30, 0.5, 1e300, "", "0", "1", "BTCUSDT", "linear", "spot", "Buy"),
    *("Limit", "Market", "63000", "0.010", "1e5", "-1", "²", "\x00", "a" * 40, "\ud800", "sim-key"),
)
OPS: tuple[Any, ...] = (
    *("ping", "subscribe", "unsubscribe", "auth", "order.create", "order.amend", "order.cancel", "order.create-batch"),
    *("order.amend-batch", "order.cancel-batch", "order.nothing", "pong", "", None, 7, ["ping"], "\ud800"),
)
ORDER_FIELDS = (
    *("category", "symbol", "side", "orderType", "qty", "price", "orderId", "orderLinkId", "timeInForce", "reduceOnly"),
    *("positionIdx", "triggerPrice", "triggerDirection", "takeProfit", "stopLoss", "tpslMode", "smpType", "request"),
)
LIKELY = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.010",
    "price": "63000",
}


class Fuzzer:
    """Makes frames: mostly sensible ones with something wrong."""

    def __init__(self, rng: Random, now_ms: Callable[[], int]) -> None:
        self._rng = rng
        self._now_ms = now_ms

    def frame(self) -> bytes:
        draw = self._rng.random()
        if draw < 0.05:
            return self._rng.randbytes(self._rng.randrange(30))
        text = json.dumps(self.command(), ensure_ascii=self._rng.random() < 0.9).encode(errors="surrogatepass")
        if draw < 0.15:
            cut = self._rng.randrange(len(text) + 1)
            return text[:cut] + self._rng.randbytes(self._rng.randrange(3)) + text[cut + self._rng.randrange(3) :]
        return text

    def command(self) -> Any:
        rng = self._rng
        if rng.random() < 0.03:
            return self.value()
        command: dict[str, Any] = {"op": rng.choice(OPS)}
        if rng.random() < 0.9:
            command["args"] = self.args()
        for name in ("req_id", "reqId", "header", "stray"):
            if rng.random() < 0.4:
                command[name] = self.value()
        if rng.random() < 0.7:
            command["header"] = {"X-BAPI-TIMESTAMP": rng.choice((str(self._now_ms()), self._now_ms(), self.value()))}
        return command

    def args(self) -> Any:
        rng = self._rng
        draw = rng.random()
        if draw < 0.35:
            return rng.choices(TOPICS, k=rng.randrange(4))
        if draw < 0.45:
            expires = self._now_ms() + rng.choice((-1, 1000, 10**15))
            keys = rng.choice((KEYS, Credentials(KEYS.api_key, "wrong")))
            return [KEYS.api_key, rng.choice((expires, str(expires), self.value())), sign_login(keys, expires)]
        if draw < 0.85:
            order = self.order()
            return [{"category": "linear", "request": [self.order(), self.order()]} if draw < 0.55 else order]
        return self.value()

    def order(self) -> dict[str, Any]:
        rng = self._rng
        order: dict[str, Any] = dict(LIKELY) if rng.random() < 0.8 else {}
        for name in rng.choices(ORDER_FIELDS, k=rng.randrange(3)):
            order[name] = self.value()
        return order

    def value(self, depth: int = 0) -> Any:
        rng = self._rng
        draw = rng.random()
        if depth < 2 and draw < 0.1:
            return [self.value(depth + 1) for _ in range(rng.randrange(3))]
        if depth < 2 and draw < 0.2:
            return {str(rng.choice(SCALARS)): self.value(depth + 1) for _ in range(rng.randrange(3))}
        return rng.choice(SCALARS)


def check_shape(path: str, answer: dict[str, Any]) -> None:
    if path == "/v5/trade":
        assert isinstance(answer["retCode"], int)
        assert isinstance(answer["retMsg"], str)
        assert isinstance(answer["op"], str)
        assert answer["connId"]
        if answer["op"] in ("auth", "pong"):
            return
        assert answer.keys() >= {"data", "retExtInfo", "header"}
        assert all(isinstance(value, str) for value in answer["header"].values())
    elif "args" in answer:
        assert answer["op"] == "pong"
        assert isinstance(answer["args"][0], str)
    else:
        assert isinstance(answer["success"], bool)
        assert answer["conn_id"]
        if "type" in answer:
            assert answer["data"].keys() == {"failTopics", "successTopics"}
        else:
            assert isinstance(answer["ret_msg"], str)
            assert isinstance(answer["op"], str)
    if path == "/v5/public/linear":
        assert list(answer) == ["success", "ret_msg", "conn_id", "req_id", "op"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("path", PATHS)
def test_every_frame_is_answered_in_the_shape_of_its_address(path: str, seed: int) -> None:
    clock = ManualClock()
    rng = Random(f"{path}/{seed}")

    async def main() -> None:
        desk = Desk(clock)
        desk.quotes()
        fuzzer = Fuzzer(rng, desk.exchange.now_ms)
        peer = FakePeer()
        socket = desk.dialect.open_socket(path, "", peer)
        for number in range(FRAMES):
            before = len(peer.read(""))
            socket.on_text(fuzzer.frame())
            answers = peer.read("")[before:]
            assert len(answers) == 1
            check_shape(path, answers[0])
            if number % 20 == 0:
                await moment(0.3)
                peer.frames.clear()
        await moment(0.3)
        peer.frames.clear()
        socket.on_text(b'{"op":"ping"}')
        assert "pong" in peer.frames[0][1].decode()
        assert peer.closed is None
        desk.dialect.close()
        desk.exchange.close()

    clock.run(main())
