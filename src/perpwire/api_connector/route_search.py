"""A topic is acknowledged and does not speak: perhaps its venue serves it on another route now. Each is tried once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.topic_routes import TopicRoutes
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.incident import Incident, RouteFound
from perpwire.venues.base import Topic

log = logging.getLogger("perpwire.api_connector")

LOOK_S = 0.1
"""Between two looks whether it speaks there."""

FIRST_S = 10.0
"""For its first data there, where it is not known how soon that must come."""

Place = Callable[[Topic], Awaitable[StreamConnection]]
"""Subscribes a topic on its route; raises APIError where that can't be done."""

Drop = Callable[[StreamConnection, str], Awaitable[None]]
"""Ends a topic on a connection."""


class RouteSearch:
    """One per manager; see module docstring."""

    def __init__(self, routes: TopicRoutes, drop: Drop, tell: Callable[[Incident], None], clock: Clock) -> None:
        self._routes = routes
        self._drop = drop
        self._tell = tell
        self._clock = clock
        self._searches: set[asyncio.Task[None]] = set()
        self._sought: set[tuple[str, str]] = set()
        """Venue name and topic: while one is tried on a route, it may be silent there, too."""

    def begin(self, silent: StreamConnection, name: str, place: Place) -> bool:
        """False: there is no other route."""
        if (silent.venue.name, name) in self._sought:
            return True
        topic = Topic(silent.route, name)
        routes = self._routes.others(silent.venue, topic)
        if not routes:
            return False
        search = asyncio.get_running_loop().create_task(
            self._try(silent, topic, routes, place), name=f"perpwire routes of {name}"
        )
        self._searches.add(search)
        search.add_done_callback(self._searches.discard)
        told_of(search, f"the search for a route of {name}", silent.venue.name, self._clock, self._tell)
        return True

    async def close(self) -> None:
        searches = tuple(self._searches)
        for search in searches:
            search.cancel()
        await asyncio.gather(*searches, return_exceptions=True)

    async def _try(self, silent: StreamConnection, topic: Topic, routes: Iterable[str], place: Place) -> None:
        """The first on which it speaks keeps it."""
        self._sought.add((silent.venue.name, topic.name))
        try:
            for route in routes:
                there = Topic(route, topic.name)
                try:
                    connection = await place(there)
                except APIError as error:
                    log.info("%s can't be asked for on %s: %s", topic.name, route, error)
                    continue
                if await self._speaks(connection, there):
                    connection.stays(topic.name)
                    self._routes.found(silent.venue, there)
                    self._tell_found(silent.venue.name, topic, there)
                    await self._drop(silent, topic.name)
                    return
                await self._drop(connection, topic.name)
        finally:
            self._sought.discard((silent.venue.name, topic.name))
            silent.stays(topic.name)

    async def _speaks(self, connection: StreamConnection, topic: Topic) -> bool:
        first_s = connection.venue.feed(topic).first_s or FIRST_S
        for _ in range(round(first_s / LOOK_S)):
            if connection.has_spoken(topic.name):
                return True
            await self._clock.sleep(LOOK_S)
        return connection.has_spoken(topic.name)

    def _tell_found(self, venue: str, silent: Topic, speaks: Topic) -> None:
        self._tell(
            RouteFound(
                venue=venue,
                time_ns=self._clock.time_ns(),
                topic=silent.name,
                tried=silent.route,
                works=speaks.route,
            )
        )
