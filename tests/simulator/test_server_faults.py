"""Faults over real loopback sockets: what they are on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import aiohttp
import pytest
from aiohttp import WSMsgType

from perpwire.simulator.connection import Connection
from perpwire.simulator.faults import (
    BreakMessage,
    Close,
    CloseIdle,
    CorruptMessage,
    Delay,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    LoseRequest,
    ReorderMessage,
    Reset,
    Silence,
    SplitMessage,
    Throttle,
    TruncateAnswer,
)
from perpwire.simulator.frames import CONTINUATION, PING, TEXT, Frames, frame
from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    async with running(venues=("echo",), rate=0.0, latency_s=0.0) as one:
        yield one


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(simulation.urls["echo"], timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


def connection(simulation: Simulation) -> Connection:
    return next(iter(simulation.hosts["echo"].connections.values()))


class Wire:
    """A socket whose frames are read as they come, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.seen = b""

    @classmethod
    async def open(cls, simulation: Simulation) -> Wire:
        port = int(simulation.urls["echo"].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /echo/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def frame(self) -> tuple[int, bool, bytes]:
        """Opcode, whether it is final, payload."""
        first, size = await self._reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2))
        elif size == 127:
            size = int.from_bytes(await self._reader.readexactly(8))
        return first & 0x0F, bool(first & 0x80), await self._reader.readexactly(size)

    async def read(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(65536), 5)

    async def read_to_its_end(self) -> None:
        while data := await self.read():
            self.seen += data

    def close(self) -> None:
        self._writer.close()


def test_frames_are_written_as_the_protocol_has_them() -> None:
    for size in (0, 125, 126, 65535, 65536):
        assert frame(TEXT, b"x" * size)[-size or None :] == (b"x" * size or frame(TEXT, b""))
    assert frame(TEXT, b"abc") == b"\x81\x03abc"
    assert frame(TEXT, b"abc", is_last=False) == b"\x01\x03abc"
    assert frame(CONTINUATION, b"d") == b"\x80\x01d"
    assert frame(PING, b"x" * 126)[:4] == b"\x89\x7e\x00\x7e"
    assert frame(TEXT, b"x" * 65536)[:10] == b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
    frames, text = Frames(), b"broadcast"
    assert frames.of(text) is frames.of(text)
    assert frames.of(b"other") == b"\x81\x05other"


async def test_a_message_in_several_frames_and_in_several_segments(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    wire = await Wire.open(simulation)
    simulation.faults["echo"].add(SplitMessage(pieces=3))
    connection(simulation).send(b"abcdef", "t")
    assert [await wire.frame() for _ in range(3)] == [
        (TEXT, False, b"ab"),
        (CONTINUATION, False, b"cd"),
        (CONTINUATION, True, b"ef"),
    ]
    simulation.faults["echo"].add(SplitMessage(pieces=4, how="segments", pause_s=0.02))
    connection(simulation).send(b"abcdef", "t")
    pieces = [await wire.read() for _ in range(4)]
    assert (b"".join(pieces), [len(piece) for piece in pieces]) == (b"\x81\x06abcdef", [2, 2, 2, 2])
    wire.close()
    async with client.ws_connect("/echo/ws") as socket:
        simulation.faults["echo"].add(SplitMessage(pieces=3, count=2, pause_s=0.01))
        for one in simulation.hosts["echo"].connections.values():
            one.send(b"whole again", "t")
        assert await socket.receive_str() == "whole again"


async def test_nothing_gets_into_the_middle_of_a_message_in_pieces(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    """Neither a message that waited aside, nor the answer to a client's ping, nor a ping."""
    faults = simulation.faults["echo"]
    async with client.ws_connect("/echo/ws", autoping=False) as socket:
        one = connection(simulation)
        ways: tuple[tuple[Literal["frames", "segments"], float], ...] = (
            ("frames", 0.0),
            ("frames", 0.03),
            ("segments", 0.03),
        )
        for how, pause_s in ways:
            faults.add(ReorderMessage(behind=1))
            one.send(b"aside", "t")
            faults.add(SplitMessage(pieces=3, how=how, pause_s=pause_s))
            one.send(b"in pieces", "t")
            assert [await socket.receive_str() for _ in range(2)] == ["in pieces", "aside"]
            faults.add(DelayMessage(seconds=0.02, overtaken=True))
            one.send(b"late", "t")
            faults.add(SplitMessage(pieces=3, how=how, pause_s=pause_s))
            one.send(b"in pieces", "t")
            told = [await socket.receive_str() for _ in range(2)]
            assert sorted(told) == ["in pieces", "late"]
        faults.add(SplitMessage(pieces=3, how="segments", pause_s=0.03))
        one.send(b"in pieces", "t")
        await socket.ping(b"now")
        one._channel.ping(b"then")
        heard = [await socket.receive() for _ in range(3)]
        assert [message.type for message in heard] == [WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG]


async def test_a_connection_is_reset_in_the_middle_of_a_message(simulation: Simulation) -> None:
    wire = await Wire.open(simulation)
    simulation.faults["echo"].add(BreakMessage())
    connection(simulation).send(b"abcdefgh", "t")
    with pytest.raises(ConnectionResetError):
        await wire.read_to_its_end()
    assert b"\x81\x08abcdefgh".startswith(wire.seen)
    wire.close()


async def test_a_reset_is_a_reset_and_a_close_has_its_code(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    wire = await Wire.open(simulation)
    simulation.faults["echo"].add(Reset())
    with pytest.raises(ConnectionResetError):
        await wire.read()
    wire.close()
    async with client.ws_connect("/echo/ws") as socket:
        simulation.faults["echo"].add(Close(code=1008, reason="Too many requests"))
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "Too many requests")


async def test_messages_are_lost_late_doubled_altered_and_throttled(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/echo/ws") as socket:
        for fault in (
            DropMessage(nth=1),
            DuplicateMessage(nth=1),
            CorruptMessage(nth=1),
            DelayMessage(nth=1, seconds=0.05),
        ):
            simulation.faults["echo"].add(fault)
        for text in (b"lost", b"twice", b"half cut", b"late", b"behind it"):
            connection(simulation).send(text, "t")
        got = [await socket.receive_str() for _ in range(5)]
        assert got == ["twice", "twice", "half", "late", "behind it"]
        simulation.faults["echo"].add(Throttle(bytes_per_s=1000))
        began = asyncio.get_running_loop().time()
        for _ in range(5):
            connection(simulation).send(b"x" * 20, "t")
        for _ in range(5):
            await socket.receive_str()
        assert asyncio.get_running_loop().time() - began >= 0.09


async def test_data_goes_mute_while_pings_are_answered(simulation: Simulation, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/echo/ws", autoping=False) as socket:
        simulation.faults["echo"].add(Silence(what="data", seconds=0.1, then="heal"))
        connection(simulation).send(b"mute", "t")
        connection(simulation).send(b"pong", "")
        await socket.ping(b"x")
        assert await socket.receive_str() == "pong"
        assert (await socket.receive()).type is aiohttp.WSMsgType.PONG
        await asyncio.sleep(0.15)
        connection(simulation).send(b"healed", "t")
        assert await socket.receive_str() == "healed"


async def test_an_answer_breaks_off_with_its_connection(simulation: Simulation, client: aiohttp.ClientSession) -> None:
    simulation.faults["echo"].add(TruncateAnswer(how="connection"))
    with pytest.raises(aiohttp.ClientError):
        async with client.get("/echo/time") as reply:
            await reply.read()
    simulation.faults["echo"].add(TruncateAnswer(how="body", keep=0.0))
    async with client.get("/echo/time") as reply:
        assert (reply.status, await reply.read()) == (200, b"")


async def test_a_handshake_is_never_answered(simulation: Simulation) -> None:
    simulation.faults["echo"].add(LoseRequest(method="WS"))
    with pytest.raises(ConnectionResetError):
        await Wire.open(simulation)
    wire = await Wire.open(simulation)
    wire.close()


async def test_idle_connections_are_closed_and_busy_ones_are_not(simulation: Simulation) -> None:
    port = int(simulation.urls["echo"].rpartition(":")[2])
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    idle_writer.write(b"GET /echo/time HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await idle.readuntil(b"}")
    wire = await Wire.open(simulation)
    simulation.faults["echo"].add(CloseIdle())
    assert await asyncio.wait_for(idle.read(), 5) == b""
    connection(simulation).send(b"still here", "t")
    assert (await wire.frame())[2] == b"still here"
    assert simulation.journal["echo"].entries(kind="fault")[-1].text == "closed 1 idle HTTP connections"
    idle_writer.close()
    wire.close()


async def test_nothing_is_left_of_a_late_call_whose_client_has_gone() -> None:
    before = asyncio.all_tasks()
    async with running(venues=("echo",), rate=0.0, latency_s=0.0) as simulation:
        simulation.faults["echo"].add(Delay(seconds=60, where="request", count=None))
        port = int(simulation.urls["echo"].rpartition(":")[2])
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /echo/time HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.sleep(0.02)
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.02)
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "rebound.example:80"}, 403),
        ({"Host": "127.0.0.1.rebound.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://a-page.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
async def test_no_web_page_may_control_the_simulation(
    client: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    reply = await client.post("/sim/faults", data=b'{"kind":"cut"}', headers=headers)
    assert reply.status == status
    # The venue's own paths are anybody's.
    assert (await client.get("/echo/time", headers=headers)).status == 200
