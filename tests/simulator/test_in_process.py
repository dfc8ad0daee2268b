"""Host, faults, journal and control in virtual time, through the network without sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Unpack

import pytest

from perpwire.clock import ManualClock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.exchange import AccountSpec
from perpwire.simulator.faults import (
    Answer,
    Cut,
    Delay,
    LoseAnswer,
    LoseRequest,
    Refuse,
    Silence,
    Skew,
)
from perpwire.simulator.in_process import in_process
from perpwire.simulator.simulation import SetupOptions, Simulation
from perpwire.simulator.venue_clock import LARGEST_SKEW_S
from perpwire.transport.base import Socket, TransportFailed
from perpwire.transport.memory import MemoryNetwork

BASE = "http://echo.sim"


def body(client_id: str) -> str:
    return json.dumps({"side": "BUY", "quantity": "1", "price": "100", "id": client_id})


class Listener:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.pongs = 0
        self.ends: list[str] = []

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self.frames += frames

    def on_pong(self) -> None:
        self.pongs += 1

    def on_closed(self, reason: str) -> None:
        self.ends.append(reason)


class World:
    """A network with the echo venue in it, and a client's hands."""

    def __init__(self, network: MemoryNetwork, simulation: Simulation, clock: ManualClock) -> None:
        self.network = network
        self.simulation = simulation
        self.clock = clock
        self.host = simulation.hosts["echo"]
        self.faults = simulation.faults["echo"]

    async def call(self, method: str, target: str, body: bytes = b"", timeout_s: float = 10.0) -> HttpReply:
        request = HttpRequest(method=method, target=target, headers={"X-Key": "k"}, body=body)
        return await self.network.exchange(BASE, request, timeout_s)

    async def json(self, method: str, target: str, body: object = None) -> Any:
        reply = await self.call(method, target, b"" if body is None else json.dumps(body).encode())
        return json.loads(reply.body)

    async def place(self, client_id: str, timeout_s: float = 10.0) -> HttpReply:
        return await self.call("POST", "/echo/order", body(client_id).encode(), timeout_s)

    def placed(self) -> list[str]:
        return [order.client_order_id for order in self.simulation.exchanges["echo"].orders("main", None)]

    async def connect(self, path: str = "/echo/ws") -> tuple[Socket, Listener]:
        listener = Listener()
        return await self.network.connect(f"ws://echo.sim{path}", listener, 10.0), listener


@asynccontextmanager
async def world(clock: ManualClock, **options: Unpack[SetupOptions]) -> AsyncIterator[World]:
    network = MemoryNetwork(clock)
    settings: SetupOptions = {"venues": ("echo",), "rate": 0.0, "latency_s": 0.01, **options}
    async with in_process(network, clock, **settings) as simulation:
        yield World(network, simulation, clock)


def in_world(test: Callable[[World], Awaitable[None]], **options: Unpack[SetupOptions]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with world(clock, **options) as one:
            await test(one)

    clock.run(main())


# --- HTTP -----------------------------------------------------------------------------------------------------------


def test_a_call_reaches_the_dialect_as_sent_after_the_latency() -> None:
    async def test(one: World) -> None:
        began_ns = one.clock.monotonic_ns()
        answer = await one.json("POST", "/echo/mirror?b=2&a=%31", {"x": 1})
        took_s = (one.clock.monotonic_ns() - began_ns) / 1e9
        assert (answer["query"], answer["body"]) == ("b=2&a=%31", '{"x": 1}')
        assert answer["headers"]["x-key"] == "k"
        assert 0.005 <= took_s <= 0.016

    in_world(test)


def test_an_answer_that_is_lost_after_execution_leaves_the_order_standing() -> None:
    async def test(one: World) -> None:
        one.faults.add(LoseAnswer(method="POST"))
        with pytest.raises(TransportFailed) as caught:
            await one.place("lost")
        assert caught.value.may_have_been_sent
        one.faults.add(LoseAnswer(how="silence"))
        with pytest.raises(TransportFailed, match="no answer within 3 s"):
            await one.place("never heard of", timeout_s=3)
        assert (await one.place("fine")).status == 200
        assert one.placed() == ["lost", "never heard of", "fine"]

    in_world(test)


def test_a_request_that_is_lost_executes_nothing() -> None:
    async def test(one: World) -> None:
        one.faults.add(LoseRequest(count=1))
        with pytest.raises(TransportFailed):
            await one.place("lost")
        one.faults.add(LoseRequest(how="silence"))
        with pytest.raises(TransportFailed):
            await one.place("lost too", timeout_s=3)
        assert one.placed() == []

    in_world(test)


def test_an_answer_on_order_comes_instead_of_the_call() -> None:
    async def test(one: World) -> None:
        one.faults.add(Answer(status=503, body="<html>", headers={"Retry-After": "7"}, count=2))
        for _ in range(2):
            reply = await one.place("refused")
            assert (reply.status, reply.body, reply.headers["retry-after"]) == (503, b"<html>", "7")
        assert (await one.place("fine")).status == 200
        assert one.placed() == ["fine"]

    in_world(test)


def test_a_delayed_request_is_executed_late_and_a_delayed_answer_at_once() -> None:
    async def test(one: World) -> None:
        one.faults.add(Delay(seconds=5, where="answer"))
        with pytest.raises(TransportFailed):
            await one.place("one", timeout_s=1)
        assert one.placed() == ["one"]
        began_ns = one.clock.monotonic_ns()
        one.faults.add(Delay(seconds=5, where="request"))
        await one.place("two")
        assert (one.clock.monotonic_ns() - began_ns) / 1e9 > 5
        stamps = [order.created_ms for order in one.simulation.exchanges["echo"].orders("main", None)]
        assert stamps[1] - stamps[0] > 5000

    in_world(test)


def test_a_skewed_clock_shows_in_what_the_venue_says_but_not_in_its_pace() -> None:
    async def test(one: World) -> None:
        one.faults.add(Skew(seconds=-30))
        said = (await one.json("GET", "/echo/time"))["time_ms"]
        true_ms = one.clock.time_ns() // 1_000_000
        assert true_ms - said == 30_000
        assert await one.json("GET", "/sim/clock") == {"time_ms": said, "skew_s": -30, "drift_ppm": 0}
        assert (await one.json("POST", "/sim/clock", {"skew_s": 0}))["time_ms"] == true_ms

    in_world(test)


def test_a_bug_of_the_dialect_is_not_hidden() -> None:
    async def test(one: World) -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            await one.call("GET", "/echo/broken")

    in_world(test)


# --- sockets --------------------------------------------------------------------------------------------------------


def test_frames_are_answered_in_order_after_the_latency() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        for number in range(20):
            socket.send(b"%d" % number)
        await one.clock.sleep(0.004)
        assert heard.frames == []
        await one.clock.sleep(1)
        assert heard.frames == [b"%d" % number for number in range(20)]
        socket.ping()
        await one.clock.sleep(0)
        await one.clock.sleep(0)
        assert heard.pongs == 1

    in_world(test)


def test_a_path_without_a_stream_is_refused_with_its_status() -> None:
    async def test(one: World) -> None:
        with pytest.raises(TransportFailed, match="404"):
            await one.connect("/nowhere")
        one.faults.add(Answer(method="WS", status=503))
        with pytest.raises(TransportFailed, match="503"):
            await one.connect()
        assert one.host.connections == {}
        await one.connect()

    in_world(test)


def test_a_cut_delivers_what_was_sent_and_takes_only_the_route_named() -> None:
    async def test(one: World) -> None:
        public, heard_public = await one.connect("/echo/ws")
        private, heard_private = await one.connect("/echo/private?greet")
        private.send(b"one")
        await one.clock.sleep(0.1)
        private.send(b"on its way")
        one.faults.add(Cut(route="/private"))
        await one.clock.sleep(1)
        assert heard_private.frames == [b"hello", b"one"]
        assert heard_private.ends == ["connection lost"]
        public.send(b"two")
        await one.clock.sleep(1)
        assert (heard_public.frames, heard_public.ends) == ([b"two"], [])

    in_world(test)


def test_a_silent_socket_neither_delivers_nor_hears_nor_ends_until_it_is_dropped() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        one.faults.add(Silence(seconds=20))
        socket.send(b"anybody there?")
        socket.ping()
        await one.clock.sleep(19)
        assert (heard.frames, heard.pongs, heard.ends) == ([], 0, [])
        await one.clock.sleep(2)
        assert heard.ends == ["connection lost"]
        again, heard_again = await one.connect()
        again.send(b"fine")
        await one.clock.sleep(1)
        assert heard_again.frames == [b"fine"]

    in_world(test)


def test_what_a_silent_socket_was_sent_is_journalled_as_lost() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        socket.send(b"book")
        await one.clock.sleep(1)
        await one.place("one")
        one.faults.add(Silence())
        await one.place("two")
        sent = one.host.journal.entries(kind="sent")
        assert [entry.is_lost for entry in sent] == [False, True]
        assert [frame.decode() for frame in heard.frames] == [entry.text for entry in sent if not entry.is_lost]

    in_world(test)


def test_new_connections_are_refused_for_a_while_and_open_ones_live_on() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        one.faults.add(Refuse(seconds=5))
        one.faults.add(Refuse(seconds=2))  # the longer one counts
        for _ in range(2):
            with pytest.raises(TransportFailed) as caught:
                await one.connect()
            assert not caught.value.may_have_been_sent
            with pytest.raises(TransportFailed):
                await one.call("GET", "/echo/time")
            await one.clock.sleep(2.4)
        socket.send(b"still here")
        await one.clock.sleep(0.3)
        assert heard.frames == [b"still here"]
        await one.connect()

    in_world(test)


def test_the_venue_may_close_and_the_dialect_hears_of_every_end_once() -> None:
    async def test(one: World) -> None:
        first, heard = await one.connect()
        second, _ = await one.connect()
        first.send(b"bye")
        second.close()
        await one.clock.sleep(1)
        assert heard.frames == [b"last words"]
        assert heard.ends == ["closed by the server: 4000 as you wish"]
        dialect: Any = one.host.dialect
        assert [session.is_closed for session in dialect.sessions] == [True, True]
        assert one.host.connections == {}
        dialect.sessions[0].peer.send(b"too late")
        assert [entry.text for entry in one.host.journal.entries(kind="sent")] == ["last words"]

    in_world(test)


def test_a_bug_of_the_dialect_on_a_frame_ends_that_socket_loudly(caplog: pytest.LogCaptureFixture) -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        socket.send(b"broken")
        await one.clock.sleep(1)
        assert heard.ends == ["closed by the server: 1011 internal error"]

    in_world(test)
    assert "dialect failed" in caplog.text


def test_a_half_open_client_is_dropped_when_it_does_not_answer_the_venues_pings() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        await one.clock.sleep(500)
        assert heard.ends == []  # pings are answered
        one.faults.add(Silence())
        await one.clock.sleep(131)
        assert heard.ends == ["connection lost"]

    in_world(test)


# --- control and journal --------------------------------------------------------------------------------------------


def test_faults_are_put_on_order_listed_and_dropped_over_http() -> None:
    async def test(one: World) -> None:
        added = await one.json("POST", "/sim/faults", {"kind": "answer", "status": 418, "count": 3})
        assert added == {"numbers": [1]}
        await one.json("POST", "/sim/faults", [{"kind": "cut", "after_s": 50}, {"kind": "refuse", "seconds": 1}])
        assert (await one.json("GET", "/sim/faults"))[0]["remaining"] == 3  # control is never befallen
        bad = await one.call("POST", "/sim/faults", b'{"kind":"nonsense"}')
        assert bad.status == 400
        await one.clock.sleep(1.1)
        assert (await one.call("GET", "/echo/time")).status == 418
        await one.json("DELETE", "/sim/faults")
        assert await one.json("GET", "/sim/faults") == []
        assert (await one.call("GET", "/echo/time")).status == 200
        assert (await one.call("GET", "/sim/nothing")).status == 404

    in_world(test)


def test_the_journal_holds_every_call_message_and_change_in_order() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect("/echo/ws?apiKey=secret")
        socket.send(b"book")
        await one.clock.sleep(1)
        await one.call("POST", "/echo/mirror?signature=secret")
        await one.place("one")
        one.faults.add(LoseAnswer())
        with pytest.raises(TransportFailed):
            await one.place("two")
        socket.close()
        await one.clock.sleep(1)
        entries = (await one.json("GET", "/sim/journal"))["entries"]
        told = [(entry["kind"], entry["topic"] or entry["text"]) for entry in entries if entry["topic"] != "MarkTick"]
        order = [("event", "OrderChanged"), ("event", "BookChanged"), ("sent", "book.BTCUSDT")]
        assert told == [
            ("opened", "/echo/ws?apiKey=***"),
            ("received", "book"),
            ("request", "POST /echo/mirror?signature=***"),
            ("reply", "200"),
            ("request", f"POST /echo/order {body('one')}"),
            *order,
            ("reply", "200"),
            ("request", f"POST /echo/order {body('two')}"),
            ("fault", "lose_answer befalls POST /echo/order"),
            *order,
            ("reply", "200"),
            ("closed", "closed by the client"),
        ]
        assert [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
        assert [entry["is_lost"] for entry in entries if entry["kind"] == "reply"] == [False, False, True]
        assert [entry["text"].encode() for entry in entries if entry["kind"] == "sent"] == heard.frames
        page = await one.json("GET", "/sim/journal?after=2&limit=1&kind=sent")
        assert [entry["topic"] for entry in page["entries"]] == ["book.BTCUSDT"]
        assert (await one.call("GET", "/sim/journal?after=x")).status == 400

    in_world(test)


def test_the_state_tells_of_sockets_accounts_and_markets() -> None:
    async def test(one: World) -> None:
        await one.connect()
        await one.place("one")
        state = await one.json("GET", "/sim/state")
        assert state["venue"] == "echo"
        assert state["sockets"] == [
            {"connection": 1, "path": "/echo/ws", "address": "127.0.0.1", "is_silent": False, "is_mute": False}
        ]
        assert state["accounts"]["main"]["wallet"] == {"USDT": "100000"}
        assert state["accounts"]["main"]["open_orders"][0]["client_order_id"] == "one"
        assert state["markets"]["BTCUSDT"]["best_bid"] == ["100.00", "1"]
        assert state["journal"]["dropped"] == 0

    in_world(test)


def test_control_is_for_this_machine_only() -> None:
    from perpwire.simulator.control import is_loopback

    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("192.168.0.7")
    assert not is_loopback("")


# --- the whole ------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run_to_the_last_byte() -> None:
    def run(seed: int) -> list[Any]:
        clock = ManualClock()

        async def main() -> list[Any]:
            async with world(clock, seed=seed, rate=30.0) as one:
                socket, _ = await one.connect()
                socket.send(b"book")
                one.faults.add(Delay(seconds=0.2, count=5, probability=0.5))
                for number in range(10):
                    await one.place(str(number))
                await clock.sleep(5)
                return one.host.journal.entries()

        return clock.run(main())

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_accounts_and_faults_of_the_setup_are_there_from_the_beginning() -> None:
    async def test(one: World) -> None:
        assert one.simulation.exchanges["echo"].wallet("rich") == {"USDT": 5}
        assert (await one.call("GET", "/echo/time")).status == 500

    in_world(test, accounts=[AccountSpec(name="rich", cash=Decimal(5))], faults={"echo": [Answer(status=500)]})


def test_after_the_block_nothing_is_served_and_no_timer_is_left() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with world(clock, rate=30.0) as one:
            _, heard = await one.connect()
            one.faults.add(Cut(after_s=100))
            one.faults.add(Refuse(seconds=200))
        with pytest.raises(TransportFailed):
            await one.call("GET", "/echo/time")
        await clock.sleep(0.01)
        assert heard.ends == ["closed by the server: 1001 going away"]
        last = one.host.journal.last
        await clock.sleep(1000)
        assert one.host.journal.last == last

    clock.run(main())


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/sim/clock", {"skew_s": 1e12}),
        ("/sim/clock", {"skew_s": -1e12}),
        ("/sim/clock", {"skew_s": 1e300}),
        ("/sim/faults", {"kind": "skew", "seconds": 1e12}),
        ("/sim/faults", [{"kind": "skew", "seconds": -1e12}]),
        ("/sim/faults", {"kind": "answer", "status": 99}),
        ("/sim/faults", {"kind": "answer", "status": 600}),
        ("/sim/faults", {"kind": "answer", "status": 500, "headers": {"x-a": "b\r\nx-c: d"}}),
        ("/sim/faults", {"kind": "answer", "status": 500, "headers": {"x a": "b"}}),
        ("/sim/faults", {"kind": "answer", "status": 500, "headers": {"x\n": "b"}}),
    ],
)
def test_what_no_clock_or_answer_can_be_is_refused(path: str, order: Any) -> None:
    async def test(one: World) -> None:
        before = await one.json("GET", "/sim/clock")
        assert (await one.call("POST", path, json.dumps(order).encode())).status == 400
        assert await one.json("GET", "/sim/faults") == []
        assert (await one.json("GET", "/sim/clock"))["skew_s"] == before["skew_s"]

    in_world(test)


def test_a_clock_may_be_off_by_decades() -> None:
    async def test(one: World) -> None:
        for seconds in (LARGEST_SKEW_S, -LARGEST_SKEW_S):
            told = await one.json("POST", "/sim/clock", {"skew_s": seconds})
            assert 0 < told["time_ms"] <= (await one.json("GET", "/echo/time"))["time_ms"] < told["time_ms"] + 1000

    in_world(test)
