"""What strangers send to the page that is no HTTP: refused, counted, and no more than a line in the log."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import ClientSession
from aiohttp.http_exceptions import BadHttpMessage

from perpwire.clock import ManualClock, SystemClock
from perpwire.gateway.pages import Pages
from perpwire.gateway.server_log import PACE_S, ServerLog
from perpwire.gateway.showing import Shown
from perpwire.monitoring.observer import Observer

JUNK = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
)


def broken() -> tuple[bytes, str]:
    raise ZeroDivisionError


async def test_what_is_no_http_is_one_line_and_our_own_errors_are_told_whole(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = SystemClock()
    pages = Pages(Shown(Observer(clock), clock), broken, clock, port=0)
    await pages.start()
    for junk in JUNK * 4:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(pages.address.rpartition(":")[2]))
        writer.write(junk)
        assert (await reader.read(100)).startswith(b"HTTP/1.0 400 ")
        writer.close()
    (line,) = caplog.records
    assert (line.name, line.levelno, line.exc_info) == ("perpwire.gateway", logging.INFO, None)
    assert line.getMessage() == "requests that are no HTTP are refused: 1 until now, the last from 127.0.0.1"
    async with ClientSession(pages.address) as client:
        assert (await client.get("/metrics")).status == 500
    assert "ZeroDivisionError" in caplog.text
    await pages.close()


def test_they_are_counted_and_told_again_only_after_some_time(
    caplog: pytest.LogCaptureFixture, clock: ManualClock
) -> None:
    caplog.set_level(logging.INFO)
    log = ServerLog(logging.getLogger("perpwire.gateway"), clock)
    for _ in range(3):
        for _ in range(100):
            log.exception("Error handling request from %s", "10.0.0.9", exc_info=BadHttpMessage("no"))
        clock.advance(PACE_S)
    assert log.unreadable == 300
    assert [record.getMessage().split(":")[1].split()[0] for record in caplog.records] == ["1", "101", "201"]
