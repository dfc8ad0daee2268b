"""HTTP/1.1 straight on asyncio: a pool of kept-alive connections, one request at a time on each.

It does what venues need and no more: no redirects, no cookies, no pipelining, nothing ever repeated. Where an HTTP
proxy is to be used, http.py serves.
"""

from __future__ import annotations

import asyncio
import re
import select
import socket
import ssl
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.transport.certificates import default_context, failure_words
from perpwire.transport.dialling import Dialler, let_go
from perpwire.transport.http1_reply import ReplyReader
from perpwire.transport.patience import Patience
from perpwire.transport.proxy import Proxy

KEPT_FOR_S = 55.0
"""An idle connection is given up after this: just before the minute at which the usual balancers drop it."""

MOST_CONNECTIONS = 100

_TARGET = re.compile(r"/[!-~]*").fullmatch


class Http1Transport:
    """See transport.base.HttpTransport.

    An idle connection is looked at before it is used again: what has been closed meanwhile, or has anything to read,
    is dropped and replaced before a byte is written, so a server that closes idle connections is never noticed. What
    fails after that may have been sent: bytes given to the system count as sent.

    Args:
        proxy: A SOCKS proxy, or None.
        ssl_context: Own TLS settings, or None for the system's.
        connect_timeout_s: Seconds a new connection may take.
    """

    def __init__(
        self,
        *,
        proxy: Proxy | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._proxy = proxy
        self._dialler = Dialler()
        self._ssl = ssl_context
        self._trusted: ssl.SSLContext | None = None
        self._connect_timeout_s = connect_timeout_s
        self._hosts: dict[str, _Host] = {}
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)
        self._patience: Patience | None = None
        self._is_closed = False

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        host = self._hosts.get(base_url) or self._host(base_url)
        waits = self._free.locked()
        await (self._turn(timeout_s) if waits else self._free.acquire())
        try:
            connection = host.kept()
            if connection is None:
                waits = True
                connection = await self._connect(host, min(timeout_s, self._connect_timeout_s))
            if self._patience is None:
                self._patience = Patience(_give_up)
            try:
                if waits and request.renew is not None:
                    request = request.renew()
                if connection.is_closing:
                    raise TransportFailed("the server closed the connection at once", may_have_been_sent=False)
                # What is written is nobody's variable: a traceback shows no key and no signature.
                answer = connection.ask(_written(request, host))
                self._patience.watch(answer, timeout_s)
                reply = await answer
            except BaseException:
                connection.drop()
                raise
            if connection.is_reusable:
                host.keep(connection)
            else:
                connection.drop()
            return reply
        finally:
            self._free.release()

    async def _turn(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._free.acquire()
            return
        except TimeoutError:
            pass
        raise TransportFailed(f"no connection was free within {timeout_s:g} s", may_have_been_sent=False)

    async def close(self) -> None:
        self._is_closed = True
        if self._patience is not None:
            self._patience.close()
        connections = [connection for host in self._hosts.values() for connection in host.drop_all()]
        await asyncio.gather(*(connection.gone for connection in connections), return_exceptions=True)

    def _host(self, base_url: str) -> _Host:
        if self._is_closed:
            raise TransportFailed("the transport is closed", may_have_been_sent=False)
        try:
            host = _Host(base_url)
        except ValueError:
            raise TransportFailed("the base address is no http:// or https:// URL", may_have_been_sent=False) from None
        return self._hosts.setdefault(base_url, host)

    async def _connect(self, host: _Host, timeout_s: float) -> _Connection:
        if self._is_closed:
            raise TransportFailed("the transport is closed", may_have_been_sent=False)
        loop = asyncio.get_running_loop()
        security: dict[str, Any] = {}
        if host.is_secure:
            if self._trusted is None:
                self._trusted = self._ssl or default_context()
            security = {"ssl": self._trusted, "server_hostname": host.name}
        words = f"no connection within {timeout_s:g} s"
        try:
            async with asyncio.timeout(timeout_s):
                if self._proxy is not None:
                    through = await self._proxy.connect(host.name, host.port, timeout_s)
                else:
                    through = await self._dialler.dial(host.name, host.port)
                through.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made = await _made(loop, host, through, security)
            if not self._is_closed:
                return made
            made.drop()
            words = "the transport is closed"
        except TimeoutError:
            pass
        except (OSError, ValueError) as error:  # a ValueError: the name is none
            words = failure_words(error, self._ssl)
        raise TransportFailed(words, may_have_been_sent=False)


async def _made(
    loop: asyncio.AbstractEventLoop, host: _Host, through: socket.socket, security: dict[str, Any]
) -> _Connection:
    connection = _Connection(host)
    try:
        await loop.create_connection(lambda: connection, sock=through, **security)
    except BaseException:
        connection.forget()  # uvloop tells the protocol of no end
        let_go(through)
        raise
    return connection


def _give_up(answer: asyncio.Future[HttpReply], began: float, seconds: float) -> None:
    answer.set_exception(TransportFailed(f"no answer within {seconds:g} s", may_have_been_sent=True))


def http_transport(
    *, proxy: Proxy | None = None, ssl_context: ssl.SSLContext | None = None, connect_timeout_s: float = 5.0
) -> HttpTransport:
    """The client for these settings: aiohttp's where an HTTP proxy has to be spoken to, else this file's."""
    if proxy is not None and not proxy.is_socks:
        from perpwire.transport.http import AiohttpTransport

        return AiohttpTransport(proxy=proxy, ssl_context=ssl_context, connect_timeout_s=connect_timeout_s)
    return Http1Transport(proxy=proxy, ssl_context=ssl_context, connect_timeout_s=connect_timeout_s)


class _Host:
    """One scheme, name and port, and its connections."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not _TARGET(f"/{parts.netloc}{parts.path}"):
            raise ValueError("no such scheme")
        self.is_secure = parts.scheme == "https"
        self.name = parts.hostname
        self.port = parts.port or (443 if self.is_secure else 80)
        self.path = parts.path.rstrip("/")
        name = parts.netloc.rpartition("@")[2]
        self.line = f" HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
        self.breaks = self.line.count("\n") + 1
        self.connections: set[_Connection] = set()
        self._kept: list[_Connection] = []

    def kept(self) -> _Connection | None:
        """The connection used last that is still good."""
        while self._kept:
            connection = self._kept.pop()
            if connection.is_fresh():
                return connection
            connection.drop()
        return None

    def keep(self, connection: _Connection) -> None:
        connection.kept_since = connection.loop.time()
        self._kept.append(connection)
        if self._kept[0].kept_since + KEPT_FOR_S < connection.kept_since:
            self._kept.pop(0).drop()

    def drop_all(self) -> list[_Connection]:
        self._kept.clear()
        connections = list(self.connections)
        for connection in connections:
            connection.drop()
        return connections


class _Connection(asyncio.Protocol):
    """One connection, and the reply that is just coming on it."""

    def __init__(self, host: _Host) -> None:
        self.loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self.is_reusable = False
        self.kept_since = 0.0
        self._host = host
        self._answer: asyncio.Future[HttpReply] | None = None
        self._replies = ReplyReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._host.connections.add(self)
        socket = transport.get_extra_info("socket")
        self._is_readable = _readable(socket.fileno()) if socket is not None else None

    def is_fresh(self) -> bool:
        """It may be used again: not closed, and nothing has been said on it unasked, which must not be taken for the
        answer to what is asked next. The loop need not have seen it yet: the system is asked."""
        return (
            self.is_reusable
            and not self._transport.is_closing()
            and self.kept_since + KEPT_FOR_S > self.loop.time()
            and self._is_readable is not None
            and not self._is_readable()
        )

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def ask(self, text: bytes) -> asyncio.Future[HttpReply]:
        self._answer = answer = self.loop.create_future()
        self._replies.begin()
        self.is_reusable = False
        self._transport.write(text)
        return answer

    def drop(self) -> None:
        self.is_reusable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.done():
            self.drop()  # said unasked, or too late
            return
        try:
            reply = self._replies.feed(data)
        except ValueError as error:
            self._fail(f"the answer is no HTTP: {error}")
            return
        if reply is not None:
            # What is answered before it was read whole leaves its rest in the way of the next.
            is_written = not self._transport.get_write_buffer_size()
            self._finish(reply, is_reusable=self._replies.is_reusable and is_written)

    def eof_received(self) -> bool | None:
        return False

    def forget(self) -> None:
        """Nobody waits for its end any more."""
        self._host.connections.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.forget()
        self.is_reusable = False
        answer = self._answer
        if answer is None or answer.done():
            return
        try:
            reply = self._replies.ended() if error is None else None
        except ValueError as broken:
            self._fail(f"the answer is no HTTP: {broken}")
            return
        if reply is not None:
            self._finish(reply, is_reusable=False)
            return
        self._fail(
            "the server closed the connection" if error is None else f"{type(error).__name__}: {error}".rstrip(": ")
        )

    def _finish(self, reply: HttpReply, *, is_reusable: bool) -> None:
        answer, self._answer = self._answer, None
        self.is_reusable = is_reusable
        assert answer is not None
        answer.set_result(reply)

    def _fail(self, words: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(TransportFailed(words, may_have_been_sent=True))
        self.drop()


def _written(request: HttpRequest, host: _Host) -> bytes:
    """The bytes of a request.

    Raises:
        TransportFailed: What is in it would break the framing. Nothing of it is shown: a traceback is seen by others.
    """
    text = _text(request, host)
    if text is None:
        raise TransportFailed("method, target or a header can't be written", may_have_been_sent=False)
    return text


def _text(request: HttpRequest, host: _Host) -> bytes | None:
    target, body, lines = request.target, request.body, request.headers
    headers = "".join([f"{name}: {value}\r\n" for name, value in lines.items()])
    length = f"Content-Length: {len(body)}\r\n" if body or request.method in _WITH_LENGTH else ""
    head = f"{request.method} {host.path}{target}{host.line}{headers}{length}\r\n"
    # As many line breaks as were put in, and no other control character or space where none may be.
    breaks = host.breaks + len(lines) + (1 if length else 0)
    if (
        head.count("\n") != breaks
        or head.count("\r") != breaks
        or not head.isascii()
        or not _TARGET(target)
        or request.method not in _METHODS
        or any(":" in name for name in lines)
    ):
        return None
    return head.encode() + body


_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")  # no HEAD: its replies look like those to GET, and are not
_WITH_LENGTH = ("POST", "PUT", "PATCH")


if hasattr(select, "poll"):

    def _readable(descriptor: int) -> Any:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return partial(poll.poll, 0)

else:  # Windows

    def _readable(descriptor: int) -> Any:
        return lambda: select.select([descriptor], [], [], 0)[0]
