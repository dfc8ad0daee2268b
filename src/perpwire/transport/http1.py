"""HTTP/1.1 straight on asyncio: a pool of kept-alive connections, one request at a time on each.

It does what venues need and no more: no redirects, no cookies, no pipelining, nothing ever repeated. Where an HTTP
proxy is to be used, http.py serves.
"""

from __future__ import annotations

import asyncio
import re
import select
import ssl
import zlib
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.transport.patience import Patience
from perpwire.transport.proxy import Proxy

KEPT_FOR_S = 55.0
"""An idle connection is given up after this: just before the minute at which the usual balancers drop it."""

MOST_CONNECTIONS = 100
LONGEST_HEAD = 1 << 16
LARGEST_BODY = 1 << 28

_TARGET = re.compile(r"/[!-~]*").fullmatch
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?").fullmatch


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
        self._ssl = ssl_context
        self._connect_timeout_s = connect_timeout_s
        self._hosts: dict[str, _Host] = {}
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)
        self._patience: Patience | None = None
        self._is_closed = False

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        host = self._hosts.get(base_url) or self._host(base_url)
        waits = self._free.locked()
        async with self._free:
            connection = host.kept()
            if connection is None:
                waits = True
                connection = await self._connect(host, min(timeout_s, self._connect_timeout_s))
            if waits and request.renew is not None:
                try:
                    request = request.renew()
                except BaseException:
                    connection.drop()
                    raise
            if self._patience is None:
                self._patience = Patience(_give_up)
            try:
                # What is written is nobody's variable: a traceback shows no key and no signature.
                answer = connection.ask(_written(request, host), request.method)
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
            if self._ssl is None:
                self._ssl = ssl.create_default_context()
            security = {"ssl": self._ssl, "server_hostname": host.name}
        words = f"no connection within {timeout_s:g} s"
        try:
            async with asyncio.timeout(timeout_s):
                if self._proxy is not None:
                    through = await self._proxy.connect(host.name, host.port, timeout_s)
                    _, made = await loop.create_connection(partial(_Connection, host), sock=through, **security)
                else:
                    if isinstance(loop, asyncio.BaseEventLoop):  # others, such as uvloop's, do not know it
                        security["happy_eyeballs_delay"] = 0.25
                    _, made = await loop.create_connection(partial(_Connection, host), host.name, host.port, **security)
                return made
        except TimeoutError:
            pass
        except (OSError, ssl.SSLError) as error:
            words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise TransportFailed(words, may_have_been_sent=False)


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
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no such scheme")
        self.is_secure = parts.scheme == "https"
        self.name = parts.hostname
        self.port = parts.port or (443 if self.is_secure else 80)
        self.path = parts.path.rstrip("/")
        name = parts.netloc.rpartition("@")[2]
        self.line = f" HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
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
        self._method = ""
        self._buffer = bytearray()
        self._reply = _Reply()

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

    def ask(self, text: bytes, method: str) -> asyncio.Future[HttpReply]:
        self._answer = answer = self.loop.create_future()
        self._method = method
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
        self._buffer += data
        try:
            done = self._reply.read(self._buffer, self._method)
        except (ValueError, zlib.error) as error:
            self._fail(f"the answer is no HTTP: {error}")
            return
        if done is not None:
            self._finish(done, is_reusable=self._reply.keeps_alive and not self._buffer)

    def eof_received(self) -> bool | None:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._host.connections.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)
        self.is_reusable = False
        answer = self._answer
        if answer is None or answer.done():
            return
        if error is None and self._reply.ends_with_connection:
            try:
                self._finish(self._reply.whole(self._buffer), is_reusable=False)
            except (ValueError, zlib.error) as broken:
                self._fail(f"the answer is no HTTP: {broken}")
            return
        self._fail(
            "the server closed the connection" if error is None else f"{type(error).__name__}: {error}".rstrip(": ")
        )

    def _finish(self, reply: HttpReply, *, is_reusable: bool) -> None:
        answer, self._answer = self._answer, None
        self._reply = _Reply()
        self.is_reusable = is_reusable
        assert answer is not None
        answer.set_result(reply)

    def _fail(self, words: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(TransportFailed(words, may_have_been_sent=True))
        self.drop()


class _Reply:
    """One reply, as far as it has come."""

    __slots__ = ("_body", "_headers", "_is_chunked", "_length", "_status", "ends_with_connection", "keeps_alive")

    def __init__(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._length = 0
        self._is_chunked = False
        self._body = bytearray()
        self.ends_with_connection = False
        self.keeps_alive = False

    def read(self, buffer: bytearray, method: str) -> HttpReply | None:
        """Take from the buffer what belongs to it; the reply once it is whole.

        Raises:
            ValueError: It is no HTTP.
            zlib.error: It is not compressed as it says.
        """
        while not self._status:
            end = buffer.find(b"\r\n\r\n")
            if end > LONGEST_HEAD or (end < 0 and len(buffer) > LONGEST_HEAD):
                raise ValueError("the head does not end")
            if end < 0:
                return None
            self._read_head(bytes(buffer[:end]), method)
            del buffer[: end + 4]
        if self.ends_with_connection:
            if len(buffer) > LARGEST_BODY:
                raise ValueError("the body does not end")
            return None
        if self._is_chunked:
            return self._read_chunks(buffer)
        if len(buffer) < self._length:
            return None
        body = bytes(buffer[: self._length])
        del buffer[: self._length]
        return self.whole(body)

    def whole(self, body: bytes | bytearray) -> HttpReply:
        encoding = self._headers.get("content-encoding", "")
        if encoding in ("gzip", "x-gzip", "deflate") and body:
            # 32: it says by itself whether it is gzip or zlib.
            unpacking = zlib.decompressobj(zlib.MAX_WBITS + 32)
            body = unpacking.decompress(body, LARGEST_BODY)
            if not unpacking.eof:
                raise ValueError("the compressed body is cut short, or too large")
        return HttpReply(status=self._status, headers=self._headers, body=bytes(body))

    def _read_head(self, head: bytes, method: str) -> None:
        first, _, rest = head.partition(b"\r\n")
        status = _STATUS(first)
        if status is None:
            raise ValueError("no status line")
        number = int(status[2])
        if 100 <= number < 200:
            if number == 101:
                raise ValueError("another protocol was not asked for")
            return  # a remark; the reply follows
        headers: dict[str, str] = {}
        for line in rest.decode("latin-1").split("\r\n") if rest else ():
            name, colon, value = line.partition(":")
            if not colon or not name or name[0] in " \t":
                raise ValueError("a header without a name")
            name, value = name.lower(), value.strip()
            if name == "content-length" and headers.get(name, value) != value:
                raise ValueError("two lengths")
            headers[name] = value
        self._headers, self._status = headers, number
        connection = headers.get("connection", "").lower()
        self.keeps_alive = "close" not in connection and (status[1] == b"1" or "keep-alive" in connection)
        length, coding = headers.get("content-length"), headers.get("transfer-encoding", "").lower()
        if method == "HEAD" or number in (204, 304):
            return
        if coding:
            if coding != "chunked":
                raise ValueError(f"transfer encoding {coding[:40]!r}")
            self._is_chunked = True
        elif length is None:
            self.ends_with_connection = True
            self.keeps_alive = False
        elif not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
            raise ValueError("no length")
        else:
            self._length = int(length)

    def _read_chunks(self, buffer: bytearray) -> HttpReply | None:
        while True:
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > LONGEST_HEAD:
                    raise ValueError("a chunk without a size")
                return None
            size = int(bytes(buffer[:end]).partition(b";")[0].strip(), 16)
            if not 0 <= size <= LARGEST_BODY - len(self._body):
                raise ValueError("a chunk of impossible size")
            if size == 0:
                # Trailers, which nobody needs, end with an empty line.
                last = buffer.find(b"\r\n\r\n", end)
                if last < 0:
                    if len(buffer) > LONGEST_HEAD:
                        raise ValueError("the trailers do not end")
                    return None
                del buffer[: last + 4]
                return self.whole(self._body)
            if len(buffer) < end + 2 + size + 2:
                return None
            self._body += buffer[end + 2 : end + 2 + size]
            if buffer[end + 2 + size : end + 4 + size] != b"\r\n":
                raise ValueError("a chunk longer than it says")
            del buffer[: end + 4 + size]


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
        or not request.method.isalpha()
        or any(":" in name for name in lines)
    ):
        return None
    return head.encode() + body


_WITH_LENGTH = ("POST", "PUT", "PATCH")


if hasattr(select, "poll"):

    def _readable(descriptor: int) -> Any:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return partial(poll.poll, 0)

else:  # Windows

    def _readable(descriptor: int) -> Any:
        return lambda: select.select([descriptor], [], [], 0)[0]
