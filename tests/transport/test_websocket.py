"""The WebSocket client against real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from perpwire.clock import SystemClock
from perpwire.simulator.frames import CLOSE, PING, TEXT, frame
from perpwire.transport.base import TransportFailed
from perpwire.transport.websocket import PicowsTransport


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.reads: list[list[bytes]] = []
        self.times: list[int] = []
        self.pongs = asyncio.Event()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self.reads.append(frames)
        self.times += [received_ns] * len(frames)
        for one in frames:
            self.frames.put_nowait(one)

    def on_pong(self) -> None:
        self.pongs.set()

    def on_closed(self, reason: str) -> None:
        self.closed.set_result(reason)


@asynccontextmanager
async def server(
    talk: Callable[[web.WebSocketResponse, web.Request], Awaitable[None]], *, autoping: bool = True
) -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=autoping)
        await socket.prepare(request)
        await talk(socket, request)
        return socket

    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client() -> AsyncIterator[PicowsTransport]:
    transport = PicowsTransport(SystemClock())
    try:
        yield transport
    finally:
        await transport.close()


async def echo(socket: web.WebSocketResponse, _: web.Request) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data.upper())


async def test_frames_go_out_and_come_in_with_their_time() -> None:
    async with server(echo) as url, client() as sockets:
        heard, before = Heard(), SystemClock().time_ns()
        socket = await sockets.connect(url + "/ws", heard, 5)
        socket.send(b"hello")
        assert await asyncio.wait_for(heard.frames.get(), 5) == b"HELLO"
        assert before <= heard.times[0] <= SystemClock().time_ns()


async def test_a_ping_is_answered() -> None:
    async with server(echo) as url, client() as sockets:
        heard = Heard()
        socket = await sockets.connect(url + "/ws", heard, 5)
        socket.ping()
        await asyncio.wait_for(heard.pongs.wait(), 5)


async def test_a_message_in_fragments_arrives_whole() -> None:
    async def fragments(socket: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport is not None
        # Raw frames: text without FIN, continuation without FIN, continuation with FIN.
        request.transport.write(b"\x01\x03abc" + b"\x00\x02de" + b"\x80\x01f")
        await asyncio.sleep(30)

    async with server(fragments) as url, client() as sockets:
        heard = Heard()
        await sockets.connect(url + "/ws", heard, 5)
        assert await asyncio.wait_for(heard.frames.get(), 5) == b"abcdef"


SHORT, LONG = b'{"op":"pong"}', b'{"topic":"' + 200 * b"x" + b'"}'


@pytest.mark.parametrize("message", [SHORT, LONG])
async def test_what_was_read_together_is_handed_on_as_one_also_where_a_ping_ends_it(message: bytes) -> None:
    """And what comes later has a time of its own."""
    pongs: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport is not None
        await socket.receive()
        request.transport.write(frame(TEXT, message) + frame(TEXT, SHORT) + frame(TEXT, LONG) + frame(PING, b"mark"))
        pongs.set_result((await socket.receive()).data)
        await socket.receive()
        request.transport.write(frame(TEXT, message))
        await asyncio.sleep(30)

    async with server(talk, autoping=False) as url, client() as sockets:
        heard = Heard()
        socket = await sockets.connect(url + "/ws", heard, 5)
        socket.send(b"go on")
        assert await asyncio.wait_for(pongs, 5) == b"mark"
        assert heard.reads == [[message, SHORT, LONG]]
        later_ns = SystemClock().time_ns()
        socket.send(b"go on")
        while len(heard.times) < 4:
            await asyncio.wait_for(heard.frames.get(), 5)
        assert heard.reads[1:] == [[message]]
        assert heard.times[0] == heard.times[2] <= later_ns <= heard.times[3]


async def test_what_was_read_together_with_the_end_comes_before_it() -> None:
    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport is not None
        await socket.receive()
        request.transport.write(frame(TEXT, LONG) + frame(TEXT, SHORT) + frame(CLOSE, b"\x03\xe9away"))
        await asyncio.sleep(30)

    async with server(talk) as url, client() as sockets:
        heard = Heard()
        (await sockets.connect(url + "/ws", heard, 5)).send(b"go on")
        assert "1001: away" in await asyncio.wait_for(heard.closed, 5)
        assert heard.reads == [[LONG, SHORT]]


async def test_the_servers_close_code_and_words_are_told_once() -> None:
    async def close(socket: web.WebSocketResponse, _: web.Request) -> None:
        await socket.receive()
        await socket.close(code=1008, message=b"Too many requests")

    async with server(close) as url, client() as sockets:
        heard = Heard()
        (await sockets.connect(url + "/ws", heard, 5)).send(b"x")
        assert "1008" in (reason := await asyncio.wait_for(heard.closed, 5))
        assert "Too many requests" in reason


async def test_a_cut_connection_and_our_own_close_are_told() -> None:
    async def cut(socket: web.WebSocketResponse, request: web.Request) -> None:
        await socket.receive()
        assert request.transport is not None
        request.transport.abort()

    async with server(cut) as url, client() as sockets:
        heard = Heard()
        socket = await sockets.connect(url + "/ws", heard, 5)
        socket.send(b"x")
        assert await asyncio.wait_for(heard.closed, 5)
    async with server(echo) as url, client() as sockets:
        heard = Heard()
        socket = await sockets.connect(url + "/ws", heard, 5)
        socket.close()
        assert await asyncio.wait_for(heard.closed, 5)
        socket.send(b"after the end nothing happens")


async def test_a_connection_that_ends_with_its_handshake_never_counts_as_open() -> None:
    async def vanish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        (key,) = (
            line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(digest)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        writer.close()

    listening = await asyncio.start_server(vanish, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with client() as sockets:
        heard = Heard()
        try:
            await sockets.connect(f"ws://127.0.0.1:{port}/ws", heard, 5)
        except TransportFailed:
            return
        finally:
            listening.close()
        assert await asyncio.wait_for(heard.closed, 5)


async def test_no_server_and_no_such_path_are_failures_before_sending(unused_tcp_port: int) -> None:
    async with client() as sockets:
        with pytest.raises(TransportFailed) as caught:
            await sockets.connect(f"ws://127.0.0.1:{unused_tcp_port}/ws", Heard(), 5)
        assert not caught.value.may_have_been_sent
    async with server(echo) as url, client() as sockets:
        with pytest.raises(TransportFailed, match="404"):
            await sockets.connect(url + "/nowhere", Heard(), 5)
