"""Each fill is delivered once: what the account's stream doubles is dropped, what it missed is read back over REST.

The stream has no sequence numbers, so nothing in it proves that it is whole. What proves it is a reading over REST of
every fill since the last one; account_watch.py says when one is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.recovery import read_fills, read_parent, read_since
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock, Timer
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.fill_log import FillLog, key_of
from perpwire.errors import APIError, NotOffered
from perpwire.model.incident import FillsRecovered, Incident
from perpwire.model.order import FastFill, Fill, Order
from perpwire.venues.base import Venue

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import OrderJournal

LAG_NS = 10_000_000_000
"""A fill's row may be so late: each reading begins so much before the last one."""

STEP_MS = 60_000
"""So much earlier each reading begins, as the venue's clock may have been put back unknown to us."""

FIRST_MS = 600_000
"""And the first one: what it finds of before our time is not taken for new later, when the clock was put back to before
we began."""

HOLD_S = 5.0
"""Longest that the stream's own fills wait for older ones to be read."""

HEARD_NS = 3_600_000_000_000
"""So long after it was heard of a contract is asked for, where the venue wants one named: each costs a call."""

MOST_ASKED = 20
"""Orders that are asked for by one reading, to name the client order ids of its fills."""

NAMED_WITHIN_S = 2.5
"""These fills wait so long for a name that only an answer can tell."""


class FillKeeper:
    """One for the account's stream.

    After a loss of the stream, what is read is delivered first, in order of venue's time and marked `recovered`; what
    the stream itself says meanwhile is held back until then, at most HOLD_S, so that fills come in order.
    """

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        frames: FramePath,
        state: AccountState,
        sync: ClockSync,
        clock: Clock,
        journal: OrderJournal | None,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._state = state
        self._sync = sync
        self._clock = clock
        self._journal = journal
        self._on_incident = on_incident
        self._log: FillLog | None = None
        self._whole_ns = 0
        """Every fill before then (monotonic) has been delivered, or was before our time. The venue's clock, which may
        be put back, can't say it."""
        self._left_ms: int | None = None
        """Until they are read for the first time: up to where an earlier life read them, or where it began if none has,
        by the venue's clock."""
        self._has_old = True
        """There are fills of before our time: no earlier life has read them."""
        self._was_read = False
        self._held: list[Fill] = []
        self._is_holding = False
        self._held_since_ns = 0
        self._hold_timer: Timer | None = None
        self._offs: list[Callable[[], None]] = []
        self._asked: set[str] = set()
        self._asked_ns = 0
        """Contracts that the last reading asked for, and from when on, monotonic: others are asked for from there."""
        self._symbols: dict[str, int] = {}
        """Those that we have heard of -> when, monotonic, the last time."""
        self.before_recovered: Callable[[list[Fill]], None] = _nothing
        """Called with fills that the stream did not bring, before they are delivered."""
        self.on_cut_off: Callable[[], None] = lambda: None
        """Called when a reading finds that it does not reach back any more."""
        self._was_cut_off = False
        self.on_left_out: Callable[[Fill], None] = _nothing
        """Called with what is not delivered, as it has been: this one may bear words that the other did not."""

    # --- life -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Before the stream is opened: from now on, or from where the journal ends, every fill is delivered once."""
        if self._log is not None:
            return
        self._log = fill_log = FillLog()
        self._whole_ns = self._clock.monotonic_ns()
        journal = self._journal
        left_ms = None
        if journal is not None:
            self._has_old = journal.fills_read_ms is None
            left_ms = journal.fills_begun_ms if self._has_old else journal.fills_read_ms
        if journal is not None and left_ms is not None:
            self._left_ms = left_ms
            self._whole_ns -= LAG_NS
            if journal.fills_begun_ms is not None:
                fill_log.known_ms = journal.fills_begun_ms - FIRST_MS
            for key, time_ms in journal.delivered_fills(left_ms - FIRST_MS):
                fill_log.add(key, time_ms)
                self._symbols[key[0]] = self._clock.monotonic_ns()
        elif journal is not None:
            journal.fills_begin(self._sync.venue_ms())
        self._asked_ns = self._whole_ns
        self._offs = [
            self._frames.gate(Fill, self._on_stream_fill),
            self._frames.on(Order, self._note_symbol),
            self._frames.gate(FastFill, self._on_fast_fill),
        ]
        if self._left_ms is not None:
            self.hold()

    def close(self) -> None:
        """Hand on what is held, and end."""
        self.release()
        for off in self._offs:
            off()
        self._offs.clear()

    # --- the stream's fills -----------------------------------------------------------------------------------------

    def _on_stream_fill(self, fill: Fill) -> None:
        if self._is_holding:
            self._held.append(fill)
        else:
            self._deliver(fill)

    def _on_fast_fill(self, fill: FastFill) -> None:
        self._frames.pass_on(self._state.orders.named(fill))

    def _deliver(self, fill: Fill) -> bool:
        """Once; False where it has been delivered."""
        assert self._log is not None  # there is no gate before it
        if not self._log.add(key_of(fill), fill.venue_time_ms):
            self.on_left_out(fill)
            return False
        fill = self._state.orders.named(fill)
        self._frames.pass_on(fill)
        if self._journal is not None:
            self._journal.fill_delivered(fill)
        return True

    def hold(self, *, longer: bool = False) -> bool:
        """Something may be missing: what the stream says from now on waits for it, HOLD_S at most. Gives whether
        nothing was held until now.

        Args:
            longer: Where something is: for HOLD_S from now, but not for more than twice that in all.
        """
        if self._log is None or (self._is_holding and not longer):
            return False
        now_ns, is_first = self._clock.monotonic_ns(), not self._is_holding
        if is_first:
            self._is_holding, self._held_since_ns = True, now_ns
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        left_s = 2 * HOLD_S - (now_ns - self._held_since_ns) / 1e9
        self._hold_timer = self._clock.call_later(max(0.0, min(HOLD_S, left_s)), self.release)
        return is_first

    def release(self) -> None:
        """What may be missing has been read, or does not come in time."""
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        self._is_holding = False
        held, self._held = self._held, []
        for fill in held:
            self._deliver(fill)

    def _note_symbol(self, order: Order) -> None:
        self._symbols[order.symbol] = self._clock.monotonic_ns()

    # --- reading ----------------------------------------------------------------------------------------------------

    async def read(self, settled_ns: int | None = None) -> list[Fill]:
        """Read every fill since the last reading, and deliver those that are new, with those that are held, in order.
        Gives those that the stream had not brought.

        Args:
            settled_ns: The stream is there: what happened from then on (monotonic) is left to it.

        Raises:
            APIError: They can't be read; nothing is delivered then.
        """
        fill_log = self._log
        assert fill_log is not None  # nothing reads before begin
        began_ns = self._clock.monotonic_ns()
        symbols = self._to_ask(began_ns)
        from_ns = self._whole_ns if symbols <= self._asked else min(self._asked_ns, self._whole_ns)
        try:
            rows = await read_since(
                lambda: self._since_ms(from_ns),
                lambda since_ms: read_fills(self._requests, self._venue, since_ms, symbols),
            )
        except NotOffered:
            return []
        if not self._was_read:
            self._note_old(rows)
        was_cut_off, self._was_cut_off = self._was_cut_off, not self.reaches_back
        if self._was_cut_off and not was_cut_off:
            self.on_cut_off()
        if settled_ns is not None:
            settled_ms = self._sync.span_ms(settled_ns).least_ms
            rows = [row for row in rows if row.venue_time_ms < settled_ms]
        await self._ask_whose([row for row in rows if not fill_log.has(row) and not row.client_order_id])
        live = {key_of(fill): fill for fill in self._held}
        fresh = [live.pop(key_of(row), row) for row in rows if not fill_log.has(row)]
        newest_ms = fresh[-1].venue_time_ms if fresh else 0
        # Of what is held, only what is not newer than what was read is sure to be next.
        fresh += (fill for fill in live.values() if fill.venue_time_ms <= newest_ms)
        found = [fill for fill in fresh if not fill.received_ns]
        if found:
            self.before_recovered(found)
        recovered = []
        for fill in sorted(fresh, key=_time_of):
            is_read = not fill.received_ns
            if self._deliver(msgspec.structs.replace(fill, recovered=True) if is_read else fill) and is_read:
                recovered.append(fill)
        if recovered:
            self._on_incident(
                FillsRecovered(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    count=len(recovered),
                )
            )
        self._asked, self._asked_ns = symbols, self._whole_ns
        whole_ns = began_ns - LAG_NS
        self._whole_ns = max(self._whole_ns, whole_ns if settled_ns is None else min(whole_ns, settled_ns))
        self._left_ms = None
        fill_log.read_from(self._since_ms())
        if self._journal is not None:
            self._journal.fills_read_until(self._whole_ms())
        return recovered

    def _to_ask(self, now_ns: int) -> set[str]:
        """Contracts that may have been traded without a booking, which would name them: those held, those with orders,
        and those heard of since the last reading or in the last hour."""
        since_ns = min(self._whole_ns, now_ns - HEARD_NS)
        self._symbols = {symbol: at_ns for symbol, at_ns in self._symbols.items() if at_ns >= since_ns}
        held = (symbol for (symbol, _), position in self._state.positions.items() if position.quantity)
        return {*self._symbols, *held, *(order.symbol for order in self._state.open_orders)}

    def _whole_ms(self, whole_ns: int | None = None) -> int:
        """Nothing that is still to be delivered bears an earlier time of the venue's clock, as far as we know that."""
        whole_ms = self._sync.span_ms(self._whole_ns if whole_ns is None else whole_ns).least_ms
        return whole_ms if self._left_ms is None else min(self._left_ms, whole_ms)

    def _since_ms(self, from_ns: int | None = None) -> int:
        """From when on they are read, by the venue's clock.

        Args:
            from_ns: Every fill before then (monotonic) has been delivered; None: as is known of all.
        """
        assert self._log is not None
        early_ms = STEP_MS if self._was_read else FIRST_MS
        return max(self._whole_ms(from_ns) - early_ms, self._log.known_ms)

    @property
    def reaches_back(self) -> bool:
        """Every fill that has not been delivered can be read. Where the venue's clock was put back far enough, some
        bear times of which it is not known what was delivered."""
        return self._log is None or self._whole_ms() >= self._log.known_ms

    def _note_old(self, rows: list[Fill]) -> None:
        """The first reading: where no earlier life made one, what is older than the first life counts as delivered."""
        assert self._log is not None
        self._log.known_ms = max(self._log.known_ms, self._since_ms())
        self._was_read = True
        if not self._has_old:
            return
        begun_ms = self._whole_ms()
        for row in rows:
            if row.venue_time_ms < begun_ms and not self._log.has(row):
                self._log.add(key_of(row), row.venue_time_ms)
                if self._journal is not None:
                    self._journal.fill_delivered(row)

    async def _ask_whose(self, rows: list[Fill]) -> None:
        """Read the orders whose names the rows do not tell and we do not know."""
        orders = self._state.orders
        unknown = dict.fromkeys((row.symbol, row.order_id) for row in rows if not orders.is_named(row))
        if unknown:
            with suppress(TimeoutError):  # the fills count all the same
                await in_time(self._ask_orders(list(unknown)[:MOST_ASKED]), NAMED_WITHIN_S, self._clock)

    async def _ask_orders(self, of: list[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._ask_order(*one) for one in of))

    async def _ask_order(self, symbol: str, order_id: str) -> None:
        orders = self._state.orders
        with suppress(APIError):
            order = await self._requests.run(self._venue.get_order(symbol, order_id, None))
            orders.learn(await read_parent(self._requests, self._venue, orders, order) or order)


def _nothing(_: object) -> None:
    pass


def _time_of(fill: Fill) -> int:
    return fill.venue_time_ms
