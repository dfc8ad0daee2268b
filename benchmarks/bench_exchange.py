"""How much the embedded exchange serves on one core: a hundred WebSockets over loopback, subscribed to busy streams.

    python benchmarks/bench_exchange.py [--seconds 8] [--rate 300] [--connections 100] [--json FILE]

The exchange runs in a process of its own, pinned to one core; the clients run in this one, on another. They parse no
more of a frame than its length, and of some the time stamp that the venue put in. Lag is from there to being read here,
so it holds the whole way through both processes and the sockets between them; venues stamp whole milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

VENUES = ("binance", "bybit")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
WARM_UP_S = 1.5

BINANCE_PUBLIC = ("bookTicker", "depth@100ms", "depth20@100ms")
BINANCE_MARKET = ("aggTrade", "markPrice@1s", "kline_1m", "ticker")
BYBIT = ("orderbook.1", "orderbook.50", "publicTrade", "tickers", "kline.1")

_STAMP = re.compile(rb'"(?:E|ts)":(\d{13})')
_EVERY = 41  # of so many frames one is looked at for its time


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


# --- the exchange's process -------------------------------------------------------------------------------------------


async def serve(rate: float) -> None:
    """Tell the addresses on stdout, then the CPU time used so far for every line on stdin, until stdin ends."""
    from perpwire.simulator.server import running

    async with running(venues=VENUES, rate=rate) as simulation:
        print(json.dumps(simulation.urls), flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(time.process_time(), flush=True)


# --- the clients ------------------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """Counts frames and bytes, answers pings, and notes how late some of them are."""

    def __init__(self, path: str, subscription: bytes) -> None:
        self._path = path
        self._subscription = subscription
        self._rest = b""
        self._is_open = False
        self.frames = 0
        self.bytes = 0
        self.lags_ms: list[float] = []
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.failure = f"the exchange closed {self._path}: {error}"
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(self.failure))

    def data_received(self, data: bytes) -> None:
        now_ms = time.time_ns() / 1e6
        buffer = self._rest + data if self._rest else data
        at, size = 0, len(buffer)
        if not self._is_open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._rest = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(buffer[:200].decode("latin-1"))
            at, self._is_open = end + 4, True
            if self._subscription:
                self._transport.write(masked(0x1, self._subscription))
            self.opened.set_result(None)
        while size - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length >= 126:
                wide = 2 if length == 126 else 8
                if size - start < wide:
                    break
                length, start = int.from_bytes(buffer[start : start + wide]), start + wide
            if size - start < length:
                break
            if buffer[at] == 0x89:
                self._transport.write(masked(0xA, buffer[start : start + length]))
            else:
                self.frames += 1
                self.bytes += length
                if not self.frames % _EVERY:
                    stamp = _STAMP.search(buffer, start, start + length)
                    if stamp is not None:
                        self.lags_ms.append(now_ms - int(stamp[1]))
            at = start + length
        self._rest = buffer[at:]


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame, with a mask of zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + size.to_bytes(2)
    return bytes((0x80 | opcode,)) + length + bytes(4) + payload


async def connect(urls: dict[str, str], count: int) -> list[Client]:
    """Half of the sockets on each venue; of Binance's, three of four on its public route."""
    clients: list[Client] = []
    for number in range(count):
        venue = VENUES[number % 2]
        subscription = b""
        if venue == "bybit":
            path = "/v5/public/linear"
            topics = [f"{topic}.{symbol}" for symbol in SYMBOLS for topic in BYBIT]
            subscription = json.dumps({"op": "subscribe", "args": topics}).encode()
        else:
            route, kinds = ("market", BINANCE_MARKET) if number % 8 == 0 else ("public", BINANCE_PUBLIC)
            streams = "/".join(f"{symbol.lower()}@{kind}" for symbol in SYMBOLS for kind in kinds)
            path = f"/{route}/stream?streams={streams}"
        clients.append(await opened(urls[venue], path, subscription))
    return clients


async def opened(url: str, path: str, subscription: bytes) -> Client:
    host, port = url.removeprefix("http://").split(":")
    client = Client(path, subscription)
    await asyncio.get_running_loop().create_connection(lambda: client, host, int(port))
    await client.opened
    return client


async def measure(exchange: subprocess.Popen[str], seconds: float, count: int) -> dict[str, float]:
    assert exchange.stdin is not None
    assert exchange.stdout is not None
    urls = json.loads(exchange.stdout.readline())

    def cpu_s() -> float:
        assert exchange.stdin is not None
        assert exchange.stdout is not None
        exchange.stdin.write("\n")
        exchange.stdin.flush()
        return float(exchange.stdout.readline())

    loop = asyncio.get_running_loop()
    clients = await connect(urls, count)
    await asyncio.sleep(WARM_UP_S)
    cpu_before = await loop.run_in_executor(None, cpu_s)
    began, own_before = time.perf_counter(), time.process_time()
    for client in clients:
        client.lags_ms.clear()
    before = sum(client.frames for client in clients), sum(client.bytes for client in clients)
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    messages = sum(client.frames for client in clients) - before[0]
    size = sum(client.bytes for client in clients) - before[1]
    lags = sorted(lag for client in clients for lag in client.lags_ms)
    own = time.process_time() - own_before
    used = await loop.run_in_executor(None, cpu_s) - cpu_before
    lost = [client.failure for client in clients if client.failure]
    if lost:
        raise SystemExit(f"{len(lost)} connections were lost; {lost[0]}")
    return {
        "connections": count,
        "seconds": round(took, 2),
        "messages_per_s": round(messages / took),
        "megabytes_per_s": round(size / took / 1e6, 1),
        "exchange_cpu_share": round(used / took, 3),
        "exchange_cpu_us_per_message": round(used / messages * 1e6, 2),
        "client_cpu_share": round(own / took, 3),
        "lag_p50_ms": round(lags[len(lags) // 2], 2),
        "lag_p99_ms": round(lags[len(lags) * 99 // 100], 2),
        "lag_max_ms": round(lags[-1], 2),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=8.0, help="how long is measured")
    asked.add_argument("--rate", type=float, default=300.0, help="background events a second of each of six symbols")
    asked.add_argument("--connections", type=int, default=100)
    asked.add_argument("--json", type=Path, help="write the figures into this file")
    asked.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.serve:
        pin(0)
        asyncio.run(serve(options.rate))
        return
    pin(1)
    command = [sys.executable, __file__, "--serve", "--rate", str(options.rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as exchange:
        try:
            figures = asyncio.run(measure(exchange, options.seconds, options.connections))
        finally:
            assert exchange.stdin is not None
            exchange.stdin.close()
    print(json.dumps({"rate": options.rate, **figures}))
    print(
        f"{figures['messages_per_s']:,} messages a second to {options.connections} connections at "
        f"{figures['exchange_cpu_share']:.0%} of one core ({figures['exchange_cpu_us_per_message']} us each); "
        f"lag p50 {figures['lag_p50_ms']} ms, p99 {figures['lag_p99_ms']} ms"
    )
    if options.json is not None:
        options.json.write_text(json.dumps({"rate": options.rate, **figures}) + "\n")


if __name__ == "__main__":
    main()
