"""The account is what we say it is: it is read back after each loss of its stream, and looked at while that is there.

A socket can be mute and still answer pings, and a stream that speaks only when something happens can't be told from a
mute one by listening. So every half minute a small question is asked: positions, balances, the open orders of the
symbols that have any, and fills. What the venue shows, is some seconds old, and the stream has not told of, proves it
mute.

One task reads, one reading after the other, and `Known` says what that makes of the account.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum
from typing import Any, TypeVar

from perpwire.api_connector.account_reading import FILLS_CUT_OFF, SETTLING_S, AccountReading, Missing
from perpwire.api_connector.account_retelling import AccountRetelling
from perpwire.api_connector.account_unread import AccountUnreadness
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.held_orders import HeldOrders
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.mute_stream import MuteStream
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told, reread_pause_s
from perpwire.api_connector.settings_keeper import SettingsKeeper
from perpwire.clock import Clock
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.position_check import Mismatch, PositionCheck
from perpwire.errors import APIError, AuthenticationFailed, NotAllowed
from perpwire.model.account import AccountEvent, Position
from perpwire.model.incident import Incident, PositionMismatch
from perpwire.model.market import Event, Gap
from perpwire.model.order import Fill, Order
from perpwire.raised import is_cancelled
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")

LATE_S = (2.5, 5.5)
"""Pauses before account and fills are read again after a loss, as the venue's lists may be late."""

LOOK_S = 30.0
"""Between two looks while the stream is there, and between two readings while it is not."""

LOOKS = 10
"""Every so many looks everything is read."""

SURE_S = 1.0
"""So long after the stream is there, what happens must be told by it."""

DOUBT_S = 10.0
"""Positions and fills that do not add up are read again, and told of where they still do not after so long: a fill may
be listed as late."""

CATCHING_UP_S = LOOK_S + DOUBT_S
"""When the venue's clock was put back, and has come so far beyond what it had shown, what was stamped before has been
listed and read."""

OPEN_WITHIN_S = 30.0
"""The first reading is tried for so long."""

BURST_S = 1.0
"""Frames that can't be read within so long, with nothing that can between them, are one gap."""

SAME_GAP_S = 30.0
"""What is found so soon after a gap was told belongs to it, unless it happened after it."""

T = TypeVar("T")


class Known(Enum):
    """What we know of the account."""

    UNREAD = "unread"
    """It was never read, or its stream is away."""
    READING = "reading"
    """The stream is there, or there again; what it missed is being read."""
    ONCE_MORE = "once more"
    """It has missed something since that was asked for: it is read once more afterwards."""
    READ = "read"
    """As far as we know, the stream has told the rest."""


class AccountWatch:
    """One for an opening of an account's stream; see module docstring.

    Args:
        on_mute, replace: Of the stream, where it is proven mute; see MuteStream.
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
        on_mute: Callable[[str, float, float], None],
        replace: Callable[[str], None],
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._state = state
        self._sync = sync
        self._clock = clock
        self._fills = fills
        self._mute = MuteStream(clock, on_mute, replace)
        self._on_incident = on_incident
        self._settings = SettingsKeeper(venue, requests, frames)
        self._reading = AccountReading(venue, requests, state, sync, clock, self._settings)
        self._check = PositionCheck(lambda at_s: sync.span_ms(round(at_s * 1e9)))
        self._adds_up = True
        self._held = HeldOrders(venue, requests, state.orders, clock, self._tell_held, self._none_is_held)
        self._holds_fills = False
        """The fills of orders that are kept back wait for them, and for nothing else."""
        self._reading.on_clear = self._tell_read
        self._heard_ns = clock.monotonic_ns()
        self._last_ns = clock.time_ns()
        """Arrival of the stream's last event, Unix nanoseconds."""
        self._lost_since_ns: int | None = None
        """The same, while the stream is away."""
        self._known = Known.UNREAD
        self._is_late = False
        """What was missed is being read once more, as lists lag: nothing that it finds is another gap."""
        self._whole_ns = 0
        """What happened from here on (monotonic), the stream must tell."""
        self._gap_told_s = float("-inf")
        self._gap_last_ns = 0
        """Arrival of the last event before the gap that was told last."""
        self._gap_read_s = float("-inf")
        """When it was told, or read back."""
        self._read_back_s = float("-inf")
        self._in_a_row = 0
        """So often it was to be read back again soon after it had been."""
        self._unread = AccountUnreadness(venue.name, clock, self._tell_read, on_incident)
        self._looks_failed = 0
        self._look_now = asyncio.Event()
        """The next look is due, whatever its time."""
        self._looks_at_all = False
        """It is a reading of all."""
        self.retelling = AccountRetelling(clock, lambda: self._known is Known.READ, self._read_soon, self._tell_all)
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._offs: list[Callable[[], None]] = []

    @property
    def is_proven(self) -> bool:
        """The account has been read since anything of it was missed, no reading of it fails, and nothing proves the
        stream mute."""
        return self._known is Known.READ and not self._unread and not self._mute.why

    @property
    def why_not(self) -> str:
        """Why it is not proven."""
        if self.is_proven:
            return ""
        if self._unread.why:
            return f"the account can't be read: {self._unread.why}"
        if self._mute.why:
            return f"{self._mute.why}; it is read every {LOOK_S:.0f} s, and the stream will be replaced"
        return "the account is being read"

    # --- life -------------------------------------------------------------------------------------------------------

    async def begin(self) -> int:
        """The stream is there for the first time: read what the account holds now; it says only what changes. Gives how
        many fills of the time before were delivered.

        Raises:
            APIError: It can't be read: at once where the key is refused, else after OPEN_WITHIN_S.
        """
        self._offs = [
            self._frames.on(Fill, self._on_fill),
            self._frames.on(Position, self._settings.on_position),
            self._frames.on(AccountEvent, self._settings.on_event),
        ]
        self._fills.before_recovered = self._before_fills
        self._fills.on_cut_off = self._tell_fills_are_cut_off
        self._sure_from_now()
        self._unread.begins()
        until_s = self._now_s() + OPEN_WITHIN_S
        await self._at_last(self._reading.first, until_s)
        fills = await self._at_last(self._fills.read, until_s)
        if self._task is None:
            if self._known is Known.UNREAD:
                self._is_known()
                self._become(self._keep_looking)
            else:
                self._become(self._read_back)
        return len(fills)

    def lost(self) -> None:
        """The stream is away: read what becomes of the account meanwhile."""
        self._tell_read()
        self._lost_since_ns, self._known = self._last_ns, Known.UNREAD
        self._mute.is_lost()
        if not self._unread.was_told:
            self._unread.forget()
        self._become(self._while_away)

    def back(self) -> None:
        """The stream is there again."""
        self._in_a_row, self._read_back_s = 0, float("-inf")
        self._tell_gap()
        self._lost_since_ns = None
        self._is_missing()
        self._become(self._read_back)

    def missed(self) -> None:
        """The stream is there, and has told something that could not be read."""
        if self._lost_since_ns is not None:
            return  # it is read when the stream is there again
        if self._last_ns != self._gap_last_ns or self._now_s() >= self._gap_told_s + BURST_S:
            self._tell_gap()
        is_read = self._known is Known.READ
        self._is_missing()
        if is_read:
            self._become(self._read_back)
        else:
            self._known = Known.ONCE_MORE

    async def close(self) -> None:
        """Read nothing any more, whatever is still heard."""
        self._is_closed = True
        self.retelling.close()
        self._unread.forget()
        self._tell_unclear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for off in self._offs:
            off()
        self._offs.clear()

    def hear(self, order: Order) -> bool:
        """Before the handlers of orders: whether they are told of this one; see OrderTracker.hear."""
        orders = self._state.orders
        if self._must_wait(order):
            self._holds_fills = self._fills.hold(longer=True) or self._holds_fills
            self._held.add(order)
            self.note(order)
            return False
        if self._held and order.is_conditional:
            orders.on_event(order)
            self._held.release(self._must_wait)  # it may have said whose they are
        told = orders.hear(order)
        if told is order:
            return True
        self.note(order)
        if told is not None:
            self._frames.pass_on(told)
        return False

    @property
    def _may_wait(self) -> bool:
        """Conditional orders may have been placed and triggered that we have not heard of: the reading says so soon."""
        return self._lost_since_ns is None and self._known is not Known.READ and not self._unread.was_told

    def _must_wait(self, order: Order) -> bool:
        """It is not known under which id it is to be told."""
        if self._is_closed:
            return False
        return self._held.may_be_made(order) or (self._may_wait and not self._state.orders.is_clear(order))

    def _tell_read(self) -> None:
        """It is known whose they are, or can't be known in time: then they are told under the ids they have. Those that
        a conditional order which we know may have made are asked for one by one."""
        self._held.release(self._held.may_be_made)

    def _tell_unclear(self) -> None:
        """Nobody waits for them any longer."""
        self._held.release(lambda _: False)

    def _tell_held(self, order: Order) -> None:
        told = self._state.orders.hear(order)
        if told is not None:
            self._frames.pass_on(told)

    def _none_is_held(self) -> None:
        if self._holds_fills and self._known is Known.READ:
            self._fills.release()
        self._holds_fills = False

    def note(self, event: Event) -> None:
        """What anybody says of the account; what we have read ourselves bears no time of arrival."""
        if event.received_ns:
            self._heard_ns = self._clock.monotonic_ns()
            self._last_ns = event.received_ns
            self._reading.heard(event, self._heard_ns)

    def _on_fill(self, fill: Fill) -> None:
        self._check.on_fill(fill, self._now_s(), stamps_hold=not self._sync.is_behind(CATCHING_UP_S))

    def _become(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._is_closed:
            return
        if self._task is not None:
            self._task.cancel()
        name = "the watch over the account"
        whole = kept_up(work, name, self._venue.name, self._clock, self._on_incident)
        self._task = asyncio.get_running_loop().create_task(whole, name="perpwire account watch")

    def _sure_from_now(self) -> None:
        self._whole_ns = self._clock.monotonic_ns() + round(SURE_S * 1e9)

    def _is_missing(self) -> None:
        """What the stream told before now is not all there was."""
        self._holds_fills = False
        self._settings.read_next_time()
        self._sure_from_now()
        self._known = Known.READING
        self._unread.begins()
        self._fills.hold()

    # --- gaps -------------------------------------------------------------------------------------------------------

    def _tell_gap(self) -> None:
        """Before what was missed is delivered."""
        self._gap_told_s = self._gap_read_s = self._now_s()
        self._gap_last_ns = self._last_ns
        since_ns = self._last_ns if self._lost_since_ns is None else self._lost_since_ns
        for one in self._reading.missing(self._fills.reaches_back):
            self._deliver_gap(one, since_ns)

    def _tell_fills_are_cut_off(self) -> None:
        """The reading of fills found that it can't tell all that the last gap was said to be repaired of."""
        if self._gap_last_ns and (self._known is not Known.READ or self._now_s() < self._gap_told_s + SAME_GAP_S):
            self._deliver_gap(FILLS_CUT_OFF, self._gap_last_ns)

    def _deliver_gap(self, missing: Missing, since_ns: int) -> None:
        self._frames.deliver(
            Gap(
                venue=self._venue.name,
                symbol="",
                kind=missing.kind.__name__,
                since_ns=since_ns,
                until_ns=self._clock.time_ns(),
                repaired=missing.repaired,
                why=f"the account's stream did not bring it{missing.more}",
            )
        )

    def _tell_gap_of(self, found: Sequence[Event]) -> None:
        """Before what a reading found is delivered, unless it belongs to a gap that was told."""
        if not found or self._known in (Known.READING, Known.ONCE_MORE):
            return
        if self._now_s() >= self._gap_read_s + SAME_GAP_S or any(map(self._is_untold, found)):
            self._tell_gap()

    def _before_fills(self, fills: list[Fill]) -> None:
        self._tell_gap_of(fills)

    def _is_untold(self, event: Event) -> bool:
        """It happened when the stream was there, and must have told of it. A position is found when it stands, and
        that the venue may have closed it is not stamped."""
        if self._known is not Known.READ:
            return False
        if isinstance(event, Position):
            return not self._is_late
        is_new = event.venue_time_ms >= self._sync.span_ms(self._whole_ns).most_ms
        return is_new and not self._sync.is_behind(CATCHING_UP_S)

    # --- readings ---------------------------------------------------------------------------------------------------

    async def _read_back(self) -> None:
        """Until all is read that was missed before it was asked for."""
        while self._known is not Known.READ:
            await self._pause()
            self._known = Known.READING
            await self._read(settled=False)
            self._read_back_s = self._now_s()
            if not self._is_once_more():
                self._is_known()
        self._gap_read_s = self._now_s()
        await self._keep_looking()

    async def _pause(self) -> None:
        """What is missed over and over is read back ever more seldom: a reading costs more than a look."""
        self._in_a_row = self._in_a_row + 1 if self._now_s() < self._read_back_s + LOOK_S else 0
        if self._in_a_row:
            await self._clock.sleep(reread_pause_s(self._in_a_row - 1))

    def _is_once_more(self) -> bool:
        return self._known is Known.ONCE_MORE

    def _read_soon(self) -> None:
        """By the task that looks, in its turn: it may be in the midst of telling."""
        self._looks_at_all = True
        self._look_now.set()

    def _tell_all(self) -> None:
        self._tell(self._reading.all_again())

    async def _look_is_due(self) -> None:
        timer = self._clock.call_later(LOOK_S, self._look_now.set)
        try:
            await self._look_now.wait()
        finally:
            timer.cancel()
        self._look_now.clear()

    async def _while_away(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            await self._read(settled=False)
            self._unread.ends()

    async def _keep_looking(self) -> None:
        for pause_s in LATE_S:
            await self._clock.sleep(pause_s)
            self._is_late = pause_s == LATE_S[0]
            try:
                await self._read(settled=True, only_known=True)
            finally:
                self._is_late = False
            self._unread.ends()
            if self._held:
                self._holds_fills = True
            else:
                self._fills.release()
        looks = 0
        while True:
            await self._settle_doubts()
            await self._look_is_due()
            looks += 1
            reads_all, self._looks_at_all = self._looks_at_all, False
            if looks % LOOKS == 0:
                self._settings.read_next_time()
                await self._read_all()
            elif reads_all or self._mute.why or self._sync.is_behind(CATCHING_UP_S):
                await self._read_all()
            else:
                await self._look()
            self._mute.tend()

    async def _settle_doubts(self) -> None:
        for pause_s in (SETTLING_S, DOUBT_S - SETTLING_S):
            if self._reading.is_in_doubt or not self._adds_up:
                await self._clock.sleep(pause_s)
                await self._read_all()

    async def _read(self, *, settled: bool, only_known: bool = False) -> list[Event]:
        """Account and fills, side by side, and tell what the stream has not. Gives what it must have told."""

        def settled_ns() -> int | None:  # at each try anew
            return self._settled_ns() if settled else None

        fills = asyncio.get_running_loop().create_task(self._at_last(lambda: self._fills.read(settled_ns())))
        try:
            found = await self._at_last(
                lambda: self._reading.news(settled_ns=settled_ns(), only_known=only_known, stands=self._is_late)
            )
            proof = self._tell_found(found)
            proof += [fill for fill in await fills if self._is_untold(fill)]
        finally:
            fills.cancel()
        if settled:
            self._add_up()
        return proof

    def _settled_ns(self) -> int:
        """What happened from here on (monotonic) is left to the stream, which may be about to tell it."""
        return max(self._whole_ns, self._clock.monotonic_ns() - round(SETTLING_S * 1e9))

    def _tell_found(self, found: list[Event]) -> list[Event]:
        """Gives what the stream must have told."""
        # While the stream is there: of all else, venues do not tell everything.
        lost = found if self._known is Known.UNREAD else [one for one in found if isinstance(one, Order | Position)]
        self._tell_gap_of(lost)
        self._tell(found)
        return [event for event in lost if self._is_untold(event)]

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._frames.pass_on(event)

    async def _at_last(self, read: Callable[[], Awaitable[T]], until_s: float = float("inf")) -> T:
        """Tries until it succeeds; where it is to succeed by then, a key that is refused is enough not to."""
        failures = 0
        while True:
            try:
                return await read()
            except APIError as error:
                if is_cancelled():  # a call that is cancelled while the connector is closed may end so
                    raise asyncio.CancelledError from None
                failures += 1
                is_refused = isinstance(error, AuthenticationFailed | NotAllowed)
                if (is_refused and until_s < float("inf")) or self._now_s() >= until_s:
                    raise
                self._unread.failed(str(error), at_once=is_refused)
                await self._clock.sleep(reread_pause_s(failures - 1))

    def _is_known(self) -> None:
        """What was missed is read."""
        self._known = Known.READ
        self._tell_read()
        self._unread.ends()
        self.retelling.known()

    # --- looks ------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """A small question. One that fails is the next one's matter: nothing is known to be missing."""
        try:
            await self._reading.look()
            fills = [] if self._venue.fills_need_symbol else await self._fills.read(self._settled_ns())
        except APIError as error:
            self._looks_failed += 1
            if is_told(self._looks_failed):
                log.warning("the account can't be looked at (tries: %d): %s", self._looks_failed, error)
            return
        self._looks_failed = 0
        self._prove([fill for fill in fills if self._is_untold(fill)])
        self._adds_up = not self._compare()

    async def _read_all(self) -> None:
        self._prove(await self._read(settled=True))
        self._unread.ends()

    def _prove(self, proof: list[Event]) -> None:
        """The stream is mute where there is something that it must have told."""
        if proof:
            silent_s = (self._clock.monotonic_ns() - self._heard_ns) / 1e9
            words = ", ".join(sorted({f"{type(one).__name__} {one.symbol}" for one in proof})[:3])
            self._mute.is_proven(f"the venue shows what the stream has not told of: {words}", silent_s)

    def _compare(self) -> list[Mismatch]:
        return self._check.compare(self._reading.positions, self._reading.positions_asked_s)

    def _add_up(self) -> None:
        """Do positions and fills, both just read? What has not for DOUBT_S is told, and the venue's word taken."""
        found = self._compare()
        is_listed = not self._sync.is_behind(CATCHING_UP_S)
        stand = [one for one in found if one.stood_s >= DOUBT_S and is_listed]
        for mismatch in stand:
            self._check.accept(mismatch, self._reading.positions_asked_s)
            self._tell_mismatch(mismatch)
        self._adds_up = len(stand) == len(found)

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
