"""SLOW: a slow consumer costs nobody else anything, and what it lost itself is counted and told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.criteria.flood import SYMBOLS, TICKERS, TRADES, Flood, flood
from tests.criteria.tapped import VENUES

from perpwire.api_connector.event_queue import EventQueue
from perpwire.api_connector.loop_watch import LoopWatch
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock, SystemClock
from perpwire.errors import BadInput
from perpwire.logs import IncidentLog
from perpwire.model.incident import ConnectionLost, Incident, LoopStalled, StreamLagging
from perpwire.model.market import BookTicker, Event, Gap, Trade
from perpwire.simulator.faults import DelayMessage
from perpwire.testing import World, offline

BLOCKED_S = 2.0


class Blocked:
    """A program that holds its event loop for two seconds while 55,000 frames arrive, and what it is given then.

    Attributes:
        delivered: What the iterator of the newest prices gave.
        behind_s: How long after the last frame was read the newest price of every symbol had been given.
        unblocked_ns, read_ns: When the program went on, and when it had read everything.
        trades, few: Waiting in the two iterators of trades, of which the second takes 1,000.
    """

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self.delivered = 0
        self.newest: dict[str, BookTicker] = {}
        self.behind_s = 0.0
        self.unblocked_ns = self.read_ns = 0
        self.trades: list[Event] = []
        self.few: list[Event] = []
        self.clock = SystemClock()

    async def play(self, peer: Flood) -> None:
        manager = WebSocketManager(urls={"binance": peer.url})
        watch = LoopWatch("binance", self.clock, self.incidents.append)
        manager.on_incident(self.incidents.append)
        self.prices: EventQueue[BookTicker] = manager.watch(BookTicker, overflow="latest")
        trades = manager.watch(Trade, limit=100_000, overflow="drop_oldest")
        few = manager.watch(Trade, limit=1000, overflow="drop_oldest")
        async with manager:
            watch.start()
            names = [f"{symbol.lower()}@bookTicker" for symbol in SYMBOLS] + [f"{SYMBOLS[0].lower()}@aggTrade"]
            await manager.connect_binance_stream(names)
            reader = asyncio.create_task(self._read())
            await asyncio.sleep(0.2)  # some beats of the loop
            peer.begin()
            time.sleep(BLOCKED_S)  # noqa: ASYNC251 - what it is about
            self.unblocked_ns = self.clock.monotonic_ns()
            async with asyncio.timeout(30):
                await _until(lambda: self.prices.received == TICKERS and trades.received == TRADES)
                self.read_ns = self.clock.monotonic_ns()
                last = TICKERS // len(SYMBOLS)
                await _until(lambda: all(self.newest[symbol].update_id == last for symbol in SYMBOLS))
                self.behind_s = (self.clock.monotonic_ns() - self.read_ns) / 1e9
                await _until(lambda: len(peer.ponged_ns) == 2)
            watch.stop()
        await reader
        self.trades, self.few = [one async for one in trades], [one async for one in few]

    async def _read(self) -> None:
        async for price in self.prices:
            self.delivered += 1
            self.newest[price.symbol] = price


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the frames of a peer make it so
        await asyncio.sleep(0)


@pytest.mark.slow
def test_slow_1_and_3_two_blocked_seconds_under_50_000_frames_cost_nothing_that_is_not_counted() -> None:
    scene = Blocked()
    with flood() as peer:
        asyncio.run(scene.play(peer))
        assert scene.delivered + scene.prices.replaced == scene.prices.received == TICKERS
        assert scene.prices.dropped == 0
        assert scene.behind_s < 0.1
        assert [one.trade_id for one in scene.trades if isinstance(one, Trade)] == list(range(1, TRADES + 1))
        assert len(scene.trades) == TRADES
        gap, *rest = scene.few
        assert isinstance(gap, Gap)
        assert (gap.kind, gap.first_missing, gap.last_missing) == ("AggTrade", 1, TRADES - 1000)
        assert [getattr(one, "trade_id", None) for one in rest] == list(range(TRADES - 999, TRADES + 1))
        # Both sockets are still the first ones, and their server has its answers.
        assert not any(isinstance(one, ConnectionLost) for one in scene.incidents)
        assert len(peer.pinged_ns) == 2
        assert max(peer.ponged_ns) - scene.read_ns < 1e9
        stalls = [one for one in scene.incidents if isinstance(one, LoopStalled) and "time.sleep" in one.stack]
        assert len(stalls) == 1
        assert BLOCKED_S - 0.1 <= stalls[0].stalled_s < BLOCKED_S + 1
        assert "time.sleep(BLOCKED_S)" in stalls[0].detail


def play(venue: str, scenario: Callable[[World], Awaitable[None]], **options: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], **options) as world:
            await scenario(world)

    clock.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_slow_2_a_stream_that_is_a_second_behind_for_three_is_told_once_with_the_queue_and_the_slow_handler(
    venue: str,
) -> None:
    async def scenario(world: World) -> None:
        connector, told = world.connectors[venue], list[StreamLagging]()
        connector.on_incident(lambda one: told.append(one) if isinstance(one, StreamLagging) else None)

        def slow(_trade: Trade) -> None:
            world.clock.advance(0.001)  # type: ignore[attr-defined]

        connector.on(Trade, slow)
        connector.on(Trade, lambda _trade: None)
        queue = await connector.watch_trades("BTCUSDT")
        await world.clock.sleep(20)
        assert told == []
        waited = queue.waiting
        world.simulation.faults[venue].add(DelayMessage(of="public", seconds=1.5, count=None, for_s=10.0))
        await world.clock.sleep(3)
        assert told == []
        await world.clock.sleep(12)
        (lagging,) = told
        assert (lagging.symbol, lagging.venue) == ("BTCUSDT", venue)
        assert lagging.kind in ("Trade", "AggTrade")
        assert lagging.connection in connector.states
        assert lagging.lag_s >= 1
        assert lagging.handler.endswith("slow")
        assert 0 < lagging.busy_s < 1
        assert lagging.waiting > waited
        await world.clock.sleep(60)
        assert len(told) == 1

    play(venue, scenario, rate=20.0)


def test_slow_1_a_policy_that_does_not_exist_is_refused_and_what_waits_is_told() -> None:
    with pytest.raises(BadInput, match="raise, drop_oldest, latest"):
        EventQueue(10, "newest")  # type: ignore[arg-type]
    assert repr(EventQueue(10, "latest")) == "<EventQueue open, 0 waiting, 0 received, 0 dropped>"


@pytest.mark.slow
def test_slow_3_code_that_holds_the_loop_for_a_second_is_measured_and_told_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Incident] = []
    in_log = IncidentLog()

    def tell(incident: Incident) -> None:
        told.append(incident)
        in_log(incident)

    watch = LoopWatch("binance", SystemClock(), tell)

    async def main() -> None:
        watch.start()
        await asyncio.sleep(0.2)  # some beats of the loop
        time.sleep(1.0)  # noqa: ASYNC251 - what it is about
        await asyncio.sleep(0.2)
        watch.stop()

    asyncio.run(main())
    stalls = [one for one in told if isinstance(one, LoopStalled) and "time.sleep(1.0)" in one.stack]
    assert len(stalls) == 1
    assert 0.9 <= stalls[0].stalled_s <= watch.longest_s
    assert watch.stalls == len(told) >= 1
    assert watch.stalled_s >= watch.longest_s
    (warned,) = [
        one for one in caplog.records if "stood still" in one.getMessage() and "time.sleep(1.0)" in one.getMessage()
    ]
    assert warned.levelno == logging.WARNING
