"""What the fan-out costs: `python benchmarks/bench_fanout.py` prints microseconds of CPU an event, as JSON.

It starts a redis-server of its own on loopback. Events come at a steady rate, as from a socket that has some to say at
each turn of the loop; what is measured is this process' CPU time, with and without the fan-out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.fanout.producer import Fanout
from perpwire.model.market import BookTicker, Event, Trade
from perpwire.venues import load

BURST = 20


def events(count: int) -> list[Event]:
    price, quantity = Decimal("50000.10"), Decimal("0.012")
    made: list[Event] = []
    for number in range(count):
        if number % 2:
            made.append(
                Trade(venue="bybit", symbol="BTCUSDT", venue_time_ms=number, received_ns=number, trade_id=number,
                      price=price, quantity=quantity, buyer_is_maker=True)
            )  # fmt: skip
        else:
            made.append(
                BookTicker(venue="bybit", symbol="BTCUSDT", venue_time_ms=number, received_ns=number, bid_price=price,
                           bid_quantity=quantity, ask_price=price, ask_quantity=quantity, update_id=number)
            )  # fmt: skip
    return made


def cpu_of(pid: int) -> float:
    """Seconds of CPU that another process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def heard(connector: VenueConnector, told: list[Event], rate: float) -> tuple[float, float]:
    """CPU seconds of this process, and the longest that the loop was late, while these are heard at a rate a second."""
    deliver, longest = connector.streams.frames.deliver, 0.0
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(told), BURST):
        due = began + at / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        longest = max(longest, time.perf_counter() - due)
        for event in told[at : at + BURST]:
            deliver(event)
    return time.process_time() - cpu, longest


async def measure(count: int, rate: float, repeat: int) -> dict[str, float]:
    told, best = events(count), dict[str, float]()

    def note(**figures: float) -> None:
        for name, value in figures.items():
            best[name] = min(value, best.get(name, value))

    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = subprocess.Popen(  # noqa: ASYNC220
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(repeat):
                plain = VenueConnector(load("bybit"))
                for kind in (Trade, BookTicker):
                    plain.on(kind, lambda _: None)
                cpu, _ = await heard(plain, told, rate)
                note(without_us=cpu / count * 1e6)

                connector = VenueConnector(load("bybit"))
                fanout = Fanout(f"redis://127.0.0.1:{port}", market=count)
                fanout.add(connector)
                cpu_before = time.process_time()
                for event in told:
                    connector.streams.frames.deliver(event)
                note(in_the_read_callback_us=(time.process_time() - cpu_before) / count * 1e6)
                await fanout.close()

                connector = VenueConnector(load("bybit"))
                async with Fanout(f"redis://127.0.0.1:{port}", market=count) as fanout:
                    fanout.add(connector)
                    server_before = cpu_of(server.pid)
                    cpu, longest = await heard(connector, told, rate)
                    cpu_before = time.process_time()
                    await fanout.close(60)
                    cpu += time.process_time() - cpu_before
                    note(
                        with_us=cpu / count * 1e6, redis_us=(cpu_of(server.pid) - server_before) / count * 1e6,
                        loop_late_ms=longest * 1e3,
                    )  # fmt: skip
                    assert fanout.snapshot().sent == count
        finally:
            server.kill()
            server.wait()
    return {**{name: round(value, 2) for name, value in best.items()},
            "costs_us": round(best["with_us"] - best["without_us"], 2), "events_per_s": rate}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=5_000.0, help="events a second")
    parser.add_argument("--repeat", type=int, default=3)
    said = parser.parse_args()
    logging.disable()  # of one fan-out it says rightly that nothing of it was sent
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(measure(said.events, said.rate, said.repeat))))


if __name__ == "__main__":
    main()
