"""A small proxy on loopback: HTTP (absolute URLs and CONNECT) and SOCKS5, with user and password, counting."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

USER, PASSWORD = "user", "pass:word/@1"


class LoopbackProxy:
    """Whatever is asked for, it leads to one port: an address that leads nowhere by itself works through it alone.

    Attributes:
        targets: Host of each connection that was led on, as it was asked for.
        refused: Connections without the right user and password.
        slow_s: How long it takes to make a tunnel.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self.targets: list[str] = []
        self.refused = 0
        self.slow_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            first = await reader.readexactly(1)
            await (self._socks(reader, writer) if first == b"\x05" else self._http(first, reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        if b"Basic " + wanted not in head:
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            self.targets.append(target.rpartition(":")[0])
            await asyncio.sleep(self.slow_s)
            onward = await asyncio.open_connection("127.0.0.1", self._to_port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:  # every request of the connection has an absolute URL: the exchange must be asked for its path alone
            parts = urlsplit(target)
            self.targets.append(parts.hostname or "")
            onward = await asyncio.open_connection("127.0.0.1", self._to_port)
            rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
            head = head.replace(target.encode(), rest.encode(), 1)
            head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            onward[1].write(head)
        await self._pipe(reader, writer, *onward)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        if 2 not in methods:
            self.refused += 1
            writer.write(b"\x05\xff")
            return
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        if (user.decode(), password.decode()) != (USER, PASSWORD):
            self.refused += 1
            writer.write(b"\x01\x01")
            return
        writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(str(byte) for byte in await reader.readexactly(4 if kind == 1 else 16))
        await reader.readexactly(2)
        self.targets.append(host)
        onward = await asyncio.open_connection("127.0.0.1", self._to_port)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await self._pipe(reader, writer, *onward)

    async def _pipe(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_exchange: asyncio.StreamReader,
        to_exchange: asyncio.StreamWriter,
    ) -> None:
        async def one_way(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(one_way(reader, to_exchange), one_way(from_exchange, writer))
        finally:
            to_exchange.close()


@asynccontextmanager
async def loopback_proxy(to_port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[LoopbackProxy, int]]:
    """The proxy and its port."""
    proxy = LoopbackProxy(to_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await proxy.end()
