"""The simulation over loopback: for each venue one port on 127.0.0.1 that speaks its REST and its WebSockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Unpack

from aiohttp import WSMsgType, web

from perpwire.clock import Clock, SystemClock
from perpwire.http_message import HttpReply
from perpwire.simulator.connection import Connection
from perpwire.simulator.dialect import IncomingRequest, SocketRefused
from perpwire.simulator.frames import CONTINUATION, PING, PONG, TEXT, Frames, frame
from perpwire.simulator.host import ExchangeLost, Host
from perpwire.simulator.simulation import Setup, SetupOptions, Simulation, build_hosts, start

logger = logging.getLogger("perpwire.simulator")

ADDRESS = "127.0.0.1"
QUEUE_BYTES = 16 * 1024 * 1024
"""What may wait for a client that does not read; then its connection is dropped."""

LINGER_S = 1.0
"""How long an ending connection may take to deliver what was sent."""

SILENCE_S = 60.0
"""How long a call that never gets an answer keeps its connection."""

LONGEST_LINE = 128 * 1024
"""Bytes of an address: a thousand streams may be named in one."""

ZIPPED_BYTES = 1024
"""Answers from this size on go compressed to clients that take them so."""

_SHUTDOWN_S = 0.3
_BACKLOG = 512
_MOST_IDLE = 1000


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
        answering = web.Server(self._answer, access_log=None, max_line_size=LONGEST_LINE)
        self._runner = web.ServerRunner(answering, shutdown_timeout=_SHUTDOWN_S)
        self._channels: set[_Channel] = set()
        self._frames = Frames()
        self._idle: dict[asyncio.Transport, None] = {}
        self._answering: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        host.listens = self._set_listening
        host.close_idle = self._close_idle

    # --- listening ----------------------------------------------------------------------------------------------------

    async def open(self, port: int) -> None:
        try:
            # Alone on it first: a port that another simulation shares with itself must not be shared with us.
            with _bound(port, is_shared=False) as alone:
                port = alone.getsockname()[1]
        except OSError as error:
            raise OSError(error.errno, f"port {port}: {error.strerror}") from None
        self.port = port
        # This socket never listens. It keeps the port ours while connections are refused.
        self._reserved = _bound(port, is_shared=True)
        await self._runner.setup()
        await self._accept_on(self._listening())

    def _listening(self) -> socket.socket:
        """A socket that takes connections from now on; they wait until they are accepted."""
        listening = _bound(self.port, is_shared=True)
        # What it accepts inherits this; else nobody could have the port for a minute after we are gone.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
        # Calls whose client has gone go on, as they do at a venue, and are not the runner's any more.
        for task in self._answering:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering, timeout=_SHUTDOWN_S)
        if self._reserved is not None:
            self._reserved.close()

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self._idle.pop(transport, None)
        task = asyncio.current_task()
        assert task is not None  # aiohttp calls us in one
        self._answering.add(task)
        try:
            return await self._answer_one(request)
        finally:
            self._answering.discard(task)
            if transport is not None and not transport.is_closing():
                self._idle[transport] = None
            if len(self._idle) > _MOST_IDLE:
                self._idle = {one: None for one in self._idle if not one.is_closing()}

    async def _answer_one(self, request: web.BaseRequest) -> web.StreamResponse:
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
            return await self._lose(request, lost)
        except Exception:
            logger.exception("the %s dialect failed on %s %s", self._host.venue, request.method, path)
            return web.Response(status=500)
        headers, body = _without_length(reply), reply.body
        if len(body) >= ZIPPED_BYTES and _takes_gzip(request):
            headers["content-encoding"], body = "gzip", gzip.compress(body, 1, mtime=0)
        return web.Response(status=reply.status, headers=headers, body=body)

    async def _lose(self, request: web.BaseRequest, lost: ExchangeLost) -> web.StreamResponse:
        """See to it that the client gets no whole answer."""
        if lost.reply is not None:
            response = web.StreamResponse(status=lost.reply.status, headers=_without_length(lost.reply))
            response.content_length = len(lost.reply.body)
            await response.prepare(request)
            await response.write(lost.reply.body[: lost.part])
        elif lost.how == "silence":
            await _wait_for(self._closing, SILENCE_S)
        _reset(request.transport)
        return web.Response()

    async def _serve_socket(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        channel = _Channel(request, self._frames)
        try:
            connection = await self._host.open_socket(path, query, channel)
        except SocketRefused as refused:
            return web.Response(status=refused.status, body=refused.body)
        except ExchangeLost as lost:
            return await self._lose(request, lost)
        self._channels.add(channel)
        try:
            await channel.serve(connection)
        finally:
            connection.ended("closed by the client")
            self._channels.discard(channel)
        return channel.response

    def _close_idle(self) -> int:
        idle = [one for one in self._idle if not one.is_closing()]
        for transport in idle:
            transport.close()
        self._idle.clear()
        return len(idle)


class _Channel:
    """See connection.Channel. Frames go straight to the transport, which keeps what the client does not take."""

    def __init__(self, request: web.BaseRequest, frames: Frames) -> None:
        self._request = request
        self._frames = frames
        self.address = request.remote or ""
        self.response = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=LINGER_S)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._held: list[bytes] = []
        self._is_inside = False
        self._ending: Callable[[], None] | None = None
        self._is_silent = False
        self._closing: asyncio.Task[None] | None = None
        self._linger: asyncio.TimerHandle | None = None

    # --- the host's side ----------------------------------------------------------------------------------------------

    def send(self, text: bytes) -> None:
        self._write(self._frames.of(text))

    def send_piece(self, text: bytes, index: int, count: int, how: Literal["frames", "segments"]) -> None:
        whole = text if how == "frames" else frame(TEXT, text)
        piece = whole[len(whole) * index // count : len(whole) * (index + 1) // count]
        if how == "frames":
            piece = frame(CONTINUATION if index else TEXT, piece, is_last=index == count - 1)
        self._write(piece)
        self._is_inside = how == "segments" and index < count - 1
        if not self._is_inside:
            for data in self._held:
                self._write(data)
            self._held.clear()

    def ping(self, payload: bytes) -> None:
        self._control(frame(PING, payload))

    def _control(self, data: bytes) -> None:
        """Between the frames of a message, but not in the middle of one."""
        if self._is_inside:
            self._held.append(data)
        else:
            self._write(data)

    def silence(self) -> None:
        self._is_silent = True

    def cut(self) -> None:
        self._end(self._half_close)

    def reset(self) -> None:
        self._end(lambda: _reset(self._request.transport))

    def close(self, code: int, reason: str) -> None:
        def close() -> None:
            # Its frame goes out behind all others; the client's answer is waited for.
            closing = self.response.close(code=code, message=reason.encode()[:123])
            self._closing = asyncio.get_running_loop().create_task(_quietly(closing))

        self._end(close)

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    def _write(self, data: bytes) -> None:
        if self._ending is not None:
            return
        transport = self._transport
        if transport is None:  # the handshake is not answered yet
            self._early.append(data)
            return
        if transport.is_closing():  # the client has gone; it is told of in a moment
            return
        transport.write(data)
        if transport.get_write_buffer_size() > QUEUE_BYTES:
            self.abort()

    def _end(self, how: Callable[[], None]) -> None:
        if self._ending is None:
            self._ending = how
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self.abort)
            if self._transport is not None:
                how()

    def _half_close(self) -> None:
        """Half a close, so that the client reads everything before it sees the end."""
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()

    # --- the client's side --------------------------------------------------------------------------------------------

    async def serve(self, connection: Connection) -> None:
        """Shake hands, then read until the socket ends."""
        try:
            await self.response.prepare(self._request)
            self._transport = self._request.transport
            if self._transport is None:
                return
            self._transport.writelines(self._early)
            if self._ending is not None:
                self._ending()
            try:
                await self._read(connection)
            finally:
                if self._closing is not None:
                    await asyncio.wait([self._closing], timeout=LINGER_S)
        except ConnectionError:
            self.abort()
        finally:
            if self._closing is not None:
                self._closing.cancel()
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
                        self._control(frame(PONG, bytes(message.data)))
                        connection.on_ping()
                case WSMsgType.PONG:
                    connection.on_pong(bytes(message.data))
                case WSMsgType.CLOSE:
                    if not self._is_silent and self._ending is None:
                        await self.response.close()
                    return
                case _:
                    return


async def _quietly(closing: Coroutine[Any, Any, object]) -> None:
    """Of a client that is gone already nothing more is expected."""
    with suppress(ConnectionError):
        await closing


def _bound(port: int, *, is_shared: bool) -> socket.socket:
    """A socket bound to this port; a shared one tolerates other shared ones there.

    Raises:
        OSError: The port is taken.
    """
    # Windows shares by REUSEADDR.
    share = getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)
    if not is_shared:
        return _bound_with(port, socket.SO_REUSEADDR)
    try:
        # Not both: with REUSEADDR a strange socket could join while none of ours listens.
        bound = _bound_with(port, share)
    except OSError:
        # Connections that have no owner any more, of a run before or cut off by us, end in a minute or so. Sharing with
        # them takes both, where they don't count as of the same user.
        bound = _bound_with(port, share, socket.SO_REUSEADDR)
    return bound


def _bound_with(port: int, *options: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for option in options:
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        bound.bind((ADDRESS, port))
    except OSError:
        bound.close()
        raise
    return bound


def _without_length(reply: HttpReply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.lower() != "content-length"}


def _takes_gzip(request: web.BaseRequest) -> bool:
    codings = request.headers.get("accept-encoding", "").lower().split(",")
    return any(coding.partition(";")[0].strip() == "gzip" for coding in codings)


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
