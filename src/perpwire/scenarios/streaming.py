"""A client of streams alone, beside a scenario's connector: its own manager, and what it was told and heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from random import Random

from perpwire.api_connector.websocket_manager import StreamSettings, WebSocketManager
from perpwire.model.incident import Incident
from perpwire.scenarios.run import PUBLIC, Run
from perpwire.transport.base import Socket, SocketListener, SocketTransport


class Doors:
    """Notes when sockets were asked for, and passes that on."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sockets: SocketTransport = run.world.network
        self.tried_s: list[float] = []

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        self.tried_s.append(self._run.now_s)
        return await self._sockets.connect(url, listener, timeout_s)

    async def close(self) -> None:
        """The sockets are the run's."""


class Streaming:
    """See module docstring; use as `async with streaming.manager`."""

    def __init__(self, run: Run, settings: StreamSettings, doors: Doors | None = None) -> None:
        self._run = run
        self.doors = doors or Doors(run)
        self.incidents: list[Incident] = []
        self.heard_s: dict[str, list[float]] = defaultdict(list)
        """Topic -> when it spoke, on any socket."""
        self.manager = WebSocketManager(
            urls=run.world.simulation.urls,
            settings=settings,
            clock=run.clock,
            rng=Random(run.random.random()),
            sockets=self.doors,
        )
        for kind in PUBLIC:
            self.manager.on(kind, run.delivered.on_event)
        self.manager.on_raw(self._hear)
        self.manager.on_incident(self.incidents.append)

    async def connect(self, names: Collection[str]) -> None:
        """Subscribe them, and have it compared that they come."""
        self._run.wanted.update(names)
        await self.manager.connect(self._run.venue, names)

    def _hear(self, connection: str, frame: bytes, received_ns: int) -> None:
        start, _, rest = frame.partition(b'":"')
        if start in (b'{"stream', b'{"topic'):
            self.heard_s[rest.partition(b'"')[0].decode()].append(self._run.now_s)

    def last_s(self, topic: str) -> float:
        """When it spoke last; minus infinity: never."""
        times = self.heard_s.get(topic)
        return times[-1] if times else float("-inf")
