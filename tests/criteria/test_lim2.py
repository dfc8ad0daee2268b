"""LIM2: what is urgent does not queue behind what is not."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from tests.criteria.tapped import CANCEL, PLACE, VENUES, Scene, play

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import NotSent
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.threaded import ThreadedExchange
from perpwire.transport.http1 import Http1Transport
from perpwire.venues import load

KLINES: dict[str, tuple[str, dict[str, Any]]] = {
    "binance": ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 10}),
    "bybit": ("/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "1", "limit": 10}),
}


def klines(scene: Scene) -> asyncio.Task[Any]:
    path, params = KLINES[scene.venue]
    return asyncio.create_task(scene.connector.call("GET", path, params, signed=False))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lim2_1_a_cancel_and_a_reducing_order_leave_at_once_past_five_thousand_reads(venue: str) -> None:
    """And no length of the queue makes a call fail."""

    async def scenario(scene: Scene) -> None:
        order = await scene.connector.place_order("BTCUSDT", "BUY", "0.1")
        await scene.sleep(20)
        reads = [klines(scene) for _ in range(5000)]
        await scene.sleep(0.3)
        assert scene.connector._path.admission.waiting > 2500
        start_s, start = scene.now_s, len(scene.tap.sent)
        calls = [
            asyncio.create_task(scene.connector.cancel_order("BTCUSDT", order.order_id)),
            asyncio.create_task(scene.connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True)),
        ]
        await scene.sleep(0.02)
        left = {one.call: one.at_s for one in scene.tap.sent[start:]}
        assert left[CANCEL[venue]] - start_s < 0.02
        assert left[PLACE[venue]] - start_s < 0.02
        await asyncio.gather(*calls, return_exceptions=True)
        if venue == "binance":
            await scene.sleep(100)
        else:
            await asyncio.gather(*reads)
        assert not any(read.done() and read.exception() for read in reads)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        assert scene.statuses <= {200, 400}

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_lim2_2_a_call_that_can_not_go_in_time_fails_here_before_its_deadline(venue: str) -> None:
    """At once where that is known at once, or else while it stands in line; and it is never sent."""

    async def scenario(scene: Scene) -> None:
        ledger, now_ns = scene.connector.ledger, scene.clock.monotonic_ns()
        ledger.stop("all", now_ns + 5_000_000_000, now_ns)
        start_s, start = scene.now_s, len(scene.tap.sent)
        with pytest.raises(NotSent) as caught:
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01", deadline_s=0.3)
        assert caught.value.code == "DEADLINE"
        assert scene.now_s - start_s < 0.3
        await scene.sleep(10)
        assert scene.tap.sent[start:] == []

    play(scenario, venue)


def test_lim2_2_one_that_stands_in_line_is_told_in_time_too() -> None:
    async def scenario(scene: Scene) -> None:
        start_s = scene.now_s
        ends: list[float] = []

        async def order() -> None:
            with suppress(NotSent):
                await scene.connector.place_order("BTCUSDT", "BUY", "0.002", deadline_s=1.3)
                return
            ends.append(scene.now_s - start_s)

        await asyncio.gather(*(order() for _ in range(30)))
        assert len(ends) == 30 - 2 * 9
        assert max(ends) < 1.3
        await scene.sleep(5)
        assert sum(one.call == PLACE["bybit"] for one in scene.tap.sent) == 18

    play(scenario, "bybit")


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lim2_1_over_real_sockets_too_where_connections_are_few(venue: str) -> None:
    """Two thousand reads are wanted; the pool has a hundred connections."""
    left_s: list[float] = []

    async def main(url: str) -> None:
        class Watched(Http1Transport):
            async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
                if (request.method, request.target.partition("?")[0]) == CANCEL[venue]:
                    left_s.append(time.perf_counter())
                return await super().exchange(base_url, request, timeout_s)

        http = Watched()
        async with VenueConnector(load(venue), "sim-key", "sim-secret", url=url, http=http) as connector:
            order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000")
            path, params = KLINES[venue]
            reads = [asyncio.create_task(connector.call("GET", path, params, signed=False)) for _ in range(2000)]
            await asyncio.sleep(0.3)
            assert connector._path.admission.waiting > 100
            submitted_s = time.perf_counter()
            await connector.cancel_order("BTCUSDT", order.order_id)
            assert left_s[0] - submitted_s < 0.02
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        await http.close()

    with ThreadedExchange(venues=(venue,)) as exchange:
        asyncio.run(main(exchange.urls[venue]))
