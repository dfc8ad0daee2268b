"""HTTP/1.1 as servers really speak it: every framing, in pieces of any size, and what is no HTTP."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from tests.transport.peers import certified, threaded_server

from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import TransportFailed
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport, http_transport
from perpwire.transport.proxy import Proxy

GET = HttpRequest(method="GET", target="/x?a=1", headers={})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Says prepared bytes to each request, in pieces; closes after them where asked to.

    Attributes:
        heads: What was asked.
    """

    def __init__(self) -> None:
        self.says: Callable[[int], bytes] = lambda number: OK
        self.pieces = 0  # bytes a piece; 0: all at once
        self.closes = False
        self.heads: list[bytes] = []
        self.connections = 0
        self.url = ""
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self.asked.set()
                text = self.says(len(self.heads))
                size = self.pieces or len(text) or 1
                for start in range(0, len(text), size):
                    writer.write(text[start : start + size])
                    await writer.drain()
                    if self.pieces:
                        await asyncio.sleep(0)
                if self.closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def told(text: bytes = OK, **more: object) -> AsyncIterator[tuple[Server, Http1Transport]]:
    server = Server()
    server.says = lambda number: text
    for name, value in more.items():
        setattr(server, name, value)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    http = Http1Transport(connect_timeout_s=1)
    try:
        yield server, http
    finally:
        await http.close()
        listening.close()


async def answer(text: bytes, request: HttpRequest = GET, **more: object) -> HttpReply:
    async with told(text, **more) as (server, http):
        return await http.exchange(server.url, request, 2)


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
)
BODIES = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nX-Y:  z \r\n\r\nabc0123456789", False),
    "chunks": (CHUNKED, False),
    "the connection's end": (b"HTTP/1.1 200 OK\r\n\r\nabc0123456789", True),
    "an older version": (b"HTTP/1.0 200 OK\r\nContent-Length: 13\r\n\r\nabc0123456789", True),
    "a remark first": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 \r\ncontent-length:13\r\n\r\nabc0123456789",
        False,
    ),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 13\r\n\r\nabc0123456789", False),
}  # fmt: skip


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("how", BODIES)
async def test_a_body_is_whole_however_its_end_is_told_and_however_it_is_cut(how: str, pieces: int) -> None:
    text, closes = BODIES[how]
    reply = await answer(text, pieces=pieces, closes=closes)
    assert (reply.status, reply.body) == (200, b"abc0123456789")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_is_unpacked(coding: str) -> None:
    packed = gzip.compress(b"much" * 9) if coding == "gzip" else zlib.compress(b"much" * 9)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    assert (await answer(head + packed)).body == b"much" * 9
    broken = head.replace(b": " + str(len(packed)).encode(), b": 9") + packed[:9]
    with pytest.raises(TransportFailed) as caught:
        await answer(broken)
    assert caught.value.may_have_been_sent


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_replies_that_never_have_a_body_end_with_their_head(status: bytes) -> None:
    assert (await answer(b"HTTP/1.1 " + status + b"\r\n\r\n")).body == b""


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    ],
)
async def test_what_is_no_http_fails_and_may_have_been_sent(text: bytes) -> None:
    with pytest.raises(TransportFailed, match="no HTTP") as caught:
        await answer(text)
    assert caught.value.may_have_been_sent


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", OK[:-1], CHUNKED[:-8]])
async def test_an_answer_that_is_cut_short_may_have_been_sent(text: bytes) -> None:
    with pytest.raises(TransportFailed, match="closed the connection") as caught:
        await answer(text, closes=True)
    assert caught.value.may_have_been_sent


async def test_one_connection_serves_one_request_after_another() -> None:
    async with told() as (server, http):
        for _ in range(5):
            assert (await http.exchange(server.url, GET, 2)).body == b"ok"
        assert (server.connections, len(server.heads)) == (1, 5)
        assert server.heads[0].startswith(b"GET /x?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "text",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_says_more_than_it_was_asked_or_is_to_close_is_not_used_again(text: bytes) -> None:
    async with told(text) as (server, http):
        for _ in range(3):
            assert (await http.exchange(server.url, GET, 2)).body == b"ok"
        assert server.connections == 3


async def test_a_late_answer_is_never_taken_for_that_to_the_next_request() -> None:
    gate = asyncio.Event()
    held = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/slow" in head:
                await gate.wait()
            writer.write(held if b"/slow" in head else OK)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    http = Http1Transport()
    slow = HttpRequest(method="GET", target="/slow", headers={})
    with pytest.raises(TransportFailed, match=r"no answer within 0\.05 s") as caught:
        await http.exchange(url, slow, 0.05)
    assert caught.value.may_have_been_sent
    given_up = asyncio.create_task(http.exchange(url, slow, 5))
    await asyncio.sleep(0.02)
    given_up.cancel()
    gate.set()
    assert (await http.exchange(url, GET, 2)).body == b"ok"
    await http.close()
    listening.close()


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="GET", target="/x\r\nEvil: 1", headers={}),
        HttpRequest(method="GET", target="/a b", headers={}),
        HttpRequest(method="GET", target="/ü", headers={}),
        HttpRequest(method="GET", target="x", headers={}),
        HttpRequest(method="GET /", target="/x", headers={}),
        HttpRequest(method="GET", target="/x", headers={"A": "b\r\nC: d"}),
        HttpRequest(method="GET", target="/x", headers={"A: b\r\nC": "d"}),
    ],
)
async def test_nothing_that_would_break_the_framing_is_sent(request_: HttpRequest) -> None:
    async with told() as (server, http):
        with pytest.raises(TransportFailed) as caught:
            await http.exchange(server.url, request_, 2)
        assert not caught.value.may_have_been_sent
        assert server.heads == []


async def test_a_body_and_an_empty_post_say_how_long_they_are() -> None:
    async with told() as (server, http):
        await http.exchange(server.url + "/base/", HttpRequest(method="POST", target="/p", headers={"A": "b"}), 2)
        await http.exchange(server.url, HttpRequest(method="DELETE", target="/d", headers={}), 2)
        assert server.heads[0].startswith(b"POST /base/p HTTP/1.1\r\n")
        assert server.heads[0].endswith(b"\r\nA: b\r\nContent-Length: 0\r\n\r\n")
        assert b"Content-Length" not in server.heads[1]


async def test_no_more_than_a_hundred_connections_are_opened_at_once() -> None:
    async with told() as (server, http):
        replies = await asyncio.gather(*(http.exchange(server.url, GET, 5) for _ in range(250)))
        assert len(replies) == 250
        assert server.connections <= 100


async def test_a_closed_transport_sends_nothing_and_what_waits_ends() -> None:
    async with told(b"") as (server, http):
        waiting = asyncio.create_task(http.exchange(server.url, GET, 5))
        await server.asked.wait()
        await http.close()
        with pytest.raises(TransportFailed) as caught:
            await waiting
        assert caught.value.may_have_been_sent
        with pytest.raises(TransportFailed) as refused:
            await http.exchange(server.url, GET, 5)
        assert not refused.value.may_have_been_sent


async def test_a_certificate_that_is_not_trusted_ends_before_anything_is_sent(tmp_path: Path) -> None:
    servers, _ = certified(tmp_path)
    with threaded_server(servers) as server:
        http = Http1Transport()
        with pytest.raises(TransportFailed, match=r"(?i)certificate") as caught:
            await http.exchange(f"https://localhost:{server.port}", GET, 5)
        assert not caught.value.may_have_been_sent
        assert server.requests == 0
        await http.close()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "x"])
async def test_another_kind_of_address_is_refused(url: str) -> None:
    http = Http1Transport()
    with pytest.raises(TransportFailed) as caught:
        await http.exchange(url, GET, 5)
    assert not caught.value.may_have_been_sent


async def test_an_http_proxy_is_spoken_to_by_aiohttp_and_all_else_by_this() -> None:
    assert isinstance(http_transport(proxy=Proxy("http://127.0.0.1:1")), AiohttpTransport)
    assert isinstance(http_transport(proxy=Proxy("socks5://127.0.0.1:1")), Http1Transport)
    assert isinstance(http_transport(), Http1Transport)


@given(text=st.binary(max_size=200), cuts=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_no_bytes_make_it_fail_in_another_way(text: bytes, cuts: int) -> None:
    async def main() -> None:
        for begin in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
            with suppress(TransportFailed):
                await answer(begin + text, pieces=cuts, closes=True)

    asyncio.run(main())
