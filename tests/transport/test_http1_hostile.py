"""Servers and networks that treat the HTTP client badly: whatever happens, what may have been sent is told truly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
import uvloop
from tests.transport.test_http1 import GET, OK, told

from perpwire.http_message import HttpRequest
from perpwire.transport import http1
from perpwire.transport.base import TransportFailed
from perpwire.transport.dialling import Dialler
from perpwire.transport.http1 import Http1Transport

RUNNERS: list[Callable[[Coroutine[Any, Any, None]], None]] = [asyncio.run, uvloop.run]


def resolved(monkeypatch: pytest.MonkeyPatch, there: Sequence[Any]) -> None:
    """Names that end in .example have these addresses."""
    look_up: Any = socket.getaddrinfo

    def getaddrinfo(name: str, *more: Any, flags: int = 0, **how: Any) -> Any:
        if name.endswith(".example") and not flags:
            return list(there)
        return look_up(name, *more, flags=flags, **how)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def fails(exchange: Awaitable[Any]) -> TransportFailed:
    with pytest.raises(TransportFailed) as caught:
        await exchange
    return caught.value


async def test_a_connection_that_is_closed_before_anything_is_written_is_told_at_once_and_as_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with told() as (server, http):
        connect = http._connect

        async def unlucky(*args: Any) -> Any:
            connection = await connect(*args)
            connection.drop()
            await connection.gone
            return connection

        monkeypatch.setattr(http, "_connect", unlucky)
        failure = await fails(http.exchange(server.url, GET, 2))
        assert (failure.may_have_been_sent, "at once" in failure.reason) == (False, True)
        assert server.heads == []


async def test_a_request_that_was_answered_before_it_was_read_whole_leaves_no_connection_to_others() -> None:
    async with told() as (server, http):
        long = HttpRequest(method="POST", target="/", headers={}, body=bytes(20_000_000))
        assert (await http.exchange(server.url, long, 2)).body == b"ok"
        assert (await http.exchange(server.url, GET, 2)).body == b"ok"
        assert server.connections == 2


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNNERS)
def test_an_address_that_does_not_answer_holds_up_the_next_for_a_moment_only(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.2", 0), backlog=0) as hole:
            # Whoever fills its queue makes it deaf to all who come later.
            deaf = [socket.socket() for _ in range(4)]
            for one in deaf:
                one.setblocking(False)
                one.connect_ex(hole.getsockname())
            async with told() as (server, http):
                loop = asyncio.get_running_loop()
                port = int(server.url.rpartition(":")[2])
                there = [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                    for address in (hole.getsockname(), ("127.0.0.1", port))
                ]

                resolved(monkeypatch, there)
                began = loop.time()
                assert (await http.exchange("http://two.example", GET, 2)).body == b"ok"
                assert 0.2 < loop.time() - began < 0.9
                del there[1]
                failure = await fails(http.exchange("http://one.example", GET, 2))
                assert (failure.may_have_been_sent, failure.reason) == (False, "no connection within 1 s")
            for one in deaf:
                one.close()

    run(main())


@pytest.mark.parametrize("run", RUNNERS)
def test_small_writes_are_never_held_back_by_the_system(run: Any) -> None:
    async def main() -> None:
        async with told() as (server, http):
            await http.exchange(server.url, GET, 2)
            (connection,) = http._hosts[server.url].connections
            there = connection._transport.get_extra_info("socket")
            assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main())


async def test_an_address_in_brackets_is_reached_and_named_in_brackets() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        writer.close()

    try:
        listening = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = listening.sockets[0].getsockname()[1]
    http = Http1Transport()
    assert (await http.exchange(f"http://[::1]:{port}", GET, 2)).body == b"ok"
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in heads[0]
    await http.close()
    listening.close()


async def test_a_redirect_is_an_answer_and_a_cookie_is_not_kept() -> None:
    text = b"HTTP/1.1 307 Elsewhere\r\nLocation: /stolen\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with told(text) as (server, http):
        signed = HttpRequest(method="POST", target="/p", headers={"X-KEY": "k"}, body=b"signature=1")
        for _ in range(2):
            reply = await http.exchange(server.url, signed, 2)
            assert (reply.status, reply.headers["location"]) == (307, "/stolen")
        assert len(server.heads) == 2
        assert not any(b"stolen" in head or b"ookie" in head for head in server.heads)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"])
async def test_wherever_an_answer_stops_its_time_is_up_at_the_same_time(says: bytes) -> None:
    async with told(says) as (server, http):
        failure = await fails(http.exchange(server.url, GET, 0.05))
        assert (failure.may_have_been_sent, failure.reason) == (True, "no answer within 0.05 s")


async def test_an_answer_that_drips_does_not_outlast_its_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    http = Http1Transport()
    failure = await fails(http.exchange(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", GET, 0.1))
    assert (failure.may_have_been_sent, failure.reason) == (True, "no answer within 0.1 s")
    await http.close()
    listening.close()


async def test_a_server_that_never_finishes_tls_is_given_up_as_not_sent() -> None:
    async with told() as (server, http):
        http._connect_timeout_s = 0.1
        failure = await fails(http.exchange(server.url.replace("http:", "https:"), GET, 5))
        assert not failure.may_have_been_sent
        assert server.heads == []


async def test_what_waits_too_long_for_a_free_connection_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "MOST_CONNECTIONS", 2)
    async with told(b"") as (server, http):
        asking = [asyncio.create_task(http.exchange(server.url, GET, 0.2)) for _ in range(2)]
        await asyncio.sleep(0)
        failure = await fails(http.exchange(server.url, GET, 0.1))
        assert (failure.may_have_been_sent, "free" in failure.reason) == (False, True)
        late = await asyncio.gather(*asking, return_exceptions=True)
        assert [isinstance(one, TransportFailed) and one.may_have_been_sent for one in late] == [True, True]
        server.says = lambda number: OK
        assert (await http.exchange(server.url, GET, 2)).body == b"ok"
        assert http._free._value == 2


async def test_a_transport_that_is_closed_while_it_connects_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with told() as (server, http):
        gate = asyncio.Event()
        dial = Dialler.dial

        async def held(*args: Any) -> Any:
            await gate.wait()
            return await dial(*args)

        monkeypatch.setattr(Dialler, "dial", held)
        asking = asyncio.create_task(http.exchange(server.url, GET, 2))
        await asyncio.sleep(0)
        await http.close()
        gate.set()
        failure = await fails(asking)
        assert (failure.may_have_been_sent, failure.reason) == (False, "the transport is closed")
        assert server.heads == []


@pytest.mark.parametrize("run", RUNNERS)
def test_whoever_is_cancelled_at_any_stage_leaves_a_place_free_and_no_connection_to_others(run: Any) -> None:
    """Cancelled after every number of turns of the loop, before, while and after the answer comes."""

    async def main() -> None:
        async with told(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no") as (server, http):
            for turns in range(30):
                asking = asyncio.create_task(http.exchange(server.url, GET, 2))
                for _ in range(turns):
                    await asyncio.sleep(0)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            server.says = lambda number: OK
            assert (await http.exchange(server.url, GET, 2)).body == b"ok"
            assert http._free._value == http1.MOST_CONNECTIONS
            assert len(http._hosts[server.url].connections) == 1

    run(main())


@pytest.mark.parametrize("run", RUNNERS)
def test_one_that_is_cancelled_as_its_connection_is_made_does_not_hold_up_the_end(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop tells a connection that was made so far of no end."""
    made = http1._Connection.connection_made

    async def main() -> None:
        async with told() as (server, http):
            asking = asyncio.create_task(http.exchange(server.url, GET, 2))

            def cancelled(connection: Any, transport: Any) -> None:
                made(connection, transport)
                asking.cancel()

            monkeypatch.setattr(http1._Connection, "connection_made", cancelled)
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.wait_for(http.close(), 10)
            assert server.heads == []

    run(main())


@pytest.mark.parametrize("url", ["http://a..b", "http://" + "a" * 64 + ".example", "http://a b", "http://h:99999",
                                 "http://h/a b", "http://ü.example", "http://[::1"])  # fmt: skip
async def test_a_host_that_can_be_none_was_not_sent_to(url: str) -> None:
    http = Http1Transport(connect_timeout_s=0.5)
    assert not (await fails(http.exchange(url, GET, 1))).may_have_been_sent
    await http.close()
