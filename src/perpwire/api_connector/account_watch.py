"""The account is what we say it is: it is read back after each loss of its stream, and looked at while that is there.

A socket can be mute and still answer pings, and a stream that speaks only when something happens can't be told from a
mute one by listening. So every half minute a small question is asked: positions, and the open orders of the symbols
that have any. What the venue shows twice, some seconds apart, and the stream has not told of, proves it mute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.recovery import reread_account, reread_orders, reread_positions, subject
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
from perpwire.model.order import Fill
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")

LATE_S = (2.5, 5.5)
"""Pauses before the account is read again after a loss, as the venue's lists may be late; the fills are read at about
the same times."""

SETTLING_S = 3.0
"""What the stream has told of so lately, a reading may not show yet."""

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

GAPS = (
    ("Order", True, ""),
    ("Fill", True, ""),
    (
        "AccountEvent",
        False,
        "; leverage and modes that are other ones now follow as far as they can be read, but margin calls are lost, and"
        " what was changed and changed back",
    ),
)
"""Kind, whether all that is missing follows, and what is to be said of that."""

REMEMBERED_S = 60.0


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
        self._check = PositionCheck()
        self._doubted_s: dict[str, float] = {}
        """Symbols whose position and fills did not add up -> since when."""
        self._told_ns: dict[Hashable, int] = {}
        """What the stream has told of lately -> when, monotonic, the last time."""
        self._heard_ns = clock.monotonic_ns()
        self._gap_since_ns: int | None = None
        """Arrival of the stream's last event, Unix nanoseconds, while a gap is to be told."""
        self._last_ns = 0
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
        await self._reread(self._state.on_event, self._clock.monotonic_ns())
        if self._task is None:
            self._become(self._keep_looking)

    def lost(self) -> None:
        """The stream is away: read what becomes of the account meanwhile."""
        self._gap_since_ns = self._last_ns
        self._become(self._while_away)
        self._fills.away()

    def catch_up(self) -> None:
        """The stream is there again, or may have missed something."""
        self._settings.read_next_time()
        self._tell_gap()
        self._become(self._after_loss)
        self._fills.catch_up()

    def read_again(self) -> None:
        """A consumer has lost events that the stream did tell: no gap of it. While it is away it is read anyway."""
        if self._gap_since_ns is None:
            self._become(self._after_loss)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for off in self._offs:
            off()
        self._offs.clear()

    def note(self, event: Event) -> None:
        """What anybody says of the account; what we have read ourselves bears no time of arrival."""
        if event.received_ns:
            self._heard_ns = self._clock.monotonic_ns()
            self._last_ns = event.received_ns
            if not isinstance(event, Fill):
                self._told_ns[subject(event)] = self._heard_ns
            for setting in self._settings.told_by(event):
                self._told_ns[setting] = self._heard_ns

    def _on_fill(self, fill: Fill) -> None:
        self._check.on_fill(fill, self._now_s())

    def _become(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._task is not None:
            self._task.cancel()
        name = "the watch over the account"
        whole = kept_up(work, name, self._venue.name, self._clock, self._on_incident)
        self._task = asyncio.get_running_loop().create_task(whole, name="perpwire account watch")

    def _tell_gap(self) -> None:
        """Before what was missed is delivered; what is found of the same gap a little later belongs to it."""
        since_ns, self._gap_since_ns = self._gap_since_ns, None
        if since_ns is None:
            if self._now_s() < self._gap_told_s + SAME_GAP_S:
                return
            since_ns = self._last_ns
        self._gap_told_s = self._now_s()
        for kind, repaired, more in GAPS:
            self._frames.deliver(
                Gap(
                    venue=self._venue.name,
                    symbol="",
                    kind=kind,
                    since_ns=since_ns,
                    until_ns=self._clock.time_ns(),
                    repaired=repaired,
                    why=f"the account's stream did not bring it{more}",
                )
            )

    # --- what it does -----------------------------------------------------------------------------------------------

    async def _after_loss(self) -> None:
        await self._reread(self._frames.deliver, self._clock.monotonic_ns())
        await self._keep_looking()

    async def _while_away(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            self._tell_gap()
            await self._reread(self._deliver_news, self._clock.monotonic_ns())

    async def _keep_looking(self) -> None:
        for pause_s in LATE_S:
            await self._clock.sleep(pause_s)
            await self._reread(self._deliver_news, self._settled_ns(), only_known=True)
        looks = 0
        while True:
            await self._clock.sleep(LOOK_S)
            looks += 1
            await self._look()
            if looks % LOOKS == 0:
                self._settings.read_next_time()
                await self._reread(self._deliver_news, self._settled_ns())

    def _settled_ns(self) -> int:
        return self._clock.monotonic_ns() - round(SETTLING_S * 1e9)

    async def _reread(self, deliver: Callable[[Event], None], since_ns: int, *, only_known: bool = False) -> None:
        """Read the account and deliver what the stream has not said since `since_ns` (monotonic): that is newer than
        what we read, or is followed by what is newer. Tries until it succeeds."""
        failures = 0
        while True:
            try:
                events = await reread_account(self._requests, self._venue, self._state, only_known=only_known)
                events += await self._settings.read(events)
                break
            except APIError as error:
                failures += 1
                self._is_unread(error, failures)
                await self._clock.sleep(reread_pause_s(failures - 1))
        self._is_read()
        for event in events:
            if self._told_ns.get(subject(event), -1) < since_ns:
                deliver(event)
        self._forget()

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

    def _deliver_news(self, event: Event) -> None:
        if self._state.is_news(event):
            self._frames.deliver(event)

    def _forget(self) -> None:
        before_ns = self._clock.monotonic_ns() - round(REMEMBERED_S * 1e9)
        for key in [key for key, told_ns in self._told_ns.items() if told_ns < before_ns]:
            del self._told_ns[key]

    # --- looks ------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        asked_ns = self._clock.monotonic_ns()
        unsaid = await self._unsaid(asked_ns - round(SETTLING_S * 1e9))
        self._forget()
        if not unsaid:
            return
        await self._clock.sleep(CONFIRM_S)
        proof = unsaid & await self._unsaid(asked_ns)
        if proof:
            silent_s = (self._clock.monotonic_ns() - self._heard_ns) / 1e9
            words = ", ".join(sorted({str(one) for one in proof})[:3])
            self._on_mute(f"the venue shows what the stream has not told of: {words}", silent_s)

    async def _unsaid(self, since_ns: int) -> set[Hashable]:
        """What the venue shows otherwise than we know it, and the stream has not told of since (monotonic)."""
        try:
            asked_s, asked_ms = self._now_s(), self._sync.venue_ms()
            positions, events = await reread_positions(self._requests, self._venue, self._state)
            self._compare(positions, asked_s, asked_ms)
            if self._state.open_orders:
                events += await reread_orders(self._requests, self._venue, self._state, only_known=True)
        except APIError as error:
            self._looks_failed += 1
            if is_told(self._looks_failed):
                log.warning("the account can't be looked at (tries: %d): %s", self._looks_failed, error)
            return set()
        self._looks_failed = 0
        return {
            subject(event)
            for event in events
            if self._told_ns.get(subject(event), -1) < since_ns and self._state.is_news(event)
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
