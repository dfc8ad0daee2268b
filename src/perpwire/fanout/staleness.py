"""Says into the streams concerned that nothing comes of them, and when they are there again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.stream_methods import OF_THE_ACCOUNT
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock
from perpwire.model.incident import ConnectionLost, ConnectionRecovered, Incident
from perpwire.model.market import Event, Recovered, Stale
from perpwire.venues.base import Said

Tell = Callable[[type[Event], Event], None]
"""Called with the kind concerned, and a Stale or Recovered of it."""


class Staleness:
    """Of one connector; goes by what the connector finds, as its incidents do."""

    def __init__(self, connector: VenueConnector, clock: Clock, tell: Tell) -> None:
        self._connector = connector
        self._clock = clock
        self._tell = tell
        self._stale: set[Said] = set()
        self.end = connector.streams.on_topic(self._on_topic)

    def on_incident(self, incident: Incident) -> None:
        match incident:
            case ConnectionLost(connection=name):
                self._is_away(self._parts(name), "the connection was lost")
            case ConnectionRecovered(connection=name):
                self._is_back(self._parts(name))

    def _on_topic(self, _venue: str, topic: str, state: TopicState) -> None:
        parts = self._said_by(topic)
        if state is TopicState.LIVE:
            self._is_back(parts)
        else:
            self._is_away(parts, "the topic is mute")

    def _said_by(self, topic: str) -> tuple[Said, ...]:
        venue = self._connector.venue
        return venue.carries(venue.parse_topic(topic))

    def _parts(self, connection: str) -> Iterable[Said]:
        route = connection.partition("/")[2].partition("#")[0]
        if route == self._connector.venue.private_route:
            return [Said(kind, "") for kind in OF_THE_ACCOUNT]
        carrier = self._connector.streams.connection(connection)
        return [said for topic in (() if carrier is None else carrier.topics) for said in self._said_by(topic)]

    def _is_away(self, parts: Iterable[Said], why: str) -> None:
        venue, now_ns = self._connector.venue.name, self._clock.time_ns()
        for part in parts:
            if part not in self._stale:
                self._stale.add(part)
                kind, symbol, interval = part
                self._tell(
                    kind,
                    Stale(venue=venue, symbol=symbol, kind=kind.__name__, interval=interval, since_ns=now_ns, why=why),
                )

    def _is_back(self, parts: Iterable[Said]) -> None:
        venue, now_ns = self._connector.venue.name, self._clock.time_ns()
        for part in parts:
            if part in self._stale:
                self._stale.discard(part)
                kind, symbol, interval = part
                self._tell(
                    kind, Recovered(venue=venue, symbol=symbol, kind=kind.__name__, interval=interval, at_ns=now_ns)
                )
