"""The account is what we say it is: it is read back after each loss of its stream, and looked at while that is there.

A socket can be mute and still answer pings, and a stream that speaks only when something happens can't be told from a
mute one by listening. So every half minute a small question is asked: positions, and the open orders of the symbols
that have any. What the venue shows twice, some seconds apart, and the stream has not told of, proves it mute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

from perpwire.api_connector.account_reading import SETTLING_S, AccountReading
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.recovery import read_orders, read_positions, subject
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told, reread_pause_s
from perpwire.api_connector.settings_keeper import SettingsKeeper
from perpwire.clock import Clock
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.position_check import Mismatch, PositionCheck
from perpwire.errors import APIError, AuthenticationFailed, NotAllowed
from perpwire.model.account import AccountEvent, Position
from perpwire.model.incident import AccountReadAgain, AccountUnread, Incident, PositionMismatch
from perpwire.model.market import Event, Gap
from perpwire.model.order import Fill, Order
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")

LATE_S = (2.5, 5.5)
"""Pauses before the account is read again after a loss, as the venue's lists may be late; the fills are read at about
the same times."""

LOOK_S = 30.0
"""Between two looks while the stream is there, and between two readings while it is not."""

LOOKS = 10
"""Every so many looks everything is read."""

CONFIRM_S = 3.0
"""What a look found and the stream has not told of so much later, it does not tell."""

DOUBT_S = 10.0
"""Positions and fills that do not add up are read again, and told of where they still do not after so long."""

UNREAD_S = 5.0
"""For so long the account is tried to be read before it is told that it can't be."""

SAME_GAP_S = 30.0
"""What is found so soon after a gap was told belongs to it."""

T = TypeVar("T")


class AccountWatch:
    """One for an account's stream; see module docstring.

    Args:
        on_mute: Called with the reason and the seconds of silence when the stream is proven mute: to have it replaced.
    """

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        frames: FramePath,
        state: AccountState,
        sync: ClockSync,
        clock: Clock,
        fills: FillKeeper,
        on_mute: Callable[[str, float], None],
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._state = state
        self._sync = sync
        self._clock = clock
        self._fills = fills
        self._on_mute = on_mute
        self._on_incident = on_incident
        self._settings = SettingsKeeper(venue, requests, frames)
        self._reading = AccountReading(venue, requests, state, sync, clock, self._settings)
        self._check = PositionCheck()
        self._doubted_s: dict[str, float] = {}
        """Symbols whose position and fills did not add up -> since when."""
        self._heard_ns = clock.monotonic_ns()
        self._last_ns = 0
        """Arrival of the stream's last event, Unix nanoseconds."""
        self._lost_since_ns: int | None = None
        """The same, while the stream is away."""
        self._is_repairing = False
        """It is there again, and what was missed is not read yet."""
        self._gap_told_s = float("-inf")
        self._unread_since_s: float | None = None
        """When it was first tried in vain to read the account, since it was read last."""
        self._unread_why = ""
        self._unread_told = False
        self._looks_failed = 0
        self._was_read = False
        self._task: asyncio.Task[None] | None = None
        self._offs: list[Callable[[], None]] = []

    @property
    def is_proven(self) -> bool:
        """The account has been read, and no reading of it fails."""
        return self._was_read and self._unread_since_s is None

    @property
    def why_not(self) -> str:
        """Why it is not proven."""
        if self._unread_since_s is not None:
            return f"the account can't be read: {self._unread_why}"
        return "" if self._was_read else "the account is being read"

    # --- life -------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """The stream is there for the first time: read what the account holds now; it says only what changes."""
        self._offs = [
            self._frames.on(Fill, self._on_fill),
            self._frames.on(Position, self._settings.on_position),
            self._frames.on(AccountEvent, self._settings.on_event),
        ]
        self._fills.before_recovered = self._tell_gap
        await self._at_last(self._reading.first)
        if self._task is None:
            self._become(self._keep_looking)

    def lost(self) -> None:
        """The stream is away: read what becomes of the account meanwhile."""
        self._lost_since_ns, self._is_repairing = self._last_ns, False
        self._become(self._while_away)
        self._fills.away()

    def catch_up(self) -> None:
        """The stream is there again, or may have missed something."""
        self._settings.read_next_time()
        self._tell_gap(is_back=self._lost_since_ns is not None)
        self._lost_since_ns, self._is_repairing = None, True
        self._become(self._after_loss)
        self._fills.catch_up()

    def read_again(self) -> None:
        """A consumer has lost events that the stream did tell: no gap of it. While it is away it is read anyway."""
        if self._lost_since_ns is None:
            self._become(self._after_loss_of_a_consumer)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for off in self._offs:
            off()
        self._offs.clear()

    def hear(self, order: Order) -> bool:
        """Before the handlers of orders: whether they are told of this one; see OrderTracker.hear."""
        told = self._state.orders.hear(order)
        if told is order:
            return True
        self.note(order)
        if told is not None:
            self._frames.pass_on(told)
        return False

    def note(self, event: Event) -> None:
        """What anybody says of the account; what we have read ourselves bears no time of arrival."""
        if event.received_ns:
            self._heard_ns = self._clock.monotonic_ns()
            self._last_ns = event.received_ns
            self._reading.heard(event, self._heard_ns)

    def _on_fill(self, fill: Fill) -> None:
        self._check.on_fill(fill, self._now_s())

    def _become(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._task is not None:
            self._task.cancel()
        name = "the watch over the account"
        whole = kept_up(work, name, self._venue.name, self._clock, self._on_incident)
        self._task = asyncio.get_running_loop().create_task(whole, name="perpwire account watch")

    def _tell_gap(self, *, is_back: bool = False) -> None:
        """Before what was missed is delivered; what is found of the same gap a little later belongs to it.

        Args:
            is_back: The stream is there again, and this is the gap that it leaves.
        """
        if not is_back and (self._is_repairing or self._now_s() < self._gap_told_s + SAME_GAP_S):
            return
        self._gap_told_s = self._now_s()
        since_ns = self._last_ns if self._lost_since_ns is None else self._lost_since_ns
        for kind, repaired, more in self._reading.missing():
            self._frames.deliver(
                Gap(
                    venue=self._venue.name,
                    symbol="",
                    kind=kind.__name__,
                    since_ns=since_ns,
                    until_ns=self._clock.time_ns(),
                    repaired=repaired,
                    why=f"the account's stream did not bring it{more}",
                )
            )

    # --- what it does -----------------------------------------------------------------------------------------------

    async def _after_loss(self) -> None:
        self._tell(await self._at_last(lambda: self._reading.news(settled=False)))
        self._is_repairing, self._gap_told_s = False, self._now_s()
        await self._keep_looking()

    async def _after_loss_of_a_consumer(self) -> None:
        """It may have lost anything, so all is told anew, and to all: handlers are not told apart."""
        found = await self._at_last(lambda: self._reading.news(settled=not self._is_repairing))
        self._tell(found)
        told = {subject(event) for event in found}
        self._tell([event for event in self._reading.all_again() if subject(event) not in told])
        self._is_repairing = False
        await self._keep_looking()

    async def _while_away(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            found = await self._at_last(lambda: self._reading.news(settled=False))
            if found:
                self._tell_gap()
            self._tell(found)

    async def _keep_looking(self) -> None:
        for pause_s in LATE_S:
            await self._clock.sleep(pause_s)
            await self._tell_what_it_kept_back(only_known=True)
        looks = 0
        while True:
            await self._clock.sleep(LOOK_S)
            looks += 1
            await self._look()
            if looks % LOOKS == 0:
                self._settings.read_next_time()
                await self._tell_what_it_kept_back()

    async def _tell_what_it_kept_back(self, *, only_known: bool = False) -> None:
        found = await self._at_last(lambda: self._reading.news(settled=True, only_known=only_known))
        if any(isinstance(event, Order | Position) for event in found):  # of all else, venues do not tell everything
            self._tell_gap()
        self._tell(found)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._frames.pass_on(event)

    async def _at_last(self, read: Callable[[], Awaitable[T]]) -> T:
        """Tries until it succeeds."""
        failures = 0
        while True:
            try:
                read_at_last = await read()
            except APIError as error:
                failures += 1
                self._is_unread(error, failures)
                await self._clock.sleep(reread_pause_s(failures - 1))
            else:
                self._is_read()
                return read_at_last

    def _is_unread(self, error: APIError, attempts: int) -> None:
        now_s = self._now_s()
        if self._unread_since_s is None:
            self._unread_since_s = now_s
        self._unread_why = str(error)
        unread_s = now_s - self._unread_since_s
        if self._unread_told or (unread_s < UNREAD_S and not isinstance(error, AuthenticationFailed | NotAllowed)):
            return
        self._unread_told = True
        self._on_incident(
            AccountUnread(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=str(error),
                unread_s=unread_s,
                attempts=attempts,
            )
        )

    def _is_read(self) -> None:
        since_s, self._unread_since_s, self._was_read = self._unread_since_s, None, True
        if self._unread_told and since_s is not None:
            self._unread_told = False
            unread_s = self._now_s() - since_s
            self._on_incident(
                AccountReadAgain(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    unread_s=unread_s,
                )
            )

    # --- looks ------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        asked_ns, asked_ms = self._clock.monotonic_ns(), self._sync.venue_ms()
        unsaid = await self._unsaid(asked_ns - round(SETTLING_S * 1e9))
        self._reading.forget()
        if unsaid is not None and not unsaid:
            self._reading.is_whole(asked_ms)
        if not unsaid:
            return
        await self._clock.sleep(CONFIRM_S)
        proof = unsaid & (await self._unsaid(asked_ns) or set())
        if proof:
            silent_s = (self._clock.monotonic_ns() - self._heard_ns) / 1e9
            words = ", ".join(sorted({str(one) for one in proof})[:3])
            self._on_mute(f"the venue shows what the stream has not told of: {words}", silent_s)

    async def _unsaid(self, since_ns: int) -> set[Hashable] | None:
        """What the venue shows otherwise than we know it, and the stream has not told of since (monotonic); None where
        it can't be had."""
        try:
            asked_s, asked_ms = self._now_s(), self._sync.venue_ms()
            positions, events = await read_positions(self._requests, self._venue, self._state)
            self._compare(positions, asked_s, asked_ms)
            if self._state.open_orders:
                events += await read_orders(self._requests, self._venue, self._state, only_known=True)
        except APIError as error:
            self._looks_failed += 1
            if is_told(self._looks_failed):
                log.warning("the account can't be looked at (tries: %d): %s", self._looks_failed, error)
            return None
        self._looks_failed = 0
        return {
            subject(event)
            for event in events
            if not self._reading.was_told(event, since_ns) and self._state.is_news(event)
        }

    def _compare(self, positions: tuple[Position, ...], asked_s: float, asked_ms: int) -> None:
        """Do positions and fills add up?"""
        found = self._check.compare(positions, asked_s=asked_s, asked_ms=asked_ms)
        self._doubted_s = {one.symbol: self._doubted_s.get(one.symbol, asked_s) for one in found}
        for mismatch in found:
            since_s = self._doubted_s[mismatch.symbol]
            if since_s == asked_s:
                self._fills.read_again()
            elif asked_s - since_s >= DOUBT_S:
                del self._doubted_s[mismatch.symbol]
                self._check.accept(mismatch, asked_ms)
                self._tell_mismatch(mismatch)

    def _tell_mismatch(self, mismatch: Mismatch) -> None:
        self._on_incident(
            PositionMismatch(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                symbol=mismatch.symbol,
                by_fills=mismatch.by_fills,
                by_venue=mismatch.by_venue,
            )
        )

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
