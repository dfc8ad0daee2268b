"""Gateway: what `perpwire serve` runs: connectors of all venues, watched, with a page, metrics and alerts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Collection, Mapping
from types import TracebackType
from typing import Self

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, SystemClock
from perpwire.config.settings import Settings
from perpwire.entropy import system_random
from perpwire.fanout.producer import Fanout
from perpwire.gateway.following import Following
from perpwire.gateway.pages import Pages
from perpwire.gateway.showing import Shown
from perpwire.monitoring.observer import Observer
from perpwire.notification.notifier import Notifier

log = logging.getLogger("perpwire.gateway")

CLOSE_S = 0.8
"""All of it has ended by then, or is left to the process's own end."""

FANOUT_S = 0.3
"""What waits for Redis is sent for so long at the end."""

ALERTS_S = 0.4
"""Alerts that wait are delivered for so long at the end; the rest is kept for the next start, if there is a spool."""


class Gateway:
    """Usable as `async with Gateway(...) as gateway`. It trades nothing.

    Args:
        settings: What to follow, and where the page is.
        connectors: By venue name, not started; the gateway starts and closes them.
        without_key: Venues whose connector has none: public data only.
        notifier: Who is told of incidents; not started. None: nobody.
        fanout: Sends what is heard on to Redis, as settings.redis wants it; not started. None: nothing is sent.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: Mapping[str, VenueConnector],
        *,
        without_key: Collection[str] = (),
        notifier: Notifier | None = None,
        fanout: Fanout | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        clock = clock or SystemClock()
        rng = rng or system_random()
        self.connectors = dict(connectors)
        self._notifier = notifier
        self._fanout = fanout
        self.observer = Observer(clock)
        self._followings = {
            name: Following(connector, settings.venue(name), has_key=name not in without_key, clock=clock, rng=rng)
            for name, connector in connectors.items()
        }
        for name, following in self._followings.items():
            if notifier is not None:
                following.connector.on_incident(notifier.on_incident)
            self.observer.add(following.connector, name, missing=following.missing)
            if fanout is not None:
                fanout.add(following.connector, name, sends=settings.redis.send)
        if fanout is not None:
            if notifier is not None:
                fanout.on_incident(notifier.on_incident)
            fanout.on_incident(self.observer.tell)
            self.observer.fanout = fanout.snapshot
        self.pages = Pages(
            Shown(self.observer, clock, language=settings.page.language),
            self._exposition,
            clock,
            host=settings.page.host,
            port=settings.page.port,
            token=settings.page.token.reveal(),
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        """Where the page is, once started."""
        return self.pages.address

    async def start(self) -> None:
        """Returns when the page is there. Venues follow as they can be reached: the page says what is missing.

        Raises:
            OSError: The page's port is taken, or there is no such address here.
        """
        await self.pages.start()
        if self._notifier is not None:
            await self._notifier.start()
        if self._fanout is not None:
            await self._fanout.start()
        self.observer.start()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(one.run(), name=f"perpwire following {name}") for name, one in self._followings.items()
        ]

    async def close(self) -> None:
        """End within a second. Orders at the venues are left as they are."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S / 4)
        self.observer.close()
        ends: list[Awaitable[None]] = [
            self.pages.close(),
            *(one.connector.close() for one in self._followings.values()),
        ]
        if self._fanout is not None:
            ends.append(self._fanout.close(FANOUT_S))
        if self._notifier is not None:
            ends.append(self._notifier.close(ALERTS_S))
        _, late = await asyncio.wait([asyncio.ensure_future(one) for one in ends], timeout=CLOSE_S)
        for task in late:
            log.warning("not closed within %g s: %s", CLOSE_S, task)
            task.cancel()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _exposition(self) -> tuple[bytes, str]:
        # Imported only when it is asked for: prometheus-client is an extra.
        from perpwire.monitoring.prometheus import CONTENT_TYPE, exposition

        return exposition(self.observer), CONTENT_TYPE
