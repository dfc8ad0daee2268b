"""The venue's contracts: asked once, kept, and asked again in the background when they are old, or seem to be wrong."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from perpwire.api_connector.instrument_changes import changes, endings
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.shared_contracts import Contracts
from perpwire.clock import Clock, Timer
from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadInput,
    BadRequest,
    NotAllowed,
    NotOffered,
    PositionModeMismatch,
)
from perpwire.model.incident import Incident
from perpwire.model.instrument import Instrument
from perpwire.model.order import Order

log = logging.getLogger("perpwire.api_connector")

OLD_S = 900.0
"""Contracts change a few times a week: a quarter of an hour is seldom too old, and 96 questions a day cost nothing."""

DOUBT_S = 60.0
"""A refusal is taken as a sign of other rules once in so long; and so often the ends of contracts are looked at."""


class InstrumentCache:
    """One per connector; outlives its restarts.

    Args:
        ask: Asks the venue for all of them.
        old_s: Those that are older are asked for anew when one is used.
        resting: Orders that rest, as far as they are known.
        shared: Gives what other connectors know of the same contracts.
        on_incident: Hears what has changed (InstrumentChanged), and what ends within a day (InstrumentEnding).
    """

    def __init__(
        self,
        venue: str,
        ask: Callable[[], Awaitable[tuple[Instrument, ...]]],
        clock: Clock,
        *,
        old_s: float = OLD_S,
        resting: Callable[[], Iterable[Order]] = tuple,
        on_incident: Callable[[Incident], None] | None = None,
        shared: Callable[[], Contracts] = Contracts,
    ) -> None:
        self._old_ns = round(old_s * 1e9)
        self._resting = resting
        self._on_incident = on_incident
        self._used: set[str] = set()
        self._sought: set[str] = set()
        """Symbols that the account told of, and that were not known."""
        self._endings_told: set[tuple[str, int]] = set()
        self._timer: Timer | None = None
        self._venue = venue
        self._ask = ask
        self._shared = shared
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
        elif self._clock.monotonic_ns() - self._asked_ns > self._old_ns:
            self.refresh_soon()
        return self._known

    @property
    def last(self) -> Mapping[str, Instrument]:
        """Those that were told last, however old; none before that."""
        return self._known

    def known(self, symbol: object) -> Instrument | None:
        """One that can be told without asking, by exactly the venue's symbol; else None: see `one`."""
        if self._asked_ns is None or self._clock.monotonic_ns() - self._asked_ns > self._old_ns:
            return None
        if type(symbol) is not str:
            return None
        self._used.add(symbol)
        return self._known.get(symbol)

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
        self._used.add(name)
        return found

    def refresh_soon(self) -> None:
        """Ask anew in the background."""
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh(), name="perpwire instruments")
            if self._on_incident is not None:
                told_of(self._refreshing, "the reading of the contracts", self._venue, self._clock, self._on_incident)

    def on_refused(self, error: APIError) -> None:
        """The venue refuses as wrong what was right by the rules that are known here: they may be other ones now."""
        is_of_rules = isinstance(error, BadRequest | NotAllowed) and not isinstance(
            error, AuthenticationFailed | NotOffered | PositionModeMismatch
        )
        if self._asked_ns is None or not is_of_rules:
            return
        if self._clock.monotonic_ns() - self._asked_ns > DOUBT_S * 1e9:
            self.refresh_soon()

    def on_heard(self, symbol: str) -> None:
        """The account has something of this contract: where it is not known, it is new, and they are asked for anew.
        Once for each, as a venue may have what it never lists."""
        if self._asked_ns is not None and symbol and symbol not in self._known and symbol not in self._sought:
            self._sought.add(symbol)
            self.refresh_soon()

    async def close(self) -> None:
        """End what goes on in the background."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        refreshing, self._refreshing = self._refreshing, None
        if refreshing is not None:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)

    async def _fetch(self, *, anew: bool) -> None:
        async with self._asking:
            if anew or self._asked_ns is None:
                since_ns = self._clock.monotonic_ns() - (0 if anew else self._old_ns)
                before = self._known
                self._known, self._asked_ns = await self._shared().get(self._ask, since_ns, self._clock)
                if before:
                    self._tell(changes(before, self._known, tuple(self._resting()), self._clock.time_ns()))
                if self._timer is None:
                    self._look_ahead()

    def _look_ahead(self) -> None:
        self._timer = self._clock.call_later(DOUBT_S, self._look_ahead)
        now_ns = self._clock.time_ns()
        for ending in endings(self._known, self._used, now_ns // 1_000_000, now_ns):
            key = (ending.symbol, ending.ends_ms)
            if key not in self._endings_told:
                self._endings_told.add(key)
                self._tell([ending])

    def _tell(self, incidents: Iterable[Incident]) -> None:
        if self._on_incident is not None:
            for incident in incidents:
                self._on_incident(incident)

    async def _refresh(self) -> None:
        try:
            await self._fetch(anew=True)
        except APIError as error:
            log.warning("%s: the contracts can't be read anew, the old ones stand: %s", self._venue, error)
            # Not at once again: whoever asks next may be an order.
            self._asked_ns = self._clock.monotonic_ns()
        finally:
            self._refreshing = None
