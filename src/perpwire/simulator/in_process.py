"""The simulation without sockets, behind transport.memory: also in virtual time, where each run is the same again.

A client reaches venue "binance" at host `binance.sim`, and so on. Refusing connections refuses HTTP calls too, as calls
have no connections of their own here. The venue's own WebSocket pings count as answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Unpack

from perpwire.clock import Clock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.connection import Connection
from perpwire.simulator.dialect import IncomingRequest, SocketRefused
from perpwire.simulator.host import ExchangeLost, Host
from perpwire.simulator.simulation import Setup, SetupOptions, Simulation, build_hosts, start
from perpwire.transport.base import TransportFailed
from perpwire.transport.memory import MemoryNetwork, MemoryPeer, MemoryReceiver


@asynccontextmanager
async def in_process(
    network: MemoryNetwork, clock: Clock, **options: Unpack[SetupOptions]
) -> AsyncIterator[Simulation]:
    """Serve the venues in `network` while the block runs. The options are those of simulation.Setup."""
    setup = Setup(**options)
    hosts = build_hosts(setup, clock)
    for venue, host in hosts.items():
        network.serve(f"{venue}.sim", _Server(host))
    try:
        start(hosts, setup)
        yield Simulation(hosts, {venue: f"http://{venue}.sim" for venue in hosts})
    finally:
        for venue, host in hosts.items():
            network.unserve(f"{venue}.sim")
            host.close()


class _Server:
    """See transport.memory.MemoryServer."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def _check_open(self) -> None:
        if self._host.is_refusing:
            raise TransportFailed("connection refused", may_have_been_sent=False)

    async def http(self, request: HttpRequest) -> HttpReply:
        path, _, query = request.target.partition("?")
        if not path.startswith("/sim/"):
            self._check_open()
        incoming = IncomingRequest(
            method=request.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.body,
        )
        try:
            reply = await self._host.handle_http(incoming)
        except ExchangeLost as lost:
            raise await _lose(lost) from None
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return HttpReply(status=reply.status, headers=headers, body=reply.body)

    async def accept(self, target: str, peer: MemoryPeer) -> MemoryReceiver:
        self._check_open()
        path, _, query = target.partition("?")
        try:
            channel = _Channel(peer)
            channel.connection = await self._host.open_socket(path, query, channel)
        except SocketRefused as refused:
            raise TransportFailed(f"handshake answered with HTTP {refused.status}", may_have_been_sent=True) from None
        except ExchangeLost as lost:
            raise await _lose(lost) from None
        return _Receiver(channel.connection)


async def _lose(lost: ExchangeLost) -> TransportFailed:
    if lost.how == "silence":
        await asyncio.Event().wait()  # until the client's own time is up
    return TransportFailed("connection reset by peer", may_have_been_sent=True)


class _Channel:
    """See connection.Channel. A message in pieces is there with its last one."""

    def __init__(self, peer: MemoryPeer) -> None:
        self._peer = peer
        self.connection: Connection | None = None

    def send(self, text: bytes) -> None:
        self._peer.send(text)

    def send_piece(self, text: bytes, index: int, count: int, how: Literal["frames", "segments"]) -> None:
        if index == count - 1:
            self._peer.send(text)

    def ping(self, payload: bytes) -> None:
        if self.connection is not None:
            self.connection.on_pong()

    def silence(self) -> None:
        self._peer.silent = True

    def cut(self) -> None:
        self._peer.close("connection lost")

    def reset(self) -> None:
        self._peer.close("connection reset by peer")

    def close(self, code: int, reason: str) -> None:
        self._peer.close(f"closed by the server: {code} {reason}".rstrip())


class _Receiver:
    """See transport.memory.MemoryReceiver."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def on_text(self, text: bytes) -> None:
        self._connection.receive(text)

    def on_ping(self) -> None:
        self._connection.on_ping()

    def on_closed(self) -> None:
        self._connection.ended("closed by the client")
