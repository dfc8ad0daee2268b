"""Names that are looked up, and that a resolver which does not answer holds up nothing but who waits for it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop
from tests.transport.test_http1 import GET, told
from tests.transport.test_websocket import Heard, server

from perpwire.clock import SystemClock
from perpwire.transport.base import TransportFailed
from perpwire.transport.dialling import Dialler
from perpwire.transport.http1 import Http1Transport
from perpwire.transport.websocket import PicowsTransport

RUNNERS: list[Callable[[Coroutine[Any, Any, None]], None]] = [asyncio.run, uvloop.run]
STUCK_S = 8.0


class Resolver:
    """In the system's place: names in .example are looked up for ever, "here.example" is this machine."""

    def __init__(self, system: Callable[..., Any]) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        self._system = system

    def __call__(self, name: str, *more: Any, flags: int = 0, **how: Any) -> Any:
        if flags or not name.endswith(".example"):
            return self._system(name, *more, flags=flags, **how)
        self.asked.append(name)
        if name != "here.example":
            self.answers.wait(STUCK_S)
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver does not answer")
        return self._system("127.0.0.1", *more, **how)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.answers.set()


@pytest.mark.parametrize("run", RUNNERS)
def test_a_program_ends_while_a_name_is_looked_up_that_nobody_knows(run: Any, resolver: Resolver) -> None:
    async def main() -> None:
        http = Http1Transport(connect_timeout_s=0.2)
        sockets = PicowsTransport(SystemClock())
        with pytest.raises(TransportFailed, match=r"no connection within 0\.2 s"):
            await http.exchange("http://stuck.example", GET, 5)
        with pytest.raises(TransportFailed, match=r"not open within 0\.2 s"):
            await sockets.connect("ws://stuck.example/ws", Heard(), 0.2)
        waiting = asyncio.create_task(sockets.connect("ws://stuck.example/ws", Heard(), 5))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await http.close()
        await sockets.close()

    began_s = time.monotonic()
    run(main())
    assert time.monotonic() - began_s < STUCK_S / 2


@pytest.mark.parametrize("run", RUNNERS)
def test_who_asks_for_the_same_name_waits_for_the_same_answer(run: Any, resolver: Resolver) -> None:
    async def main() -> None:
        dialler = Dialler()
        first, second = (asyncio.create_task(dialler.look_up("stuck.example", 443)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        resolver.answers.set()
        with pytest.raises(socket.gaierror):
            await second
        with pytest.raises(socket.gaierror):
            await dialler.look_up("stuck.example", 443)
        assert resolver.asked == ["stuck.example"] * 2
        assert await dialler.look_up("127.0.0.1", 443)
        assert len(resolver.asked) == 2  # a number is no name

    run(main())


@pytest.mark.parametrize("run", RUNNERS)
def test_both_kinds_of_connections_are_made_by_name(run: Any, resolver: Resolver) -> None:
    async def echo(ws: Any, request: Any) -> None:
        async for message in ws:
            await ws.send_str(message.data)

    async def main() -> None:
        async with told() as (web, http):
            assert (await http.exchange(web.url.replace("127.0.0.1", "here.example"), GET, 2)).body == b"ok"
        async with server(echo) as url:
            sockets, heard = PicowsTransport(SystemClock()), Heard()
            made = await sockets.connect(f"{url.replace('127.0.0.1', 'here.example')}/ws", heard, 5)
            assert made.send(b"hello")
            assert await asyncio.wait_for(heard.frames.get(), 5) == b"hello"
            await sockets.close()
        assert resolver.asked == ["here.example"] * 2

    run(main())


@pytest.mark.parametrize("run", RUNNERS)
def test_a_socket_that_is_given_up_at_any_moment_closes_nobody_elses(run: Any, resolver: Resolver) -> None:
    """Cancelled after every number of turns of the loop; what else is open stays so."""

    async def echo(ws: Any, request: Any) -> None:
        async for message in ws:
            await ws.send_str(message.data)

    async def main() -> None:
        async with server(echo) as url:
            sockets = PicowsTransport(SystemClock())
            address = f"{url.replace('127.0.0.1', 'here.example')}/ws"
            pairs = []
            for turns in range(40):
                connecting = asyncio.create_task(sockets.connect(address, Heard(), 5))
                for _ in range(turns):
                    await asyncio.sleep(0)
                if turns % 2:
                    await asyncio.sleep(0.002)
                connecting.cancel()
                await asyncio.gather(connecting, return_exceptions=True)
                pairs.append(socket.socketpair())
            del connecting
            for here, there in pairs:
                here.send(b"x")
                assert there.recv(1) == b"x"
                here.close()
                there.close()
            heard = Heard()
            made = await sockets.connect(address, heard, 5)
            assert made.send(b"hello")
            assert await asyncio.wait_for(heard.frames.get(), 5) == b"hello"
            await sockets.close()

    run(main())
