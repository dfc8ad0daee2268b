"""Which socket carries what: topics placed on connections of their route, kept by their holders, ended with the last.

The half of WebSocketManager that connectors call.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from perpwire.api_connector.connect_gate import ConnectGate, shared_openings
from perpwire.api_connector.consumers import Consumers
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.handlers import Handlers
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.route_search import LOOK_S, RouteSearch
from perpwire.api_connector.stream_arguments import check_count, check_one_of, check_seconds
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.stream_holes import StreamHoles
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

Wait = Literal["acknowledged", "live"]


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

    def __post_init__(self) -> None:
        """
        Raises:
            BadInput: A number makes no sense.
        """
        check_count(self.copies, "copies")
        if self.topics_per_connection is not None:
            check_count(self.topics_per_connection, "topics_per_connection")
        if self.socket_life_s is not None:
            check_seconds(self.socket_life_s, "socket_life_s")


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
        check_seconds(heartbeat_s, "heartbeat_s")
        self._heartbeat_s = heartbeat_s
        self._settings = settings or StreamSettings()
        self._routes = TopicRoutes(self._settings.routes if routes is None else routes)
        self._gates: dict[str, ConnectGate] = {}
        self._on_state: Handlers[[str, bool]] = Handlers("states")
        self._on_lost: Handlers[[str]] = Handlers("losses")
        self._on_topic: Handlers[[str, str, TopicState]] = Handlers("topics")
        self._clock: Clock = clock or SystemClock()
        self._rng = rng or system_random()
        self._sockets = sockets
        self._own_sockets = sockets is None
        self._on_incident: Handlers[[Incident]] = Handlers("incidents", IncidentLog())
        self.frames = FramePath(self._clock, self._tell)
        self.unknown = UnknownWatch(self.frames, self._clock, self._tell)
        self._consumers = Consumers(self.frames, self._clock, self._tell)
        self._search = RouteSearch(self._routes, self._drop, self._tell, self._clock)
        self._connections: dict[str, StreamConnection] = {}
        self._uses = TopicUses()
        self.holes = StreamHoles(self.frames, self._uses, self._clock, self._tell)
        self._coming: Counter[StreamConnection] = Counter()
        """Subscriptions under way: a connection that one is for is not closed for being empty."""
        self._opened: dict[StreamConnection, None] = {}
        """Those that were opened for whoever needs them, and are not closed for being empty either."""
        self._releasing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def begin(self) -> None:
        """It may be used; from the beginning, and again after `close`."""
        self._is_closed = False

    async def close(self) -> None:
        """Close every socket and end every iterator. What is still asked for is NotSent; what is asked later,
        BadInput, until it is begun anew."""
        self._is_closed = True
        await self._search.close()
        for task in self._releasing:
            task.cancel()
        await asyncio.gather(*self._releasing, return_exceptions=True)
        connections, self._connections = list(self._connections.values()), {}
        self._opened.clear()
        self._uses.clear()
        self.holes.clear()
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

    async def subscribe(self, venue: Venue, hosts: Hosts, uses: Iterable[Use], *, wait: Wait = "acknowledged") -> None:
        """Subscribe public topics for their holders, opening sockets as needed. A topic is ended at the venue when its
        last holder has given it back (topic_uses.py).

        Args:
            wait: Return when the venue has acknowledged them, or when data has come of each that must have some soon
                ("live"; a topic of a quiet market may be silent for hours).

        Raises:
            BadInput: This was closed; or a topic is of an account whose stream is not open.
            NotSent: The first connection can't be made. Or "live", and what must speak does not on any route; or this
                is closed meanwhile.
            StreamRefused: The venue refused a topic; the others stand.
        """
        check_one_of(wait, Wait, "wait")
        uses = list(uses)
        wanted: dict[StreamConnection, list[str]] = {}

        def place(topic: Topic) -> StreamConnection:
            carrying = self.carrying(venue, topic)
            if carrying is not None:
                return carrying
            if topic.route == venue.private_route and self.connection(f"{venue.name}/{topic.route}") is None:
                raise BadInput(
                    f"{topic.name} is of an account, and no account's stream is open", venue=venue.name,
                    call="subscribe", code="NO_ACCOUNT_STREAM",
                    advice="Call open_account_stream of a connector with a key first; it logs in.",
                )  # fmt: skip
            return self._with_room(venue, hosts, self._routes.routed(venue, topic), wanted)

        await self._carry(venue, uses, place, wanted)
        if wait == "live":
            await self._until_live(venue, {use.topic for use in uses})

    async def _carry(
        self,
        venue: Venue,
        uses: Iterable[Use],
        place: Callable[[Topic], StreamConnection],
        wanted: dict[StreamConnection, list[str]],
    ) -> None:
        """Subscribe topics, each on the connection where `place` puts it; as `subscribe`.

        Args:
            wanted: The connections, and the topics that they are to carry; filled here.
        """
        self._check_open(venue)
        uses = list(uses)
        topics = list(dict.fromkeys(use.topic for use in uses))
        for topic in topics:
            wanted.setdefault(place(topic), []).append(topic.name)
        claim = self._uses.claim(venue.name, uses)  # at once, so that nobody who gives one back meanwhile ends it
        self._coming.update(wanted.keys())
        failed: list[Topic] = topics
        try:
            # All are waited for: where one connection refuses something, the others stand, and are acknowledged.
            # All are wanted before anything is waited for: nobody else finds a topic of them without a place.
            for connection, names in wanted.items():
                connection.want(names)
            brought = (connection.answered(names) for connection, names in wanted.items())
            errors = [error for error in await asyncio.gather(*brought, return_exceptions=True) if error is not None]
            failed = [] if all(isinstance(error, StreamRefused) for error in errors) else topics
            for error in sorted(errors, key=lambda error: isinstance(error, StreamRefused)):
                raise error
        finally:
            self._coming.subtract(wanted.keys())
            self._coming = +self._coming
            # Those that were refused are carried by nobody.
            failed += [topic for topic in topics if topic not in failed and self.carrying(venue, topic) is None]
            self._end_soon(venue, self._uses.settle(claim, failed))

    def _check_open(self, venue: Venue) -> None:
        if self._is_closed:
            raise BadInput(
                "these streams were closed", venue=venue.name, call="subscribe", code="CLOSED",
                advice="Subscribe before they are closed, or start again what they belong to.",
            )  # fmt: skip

    async def unsubscribe(self, venue: Venue, uses: Iterable[Use]) -> None:
        """Give them back; those that nobody holds any more are ended, also where the caller does not wait for it."""
        ending = self._end_soon(venue, self._uses.give_back(venue.name, uses))
        if ending is not None:
            await asyncio.gather(asyncio.shield(ending), return_exceptions=True)

    def release(self, venue: Venue, uses: Iterable[Use]) -> None:
        """`unsubscribe`, for who can't wait for it: given back at once, and ended at the venue a moment later."""
        self._end_soon(venue, self._uses.give_back(venue.name, uses))

    def is_wanted(self, venue: Venue, topic: Topic) -> bool:
        """Whether anybody uses it, or is about to."""
        return self._uses.is_held(venue.name, topic)

    def _end_soon(self, venue: Venue, unwanted: list[Topic]) -> asyncio.Task[None] | None:
        if not unwanted and not any(self._is_idle(connection) for connection in self._connections.values()):
            return None
        task = asyncio.get_running_loop().create_task(self._end(venue, unwanted), name="perpwire release")
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)
        told_of(task, "the ending of streams that nobody wants", venue.name, self._clock, self._tell)
        return task

    async def _end(self, venue: Venue, topics: Iterable[Topic]) -> None:
        for topic in topics:
            # Of several while it is tried on another route.
            for connection in tuple(self._connections.values()):
                is_there = connection.venue is venue and topic.name in connection.topics
                if is_there and not self.is_wanted(venue, topic):
                    await connection.drop([topic.name])
        await self._close_idle()

    def _is_idle(self, connection: StreamConnection) -> bool:
        """It carries nothing, and is about to carry nothing."""
        return not (connection.topics or connection in self._coming or connection in self._opened)

    async def _close_idle(self) -> None:
        for connection in tuple(self._connections.values()):
            if self._is_idle(connection):
                await self._close(connection)

    async def _until_live(self, venue: Venue, topics: Iterable[Topic]) -> None:
        feeds = {topic: venue.feed(topic) for topic in topics}
        for topic, feed in feeds.items():
            if feed.first_s is None:
                continue
            for _ in range(round(feed.first_s * (1 + len(feed.routes)) / LOOK_S)):
                if self._has_spoken(venue, topic):
                    break
                if self._is_closed:
                    raise NotSent("the streams were closed", venue=venue.name, call="subscribe", code="CLOSED")
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
        uses: Iterable[Use],
        *,
        address: Callable[[], Awaitable[str]],
        credentials: Credentials | None,
        venue_ms: Callable[[], int],
    ) -> StreamConnection:
        """Open a route that needs a key or a login. It stays, whatever it carries. One that others have kept since it
        was closed is opened anew as it is, live or not.

        Raises:
            As subscribe; nothing goes on then but what others keep. APIError: The login was refused.
        """
        self._check_open(venue)
        kept = self.connection(f"{venue.name}/{route}")
        connection = kept or self._new(venue, hosts, route, address, credentials, venue_ms)
        self._opened[connection] = None
        try:
            await self._carry(venue, uses, lambda topic: connection, {connection: []})
        except BaseException:
            if kept is None:
                await self._close(connection)
            else:
                self._opened.pop(kept, None)
            raise
        return connection

    async def close_opened(self, connection: StreamConnection, uses: Iterable[Use]) -> None:
        """Give back what was opened for these; it stays while it carries anything for others."""
        self._opened.pop(connection, None)
        await self.unsubscribe(connection.venue, uses)

    async def add(self, connection: StreamConnection, uses: Iterable[Use]) -> None:
        """Subscribe more topics on one that was opened.

        Raises:
            As subscribe.
        """
        await self._carry(connection.venue, uses, lambda topic: connection, {})

    def on_lost(self, handler: Callable[[str], None]) -> Callable[[], None]:
        """Call `handler` with a connection's name whenever no socket carries it any more, after the last that these
        said: what began on one that never became live has ended, too. Returns a function that ends it."""
        return self._on_lost.add(handler)

    def connection(self, name: str) -> StreamConnection | None:
        return self._connections.get(name)

    def carrying(self, venue: Venue, topic: Topic) -> StreamConnection | None:
        """The connection on which a topic is subscribed."""
        for connection in self._connections.values():
            if connection.venue is venue and topic.name in connection.topics:
                return connection
        return None

    # --- inside ---------------------------------------------------------------------------------------------------

    def _with_room(
        self, venue: Venue, hosts: Hosts, topic: Topic, wanted: dict[StreamConnection, list[str]]
    ) -> StreamConnection:
        number = 1
        while True:
            name = f"{venue.name}/{topic.route}" + (f"#{number}" if number > 1 else "")
            connection = self._connections.get(name)
            if connection is None:

                async def address() -> str:
                    return venue.stream_url(hosts, topic.route, None)

                return self._new(venue, hosts, topic.route, address, None, self._no_clock, name)
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
        name: str | None = None,
    ) -> StreamConnection:
        name = name or f"{venue.name}/{route}"
        gate = self._gates.get(venue.name)
        if gate is None:
            openings = shared_openings(
                venue.name,
                venue.connects,
                host=hosts.streams,
                way_out="" if self._proxy is None else self._proxy.way_out,
                clock=self._clock,
                network=None if self._own_sockets else self._sockets,
            )
            gate = self._gates[venue.name] = ConnectGate(self._clock, openings)

        async def place(topic: Topic) -> StreamConnection:
            chosen = self._with_room(venue, hosts, topic, {})
            await chosen.add([topic.name])
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
            on_state=lambda live: self._on_state.tell(name, live),
            on_lost=lambda: self._on_lost.tell(name),
            on_silent=lambda topic: self._search.begin(connection, topic, place),
            on_topic=lambda topic, state: self._on_topic.tell(venue.name, topic, state),
            on_failed=lambda: self._forget(connection),
            on_given_up=lambda topic: self._end_soon(venue, self._uses.drop(venue.name, Topic(route, topic))),
            holes=lambda told_ns: self.holes.of_connection(venue, route, told_ns),
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
        await self._close_idle()

    async def _close(self, connection: StreamConnection) -> None:
        self._forget(connection)
        await connection.close()

    def _forget(self, connection: StreamConnection) -> None:
        self._opened.pop(connection, None)
        if self._connections.get(connection.name) is connection:
            del self._connections[connection.name]

    def transport(self) -> SocketTransport:
        """What opens sockets here, made when it is first needed."""
        if self._sockets is None:
            self._sockets = SocketsOnDemand(self._clock, proxy=self._proxy, ssl_context=self._ssl_context)
        return self._sockets

    def belong_to(self, take: Callable[[Incident], None]) -> None:
        """Leave incidents, and the log of them, to whoever made this."""
        self._on_incident = Handlers("incidents", take)

    def _tell(self, incident: Incident) -> None:
        self._on_incident.tell(incident)


def hosts_at(url: str) -> Hosts:
    """Everything of an embedded exchange at one http:// address."""
    base = url.rstrip("/")
    sockets = "ws" + base.removeprefix("http")
    return Hosts(rest=base, streams=sockets, trade=sockets, wallet=base, env="sim")
