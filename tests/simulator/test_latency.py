"""How long the venue takes: by kind, with a spread, from the seed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.http_message import HttpRequest
from perpwire.simulator.latency import Latency, draw, latency
from perpwire.testing import World, offline


def test_draws_have_the_mean_a_floor_and_a_tail() -> None:
    rng = Random(3)
    drawn = [draw(0.02, rng) for _ in range(5000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.02, rel=0.02)
    assert 0.014 <= min(drawn) < 0.0141
    assert 0.05 < max(drawn) <= 0.08
    assert draw(0.0, rng) == 0


def test_what_is_not_set_follows_from_calls() -> None:
    assert latency(0.005) == Latency() == Latency(calls_s=0.005, sockets_s=0.02, orders_s=0.02)
    assert latency(0.01, orders_s=0.5) == Latency(calls_s=0.01, sockets_s=0.04, orders_s=0.5)
    assert latency(0.0) == Latency(calls_s=0, sockets_s=0, orders_s=0)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="latency sockets_s"):
            latency(0.01, sockets_s=wrong)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_calls_orders_and_words_on_sockets_each_take_their_own_time(venue: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        options: Any = {"latency_s": 0.001, "socket_latency_s": 0.1, "order_latency_s": 1.0}
        async with offline(clock=clock, venues=(venue,), rate=0.0, **options) as world:
            took = await _took_s(world, venue)
        assert 0.0007 <= took["call"] <= 0.004
        assert 0.07 <= took["socket"] <= 0.4
        assert 0.7 <= took["order"] <= 4.0

    clock.run(main())


async def _took_s(world: World, venue: str) -> dict[str, float]:
    took = {}

    def since(began_ns: int) -> float:
        return (world.clock.monotonic_ns() - began_ns) / 1e9

    began_ns = world.clock.monotonic_ns()
    path = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}[venue]
    await world.network.exchange(
        f"http://{venue}.sim", HttpRequest(method="GET", target=path, headers={}), timeout_s=10
    )
    took["call"] = since(began_ns)

    heard: list[float] = []

    class Ear:
        def on_frames(self, frames: list[bytes], received_ns: int) -> None:
            heard.extend(since(began_ns) for _ in frames)

        def on_pong(self) -> None: ...

        def on_closed(self, reason: str) -> None: ...

    path = {"binance": "/public/ws/0", "bybit": "/v5/public/linear"}[venue]
    socket = await world.network.connect(f"ws://{venue}.sim{path}", Ear(), 10)
    began_ns = world.clock.monotonic_ns()
    socket.send({"binance": b'{"method":"LIST_SUBSCRIPTIONS","id":1}', "bybit": b'{"op":"ping"}'}[venue])
    await world.clock.sleep(1)
    took["socket"] = heard[0]

    await world.connectors[venue].get_instruments()
    began_ns = world.clock.monotonic_ns()
    await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="60000")
    took["order"] = since(began_ns)
    return took
