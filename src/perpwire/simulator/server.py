"""The simulation over loopback: for each venue one port on 127.0.0.1 that speaks its REST and its WebSockets."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Unpack

from aiohttp import WSMsgType, web

from perpwire.clock import Clock, SystemClock
from perpwire.simulator.dialect import IncomingRequest, SocketRefused
from perpwire.simulator.host import Connection, ExchangeLost, Host
from perpwire.simulator.simulation import Setup, SetupOptions, Simulation, build_hosts, start

logger = logging.getLogger("perpwire.simulator")

ADDRESS = "127.0.0.1"
QUEUE_BYTES = 16 * 1024 * 1024
"""What may wait for a client that does not read; then its connection is dropped."""

LINGER_S = 1.0
"""How long an ending connection may take to deliver what was sent."""

SILENCE_S = 60.0
"""How long a call that never gets an answer keeps its connection."""

_SHUTDOWN_S = 0.3
_BACKLOG = 512


@asynccontextmanager
async def running(
    *, clock: Clock | None = None, ports: Mapping[str, int] | None = None, **options: Unpack[SetupOptions]
) -> AsyncIterator[Simulation]:
    """Serve the venues while the block runs. The other options are those of simulation.Setup.

    Args:
        clock: The machine's, if None.
        ports: Venue -> port; 0, or a venue left out, for a free one.

    Raises:
        OSError: A port is taken.
    """
    setup = Setup(**options)
    hosts = build_hosts(setup, clock or SystemClock())
    ports = ports or {}
    servers: dict[str, _Server] = {}
    try:
        for venue, host in hosts.items():
            servers[venue] = _Server(host)
            await servers[venue].open(ports.get(venue, 0))
        start(hosts, setup)
        yield Simulation(hosts, {venue: f"http://{ADDRESS}:{server.port}" for venue, server in servers.items()})
    finally:
        for host in hosts.values():
            host.close()
        await asyncio.gather(*(server.close() for server in servers.values()))


class _Server:
    """One venue's port."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=_SHUTDOWN_S)
        self._channels: set[_Channel] = set()
        self._closing = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        host.listens = self._set_listening

    # --- listening ----------------------------------------------------------------------------------------------------

    async def open(self, port: int) -> None:
        # Alone on it first: a port that another simulation shares with itself must not be shared with us.
        with _bound(port, is_shared=False) as alone:
            port = alone.getsockname()[1]
        self.port = port
        # This socket never listens. It keeps the port ours while connections are refused.
        self._reserved = _bound(port, is_shared=True)
        await self._runner.setup()
        await self._accept_on(self._listening())

    def _listening(self) -> socket.socket:
        """A socket that takes connections from now on; they wait until they are accepted."""
        listening = _bound(self.port, is_shared=True)
        listening.listen(_BACKLOG)
        return listening

    async def _accept_on(self, listening: socket.socket) -> None:
        server = self._runner.server
        assert server is not None  # made by setup
        listener = await asyncio.get_running_loop().create_server(server, sock=listening, backlog=_BACKLOG)
        if self._host.is_refusing:  # since a moment ago
            listener.close()
        else:
            self._listener = listener

    def _set_listening(self, is_welcome: bool) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if is_welcome and not self._closing.is_set():
            self._task = asyncio.get_running_loop().create_task(self._accept_on(self._listening()))

    async def close(self) -> None:
        self._closing.set()
        if self._task is not None:
            await self._task
        if self._listener is not None:
            self._listener.close()
        if self._channels:
            await asyncio.wait([channel.done for channel in self._channels], timeout=_SHUTDOWN_S)
        for channel in tuple(self._channels):
            channel.abort()
        await self._runner.cleanup()
        if self._reserved is not None:
            self._reserved.close()

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._serve_socket(request, path, query)
        incoming = IncomingRequest(
            method=request.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            peer=request.remote or "",
        )
        try:
            reply = await self._host.handle_http(incoming)
        except ExchangeLost as lost:
            if lost.how == "silence":
                await _wait_for(self._closing, SILENCE_S)
            _reset(request.transport)
            return web.Response()
        except Exception:
            logger.exception("the %s dialect failed on %s %s", self._host.venue, request.method, path)
            return web.Response(status=500)
        headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-length"}
        return web.Response(status=reply.status, headers=headers, body=reply.body)

    async def _serve_socket(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        channel = _Channel(request)
        try:
            connection = await self._host.open_socket(path, query, channel)
        except SocketRefused as refused:
            return web.Response(status=refused.status, body=refused.body)
        self._channels.add(channel)
        try:
            await channel.serve(connection)
        finally:
            connection.ended("closed by the client")
            self._channels.discard(channel)
        return channel.response


class _Channel:
    """See host.Channel. Frames wait in a queue for the one task that writes them, so they go out in order."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=LINGER_S)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue: deque[tuple[WSMsgType, bytes]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._ending: tuple[int, str] | str = ""
        self._is_silent = False
        self._linger: asyncio.TimerHandle | None = None

    # --- the host's side ----------------------------------------------------------------------------------------------

    def send(self, text: bytes) -> None:
        self._put(WSMsgType.TEXT, text)

    def ping(self, payload: bytes) -> None:
        self._put(WSMsgType.PING, payload)

    def silence(self) -> None:
        self._is_silent = True

    def cut(self) -> None:
        self._end("cut")

    def close(self, code: int, reason: str) -> None:
        self._end((code, reason))

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    def _put(self, kind: WSMsgType, payload: bytes) -> None:
        if self._ending:
            return
        self._queue.append((kind, payload))
        self._queued_bytes += len(payload)
        if self._queued_bytes > QUEUE_BYTES:
            self._queue.clear()
            self.abort()
        self._wake.set()

    def _end(self, how: tuple[int, str] | str) -> None:
        if not self._ending:
            self._ending = how
            self._wake.set()
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.abort)

    # --- the client's side --------------------------------------------------------------------------------------------

    async def serve(self, connection: Connection) -> None:
        """Shake hands, then read and write until the socket ends."""
        try:
            await self.response.prepare(self._request)
            writer = asyncio.create_task(self._write())
            try:
                await self._read(connection)
            finally:
                if self._ending:
                    await asyncio.wait([writer], timeout=LINGER_S)
                writer.cancel()
                await asyncio.wait([writer])
        finally:
            if self._linger is not None:
                self._linger.cancel()
            self.done.set_result(None)

    async def _read(self, connection: Connection) -> None:
        while True:
            message = await self.response.receive()
            match message.type:
                case WSMsgType.TEXT:
                    connection.receive(message.data.encode())
                case WSMsgType.BINARY:
                    connection.receive(message.data)
                case WSMsgType.PING:
                    if not self._is_silent:
                        self._put(WSMsgType.PONG, bytes(message.data))
                case WSMsgType.PONG:
                    connection.on_pong()
                case WSMsgType.CLOSE:
                    if not self._is_silent and not self._ending:
                        await self.response.close()
                    return
                case _:
                    return

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    kind, payload = self._queue.popleft()
                    self._queued_bytes -= len(payload)
                    await self.response.send_frame(payload, kind)
                if self._ending:
                    break
            await self._finish()
        except ConnectionError:
            self.abort()

    async def _finish(self) -> None:
        """Everything was sent: end as it was asked for."""
        if isinstance(self._ending, tuple):
            code, reason = self._ending
            await self.response.close(code=code, message=reason.encode()[:123])
        elif self._request.transport is not None and self._request.transport.can_write_eof():
            # Half a close, so that the client reads everything before it sees the end.
            self._request.transport.write_eof()


def _bound(port: int, *, is_shared: bool) -> socket.socket:
    """A socket bound to this port; a shared one tolerates other shared ones there.

    Raises:
        OSError: The port is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Not both: with REUSEADDR a strange socket could join while none of ours listens. Windows shares by REUSEADDR.
    share = getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)
    bound.setsockopt(socket.SOL_SOCKET, share if is_shared else socket.SO_REUSEADDR, 1)
    try:
        bound.bind((ADDRESS, port))
    except OSError:
        bound.close()
        raise
    return bound


def _reset(transport: asyncio.Transport | None) -> None:
    """End a connection with a TCP reset."""
    if transport is None:
        return
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _wait_for(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
