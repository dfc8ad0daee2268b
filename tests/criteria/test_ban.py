"""BAN: the venue never has to say that we are too fast, and when it says so, everything stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.criteria.tapped import CANCEL, PLACE, Scene, play
from tests.sizes import size

from perpwire.api_connector.lifecycle import State
from perpwire.errors import APIError, RateLimited
from perpwire.http_message import HttpRequest
from perpwire.model.incident import RateLimitHit, RateLimitLifted
from perpwire.model.order import Fill
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.faults import Act, Answer, Cut, FillOrder
from perpwire.venues.base import Lane

DEPTH_WEIGHTS = {5: 2, 100: 5, 500: 10, 1000: 20}


async def stranger(scene: Scene, calls: int) -> None:
    """Somebody else behind our address reads books of weight 20."""
    for _ in range(calls):
        target = "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        request = HttpRequest(method="GET", target=target, headers={}, body=b"")
        await scene.world.network.exchange(scene.world.simulation.urls["binance"], request, 10)


def depth(scene: Scene, limit: int) -> Coroutine[Any, Any, Any]:
    return scene.connector.get_order_book("BTCUSDT", limit)


def resting(scene: Scene, **more: Any) -> Coroutine[Any, Any, Any]:
    price = scene.host.exchange.mark_price("BTCUSDT") * 9 / 10
    return scene.connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down", **more)


def test_ban_1_the_venues_count_is_used_where_it_is_larger_than_ours() -> None:
    """After others behind the address have spent 400, our next reply's header tells, and we keep to what is left."""

    async def scenario(scene: Scene) -> None:
        ledger = scene.connector.ledger
        await stranger(scene, 20)
        before = ledger.used("weight_1m", scene.clock.monotonic_ns())
        await depth(scene, 5)
        assert ledger.used("weight_1m", scene.clock.monotonic_ns()) == before + 400 + 2
        room = 1680 - ledger.used("weight_1m", scene.clock.monotonic_ns())
        reads = [asyncio.create_task(depth(scene, 1000)) for _ in range(100)]
        start_s = scene.now_s
        await scene.sleep(10)
        assert len(scene.tap.between(start_s - 0.001, scene.now_s)) == room // 20
        for read in reads:
            read.cancel()

    play(scenario, "binance")


@pytest.mark.slow
def test_ban_1_no_rolling_minute_ever_holds_more_than_nine_tenths_of_the_limit() -> None:
    """10,000 random calls (in part: 4,000) in bursts and lulls, with latency that spreads widely."""
    costs: list[tuple[float, int]] = []

    async def scenario(scene: Scene) -> None:
        rng = random.Random(11)

        async def one() -> None:
            limit = rng.choice(list(DEPTH_WEIGHTS))
            match rng.randrange(5):
                case 0:
                    await scene.connector.get_open_orders(None if rng.random() < 0.3 else "BTCUSDT")
                case 1:
                    await scene.connector.get_account_info()
                case 2:
                    with pytest.raises(APIError):
                        await scene.connector.cancel_order("BTCUSDT", 1)
                case _:
                    await depth(scene, limit)

        calls: list[asyncio.Task[None]] = []
        while len(calls) < size(10_000, 4_000):
            calls += [asyncio.create_task(one()) for _ in range(rng.choice((1, 5, 50, 200)))]
            await scene.sleep(rng.expovariate(1 / 10))
        await asyncio.gather(*calls)

    scene = play(scenario, "binance", latency_s=0.1)
    weights = {"/fapi/v3/account": 5, "/fapi/v1/exchangeInfo": 1}
    for sent in scene.tap.sent:
        weight = weights.get(sent.path, 1)
        if sent.path == "/fapi/v1/depth":
            weight = DEPTH_WEIGHTS[int(sent.params["limit"])]
        elif sent.path == "/fapi/v1/openOrders" and "symbol" not in sent.params:
            weight = 40
        costs.append((sent.at_s, weight))
    first = used = most = 0
    for at_s, weight in costs:
        used += weight
        while costs[first][0] <= at_s - 60:
            used -= costs[first][1]
            first += 1
        most = max(most, used)
    assert 1900 < most <= 2160
    assert scene.statuses <= {200, 400}


def test_ban_2_after_a_429_nothing_leaves_for_as_long_as_it_says_and_then_in_order_of_urgency() -> None:
    """500 callers wait; meanwhile cancels and reducing orders join them, are held as well, and go first."""

    async def scenario(scene: Scene) -> None:
        orders = [await resting(scene) for _ in range(3)]
        reads = [asyncio.create_task(depth(scene, 1000)) for _ in range(500)]
        await scene.sleep(2)
        scene.host.faults.add(Answer(path="/fapi/v3/account", status=429, headers={"Retry-After": "7"},
                                     body='{"code":-1003,"msg":"Too many requests."}'))  # fmt: skip
        account = asyncio.create_task(scene.connector.get_account_info())
        await scene.sleep(0.1)
        (hit,) = scene.of(RateLimitHit)
        told_s = (hit.time_ns - scene.clock.time_ns() + scene.clock.monotonic_ns()) / 1e9
        late = [
            asyncio.create_task(resting(scene)),
            asyncio.create_task(scene.connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True)),
            *(asyncio.create_task(scene.connector.cancel_order("BTCUSDT", one.order_id)) for one in orders),
        ]
        await scene.sleep(6.8)
        assert scene.tap.between(told_s, told_s + 7) == []
        await scene.sleep(0.2)
        after = [one.call for one in scene.tap.between(told_s + 7, scene.now_s) if one.path != "/fapi/v3/account"]
        assert after[:5] == [CANCEL["binance"]] * 3 + [PLACE["binance"]] * 2
        assert len(scene.of(RateLimitHit)) == 1
        await asyncio.gather(account, *late, return_exceptions=True)
        for read in reads:
            read.cancel()

    play(scenario, "binance")


def test_ban_2_a_stream_that_is_lost_during_a_ban_of_calls_is_back_before_its_end() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        order = await resting(scene)
        scene.host.faults.add(Act(do="ban", args={"seconds": "600"}))
        with pytest.raises(RateLimited):
            await depth(scene, 5)
        scene.host.faults.add(Cut())
        await scene.sleep(20)
        assert set(scene.connector.states.values()) == {State.LIVE}
        heard: list[Fill] = []
        scene.connector.on(Fill, heard.append)
        scene.host.faults.add(FillOrder())
        await scene.sleep(5)
        assert [fill.order_id for fill in heard] == [order.order_id]
        assert scene.connector.banned_until_ms is not None

    play(scenario, "bybit")


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_ban_2_during_a_ban_nothing_leaves_and_its_end_can_be_read(venue: str) -> None:
    """418 at Binance, 403 at Bybit; open streams go on, and there is one incident."""
    seconds = {"binance": 120, "bybit": 600}[venue]

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        assert scene.connector.banned_until_ms is None
        scene.host.faults.add(Act(do="ban", args={"seconds": str(seconds)}))
        banned_ms = scene.host.exchange.now_ms()
        ends = await asyncio.gather(*(depth(scene, 5) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(end, RateLimited) for end in ends)
        start_s = scene.now_s
        assert scene.connector.banned_until_ms is not None
        assert abs(scene.connector.banned_until_ms - banned_ms - seconds * 1000) < 1000
        while scene.now_s < start_s + seconds - 1:
            with pytest.raises(RateLimited) as caught:
                await scene.connector.cancel_order("BTCUSDT", 1)
            assert caught.value.code == "HELD_BACK" or caught.value.retry_after_s < 70
            await scene.sleep(10)
            if scene.now_s > start_s + seconds - 70:
                break
        await scene.sleep(start_s + seconds - 0.5 - scene.now_s)
        assert scene.tap.between(start_s, scene.now_s) == []
        assert len(scene.of(RateLimitHit)) == 1
        assert scene.of(RateLimitLifted) == []
        assert scene.connector.states == dict.fromkeys(scene.connector.states, "live") or scene.connector.states
        await scene.sleep(3)
        assert scene.connector.banned_until_ms is None
        (lifted,) = scene.of(RateLimitLifted)
        assert abs(lifted.held_s - seconds) < 2
        await depth(scene, 5)

    play(scenario, venue)


def test_ban_2_a_ban_that_is_told_by_its_end_alone_lasts_until_then_by_the_venues_clock() -> None:
    """As on the trading socket, whose answers bear neither Retry-After nor a date."""

    async def scenario(scene: Scene) -> None:
        until_ms = scene.host.exchange.now_ms() + 4_000_000
        body = f'{{"code":-1003,"msg":"Way too many requests; IP banned until {until_ms}."}}'
        scene.host.faults.add(Answer(path="/fapi/v1/depth", status=418, body=body))
        with pytest.raises(RateLimited) as caught:
            await depth(scene, 5)
        assert caught.value.retry_after_s == pytest.approx(4000, abs=1)
        assert scene.connector.banned_until_ms == until_ms
        await scene.sleep(3900)
        with pytest.raises(RateLimited):
            await depth(scene, 5)
        await scene.sleep(90)
        await depth(scene, 5)  # waits for the rest of it
        assert until_ms <= scene.host.exchange.now_ms() < until_ms + 1000

    play(scenario, "binance")


@pytest.mark.slow
def test_ban_3_the_order_beyond_the_limit_waits_here_and_the_venue_never_refuses_one() -> None:
    """300 in ten seconds, a tenth of them kept for orders that reduce; latency spreads widely."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.place_order("BTCUSDT", "BUY", "1")
        await scene.sleep(10)
        start_s = scene.now_s
        opening = [asyncio.create_task(resting(scene)) for _ in range(271)]
        await scene.sleep(4)
        assert sum(one.call == PLACE["binance"] and one.at_s >= start_s for one in scene.tap.sent) == 270
        reducing = [
            asyncio.create_task(scene.connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True))
            for _ in range(31)
        ]
        await asyncio.gather(*opening, *reducing, return_exceptions=True)
        sent = [one for one in scene.tap.sent if one.call == PLACE["binance"] and one.at_s >= start_s]
        assert len(sent) == 302
        assert sum(one.at_s < start_s + 10 for one in sent) == 300
        assert 429 not in scene.statuses
        assert scene.of(RateLimitHit) == []

    play(scenario, "binance", latency_s=0.2, order_latency_s=0.2)


def test_ban_3_an_order_with_a_deadline_is_refused_here_with_the_time_that_is_left() -> None:
    async def scenario(scene: Scene) -> None:
        admission, ledger = scene.connector._path.admission, scene.connector.ledger
        receipts = [ledger.take({"orders_10s": 1}, Lane.ORDER, scene.clock.monotonic_ns()) for _ in range(270)]
        for receipt in receipts:
            assert receipt is not None
            ledger.settle(receipt, scene.clock.monotonic_ns())
        with pytest.raises(APIError) as caught:
            await resting(scene, deadline_s=1)
        assert (type(caught.value).__name__, caught.value.code) == ("NotSent", "DEADLINE")
        assert "10.0 s" in caught.value.reason
        assert admission.waiting == 0

    play(scenario, "binance")


def test_ban_1_the_limits_that_the_venue_states_are_used() -> None:
    """Those of exchangeInfo, which may be others than published."""

    async def scenario(scene: Scene) -> None:
        asked = IncomingRequest(method="GET", path="/fapi/v1/exchangeInfo", query="", headers={}, body=b"")
        body = (await scene.host.handle_http(asked)).body.decode()
        assert body.count('"limit":2400') == body.count('"limit":300') == 1
        body = body.replace('"limit":2400', '"limit":1200').replace('"limit":300', '"limit":600')
        scene.host.faults.add(Answer(path="/fapi/v1/exchangeInfo", status=200, body=body))
        await scene.connector.get_instruments(refresh=True)
        ledger = scene.connector.ledger
        assert [ledger.limit(name) for name in ("weight_1m", "orders_10s", "orders_1m")] == [1200, 600, 1200]

    play(scenario, "binance")
