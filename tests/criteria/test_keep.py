"""KEEP: kept-alive connections that the server has closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sizes import size
from tests.transport.peers import ThreadedServer, certified, threaded_server

from perpwire.http_message import HttpRequest
from perpwire.transport.base import TransportFailed
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport

NewHttp = Callable[..., AiohttpTransport | Http1Transport]


@pytest.fixture(params=[AiohttpTransport, Http1Transport])
def new_http(request: pytest.FixtureRequest) -> NewHttp:
    made: NewHttp = request.param
    return made


ORDER = HttpRequest(method="POST", target="/order?x=1", headers={})


def loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    found: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
    try:
        import uvloop
    except ImportError:
        return found
    return [*found, uvloop.new_event_loop]


@pytest.mark.slow
@pytest.mark.parametrize("new_loop", loops(), ids=lambda one: one.__module__.partition(".")[0])
def test_keep_1_in_a_thousand_idle_times_no_closed_connection_is_noticed(
    new_loop: Callable[[], asyncio.AbstractEventLoop], new_http: NewHttp
) -> None:
    """The server closes each connection while the client's loop stands still, so that it can't have heard of it."""
    times = size(1000, 200)

    async def main(server: ThreadedServer) -> None:
        http = new_http(connect_timeout_s=5)
        for _ in range(times):
            server.idle_closed.clear()
            assert (await http.exchange(f"http://127.0.0.1:{server.port}", ORDER, 5)).body == b"ok"
            assert server.idle_closed.wait(5)  # blocks the loop
        await http.close()

    with threaded_server() as server, asyncio.Runner(loop_factory=new_loop) as runner:
        server.closes_after = 1
        runner.run(main(server))
        assert (server.requests, server.connections) == (times, times)


async def test_keep_1_the_same_behind_tls(tmp_path: Path, new_http: NewHttp) -> None:
    servers, clients = certified(tmp_path)
    with threaded_server(servers) as server:
        server.closes_after = 2
        http = new_http(ssl_context=clients)
        for number in range(20):
            server.idle_closed.clear()
            assert (await http.exchange(f"https://localhost:{server.port}", ORDER, 5)).status == 200
            if number % 2:
                assert server.idle_closed.wait(5)
        await http.close()
        assert (server.requests, server.connections) == (20, 10)


async def test_keep_1_a_living_connection_is_used_again(new_http: NewHttp) -> None:
    with threaded_server() as server:
        http = new_http()
        for _ in range(5):
            await http.exchange(f"http://127.0.0.1:{server.port}", ORDER, 5)
        await http.close()
        assert (server.requests, server.connections) == (5, 1)


async def test_keep_1_what_is_said_unasked_on_an_idle_connection_is_no_answer_to_the_next_request(
    new_http: NewHttp,
) -> None:
    with threaded_server() as server:
        server.unasked = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
        http = new_http()
        for _ in range(5):
            server.idle_closed.clear()
            assert (await http.exchange(f"http://127.0.0.1:{server.port}", ORDER, 5)).status == 200
            assert server.idle_closed.wait(5)
        await http.close()
        assert (server.requests, server.connections) == (5, 5)


async def test_keep_1_what_was_written_to_a_connection_that_then_dies_may_have_been_sent(new_http: NewHttp) -> None:
    async def read_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(read_and_leave, "127.0.0.1", 0)
    http = new_http()
    with pytest.raises(TransportFailed) as caught:
        await http.exchange(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", ORDER, 5)
    assert caught.value.may_have_been_sent
    await http.close()
    server.close()
