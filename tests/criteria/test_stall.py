"""STALL: a stream that goes silent is noticed by its data, not by its pongs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from tests.criteria.streamed import VENUES, played
from tests.playing import play as play_world
from tests.sizes import FULL, size

from perpwire.api_connector.lifecycle import State
from perpwire.clock import SystemClock
from perpwire.model.incident import AccountReadAgain, AccountUnread, Incident
from perpwire.model.market import BookTicker, Trade
from perpwire.scenarios import pong_alive_silence as silence
from perpwire.scenarios.hearing import Hearing
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import Run, play
from perpwire.simulator.faults import Cut, Delay, FillOrder, Refuse
from perpwire.simulator.listing import Listing
from perpwire.testing import World
from perpwire.transport.websocket import PicowsTransport


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("part", [silence._mute, silence._half_open, silence._one_topic], ids=lambda one: one.__name__)
def test_stall_1_a_mute_stream_is_told_of_within_ten_seconds_replaced_within_fifteen_and_its_book_not_readable(
    part: Callable[..., object], venue: str
) -> None:
    """The scenario checks the times, the state of the book, one reconnect, and at most one snapshot."""

    async def scenario(run: Run) -> None:
        await run.follow("BTCUSDT", books=("BTCUSDT",))
        hearing = Hearing(run)
        await run.clock.sleep(30)
        await part(run, hearing)  # type: ignore[misc]

    assert played(scenario, venue).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES if FULL else ["bybit"])
def test_stall_2_an_hour_with_a_frame_every_ten_minutes_beside_others_reconnects_nothing(venue: str) -> None:
    """In part twenty minutes of it."""
    hour = scenarios()["quiet_market"]
    part = msgspec.structs.replace(hour, play=lambda run: silence.stay_quiet(run, 2))
    assert play(hour if FULL else part, venue, 0).problems == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "rate", "symbols"),
    [
        ("binance", 0.1, ["QUIETUSDT"]), ("binance", 0.3, ["BTCUSDT"]), ("binance", 1.0, ["BTCUSDT", "SOLUSDT"]),
        ("bybit", 0.02, ["QUIETUSDT"]), ("bybit", 0.3, ["BTCUSDT"]),
    ],
)  # fmt: skip
def test_stall_2_a_test_market_in_which_even_bitcoin_stands_still_reconnects_nothing_in_an_hour(
    venue: str, rate: float, symbols: list[str]
) -> None:
    """Nor is it said to lag, nor its book lost once it is in sync. In part: ten minutes."""

    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        told: list[Incident] = []
        connector.on_incident(told.append)
        await connector.subscribe([BookTicker, Trade], symbols)
        book = await connector.open_book(symbols[0])
        await world.clock.sleep(size(3600, 600))
        assert told == []
        assert book.is_in_sync
        assert sum(connector.streams.reconnects.values()) == 0

    play_world(venue, scenario, rate=rate, symbols=[Listing(symbol="QUIETUSDT", start_price=Decimal(9))])


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stall_1_a_position_is_not_said_to_be_live_before_what_the_stream_missed_is_read(venue: str) -> None:
    """REST takes 8 s a call, and an order is filled while the stream is away. That it takes long is told by then."""

    async def scenario(world: World) -> None:
        connector, host = world.connectors[venue], world.simulation.hosts[venue]
        told: list[Incident] = []
        connector.on_incident(told.append)
        await connector.open_account_stream()
        price = host.exchange.mark_price("BTCUSDT") * Decimal("0.97")
        await connector.place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price=price, round="nearest")
        await world.clock.sleep(5)
        host.faults.add(Delay(seconds=8.0, count=None, method="GET", for_s=60))
        host.faults.add(Refuse(seconds=5))
        host.faults.add(Cut())
        await world.clock.sleep(1)
        host.faults.add(FillOrder(symbol="BTCUSDT"))
        was_read_s = 0.0
        for _ in range(300):
            await world.clock.sleep(0.25)
            held = [one.quantity for one in connector.account_state.positions.values()]
            if connector.is_account_stream_live:
                assert held == [Decimal("0.05")]
                assert connector.why_account_stream_not_live == ""
            else:
                assert connector.why_account_stream_not_live
                was_read_s += set(connector.states.values()) == {State.LIVE}
        assert was_read_s > 100
        assert connector.is_account_stream_live
        assert [type(one) for one in told if isinstance(one, AccountUnread | AccountReadAgain)] == [
            AccountUnread, AccountReadAgain
        ]  # fmt: skip

    play_world(venue, scenario, rate=1.0)


class Deaf:
    """Shakes hands, and then neither reads, answers nor ends anything."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b":")[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._writers.append(writer)
        reader._transport.pause_reading()  # type: ignore[attr-defined]

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


class Nobody:
    def on_frames(self, frames: list[bytes], received_ns: int) -> None: ...

    def on_pong(self) -> None: ...

    def on_closed(self, reason: str) -> None: ...


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted by /proc")
def test_stall_3_of_a_socket_given_up_on_a_peer_that_never_answers_nothing_is_left() -> None:
    async def main() -> None:
        deaf = Deaf()
        server = await asyncio.start_server(deaf.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = PicowsTransport(SystemClock())
        tasks_before = len(asyncio.all_tasks())
        for end in ("abort", "close"):
            before = sockets_to(port)
            socket = await transport.connect(f"ws://127.0.0.1:{port}/ws", Nobody(), 5.0)
            assert sockets_to(port) == before + 1
            getattr(socket, end)()
            for _ in range(50):
                if sockets_to(port) == before:
                    break
                await asyncio.sleep(0.1)
            assert sockets_to(port) == before
        assert len(asyncio.all_tasks()) <= tasks_before
        await transport.close()
        deaf.close()
        server.close()

    asyncio.run(main())


def sockets_to(port: int) -> int:
    """Descriptors of this process that are connected to a port of this machine, seen from the client's side."""
    mine = {os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if _is_there(one)}
    count = 0
    with open("/proc/self/net/tcp") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if int(fields[2].rpartition(":")[2], 16) == port and f"socket:[{fields[9]}]" in mine:
                count += 1
    return count


def _is_there(descriptor: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{descriptor}")
