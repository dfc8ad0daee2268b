"""Bybit's sockets behind their host: what only a real connection shows."""

from __future__ import annotations

import asyncio

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.in_process import in_process
from perpwire.simulator.simulation import Simulation
from perpwire.transport.base import TransportFailed
from perpwire.transport.memory import MemoryNetwork
from perpwire.venues.bybit.sim import doors


class Client:
    """A client's end that only notes what it hears."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.pongs = 0
        self.closed: str | None = None

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self.frames += frames

    def on_pong(self) -> None:
        self.pongs += 1

    def on_closed(self, reason: str) -> None:
        self.closed = reason


def address(simulation: Simulation) -> str:
    return simulation.urls["bybit"].replace("http", "ws", 1) + "/v5/private?max_active_time=30s"


def test_websocket_pings_alone_do_not_keep_a_socket_open() -> None:
    clock = ManualClock()

    async def main() -> None:
        network = MemoryNetwork(clock)
        async with in_process(network, clock, venues=("bybit",), rate=0.0) as simulation:
            pinging, saying = Client(), Client()
            socket = await network.connect(address(simulation), pinging, 5.0)
            other = await network.connect(address(simulation), saying, 5.0)
            for _ in range(8):
                await asyncio.sleep(10)
                if pinging.closed is None:
                    socket.ping()
                other.send(b'{"op":"ping"}')
            await asyncio.sleep(1)
            assert pinging.pongs >= 2  # each was answered as long as it lived
            assert pinging.closed is not None
            assert "idle" in pinging.closed
            assert saying.closed is None
            assert len(saying.frames) == 8
        await network.close()

    clock.run(main())


def test_an_address_that_opens_too_many_sockets_is_refused_with_a_status() -> None:
    clock = ManualClock()

    async def main() -> None:
        network = MemoryNetwork(clock)
        async with in_process(network, clock, venues=("bybit",), rate=0.0) as simulation:
            url = address(simulation)
            for _ in range(doors.NEW_CONNECTIONS):
                (await network.connect(url, Client(), 5.0)).close()
            with pytest.raises(TransportFailed, match="403"):
                await network.connect(url, Client(), 5.0)
            await asyncio.sleep(doors.NEW_PERIOD_S)
            (await network.connect(url, Client(), 5.0)).close()
        await network.close()

    clock.run(main())
