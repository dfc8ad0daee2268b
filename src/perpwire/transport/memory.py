"""HTTP and WebSocket without a socket, for a connector and an exchange in one process, also in virtual time.

Every byte is handed over by the event loop's `call_soon`, in order for each direction of each socket, so a run is the
same each time. A server is anything that has the methods of MemoryServer (simulator/in_process.py is one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from perpwire.clock import Clock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import Socket, SocketListener, TransportFailed


class MemoryReceiver(Protocol):
    """The server's ear on one socket."""

    def on_text(self, text: bytes) -> None: ...

    def on_ping(self) -> None:
        """The client pinged; the pong is on its way."""
        ...

    def on_closed(self) -> None: ...


class MemoryServer(Protocol):
    """A server that lives at a host name of a MemoryNetwork."""

    async def http(self, request: HttpRequest) -> HttpReply:
        """
        Raises:
            TransportFailed: Refused, or the answer is lost.
        """
        ...

    async def accept(self, target: str, peer: MemoryPeer) -> MemoryReceiver:
        """A client opens a WebSocket at `target` (path and query).

        Raises:
            TransportFailed: Refused.
        """
        ...


class MemoryPeer:
    """The server's end of one socket."""

    def __init__(self, listener: SocketListener, clock: Clock) -> None:
        self._listener = listener
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.receiver: MemoryReceiver | None = None
        self.is_open = True
        self._unread: list[bytes] = []
        """What is sent in one turn of the event loop is read together."""
        self.silent = False
        """Half-open: the peer neither answers pings nor delivers anything, and no end is seen."""

    def send(self, text: bytes) -> None:
        if self.is_open and not self.silent:
            if not self._unread:
                self._loop.call_soon(self._deliver)
            self._unread.append(text)

    def _deliver(self) -> None:
        read, self._unread = self._unread, []
        if self._listener_hears:
            self._listener.on_frames(read, self._clock.time_ns())

    @property
    def _listener_hears(self) -> bool:
        return not self._told_closed

    _told_closed = False

    def close(self, reason: str = "closed by the server") -> None:
        """End it after everything sent so far has been delivered."""
        if self.is_open:
            self.is_open = False
            self._loop.call_soon(self._tell_closed, reason)
            if self.receiver is not None:
                self._loop.call_soon(self.receiver.on_closed)

    def _tell_closed(self, reason: str) -> None:
        if not self._told_closed:
            self._told_closed = True
            self._listener.on_closed(reason)

    # --- the client's hand on it ---

    def from_client(self, text: bytes) -> bool:
        if not self.is_open or self.receiver is None:
            return False
        self._loop.call_soon(self._to_receiver, text)
        return True

    def _to_receiver(self, text: bytes) -> None:
        if self.is_open and self.receiver is not None:
            self.receiver.on_text(text)

    def ping_from_client(self) -> None:
        if self.is_open and not self.silent:
            self._loop.call_soon(self._pong)

    def _pong(self) -> None:
        if self.is_open and self.receiver is not None:
            self.receiver.on_ping()
        if self._listener_hears:
            self._listener.on_pong()

    def closed_by_client(self) -> None:
        self._loop.call_soon(self._tell_closed, "closed by us")
        if self.is_open:
            self.is_open = False
            if self.receiver is not None:
                self._loop.call_soon(self.receiver.on_closed)


class _MemorySocket:
    def __init__(self, peer: MemoryPeer) -> None:
        self._peer = peer

    def send(self, text: bytes) -> bool:
        return self._peer.from_client(text)

    def ping(self) -> None:
        self._peer.ping_from_client()

    def close(self) -> None:
        self._peer.closed_by_client()

    abort = close


class MemoryNetwork:
    """Host names and the servers behind them; is both transports of a connector."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._servers: dict[str, MemoryServer] = {}
        # In the order of their beginning, so that they end in the same order each time.
        self._peers: dict[MemoryPeer, None] = {}
        self._calls: dict[asyncio.Task[HttpReply], None] = {}
        self.watch: Callable[[str, HttpRequest], Callable[[HttpReply], None]] | None = None
        """Told of each HTTP request as it leaves, with its base URL; gives what is told of the answer."""

    def serve(self, host: str, server: MemoryServer) -> None:
        self._servers[host] = server

    def unserve(self, host: str) -> None:
        """The host stops listening: connections are refused. Open sockets stay."""
        self._servers.pop(host, None)

    def _server(self, url: str) -> MemoryServer:
        host = urlsplit(url).netloc
        server = self._servers.get(host)
        if server is None:
            raise TransportFailed(f"connection to {host} refused", may_have_been_sent=False)
        return server

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        server = self._server(base_url)
        answered = None if self.watch is None else self.watch(base_url, request)
        # A request that has left goes on at the server, whatever becomes of its caller.
        call = asyncio.get_running_loop().create_task(server.http(request))
        self._calls[call] = None
        call.add_done_callback(self._forget)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await asyncio.shield(call)
        except TimeoutError:
            raise TransportFailed(f"no answer within {timeout_s:g} s", may_have_been_sent=True) from None
        if answered is not None:
            answered(reply)
        return reply

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        server = self._server(url)
        parts = urlsplit(url)
        peer = MemoryPeer(listener, self._clock)
        try:
            async with asyncio.timeout(timeout_s):
                peer.receiver = await server.accept(parts.path + (f"?{parts.query}" if parts.query else ""), peer)
        except TimeoutError:
            raise TransportFailed(f"no handshake within {timeout_s:g} s", may_have_been_sent=True) from None
        self._peers = {one: None for one in self._peers if one.is_open}
        self._peers[peer] = None
        return _MemorySocket(peer)

    async def close(self) -> None:
        for peer in tuple(self._peers):
            if peer.is_open:
                peer.closed_by_client()
        self._peers.clear()
        calls = tuple(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _forget(self, call: asyncio.Task[HttpReply]) -> None:
        self._calls.pop(call, None)
        if not call.cancelled():
            call.exception()  # told to the caller, if it is still there
