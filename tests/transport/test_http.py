"""The HTTP client against real servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web

from perpwire.http_message import HttpRequest
from perpwire.transport.base import TransportFailed
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport


@asynccontextmanager
async def server(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


Http = AiohttpTransport | Http1Transport
NewClient = Callable[[], AbstractAsyncContextManager[Http]]


@pytest.fixture(params=[AiohttpTransport, Http1Transport])
def client(request: pytest.FixtureRequest) -> NewClient:
    @asynccontextmanager
    async def made() -> AsyncIterator[Http]:
        transport = request.param(connect_timeout_s=1)
        try:
            yield transport
        finally:
            await transport.close()

    return made


async def test_the_bytes_that_were_signed_are_the_bytes_that_arrive(client: NewClient) -> None:
    seen: list[tuple[str, str, bytes, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, await request.read(), request.headers.get("Content-Type")))
        return web.json_response({"ok": True}, headers={"X-MBX-USED-WEIGHT-1M": "7"})

    target = "/fapi/v1/order?symbol=%E6%B5%8B%E8%AF%95USDT&id=a%2Fb%3Ac&cursor=x%3D&plus=1+2"
    async with server(handler) as url, client() as http:
        reply = await http.exchange(url, HttpRequest(method="DELETE", target=target, headers={}), 5)
        await http.exchange(
            url, HttpRequest(method="POST", target="/p", headers={"Content-Type": "a/b"}, body=b"q=%20"), 5
        )
    assert (reply.status, reply.body, reply.headers["x-mbx-used-weight-1m"]) == (200, b'{"ok": true}', "7")
    assert seen == [("DELETE", target, b"", None), ("POST", "/p", b"q=%20", "a/b")]


async def test_a_refused_connection_was_surely_not_sent(client: NewClient, unused_tcp_port: int) -> None:
    async with client() as http:
        with pytest.raises(TransportFailed) as caught:
            await http.exchange(
                f"http://127.0.0.1:{unused_tcp_port}", HttpRequest(method="GET", target="/", headers={}), 5
            )
    assert not caught.value.may_have_been_sent


async def test_a_server_that_never_answers_may_have_acted(client: NewClient) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with server(handler) as url, client() as http:
        with pytest.raises(TransportFailed, match=r"no answer within 0\.1 s") as caught:
            await http.exchange(url, HttpRequest(method="POST", target="/", headers={}, body=b"x"), 0.1)
    assert caught.value.may_have_been_sent


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_connection_cut_before_the_answer_may_have_acted_and_nothing_is_sent_twice(
    client: NewClient, method: str
) -> None:
    seen = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        if seen > 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response()

    async with server(handler) as url, client() as http:
        request = HttpRequest(method=method, target="/", headers={})
        await http.exchange(url, request, 5)
        with pytest.raises(TransportFailed) as caught:
            await http.exchange(url, request, 5)
    assert caught.value.may_have_been_sent
    assert seen == 2
