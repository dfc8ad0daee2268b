"""What docs/fanout.md shows runs as it stands, with a server and an exchange behind it."""

from __future__ import annotations

import asyncio

import pytest
from tests.docs.test_code import blocks, run
from tests.fanout.conftest import RedisServer

from perpwire.simulator.server import running


@pytest.mark.slow
async def test_both_ends_are_as_the_page_says(redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    writing, reading = blocks("fanout.md")
    async with running(venues=["bybit"]) as exchange, asyncio.timeout(30):

        async def until_read() -> None:
            await run(reading, redis=redis_server.url())

        await run(writing, exchange=exchange.urls["bybit"], redis=redis_server.url(), until_read=until_read)
    symbol, price, _ = capsys.readouterr().out.split()
    assert symbol == "BTCUSDT"
    assert float(price) > 1000
