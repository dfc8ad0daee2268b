"""A loopback socket between a client and an exchange: it passes every byte on, and notes the client's requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

HEADERS = ("content-type", "x-mbx-apikey", "x-bapi-")
"""Those that mean something to the venues begin so."""

MADE = ("timestamp", "signature")
"""Another one each time."""

IDS = ("orderId", "origClientOrderId", "newClientOrderId", "orderLinkId", "algoId", "clientAlgoId")

Field = Any


class Request(NamedTuple):
    """One request as the socket saw it, in a form that can be compared: numbers by their value, ids by their being."""

    method: str
    path: str
    fields: dict[str, Field]
    headers: dict[str, str]

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


class Wiretap:
    """Stands for an exchange to a client: it has the attributes of a VenueDoor that clients are pointed by."""

    def __init__(self, name: str, url: str, exchange_url: str) -> None:
        self.name = name
        self.url = url
        self.ws_url = url.replace("http", "ws", 1)
        self._to = urlsplit(exchange_url)
        self.requests: list[Request] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        back = asyncio.create_task(_pass_on(upstream_reader, writer))
        buffer = bytearray()
        try:
            while data := await reader.read(65536):
                buffer += data
                self._note(buffer)
                upstream_writer.write(data)
        except ConnectionError:
            pass
        finally:
            upstream_writer.close()
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            writer.close()

    def _note(self, buffer: bytearray) -> None:
        """Take every whole request off the buffer."""
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
            assert "chunked" not in headers.get("transfer-encoding", ""), "a client sends chunks"
            whole = end + 4 + int(headers.get("content-length", 0))
            if len(buffer) < whole:
                return
            self.requests.append(_read(first, headers, bytes(buffer[end + 4 : whole])))
            del buffer[:whole]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def wiretap(name: str, exchange_url: str) -> AsyncIterator[Wiretap]:
    """A wiretap before the exchange, while the block runs."""
    taps: list[Wiretap] = []
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(taps[0].serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    taps.append(Wiretap(name, f"http://127.0.0.1:{port}", exchange_url))
    try:
        yield taps[0]
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _read(first: str, headers: dict[str, str], body: bytes) -> Request:
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    fields: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    text = body.decode()
    if text.startswith("{"):
        fields |= json.loads(text)
    else:
        fields |= parse_qsl(text, keep_blank_values=True)
    kept = {
        name: value
        for name, value in headers.items()
        if name.startswith(HEADERS) and not name.endswith(("timestamp", "sign"))
    }
    comparable = {name: _comparable(name, value) for name, value in fields.items() if name not in MADE}
    return Request(method, path, comparable, kept)


def _comparable(name: str, value: Any) -> Field:
    if name in IDS:
        return "<id>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {key: _comparable(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_comparable("", one) for one in value]
    if isinstance(value, str) and value[:1] in "[{":
        return _comparable(name, json.loads(value))
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except InvalidOperation:
        return str(value)


def differences(ours: Request, theirs: Request) -> set[str]:
    """What another client sends otherwise than we do, in words."""
    found = set()
    if ours.call != theirs.call:
        found.add(f"call: {ours.call} | {theirs.call}")
    pairs = [("", ours.fields, theirs.fields), ("header ", ours.headers, theirs.headers)]
    for kind, left, right in pairs:
        for name in sorted(set(left) | set(right)):
            if name not in right:
                found.add(f"only ours: {kind}{name}={left[name]}")
            elif name not in left:
                found.add(f"only theirs: {kind}{name}={right[name]}")
            elif left[name] != right[name]:
                found.add(f"{kind}{name}: {left[name]} | {right[name]}")
    return found
