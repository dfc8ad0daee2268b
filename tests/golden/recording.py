"""What leaves a connector for each intent of intents.py, noted at the transport, in virtual time.

Times, signatures, keys and the numbers that connect an answer with its request are put by words in angle brackets; so
are the ids that the exchange gave. Everything else stands as it was sent, byte by byte.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.golden.intents import ACCOUNTS, Account, Desk, Intent, client_id, intents

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.listing import Listing
from perpwire.testing import World, offline
from perpwire.transport.base import Socket, SocketListener
from perpwire.venues import load

VENUES = ("binance", "bybit")
ROADS = ("rest", "websocket")

Line = dict[str, Any]
Golden = dict[str, dict[str, list[Line]]]
"""Intent -> road -> what was sent."""

MARKS = (
    (r"(?<=timestamp=)\d{13}", "<ms>"),
    (r"(?<=signature=)[0-9a-f]{64}", "<signature>"),
    (r'(?<="timestamp":)\d{13}', "<ms>"),
    (r'(?<="X-BAPI-TIMESTAMP":")\d{13}', "<ms>"),
    (r'(?<="signature":")[0-9a-f]{64}', "<signature>"),
    (r'(?<="apiKey":")sim-key', "<key>"),
    (r'(?<=^\{"id":")[^"]+', "<request id>"),
    (r'(?<=^\{"reqId":")[^"]+', "<request id>"),
    (r"pw-[0-9a-f]{20}-[0-9a-z]+", "<made id>"),
)

HEADERS = {
    "X-MBX-APIKEY": "<key>",
    "X-BAPI-API-KEY": "<key>",
    "X-BAPI-TIMESTAMP": "<ms>",
    "X-BAPI-SIGN": "<signature>",
}

READS = '"method":"order.status"'
"""Of a frame that only asks."""

# Only what is sent on behalf of the intent is noted, not what the connector asks for itself meanwhile.
_noting: ContextVar[list[tuple[str, Line]] | None] = ContextVar("noting", default=None)


class Tap:
    """Both transports of a connector; see transport/base.py."""

    def __init__(self, world: World) -> None:
        self._network = world.network

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        line: Line = {request.method: request.target}
        if request.headers:
            line["headers"] = {name: HEADERS.get(name, text) for name, text in request.headers.items()}
        if request.body:
            line["body"] = request.body.decode()
        _note(request.method, line)
        return await self._network.exchange(base_url, request, timeout_s)

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        return TappedSocket(await self._network.connect(url, listener, timeout_s))

    async def close(self) -> None:
        return None


class TappedSocket:
    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self.ping, self.close, self.abort = socket.ping, socket.close, socket.abort

    def send(self, text: bytes) -> bool:
        frame = text.decode()
        _note("GET" if READS in frame else "frame", {"frame": frame})
        return self._socket.send(text)


def _note(kind: str, line: Line) -> None:
    noted = _noting.get()
    if noted is not None:
        noted.append((kind, line))


@contextmanager
def noting() -> Iterator[list[tuple[str, Line]]]:
    noted: list[tuple[str, Line]] = []
    token = _noting.set(noted)
    try:
        yield noted
    finally:
        _noting.reset(token)


def marked(line: Line, given: Sequence[str]) -> Line:
    """The line with words for what differs from run to run; `given` are ids of the exchange."""
    return {name: text if isinstance(text, dict) else _marked(text, given) for name, text in line.items()}


def _marked(text: str, given: Sequence[str]) -> str:
    for pattern, word in MARKS:
        text = re.sub(pattern, word, text)
    for number, one in enumerate(given, start=1):
        text = text.replace(one, f"<id {number}>")
    return text


def wire_form(noted: Sequence[tuple[str, Line]], given: Sequence[str]) -> list[Line]:
    """What an intent that writes has written, and what one that only reads has asked: how often an outcome is asked
    for is no matter of the wire form."""
    writes = [line for kind, line in noted if kind != "GET"]
    lines = [marked(line, given) for line in writes or [line for _, line in noted]]
    return [line for at, line in enumerate(lines) if writes or line not in lines[:at]]


# --- playing them -----------------------------------------------------------------------------------------------------


def record(venue: str) -> Golden:
    """Play all intents of a venue on both roads. Each is taken by the embedded exchange, or this fails."""
    golden: Golden = {}
    for account in ACCOUNTS:
        for road in ROADS:
            clock = ManualClock()
            rows = [one for one in intents(venue) if one.account is account and road in one.roads]
            for name, lines in clock.run(_played(clock, venue, account, road, rows)).items():
                golden.setdefault(name, {})[road] = lines
    return {one.name: golden[one.name] for one in intents(venue)}


async def _played(
    clock: ManualClock, venue: str, account: Account, road: str, rows: Sequence[Intent]
) -> dict[str, list[Line]]:
    listings = [Listing(symbol="币安人生USDT", start_price=Decimal("0.1500"))]
    async with offline(clock=clock, venues=[venue], rate=1e-6, symbols=listings) as world:
        await world.connectors[venue].close()
        tap = Tap(world)
        connector = VenueConnector(
            load(venue), "sim-key", "sim-secret", url=world.simulation.urls[venue],
            clock=clock, rng=random.Random(1), http=tap, sockets=tap, road=road,
        )  # fmt: skip
        async with connector:
            await clock.sleep(5)
            assert road == "rest" or connector.is_trade_socket_live
            desk = Desk(connector, clock)
            await account.prepare(desk)
            done = {}
            for row in rows:
                done[row.name] = await _one(desk, row)
            return done


async def _one(desk: Desk, intent: Intent) -> list[Line]:
    desk.given, desk.client_order_id = [], client_id(intent.name)
    await intent.before(desk)
    with noting() as noted:
        try:
            await intent.do(desk)
        except Exception as error:
            raise AssertionError(f"{intent.name}: {error}") from error
    await desk.tidy()
    lines = wire_form(noted, desk.given)
    assert lines, f"{intent.name}: nothing was sent"
    return lines


# --- the files --------------------------------------------------------------------------------------------------------

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"

DIGESTS = re.compile(r"binance `[0-9a-f]{12}`, bybit `[0-9a-f]{12}`")
"""Where the changelog names the golden files that belong to it; the newest version stands first."""


def path(venue: str) -> Path:
    return Path(__file__).with_name(f"{venue}.json")


def text(golden: Golden) -> str:
    return json.dumps(golden, ensure_ascii=False, indent=1) + "\n"


def digests() -> str:
    """Of the files as they are, in the changelog's words."""
    return ", ".join(f"{venue} `{sha256(path(venue).read_bytes()).hexdigest()[:12]}`" for venue in VENUES)
