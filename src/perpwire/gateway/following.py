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
from typing import Any, NamedTuple

from perpwire.api_connector.retry import is_refused_key, is_told, reconnect_pause_s
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock
from perpwire.config.settings import VenueSettings
from perpwire.config.streams import CANDLES, KINDS
from perpwire.errors import PerpwireError
from perpwire.model.incident import Incident, SetUpDone, SetUpFailing
from perpwire.model.market import Kline
from perpwire.monitoring.reading import WORDS
from perpwire.raised import RAISED, is_our_end

log = logging.getLogger("perpwire.gateway")


class Step(NamedTuple):
    """One thing that is wanted.

    Attributes:
        kind: "start", "account", "streams", "candles" or "book".
        symbol: Whose; "" for what is of no contract.
        act: Brings it about, or raises.
    """

    kind: str
    symbol: str
    act: Callable[[], Awaitable[object]]

    @property
    def name(self) -> str:
        return f"{self.kind} of {self.symbol}" if self.symbol else self.kind


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
        first, rest = Step("start", "", self.connector.start), list(self._steps())
        self._missing = dict.fromkeys((first.name, *(step.name for step in rest)), "")
        await self._until_done(first)
        async with asyncio.TaskGroup() as group:
            for step in rest:
                group.create_task(self._until_done(step))

    def _steps(self) -> Iterator[Step]:
        connector, wanted = self.connector, self._wanted
        kinds = [KINDS[name] for name in wanted.streams if name != "klines"]
        if self.follows_account:
            yield Step("account", "", connector.open_account_stream)
        for symbol in dict.fromkeys(wanted.symbols):
            if kinds:
                yield Step("streams", symbol, partial(connector.subscribe, kinds, [symbol]))
            if "klines" in wanted.streams:
                yield Step("candles", symbol, partial(connector.subscribe, [Kline], [symbol], interval=CANDLES))
        for symbol in dict.fromkeys(wanted.books):
            yield Step("book", symbol, partial(connector.open_book, symbol))

    async def _until_done(self, step: Step) -> None:
        failures = refusals = 0
        since_ns = self._clock.monotonic_ns()
        while True:
            try:
                await step.act()
            except PerpwireError as error:
                refusals = refusals + 1 if is_refused_key(error) else 0
                why = str(error)[:WORDS]
            except RAISED as error:
                if is_our_end(error):
                    raise
                refusals, why = 0, f"{type(error).__name__} (see the log)"
                if is_told(failures + 1):
                    log.exception("%s: %s failed in a way that was not foreseen", self._venue, step.name)
            else:
                self._missing.pop(step.name, None)
                if failures:
                    self._tell(SetUpDone, step, attempts=failures + 1, failing_s=self._s_since(since_ns))
                return
            failures += 1
            self._missing[step.name] = why
            if is_told(failures):
                self._tell(SetUpFailing, step, attempts=failures, is_refused=refusals > 0, why=why)
            await self._clock.sleep(reconnect_pause_s(failures, self._rng, refusals))

    @property
    def _venue(self) -> str:
        return self.connector.venue.name

    def _s_since(self, ns: int) -> float:
        return (self._clock.monotonic_ns() - ns) / 1e9

    def _tell(self, kind: Callable[..., Incident], step: Step, **facts: Any) -> None:
        at_ns = self._clock.time_ns()
        self.connector.tell(kind(venue=self._venue, time_ns=at_ns, step=step.kind, symbol=step.symbol, **facts))
