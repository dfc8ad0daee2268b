"""A gateway on a port of its own, before an embedded exchange."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientResponse

from perpwire.config.secret import Secret
from perpwire.config.settings import PageSettings, Settings, VenueSettings
from perpwire.gateway.gateway import Gateway
from perpwire.notification.notifier import Notifier
from perpwire.testing import World, offline

TOKEN = "a token of some length"
WAIT_S = 20.0


@asynccontextmanager
async def serving(
    *,
    token: str = "",
    host: str = "127.0.0.1",
    books: tuple[str, ...] = ("BTCUSDT",),
    notifier: Notifier | None = None,
    **options: Any,
) -> AsyncIterator[tuple[World, Gateway]]:
    """Both venues, with the account's stream, BTCUSDT's streams and its book. Options are those of `offline`."""
    async with offline(**options) as world:
        settings = Settings(
            page=PageSettings(host=host, port=0, token=Secret(token)),
            venues={name: VenueSettings(symbols=("BTCUSDT",), books=books) for name in world.simulation.urls},
        )
        connectors = {name: world.connector(name) for name in world.simulation.urls}
        async with Gateway(settings, connectors, notifier=notifier, rng=random.Random(1)) as gateway:
            yield world, gateway


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look again and again, over the wire as a user would, until it `holds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while not await holds():
        assert loop.time() < end, f"not within {WAIT_S:g} s: {what}"
        await asyncio.sleep(0.05)


class Message(msgspec.Struct):
    event: str
    data: Any
    id: str


async def messages(response: ClientResponse) -> AsyncIterator[Message]:
    """Of a stream of server-sent events, as a browser takes it apart."""
    event, data, last_id = "message", "", ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if not line:
            if data:
                yield Message(event, msgspec.json.decode(data), last_id)
            event, data = "message", ""
            continue
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            data += value
        elif name == "id":
            last_id = value


async def first(response: ClientResponse, event: str, holds: Callable[[Any], bool] = lambda _: True) -> Message:
    """The first message of that name for which `holds`."""
    async with asyncio.timeout(WAIT_S):
        async for message in messages(response):
            if message.event == event and holds(message.data):
                return message
    raise AssertionError(f"the stream ended without {event}")
