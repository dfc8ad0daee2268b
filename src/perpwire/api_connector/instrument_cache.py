"""The venue's contracts: asked once, kept, and asked again in the background when they have grown old."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Mapping

from perpwire.clock import Clock
from perpwire.errors import APIError, BadInput
from perpwire.model.instrument import Instrument

log = logging.getLogger("perpwire.api_connector")

OLD_S = 900.0
"""Contracts change a few times a week: a quarter of an hour is seldom too old, and 96 questions a day cost nothing."""
_OLD_NS = round(OLD_S * 1e9)


class InstrumentCache:
    """One per connector; outlives its restarts.

    Args:
        ask: Asks the venue for all of them.
    """

    def __init__(self, venue: str, ask: Callable[[], Awaitable[tuple[Instrument, ...]]], clock: Clock) -> None:
        self._venue = venue
        self._ask = ask
        self._clock = clock
        self._known: Mapping[str, Instrument] = {}
        self._asked_ns: int | None = None
        self._asking = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def all(self, *, refresh: bool = False) -> Mapping[str, Instrument]:
        """Every contract by symbol.

        Raises:
            APIError: There are none yet, or a refresh was asked for, and the venue can't be asked.
        """
        if refresh or self._asked_ns is None:
            await self._fetch(anew=refresh)
        elif self._clock.monotonic_ns() - self._asked_ns > _OLD_NS and self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh(), name="perpwire instruments")
        return self._known

    def known(self, symbol: object) -> Instrument | None:
        """One that can be told without asking, by exactly the venue's symbol; else None: see `one`."""
        if self._asked_ns is None or self._clock.monotonic_ns() - self._asked_ns > _OLD_NS:
            return None
        return self._known.get(symbol) if type(symbol) is str else None

    async def one(self, name: str, given: str) -> Instrument:
        """By the venue's symbol; `given` is what the caller wrote.

        Raises:
            BadInput: No such contract; the message names the nearest ones.
        """
        known = await self.all()
        found = known.get(name)
        if found is None:
            near = difflib.get_close_matches(name, known, n=3)
            raise BadInput(
                f"unknown symbol {given!r}" + (f"; near: {', '.join(near)}" if near else ""),
                venue=self._venue,
                code="UNKNOWN_SYMBOL",
                advice="Name a symbol of get_instruments(); one that was listed just now needs refresh=True there.",
            )
        return found

    async def close(self) -> None:
        """End what goes on in the background."""
        refreshing, self._refreshing = self._refreshing, None
        if refreshing is not None:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    async def _fetch(self, *, anew: bool) -> None:
        async with self._asking:
            if anew or self._asked_ns is None:
                self._known = {one.symbol: one for one in await self._ask()}
                self._asked_ns = self._clock.monotonic_ns()

    async def _refresh(self) -> None:
        try:
            await self._fetch(anew=True)
        except APIError as error:
            log.warning("%s: the contracts can't be read anew, the old ones stand: %s", self._venue, error)
            # Not at once again: whoever asks next may be an order.
            self._asked_ns = self._clock.monotonic_ns()
        finally:
            self._refreshing = None
