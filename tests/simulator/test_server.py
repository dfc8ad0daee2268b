"""The simulation over real loopback sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from tests.simulator.echo_venue.sim import EchoDialect

from perpwire.simulator.dialect import PingHabit
from perpwire.simulator.faults import Cut, Delay, LoseAnswer, LoseRequest, Refuse, Silence
from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation

ORDER = json.dumps({"side": "BUY", "quantity": "1", "price": "100", "id": "one"})


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    async with running(venues=("echo",), rate=0.0, latency_s=0.0) as one:
        yield one


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(simulation.urls["echo"], timeout=timeout) as session:
        yield session


def placed(simulation: Simulation) -> int:
    return len(simulation.exchanges["echo"].orders("main", None))


# --- HTTP -----------------------------------------------------------------------------------------------------------


async def test_a_call_reaches_the_dialect_byte_for_byte(client: aiohttp.ClientSession) -> None:
    from yarl import URL

    url = URL("/echo/mirror?symbol=%E6%B5%8B&a=b%20c&x=+", encoded=True)
    reply = await client.post(url, data='{"b":  1}', headers={"X-MBX-APIKEY": "K"})
    told = await reply.json()
    assert reply.headers["Content-Type"] == "application/json"
    assert told["query"] == "symbol=%E6%B5%8B&a=b%20c&x=+"
    assert told["body"] == '{"b":  1}'
    assert told["headers"]["x-mbx-apikey"] == "K"
    assert told["peer"] == "127.0.0.1"


async def test_a_long_answer_is_compressed_for_clients_that_say_so(client: aiohttp.ClientSession) -> None:
    body = json.dumps({"a": "x" * 5000})
    for coding, is_zipped in (("gzip, deflate, br", True), ("identity", False)):
        reply = await client.post("/echo/mirror", data=body, headers={"Accept-Encoding": coding})
        assert (reply.headers.get("Content-Encoding") == "gzip") is is_zipped
        assert (int(reply.headers["Content-Length"]) < 1000) is is_zipped
        assert (await reply.json())["body"] == body
    short = await client.post("/echo/mirror", data="{}", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


async def test_an_address_may_name_a_thousand_streams(client: aiohttp.ClientSession) -> None:
    query = "streams=" + "/".join(f"coin{number}usdt@kline_1m" for number in range(1000))
    reply = await client.post(f"/echo/mirror?{query}", data="")
    assert (await reply.json())["query"] == query


async def test_a_bug_of_the_dialect_is_an_http_500_and_is_logged(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await client.get("/echo/broken")
    assert reply.status == 500
    assert "a bug of the dialect" in caplog.text


async def test_lost_answers_and_requests_are_connection_resets(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    simulation.faults["echo"].add(LoseAnswer(method="POST"))
    with pytest.raises(aiohttp.ClientOSError):
        await client.post("/echo/order", data=ORDER)
    assert placed(simulation) == 1
    simulation.faults["echo"].add(LoseRequest(method="POST"))
    with pytest.raises(aiohttp.ClientOSError):
        await client.post("/echo/order", data=ORDER)
    assert placed(simulation) == 1
    assert (await client.get("/echo/time")).status == 200


async def test_an_answer_may_also_just_never_come(simulation: Simulation, client: aiohttp.ClientSession) -> None:
    simulation.faults["echo"].add(LoseAnswer(how="silence"))
    with pytest.raises(TimeoutError):
        await client.post("/echo/order", data=ORDER, timeout=aiohttp.ClientTimeout(total=0.1))
    assert placed(simulation) == 1


async def test_the_control_paths_are_served_at_the_venues_port(client: aiohttp.ClientSession) -> None:
    assert (await (await client.get("/sim/state")).json())["venue"] == "echo"
    await client.post("/sim/faults", data='{"kind":"answer","status":503,"body":"busy"}')
    reply = await client.get("/echo/time")
    assert (reply.status, await reply.text()) == (503, "busy")


# --- sockets --------------------------------------------------------------------------------------------------------


async def test_thousands_of_frames_arrive_in_order(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/echo/ws?greet") as socket:
        assert await socket.receive_str() == "hello"
        for number in range(3000):
            await socket.send_str(str(number))
        for number in range(3000):
            assert await socket.receive_str() == str(number)


async def test_what_is_sent_to_a_client_that_has_just_gone_is_let_go(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    socket = await client.ws_connect("/echo/ws")
    (connection,) = simulation.hosts["echo"].connections.values()
    transport = connection._channel._transport  # type: ignore[attr-defined]
    said: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def say() -> None:
        try:
            connection.send(b"nobody hears this")
            said.set_result(None)
        except Exception as error:
            said.set_exception(error)

    transport.abort()
    asyncio.get_running_loop().call_soon(say)  # its end is known to the loop by then, and not yet to us
    await said
    assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


async def test_a_ping_is_answered_with_its_own_payload(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/echo/ws", autoping=False) as socket:
        await socket.ping(b"payload")
        message = await socket.receive()
        assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"payload")


async def test_the_venue_pings_with_its_time_and_drops_who_does_not_answer(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoDialect, "ping_habit", PingHabit(every_s=0.03, answer_within_s=0.1))
    async with client.ws_connect("/echo/ws", autoping=False) as socket:
        pings = 0
        while (message := await socket.receive()).type is aiohttp.WSMsgType.PING:
            assert abs(int(message.data) - time.time() * 1000) < 5000
            pings += 1
        assert message.type is aiohttp.WSMsgType.CLOSED
        assert 1 <= pings <= 4
    async with client.ws_connect("/echo/ws") as socket:  # answers by itself
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await socket.receive()


async def test_the_dialect_closes_with_its_own_code_after_its_last_words(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/echo/ws") as socket:
        await socket.send_str("bye")
        assert await socket.receive_str() == "last words"
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4000, "as you wish")


async def test_a_cut_delivers_everything_and_says_no_goodbye(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/echo/ws") as cut, client.ws_connect("/echo/private") as spared:
        (number,) = [one.number for one in simulation.hosts["echo"].connections.values() if one.path == "/echo/ws"]
        for text in range(500):
            simulation.hosts["echo"].connections[number].send(b"%d" % text)
        simulation.faults["echo"].add(Cut(route="/ws"))
        for text in range(500):
            assert await cut.receive_str() == str(text)
        assert (await cut.receive()).type is aiohttp.WSMsgType.CLOSED
        assert cut.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        await spared.send_str("fine")
        assert await spared.receive_str() == "fine"


async def test_a_silent_socket_answers_nothing_and_does_not_end(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/echo/ws", autoping=False) as socket:
        await socket.send_str("one")
        assert await socket.receive_str() == "one"
        simulation.faults["echo"].add(Silence(seconds=0.3))
        (connection,) = simulation.hosts["echo"].connections.values()
        connection.send(b"sent into the void")
        await socket.ping()
        await socket.send_str("two")
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSED


async def test_a_socket_where_there_is_none_is_refused_with_a_status(client: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect("/nowhere")
    assert caught.value.status == 404


async def test_while_connections_are_refused_open_ones_live_on_and_the_port_stays_ours(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/echo/ws") as socket:
        simulation.faults["echo"].add(Refuse(seconds=0.2))
        async with aiohttp.ClientSession(simulation.urls["echo"]) as another:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await another.get("/echo/time")
            assert isinstance(caught.value.os_error, ConnectionRefusedError)
            await socket.send_str("fine")
            assert await socket.receive_str() == "fine"
            with pytest.raises(OSError, match="in use"):
                async with running(venues=("echo",), ports={"echo": _port(simulation)}):
                    pass
            await _until(lambda: not simulation.hosts["echo"].is_refusing)
            assert (await another.get("/echo/time")).status == 200


async def test_a_client_that_does_not_read_is_dropped_and_no_other_suffers(
    simulation: Simulation, client: aiohttp.ClientSession
) -> None:
    port = _port(simulation)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(
        b"GET /echo/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b"101" in await reader.readline()
    flood = b"flood"
    writer.write(bytes([0x81, 0x80 | len(flood), 0, 0, 0, 0]) + flood)
    async with client.ws_connect("/echo/ws") as other:
        async with asyncio.timeout(5):
            while len(simulation.hosts["echo"].connections) != 1:
                await other.send_str("fine")
                assert await other.receive_str() == "fine"
    writer.close()


# --- the whole ------------------------------------------------------------------------------------------------------


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def _port(simulation: Simulation) -> int:
    return int(simulation.urls["echo"].rpartition(":")[2])


async def test_it_ends_soon_with_everything_closed_whatever_is_going_on() -> None:
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        server = running(venues=("echo",), latency_s=0.0, rate=200.0)
        simulation = await server.__aenter__()
        host = simulation.hosts["echo"]
        host.faults.add(LoseAnswer(method="GET", how="silence"))
        host.faults.add(Delay(method="POST", seconds=60))
        client = await stack.enter_async_context(aiohttp.ClientSession(simulation.urls["echo"]))
        calls = [
            asyncio.create_task(client.get("/echo/time")),
            asyncio.create_task(client.post("/echo/order", data=ORDER)),
        ]
        sockets = [await client.ws_connect("/echo/ws") for _ in range(3)]
        await sockets[0].send_str("book")
        await sockets[0].receive()
        next(iter(host.connections.values())).silence()
        await _until(lambda: placed(simulation) == 1)
        listening = asyncio.create_task(_close_code(sockets[1]))
        began = time.monotonic()
        await server.__aexit__(None, None, None)
        assert time.monotonic() - began < 2
        ended: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in ended if not isinstance(one, aiohttp.ClientError)] == []
        assert await listening == 1001
        for socket in sockets:
            await socket.close()
    assert host.connections == {}
    assert isinstance(host.dialect, EchoDialect)
    assert host.dialect.is_closed
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", _port(simulation))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def _close_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in socket:
        pass
    return socket.close_code


async def test_a_port_can_be_had_again_at_once_also_while_connections_of_the_run_before_linger() -> None:
    port = 0
    async with AsyncExitStack() as clients:
        for _ in range(3):
            async with running(venues=("echo",), ports={"echo": port}, rate=0.0) as simulation:
                port = _port(simulation)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                clients.callback(writer.close)
                writer.write(b"GET /echo/time HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"


async def test_a_port_may_be_chosen_and_is_not_shared_with_another_simulation() -> None:
    async with running(venues=("echo",), rate=0.0) as first:
        port = _port(first)
        with pytest.raises(OSError, match=f"port {port}: .*in use"):
            async with running(venues=("echo",), ports={"echo": port}):
                pass
    async with running(venues=("echo",), ports={"echo": port}, rate=0.0) as again:
        assert _port(again) == port
