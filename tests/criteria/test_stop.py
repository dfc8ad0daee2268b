"""STOP: a program ends when it is told to, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.criteria.streamed import VENUES

from perpwire.api_connector.event_queue import EventQueue
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock
from perpwire.model.market import Trade
from perpwire.simulator.faults import LoseAnswer
from perpwire.testing import World, offline

PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from perpwire import BinanceFuturesConnector, BybitConnector, StreamSettings
    from perpwire.model.incident import OrderResolved
    from perpwire.model.market import BookTicker, MarkPrice, Trade

    venue, url, how = sys.argv[1:]

    def tell(incident):
        if isinstance(incident, OrderResolved):
            print(incident.outcome, incident.client_order_id, flush=True)

    async def read(queue):
        async for _ in queue:
            pass

    async def place(connector, number):
        await connector.place_order(
            "BTCUSDT", "BUY", "0.01", "LIMIT", price="30000", client_order_id=f"in-flight-{number}"
        )

    async def main():
        kind = {"binance": BinanceFuturesConnector, "bybit": BybitConnector}[venue]
        settings = StreamSettings(topics_per_connection=2)
        async with kind("sim-key", "sim-secret", url=url, stream_settings=settings) as connector:
            connector.on_incident(tell)
            tasks = []
            for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
                for event in (Trade, BookTicker, MarkPrice):
                    for _ in range(6):
                        tasks.append(asyncio.create_task(read(await connector.watch(event, symbol))))
            await connector.open_book("BTCUSDT")
            tasks += [asyncio.create_task(place(connector, number)) for number in range(3)]
            print(len(connector.states), len(tasks), flush=True)
            if how == "task":
                asyncio.get_running_loop().call_later(0.5, asyncio.current_task().cancel)
            await asyncio.gather(*tasks)

    try:
        asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
@pytest.mark.parametrize("how", ["SIGINT", "task"])
@pytest.mark.parametrize("venue", VENUES)
def test_stop_1_with_sockets_tasks_and_orders_under_way_it_is_gone_within_three_seconds_and_names_the_orders(
    perpwire_exchange_factory: Callable[..., Any], venue: str, how: str, tmp_path: Path
) -> None:
    with perpwire_exchange_factory(venues=[venue], rate=20) as exchange:
        lost = LoseAnswer(method="POST", path=PLACE[venue], contains="in-flight", how="silence", count=None)
        exchange.faults[venue].add(lost)
        program = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, venue, exchange[venue].url, how],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        try:
            assert program.stdout is not None
            connections, tasks = map(int, program.stdout.readline().split())
            assert connections >= 5
            assert tasks > 50
            time.sleep(0.5)
            began = time.monotonic()
            if how == "SIGINT":
                program.send_signal(signal.SIGINT)
            out, complaints = program.communicate(timeout=10)
        finally:
            program.kill()
        assert time.monotonic() - began < 3
        assert program.returncode == 130
        assert sorted(out.splitlines()) == [f"UNRESOLVED in-flight-{number}" for number in range(3)]
        assert "Warning" not in complaints
        assert "Traceback" not in complaints


class Own(Exception):
    pass


@pytest.mark.parametrize("venue", VENUES)
def test_stop_2_what_the_body_raises_is_what_comes_out_and_everything_is_closed(venue: str) -> None:
    clock = ManualClock()

    async def main(world: World) -> None:
        before = asyncio.all_tasks()

        async def with_a_connector(queues: list[EventQueue[Trade]]) -> None:
            async with world.connector(venue) as connector:
                await connector.open_account_stream()
                await connector.open_book("BTCUSDT")
                queues.append(await connector.watch(Trade, "BTCUSDT"))
                raise Own

        async def with_a_manager() -> None:
            async with WebSocketManager(urls=world.simulation.urls, clock=clock, sockets=world.network) as manager:
                await manager.connect(venue, [world.connectors[venue].venue.topic(Trade, "BTCUSDT").name])
                raise Own

        queues: list[EventQueue[Trade]] = []
        with pytest.raises(Own):
            await with_a_connector(queues)
        for queue in queues:
            assert all([isinstance(event, Trade) async for event in queue])  # it ends
        with pytest.raises(Own):
            await with_a_manager()
        await clock.sleep(1)
        assert asyncio.all_tasks() == before
        assert not world.simulation.hosts[venue].connections

    async def whole() -> None:
        async with offline(clock=clock, venues=[venue]) as world:
            await main(world)

    clock.run(whole())


@pytest.mark.parametrize("venue", VENUES)
def test_stop_2_a_consumer_that_is_cancelled_affects_no_other(venue: str) -> None:
    clock = ManualClock()
    read: dict[int, int] = {}

    async def consume(world: World, number: int) -> None:
        async for _ in await world.connectors[venue].watch(Trade, "BTCUSDT"):
            read[number] = read.get(number, 0) + 1

    async def main() -> None:
        async with offline(clock=clock, venues=[venue]) as world:
            tasks = [asyncio.create_task(consume(world, number)) for number in range(3)]
            await clock.sleep(3)
            tasks[0].cancel()
            await asyncio.gather(tasks[0], return_exceptions=True)
            before = dict(read)
            await clock.sleep(5)
            assert read[0] == before[0]
            assert read[1] == read[2] > before[1]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    clock.run(main())
