"""The same world over loopback: a served exchange, the transports of a user's connector, and the machine's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Unpack

from perpwire.clock import SystemClock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.server import running
from perpwire.simulator.simulation import SetupOptions
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World
from perpwire.transport.base import Socket, SocketListener
from perpwire.transport.http1 import http_transport
from perpwire.transport.memory import MemoryNetwork
from perpwire.transport.websocket import PicowsTransport


class Wires(MemoryNetwork):
    """Real sockets behind the face of a network in memory, so that a scenario can't tell which it plays on."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self._http = http_transport()
        self._real = PicowsTransport(clock)

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        answered = None if self.watch is None else self.watch(base_url, request)
        reply = await self._http.exchange(base_url, request, timeout_s)
        if answered is not None:
            answered(reply)
        return reply

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        return await self._real.connect(url, listener, timeout_s)

    async def close(self) -> None:
        await self._real.close()
        await self._http.close()
        await super().close()


@asynccontextmanager
async def over_sockets(clock: SystemClock, **options: Unpack[SetupOptions]) -> AsyncIterator[World]:
    """See perpwire.testing.offline: the same, over 127.0.0.1."""
    accounts = options.get("accounts", (AccountSpec(),))
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(clock=clock, **options))
        wires = Wires(clock)
        stack.push_async_callback(wires.close)
        world = World(simulation, wires, clock, options.get("seed", 7), accounts[0])
        for venue in simulation.urls:
            world.connectors[venue] = await stack.enter_async_context(world.connector(venue))
        yield world
