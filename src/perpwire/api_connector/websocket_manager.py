"""WebSocketManager: keeps the streams a user asked for alive, on any venue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from perpwire import venues
from perpwire.api_connector.event_queue import EventQueue, Overflow
from perpwire.api_connector.frame_path import Tap
from perpwire.api_connector.lifecycle import State, TopicState, best_of
from perpwire.api_connector.listener import HandlerStats
from perpwire.api_connector.stream_arguments import texts
from perpwire.api_connector.stream_groups import (
    StreamGroups,
    StreamSettings as StreamSettings,
    Wait,
    hosts_at as hosts_at,
)
from perpwire.api_connector.topic_uses import BY_NAME, Use
from perpwire.model.incident import Incident
from perpwire.model.market import Event

E = TypeVar("E", bound=Event)


class WebSocketManager(StreamGroups):
    """Streams of any venue, by their native names, reconnected and resubscribed without an end.

        async with WebSocketManager() as manager:
            manager.on(BookTicker, print)
            await manager.connect_binance_stream(["btcusdt@bookTicker", "btcusdt@aggTrade"])
            await manager.connect_bybit_stream(["publicTrade.BTCUSDT"])

    Pings are sent every `heartbeat_s` seconds and the server's are answered. A lost socket is replaced at once, then
    after 2, 4, 8 ... at most 30 s, for ever; what was subscribed is subscribed again; success resets the count.

    Args:
        env: "live", "testnet" or "demo".
        urls: Venue name -> base URL of an embedded exchange, in place of the venue's own hosts.
        hosts: Venue name -> hosts of your own, in place of `env` and `urls`.
        heartbeat_s: Seconds between pings.
        routes: See StreamSettings.routes.
        settings: How streams are kept; see StreamSettings.
        proxy, ssl_context: For every connection; see docs/keys-and-hosts.md.
    """

    # --- what users call ------------------------------------------------------------------------------------------

    async def connect_binance_stream(self, streams: Iterable[str]) -> None:
        """Subscribe Binance streams by name, such as "btcusdt@aggTrade"; see `connect`."""
        await self.connect("binance", streams)

    async def connect_bybit_stream(self, topics: Iterable[str]) -> None:
        """Subscribe Bybit topics by name, such as "orderbook.50.BTCUSDT"; see `connect`."""
        await self.connect("bybit", topics)

    async def connect(self, venue_name: str, names: Iterable[str], *, wait: Wait = "acknowledged") -> None:
        """Subscribe native stream names, or one; each goes to the socket that serves it. Returns once all are
        acknowledged, or with wait="live" once data has come of each that must have some soon.

        Raises:
            BadInput: Not a stream of the venue, or of an account whose stream is not open.
            NotSent: The first connection can't be made. (A later loss is repaired, not raised.) Or "live", and one
                that must speak does not.
            StreamRefused: The venue refused a name; the others stand.
        """
        venue = venues.load(venue_name)
        uses = [Use(BY_NAME, venue.parse_topic(name)) for name in texts(names, "names")]
        await self.subscribe(venue, self.hosts(venue), uses, wait=wait)

    async def disconnect(self, venue_name: str, names: Iterable[str]) -> None:
        """Unsubscribe native stream names that were connected, however often. What somebody else uses, such as an
        iterator of a connector, goes on for that one."""
        venue = venues.load(venue_name)
        await self.unsubscribe(venue, [Use(BY_NAME, venue.parse_topic(name)) for name in texts(names, "names")])

    def on(self, kind: type[E], handler: Callable[[E], None], symbol: str | None = None) -> Callable[[], None]:
        """Call `handler` with each event of `kind` (of one symbol where given), from within the read callback: it must
        be quick. What it raises is reported and hurts nobody else. Returns a function that ends it."""
        return self.frames.on(kind, handler, symbol)

    def watch(
        self,
        kind: type[E],
        symbol: str | Iterable[str] | None = None,
        *,
        limit: int = 10_000,
        overflow: Overflow = "raise",
        gaps: bool | None = None,
        interval: str = "",
        gaps_of: type[Event] | None = None,
        where: Callable[[E], bool] | None = None,
        on_end: Callable[[], None] | None = None,
        on_dropped: Callable[[], None] | None = None,
    ) -> EventQueue[E]:
        """An async iterator over events of `kind`, with its own buffer of `limit` events; see EventQueue. With
        "drop_oldest" a Gap stands in it wherever events are missing: of the stream, or for this consumer.

        Args:
            symbol: One, or several, all in this one iterator; None: all that come.
            gaps: Whether a Gap stands in it wherever events of the stream are missing; None: with "drop_oldest".
            interval: Of candles: only Gaps of this one; "": of all.
            gaps_of: Only Gaps of this kind, where `kind` has several; None: of all.
            where: Only events of which this is true.
            on_end: Called once, when the iteration is over.
            on_dropped: Called when the first of a run of events is lost to this consumer, and again when it takes the
                Gap for them: what comes from then on it can take.
        """
        return self._consumers.open(
            kind, None if symbol is None else texts(symbol, "symbols"), limit=limit, overflow=overflow, gaps=gaps,
            interval=interval, gaps_of=gaps_of, where=where, on_end=on_end,
            on_dropped=on_dropped,
        )  # fmt: skip

    def on_incident(self, handler: Callable[[Incident], None]) -> Callable[[], None]:
        """Call `handler` with each fact about our connections: lost, recovered, failing ... (model/incident.py).
        Returns a function that ends it."""
        return self._on_incident.add(handler)

    def on_state(self, handler: Callable[[str, bool], None]) -> Callable[[], None]:
        """Call `handler(connection, is_live)` when a connection has become live, with all that it carries acknowledged,
        and when it is lost. Returns a function that ends it."""
        return self._on_state.add(handler)

    def on_topic(self, handler: Callable[[str, str, TopicState], None]) -> Callable[[], None]:
        """Call `handler(venue, topic, state)` when a topic has become SILENT (acknowledged, and its first data does not
        come) or STALE (was live), and when it is LIVE again. Losses of whole connections are told by `on_state`.
        Returns a function that ends it."""
        return self._on_topic.add(handler)

    def on_raw(self, tap: Tap | None) -> None:
        """Call `tap(connection, frame, received_ns)` with each frame as it came, before anything is made of it."""
        self.frames.tap = tap

    @property
    def handlers(self) -> list[HandlerStats]:
        """How often each handler was called, how often it raised, and how long it took; the busiest first. While one
        runs nothing is read: what takes longer than some milliseconds belongs in a task, fed by an iterator."""
        return self.frames.handlers

    @property
    def queues(self) -> list[EventQueue[Any]]:
        """The iterators that are open: how many events wait in each, since when, and how many were lost."""
        return list(self._consumers.queues)

    @property
    def states(self) -> dict[str, State]:
        """Connection name -> state."""
        return {name: connection.state for name, connection in self._connections.items()}

    @property
    def reconnects(self) -> dict[str, int]:
        """Connection name -> how often it was replaced."""
        return {name: connection.reconnects for name, connection in self._connections.items()}

    @property
    def topics(self) -> dict[tuple[str, str], TopicState]:
        """Venue name and topic -> whether it speaks. What is acknowledged is not live; only data is."""
        known: dict[tuple[str, str], TopicState] = {}
        for connection in self._connections.values():
            for topic, state in connection.topic_states.items():
                key = (connection.venue.name, topic)
                known[key] = best_of((state, known.get(key, state)))
        return known

    async def __aenter__(self) -> WebSocketManager:
        self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
