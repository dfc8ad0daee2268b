"""Which socket carries what: topics placed on connections of their route, kept by their holders, ended with the last.

The half of WebSocketManager that connectors call.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from perpwire.api_connector.connect_gate import ConnectGate
from perpwire.api_connector.consumers import Consumers
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.lifecycle import State, TopicState
from perpwire.api_connector.route_search import LOOK_S, RouteSearch
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.topic_routes import Routes, TopicRoutes
from perpwire.api_connector.topic_uses import TopicUses, Use
from perpwire.api_connector.unknown_watch import UnknownWatch
from perpwire.clock import Clock, SystemClock
from perpwire.credentials import Credentials
from perpwire.entropy import system_random
from perpwire.errors import BadInput, NotSent, StreamRefused
from perpwire.logs import IncidentLog
from perpwire.model.incident import Incident
from perpwire.transport.base import SocketTransport
from perpwire.transport.on_demand import SocketsOnDemand
from perpwire.transport.proxy import Proxy
from perpwire.venues.base import Hosts, Topic, Venue

log = logging.getLogger("perpwire.api_connector")

Wait = Literal["acknowledged", "live"]

OnState = Callable[[str, bool], None]
"""Hears (connection, live?)."""


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How streams are kept.

    Attributes:
        routes: Venue name -> kind of stream, or one stream's name, or "*" for all -> route to ask for it on, where the
            venue has moved it: {"binance": {"aggTrade": "market"}}. What is silent there is tried on the others anyway.
        copies: So many sockets carry each stream at once. Each event is delivered once, the first time that one of them
            says it; losing one loses nothing.
        topics_per_connection: More go on a further connection; None: as many as the venue takes.
        socket_life_s: Replace sockets before they are so old, without a gap; None: before the venue ends them.
    """

    routes: Routes = MappingProxyType({})
    copies: int = 1
    topics_per_connection: int | None = None
    socket_life_s: float | None = None


class StreamGroups:
    """See module docstring; the arguments are those of WebSocketManager."""

    def __init__(
        self,
        *,
        env: str = "live",
        urls: Mapping[str, str] | None = None,
        hosts: Mapping[str, Hosts] | None = None,
        heartbeat_s: float = 20.0,
        routes: Routes | None = None,
        settings: StreamSettings | None = None,
        proxy: Proxy | str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        sockets: SocketTransport | None = None,
    ) -> None:
        self._env = env
        self._urls = dict(urls or {})
        self._own_hosts = dict(hosts or {})
        self._proxy = Proxy(proxy) if isinstance(proxy, str) else proxy
        self._ssl_context = ssl_context
        self._heartbeat_s = heartbeat_s
        self._settings = settings or StreamSettings()
        self._routes = TopicRoutes(self._settings.routes if routes is None else routes)
        self._gates: dict[str, ConnectGate] = {}
        self._topic_handlers: list[Callable[[str, str, TopicState], None]] = []
        self._clock: Clock = clock or SystemClock()
        self._rng = rng or system_random()
        self._sockets = sockets
        self._own_sockets = sockets is None
        self._incident_handlers: list[Callable[[Incident], None]] = [IncidentLog()]
        self.frames = FramePath(self._clock, self._tell)
        self.unknown = UnknownWatch(self.frames, self._clock, self._tell)
        self._consumers = Consumers(self.frames, self._clock, self._tell)
        self._search = RouteSearch(self._routes, self._drop, self._tell, self._clock)
        self._connections: dict[str, StreamConnection] = {}
        self._uses = TopicUses()
        self._coming: Counter[StreamConnection] = Counter()
        """Subscriptions under way: a connection that one is for is not closed for being empty."""
        self._releasing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close every socket and end every iterator."""
        await self._search.close()
        for task in self._releasing:
            task.cancel()
        await asyncio.gather(*self._releasing, return_exceptions=True)
        connections, self._connections = list(self._connections.values()), {}
        self._uses.clear()
        await asyncio.gather(*(connection.close() for connection in connections))
        self._consumers.close()
        if self._own_sockets and self._sockets is not None:
            await self._sockets.close()
            self._sockets = None

    # --- what connectors call -------------------------------------------------------------------------------------

    def hosts(self, venue: Venue) -> Hosts:
        """Where the venue lives in this manager's environment.

        Raises:
            BadInput: The venue has no such environment.
        """
        own, url = self._own_hosts.get(venue.name), self._urls.get(venue.name)
        if own is not None:
            return own
        if url is not None:
            return hosts_at(url)
        if self._env not in venue.environments:
            raise BadInput(
                f"no environment {self._env!r}; there are {', '.join(venue.environments)}",
                venue=venue.name,
                code="NO_SUCH_ENVIRONMENT",
                advice="Name one of them, or give the url of an embedded exchange.",
            )
        return msgspec.structs.replace(venue.environments[self._env], env=self._env)

    async def subscribe(
        self,
        venue: Venue,
        hosts: Hosts,
        uses: Iterable[Use],
        *,
        on_state: OnState | None = None,
        wait: Wait = "acknowledged",
    ) -> None:
        """Subscribe public topics for their holders, opening sockets as needed; `on_state` hears (connection, live?) of
        new ones. A topic is ended at the venue when its last holder has given it back (topic_uses.py).

        Args:
            wait: Return when the venue has acknowledged them, or when data has come of each that must have some soon
                ("live"; a topic of a quiet market may be silent for hours).

        Raises:
            NotSent: The first connection can't be made; or "live", and what must speak does not on any route.
            StreamRefused: The venue refused a topic; the others stand.
        """
        claim = self._uses.claim(venue.name, uses)  # at once, so that nobody who gives one back meanwhile ends it
        topics = list(dict.fromkeys(use.topic for use in claim.uses))
        wanted: dict[StreamConnection, list[str]] = {}
        for topic in topics:
            connection = self.carrying(venue, topic)
            if connection is None:
                connection = self._with_room(venue, hosts, self._routes.routed(venue, topic), on_state, wanted)
            wanted.setdefault(connection, []).append(topic.name)
        self._coming.update(wanted.keys())
        failed: list[Topic] = topics
        try:
            await asyncio.gather(*(self._bring(connection, names) for connection, names in wanted.items()))
            failed = []
        except StreamRefused:
            failed = []  # those that were refused are carried by nobody; where only some were, the others stand
            raise
        finally:
            self._coming.subtract(wanted.keys())
            self._coming = +self._coming
            failed += [topic for topic in topics if topic not in failed and self.carrying(venue, topic) is None]
            self._end_soon(venue, self._uses.settle(claim, failed))
        for connection, names in wanted.items():
            connection.raise_refusals(names)
        if wait == "live":
            await self._until_live(venue, topics)

    async def unsubscribe(self, venue: Venue, uses: Iterable[Use]) -> None:
        """Give them back; those that nobody holds any more are ended."""
        await self._end(venue, self._uses.give_back(venue.name, uses))

    def release(self, venue: Venue, uses: Iterable[Use]) -> None:
        """`unsubscribe`, for who can't wait for it: given back at once, and ended at the venue a moment later."""
        self._end_soon(venue, self._uses.give_back(venue.name, uses))

    def is_wanted(self, venue: Venue, topic: Topic) -> bool:
        """Whether anybody uses it, or is about to."""
        return self._uses.is_held(venue.name, topic)

    def _end_soon(self, venue: Venue, unwanted: list[Topic]) -> None:
        if not self._connections or not unwanted:
            return
        task = asyncio.get_running_loop().create_task(self._end(venue, unwanted), name="perpwire release")
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _end(self, venue: Venue, topics: Iterable[Topic]) -> None:
        for topic in topics:
            # Of several while it is tried on another route.
            for connection in tuple(self._connections.values()):
                is_there = connection.venue is venue and topic.name in connection.topics
                if is_there and not self.is_wanted(venue, topic):
                    await self._drop(connection, topic.name)

    async def _until_live(self, venue: Venue, topics: Iterable[Topic]) -> None:
        feeds = {topic: venue.feed(topic) for topic in topics}
        for topic, feed in feeds.items():
            if feed.first_s is None:
                continue
            for _ in range(round(feed.first_s * (1 + len(feed.routes)) / LOOK_S)):
                if self._has_spoken(venue, topic):
                    break
                await self._clock.sleep(LOOK_S)
            else:
                raise NotSent(
                    f"{topic.name} was acknowledged, and says nothing",
                    venue=venue.name,
                    call="subscribe",
                    code="SILENT",
                )

    def _has_spoken(self, venue: Venue, topic: Topic) -> bool:
        return any(
            one.has_spoken(topic.name)
            for one in self._connections.values()
            if one.venue is venue and topic.name in one.topics
        )

    async def open(
        self,
        venue: Venue,
        hosts: Hosts,
        route: str,
        topics: Iterable[str],
        *,
        address: Callable[[], Awaitable[str]],
        credentials: Credentials | None,
        venue_ms: Callable[[], int],
        on_state: OnState | None = None,
    ) -> StreamConnection:
        """Open a route that needs a key or a login."""
        connection = self._new(venue, hosts, route, address, credentials, venue_ms, on_state)
        await self._bring(connection, list(topics))
        return connection

    def connection(self, name: str) -> StreamConnection | None:
        return self._connections.get(name)

    def carrying(self, venue: Venue, topic: Topic) -> StreamConnection | None:
        """The connection on which a topic is subscribed."""
        for connection in self._connections.values():
            if connection.venue is venue and topic.name in connection.topics:
                return connection
        return None

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _bring(self, connection: StreamConnection, names: list[str]) -> None:
        if connection.state is not State.IDLE:
            await connection.add(names)
            return
        try:
            await connection.start(names)
        except BaseException:
            self._connections.pop(connection.name, None)
            raise

    def _with_room(
        self,
        venue: Venue,
        hosts: Hosts,
        topic: Topic,
        on_state: OnState | None,
        wanted: dict[StreamConnection, list[str]],
    ) -> StreamConnection:
        number = 1
        while True:
            name = f"{venue.name}/{topic.route}" + (f"#{number}" if number > 1 else "")
            connection = self._connections.get(name)
            if connection is None:

                async def address() -> str:
                    return venue.stream_url(hosts, topic.route, None)

                return self._new(venue, hosts, topic.route, address, None, self._no_clock, on_state, name)
            most = self._settings.topics_per_connection or venue.topics_per_connection
            if len(connection.topics) + len(wanted.get(connection, ())) < most:
                return connection
            number += 1

    def _no_clock(self) -> int:
        return self._clock.time_ns() // 1_000_000

    def _new(
        self,
        venue: Venue,
        hosts: Hosts,
        route: str,
        address: Callable[[], Awaitable[str]],
        credentials: Credentials | None,
        venue_ms: Callable[[], int],
        on_state: OnState | None,
        name: str | None = None,
    ) -> StreamConnection:
        name = name or f"{venue.name}/{route}"
        gate = self._gates.get(venue.name)
        if gate is None:
            gate = self._gates[venue.name] = ConnectGate(self._clock, venue.connects)

        async def place(topic: Topic) -> StreamConnection:
            chosen = self._with_room(venue, hosts, topic, on_state, {})
            await self._bring(chosen, [topic.name])
            return chosen

        connection = StreamConnection(
            venue=venue,
            hosts=hosts,
            route=route,
            name=name,
            address=address,
            transport=self.transport(),
            frames=self.frames,
            clock=self._clock,
            rng=self._rng,
            credentials=credentials,
            venue_ms=venue_ms,
            on_incident=self._tell,
            on_state=None if on_state is None else lambda live: on_state(name, live),
            on_silent=lambda topic: self._search.begin(connection, topic, place),
            on_topic=lambda topic, state: self._tell_topic(venue.name, topic, state),
            heartbeat_s=self._heartbeat_s,
            copies=self._settings.copies,
            life_s=self._settings.socket_life_s,
            gate=gate,
        )
        self._connections[name] = connection
        return connection

    async def _drop(self, connection: StreamConnection, name: str) -> None:
        """A connection that carries nothing any more is closed."""
        await connection.drop([name])
        if not connection.topics and connection not in self._coming:
            self._connections.pop(connection.name, None)
            await connection.close()

    def transport(self) -> SocketTransport:
        """What opens sockets here, made when it is first needed."""
        if self._sockets is None:
            self._sockets = SocketsOnDemand(self._clock, proxy=self._proxy, ssl_context=self._ssl_context)
        return self._sockets

    def _tell_topic(self, venue: str, topic: str, state: TopicState) -> None:
        for handler in tuple(self._topic_handlers):
            try:
                handler(venue, topic, state)
            except Exception:
                log.exception("a handler of topics failed on %s", topic)

    def belong_to(self, take: Callable[[Incident], None]) -> None:
        """Leave incidents, and the log of them, to whoever made this."""
        self._incident_handlers = [take]

    def _tell(self, incident: Incident) -> None:
        tell(incident, self._incident_handlers)


def tell(incident: Incident, handlers: Iterable[Callable[[Incident], None]]) -> None:
    """Hand an incident to handlers. It is told from the middle of our own work: what a handler raises is logged, and
    stops nothing."""
    for handler in tuple(handlers):
        try:
            handler(incident)
        except Exception:
            log.exception("a handler of incidents failed on %s", type(incident).__name__)


def hosts_at(url: str) -> Hosts:
    """Everything of an embedded exchange at one http:// address."""
    base = url.rstrip("/")
    sockets = "ws" + base.removeprefix("http")
    return Hosts(rest=base, streams=sockets, trade=sockets, wallet=base, env="sim")
