"""Brings one venue's connector to what is wanted of it: started, the account's stream, each symbol's streams and book.

What the venue refuses or does not answer is asked for again for as long as it takes; nothing of it stops the rest. Once
it stands, the connector keeps it by itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from perpwire.api_connector.retry import is_refused_key, is_told, reconnect_pause_s
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock
from perpwire.config.settings import VenueSettings
from perpwire.config.streams import CANDLES, KINDS
from perpwire.errors import PerpwireError
from perpwire.model.market import Kline

log = logging.getLogger("perpwire.gateway")

WORDS = 300
"""Longest reason that is shown."""


class Following:
    """One venue.

    Args:
        connector: Not started yet.
        wanted: What to follow.
        has_key: The connector has one; without it the account is not followed.
    """

    def __init__(
        self, connector: VenueConnector, wanted: VenueSettings, *, has_key: bool, clock: Clock, rng: random.Random
    ) -> None:
        self.connector = connector
        self._wanted = wanted
        self.follows_account = wanted.account and has_key
        self._clock = clock
        self._rng = rng
        self._missing: dict[str, str] = {}

    def missing(self) -> dict[str, str]:
        """What is wanted and does not stand yet -> why; "" where it has not been refused."""
        return dict(self._missing)

    async def run(self) -> None:
        """Returns when all stands."""
        steps = dict(self._steps())
        self._missing = dict.fromkeys(("start", *steps), "")
        await self._until_done("start", self.connector.start)
        async with asyncio.TaskGroup() as group:
            for name, step in steps.items():
                group.create_task(self._until_done(name, step))

    def _steps(self) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        connector, wanted = self.connector, self._wanted
        kinds = [KINDS[name] for name in wanted.streams if name != "klines"]
        if self.follows_account:
            yield "account", connector.open_account_stream
        for symbol in dict.fromkeys(wanted.symbols):
            if kinds:
                yield f"streams of {symbol}", partial(connector.subscribe, kinds, [symbol])
            if "klines" in wanted.streams:
                yield f"candles of {symbol}", partial(connector.subscribe, [Kline], [symbol], interval=CANDLES)
        for symbol in dict.fromkeys(wanted.books):
            yield f"book of {symbol}", partial(connector.open_book, symbol)

    async def _until_done(self, name: str, step: Callable[[], Awaitable[object]]) -> None:
        failures = refusals = 0
        while True:
            try:
                await step()
            except PerpwireError as error:
                failures += 1
                refusals = refusals + 1 if is_refused_key(error) else 0
                self._missing[name] = str(error)[:WORDS]
                if is_told(failures):
                    venue = self.connector.venue.name
                    log.warning("%s: %s does not stand yet (tries: %d): %s", venue, name, failures, error)
            except Exception as error:
                failures += 1
                self._missing[name] = f"{type(error).__name__} (see the log)"
                log.exception("%s: %s failed in a way that was not foreseen", self.connector.venue.name, name)
            else:
                self._missing.pop(name, None)
                return
            await self._clock.sleep(reconnect_pause_s(failures, self._rng, refusals))
