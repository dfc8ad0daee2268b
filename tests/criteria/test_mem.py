"""MEM: what runs for long holds no more than what has just begun, and nothing is left after its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.criteria.endless import CHANGES, RECONNECTS, Report
from tests.sizes import FULL, size

from perpwire.api_connector import frame_path, metrics, trade_repair, unknown_watch, watch_methods
from perpwire.clock import ManualClock
from perpwire.data_processor import book_sync, fill_log, order_tracker, seam
from perpwire.model.market import BookTicker, Kline, MarkPrice, Trade
from perpwire.simulator.faults import Cut
from perpwire.simulator.listing import Listing
from perpwire.testing import World, offline
from perpwire.venues.binance_futures import streams

VENUES = ["binance", "bybit"]
ROOT = Path(__file__).resolve().parents[2]
MORE = tuple(Listing(symbol=f"MANY{number}USDT", start_price=Decimal(9)) for number in range(10))
SYMBOLS = tuple(one.symbol for one in MORE)
OURS = ("perpwire.api_connector", "perpwire.data_processor", "perpwire.model.market", "perpwire.transport")
LOOPS = ("Task", "Future", "TimerHandle", "Handle", "Event", "Lock", "Queue")


def held() -> Counter[str]:
    """Objects of the client, and those of asyncio, whoever uses them."""
    gc.collect()
    found: Counter[str] = Counter()
    for one in gc.get_objects():
        kind = type(one)
        module = str(kind.__module__)  # some types of C code have a descriptor there
        if module.startswith(OURS):
            found[f"{module}.{kind.__qualname__}"] += 1
        elif kind.__name__ in LOOPS and module.startswith(("asyncio", "_asyncio")):
            found[kind.__name__] += 1
    return found


def grown(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What there is more of, by more than chance."""
    return {kind: count - before[kind] for kind, count in after.items() if count - before[kind] > 10}


async def cycle(world: World, venue: str) -> None:
    """Subscribe, watch, open books, lose every connection, come back, and take it all back."""
    connector = world.connectors[venue]
    kinds = (Trade, BookTicker, MarkPrice)
    await connector.subscribe(kinds, SYMBOLS)
    await connector.subscribe([Kline], SYMBOLS, interval="1m")
    await connector.open_books(SYMBOLS[:4])
    async with (
        await connector.watch_trades(SYMBOLS[0]) as trades,
        await connector.watch_candles(SYMBOLS[0], "1s") as candles,
    ):
        await anext(trades)
        await anext(candles)
        for number in list(world.simulation.hosts[venue].connections):
            world.simulation.faults[venue].add(Cut(connection=number))
        await world.clock.sleep(30)
    for symbol in SYMBOLS[:4]:
        await connector.close_book(symbol)
    await connector.unsubscribe([Kline], SYMBOLS, interval="1m")
    await connector.unsubscribe(kinds, SYMBOLS)
    await world.clock.sleep(15)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_mem_1_cycles_of_subscribing_losing_and_taking_back_leave_nothing_behind(venue: str) -> None:
    clock = ManualClock()
    counts: list[Counter[str]] = []

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=2.0, symbols=MORE) as world:
            for number in range(size(6, 4)):
                await cycle(world, venue)
                if number in (1, size(5, 3)):
                    counts.append(held())
            assert world.connectors[venue].streams.topics == {}

    clock.run(main())
    assert grown(*counts) == {}


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_mem_1_streams_that_run_on_hold_no_more_than_in_their_first_minutes(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are no objects that the collector knows of, so the memory that the client's own code has taken is
    measured too. Ids of trades are remembered up to a number, which is made small here: full before the first look."""
    monkeypatch.setattr(trade_repair, "REMEMBERED", 10)
    clock = ManualClock()
    counts: list[Counter[str]] = []
    taken: list[int] = []
    code = [
        tracemalloc.Filter(True, f"*/perpwire/{where}")
        for where in ("api_connector/*", "data_processor/*", "model/*", "venues/*/session.py", "venues/*streams.py")
    ]

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=0.5, symbols=MORE[:4], journal_capacity=1000) as world:
            connector = world.connectors[venue]
            await connector.subscribe((Trade, BookTicker), SYMBOLS[:4])
            heard: Counter[str] = Counter()
            connector.on(Trade, lambda trade: heard.update([trade.symbol]))
            for seconds in (60, size(400, 140)):
                await clock.sleep(seconds)
                counts.append(held())
                found = tracemalloc.take_snapshot().filter_traces(code).statistics("filename")
                taken.append(sum(one.size for one in found))
            assert len(heard) == len(SYMBOLS[:4])
            assert heard.total() > size(300, 100)

    tracemalloc.start()
    try:
        clock.run(main())
    finally:
        tracemalloc.stop()
    assert grown(*counts) == {}
    assert taken[0] > 10_000
    assert taken[1] - taken[0] < 60_000


HOURS, FRAMES, MOST_MB = (24, 10_000_000, 20.0) if FULL else (2, 40_000, 3.0)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="memory is read from /proc")
def test_mem_1_in_a_day_of_ten_million_frames_memory_and_tasks_stay_as_they_were_after_an_hour() -> None:
    """Two hundred symbols, fifty reconnects, a thousand subscriptions that come and go, an iterator that nobody reads.
    In part: two hours of forty thousand frames, and a bound for as many."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.criteria.endless", str(HOURS), str(FRAMES)], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}, capture_output=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    report = msgspec.json.decode(done.stdout, type=Report)
    assert report.frames >= FRAMES
    assert report.events >= FRAMES * 0.8
    assert report.candles > 1000
    assert (report.reconnects, report.changes) == (RECONNECTS, CHANGES)
    first, *later = report.hours
    assert len(later) == HOURS - 1
    assert max(one.rss_mb for one in later) - first.rss_mb < MOST_MB, report.hours
    assert all(abs(one.waiting - first.waiting) <= 50 for one in later), report.hours
    assert all(abs(one.objects - first.objects) <= first.objects / 20 for one in later), report.hours


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_mem_1_after_the_end_no_task_timer_or_socket_is_left_and_nothing_was_never_retrieved(
    venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    unheard: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context["message"]))
        async with offline(clock=clock, venues=[venue], rate=2.0, symbols=MORE) as world:
            host = world.simulation.hosts[venue]
            await clock.sleep(1)
            before = asyncio.all_tasks()
            sockets = set(host.connections)
            connector = world.connector(venue)
            async with connector:
                await connector.subscribe((Trade, BookTicker), SYMBOLS)
                await connector.open_account_stream()
                await connector.open_books(SYMBOLS[:4])
                watch = await connector.watch_candles(SYMBOLS[0], "1s")
                await anext(watch)
                for number in list(host.connections):
                    world.simulation.faults[venue].add(Cut(connection=number))
                await clock.sleep(2)
            await clock.sleep(1)
            left = [task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("perpwire")]
            assert left == []
            assert set(host.connections) <= sockets
            del connector, watch
            gc.collect()

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        clock.run(main())
        gc.collect()
    assert unheard == []
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_mem_1_each_bound_is_as_documented() -> None:
    section = (ROOT / "docs" / "consumers.md").read_text().partition("## What is kept in memory, at most")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in section.splitlines() if line.startswith("| ")]
    told = {what: int(most.replace(",", "")) for what, most in rows if most.replace(",", "").isdigit()}
    assert told == {
        "events that wait for an iterator": watch_methods.MOST_WAITING,
        "orders of an account that have ended": order_tracker.KEPT,
        "fills of an account, to tell each once": fill_log.KEEP,
        "updates of a book that wait for its snapshot": book_sync.BUFFER,
        "events of a sequence that another copy of a socket may still say": 2 * seam.LOG,
        "unknown words that were told of": unknown_watch.MOST,
        "names of streams on one socket": streams._NAMES_KEPT,
        "names of calls, and of handlers, that are counted": metrics._NAMES_KEPT,
    }
    assert metrics._NAMES_KEPT == frame_path._NAMES_KEPT
