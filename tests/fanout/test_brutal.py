"""Whatever is done to the server for some seconds: each event is read once, and in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

import pytest
from tests.fanout.conftest import RedisServer
from tests.fanout.hearing import connector, say, trade, until

from perpwire.fanout import link, producer, reader
from perpwire.fanout.producer import Fanout
from perpwire.fanout.reader import Since, read
from perpwire.model.market import Trade
from perpwire.model.written import Told

pytestmark = pytest.mark.slow

GIVE_UP_S = 60.0
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


async def torment(server: RedisServer, rng: random.Random, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        await asyncio.sleep(rng.uniform(0.05, 0.4))
        match rng.choice(("kill", "hang up", "pause", "stop", "no memory")):
            case "kill":
                server.kill()
                await asyncio.sleep(rng.uniform(0.0, 0.2))
                await server.start()
            case "hang up":
                await server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            case "pause":
                await server.ask("CLIENT", "PAUSE", rng.randrange(50, 700), rng.choice(("ALL", "WRITE")))
            case "stop":
                os.kill(server.pid, signal.SIGSTOP)
                await asyncio.sleep(rng.uniform(0.05, 0.6))
                os.kill(server.pid, signal.SIGCONT)
            case "no memory":
                await server.ask("CONFIG", "SET", "maxmemory", "1mb")
                await asyncio.sleep(rng.uniform(0.0, 0.2))
                await server.ask("CONFIG", "SET", "maxmemory", "0")


async def read_all(server: RedisServer, rng: random.Random, counts: dict[str, int], ended: asyncio.Event) -> list[Told]:
    """By one reader after the other, each from where the one before it was."""
    found: list[Told] = []
    since: Since = "oldest"
    give_up_s = time.monotonic() + GIVE_UP_S
    while not ended.is_set() or len(found) < sum(counts.values()):
        async with read(server.url(), since=since) as one:
            until_s = time.monotonic() + rng.uniform(0.2, 1.5)
            # Not left to a cancellation alone: wait_for may swallow one.
            assert until_s < give_up_s, f"{len(found)} of {counts} were read; {one.position}"
            while time.monotonic() < until_s:
                try:
                    found.append(await asyncio.wait_for(anext(one), 0.1))
                except TimeoutError:
                    pass
            since = one.position
            assert one.gaps == 0
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_event_is_read_once_and_in_order_whatever_befalls_the_server(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.25)
    for module in (producer, reader):
        monkeypatch.setattr(module, "MOST_PAUSE_S", 0.1)
    monkeypatch.setattr(reader, "LOOK_S", 0.3)
    monkeypatch.setattr(reader, "WAIT_S", 0.2)
    rng = random.Random(seed)
    heard, counts, ended = connector(), dict.fromkeys(SYMBOLS, 0), asyncio.Event()
    async with Fanout(redis_server.url(), most_kept=1_000_000) as out:
        out.add(heard)
        reading = asyncio.create_task(read_all(redis_server, random.Random(seed + 1), counts, ended))
        tormenting = asyncio.create_task(torment(redis_server, random.Random(seed + 2), 4.0))
        while not tormenting.done():
            for _ in range(rng.randrange(1, 20)):
                symbol = rng.choice(SYMBOLS)
                counts[symbol] += 1
                say(heard, trade(counts[symbol], symbol))
            await asyncio.sleep(0.01)
        await tormenting
        redis_server.kill()
        await redis_server.start()
        await until(lambda: out.snapshot().waiting == 0, "all is sent")
        assert out.snapshot().dropped["market"] == 0
        ended.set()
        found = await reading
    for symbol, count in counts.items():
        assert [one.trade_id for one in found if isinstance(one, Trade) and one.symbol == symbol] == [
            *range(1, count + 1)
        ]
    assert len(found) == sum(counts.values())
