"""Each fill is delivered once: what the account's stream doubles is dropped, what it missed is read back over REST.

The stream has no sequence numbers, so nothing in it proves that it is whole. What proves it is a reading over REST of
every fill since the last one; it is taken after each loss of the stream, some more times while the venue's lists may
lag behind, and every few minutes, as a socket can be mute and still answer pings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.recovery import read_fills
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told, reread_pause_s
from perpwire.clock import Clock, Timer
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.fill_log import FillLog, key_of
from perpwire.data_processor.order_tracker import Key
from perpwire.errors import APIError, NotOffered
from perpwire.model.incident import FillsRecovered, Incident
from perpwire.model.order import Fill, Order
from perpwire.venues.base import Venue

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import OrderJournal

log = logging.getLogger("perpwire.api_connector")

LAG_MS = 10_000
"""A fill's row may be so late: each reading begins so much before the last one."""

READINGS_S = (0.0, 2.5, 8.0)
"""When to read after the stream is live again, in seconds; rows usually show within two."""

HOLD_S = 5.0
"""Longest that the stream's own fills wait for older ones to be read."""

AUDIT_S = 300.0
"""Between readings while nothing seems to be missing."""

AWAY_S = 30.0
"""Between readings while the stream is away."""

KNOWN_ORDERS = 10_000

MOST_ASKED = 20
"""Orders that are asked for by one reading, to name the client order ids of its fills."""


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
        self._held: list[Fill] = []
        self._is_holding = False
        self._hold_timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._offs: list[Callable[[], None]] = []
        self._resumes = False
        self._symbols: set[str] = set()
        """Those that we have seen traded."""
        self._orders: dict[Key, tuple[str, str]] = {}
        """Symbol and id that a fill may bear -> id and client order id of the order it belongs to."""
        self.before_recovered: Callable[[], None] = _nothing
        """Called before fills are delivered that the stream did not bring."""
        self.on_left_out: Callable[[Fill], None] = _nothing
        """Called with what is not delivered, as it has been: this one may bear words that the other did not."""
        self.recovered_at_start = 0
        """Fills since the journal's end that were delivered when the stream was opened."""

    # --- life -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Before the stream is opened: from now on, or from where the journal ends, every fill is delivered once."""
        if self._log is not None:
            return
        journal = self._journal
        read_ms = None if journal is None else journal.fills_read_ms
        self._resumes = read_ms is not None
        fill_log = FillLog(self._sync.venue_ms() if read_ms is None else read_ms)
        if journal is not None:
            for key, time_ms in journal.delivered_fills():
                fill_log.add(key, time_ms)
                self._symbols.add(key[0])
            journal.fills_read_until(fill_log.read_ms)
        self._log = fill_log
        self._offs = [
            self._frames.gate(Fill, self._on_stream_fill),
            self._frames.on(Order, self._note_order),
        ]
        if self._resumes:
            self._hold()

    async def opened(self) -> None:
        """The stream is live for the first time. Where the journal is resumed, returns once what was missed has been
        read and delivered."""
        if self._resumes:
            self.recovered_at_start = await self._read_at_last()
        self._follow(READINGS_S[1:] if self._resumes else READINGS_S)

    def catch_up(self) -> None:
        """The stream is live after a loss, or may have missed something."""
        if self._log is not None:
            self._hold()
            self._follow(READINGS_S)

    def away(self) -> None:
        """The stream is lost: until it is there again, what is read is all there is."""
        if self._log is not None:
            self._follow((), every_s=AWAY_S)

    def read_again(self) -> None:
        """Something may be missing, though the stream is there."""
        if self._log is not None:
            self._follow(READINGS_S)

    async def close(self) -> None:
        """Hand on what is held, and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._release()
        for off in self._offs:
            off()
        self._offs.clear()

    # --- the stream's fills -----------------------------------------------------------------------------------------

    def _on_stream_fill(self, fill: Fill) -> None:
        if self._is_holding:
            self._held.append(fill)
        else:
            self._deliver(fill)

    def _deliver(self, fill: Fill) -> bool:
        """Once; False where it has been delivered."""
        assert self._log is not None  # there is no gate before it
        if not self._log.add(key_of(fill), fill.venue_time_ms):
            self.on_left_out(fill)
            return False
        order_id, name = self._orders.get((fill.symbol, fill.order_id), (fill.order_id, ""))
        if fill.order_id != order_id or not fill.client_order_id:
            fill = msgspec.structs.replace(fill, order_id=order_id, client_order_id=name or fill.client_order_id)
        self._frames.pass_on(fill)
        if self._journal is not None:
            self._journal.fill_delivered(fill)
        return True

    def _hold(self) -> None:
        self._is_holding = True
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        self._hold_timer = self._clock.call_later(HOLD_S, self._release)

    def _release(self) -> None:
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        self._is_holding = False
        held, self._held = self._held, []
        for fill in held:
            self._deliver(fill)

    def _note_order(self, order: Order) -> None:
        """Fills do not name the client order id everywhere, and may bear the id of what a trigger has made."""
        self._symbols.add(order.symbol)
        names = (order.order_id, order.client_order_id)
        self._orders[order.symbol, order.order_id] = names
        if order.child_order_id is not None:
            self._orders[order.symbol, order.child_order_id] = names
        while len(self._orders) > KNOWN_ORDERS:
            del self._orders[next(iter(self._orders))]

    # --- reading ----------------------------------------------------------------------------------------------------

    def _follow(self, readings_s: Iterable[float], every_s: float = AUDIT_S) -> None:
        if self._task is not None:
            self._task.cancel()
        at_s = tuple(readings_s)
        whole = kept_up(
            lambda: self._keep(at_s, every_s), "the reading of fills", self._venue.name, self._clock, self._on_incident
        )
        self._task = asyncio.get_running_loop().create_task(whole, name="perpwire fills")

    async def _keep(self, readings_s: tuple[float, ...], every_s: float) -> None:
        began_ns = self._clock.monotonic_ns()
        for at_s in readings_s:
            wait_s = at_s - (self._clock.monotonic_ns() - began_ns) / 1e9
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            await self._read_at_last()
            if at_s and self._is_holding:
                self._release()
        while True:
            await self._clock.sleep(every_s)
            await self._read_at_last()

    async def _read_at_last(self) -> int:
        failures = 0
        while True:
            try:
                return await self._read()
            except NotOffered:
                return 0
            except APIError as error:
                failures += 1
                if is_told(failures):
                    log.warning("fills can't be read back yet (tries: %d): %s", failures, error)
                await self._clock.sleep(reread_pause_s(failures - 1))

    async def _read(self) -> int:
        """Read every fill since the last reading, and deliver those that are new, with those that are held, in order.
        Returns how many the stream had not brought.

        Raises:
            APIError: They can't be read; nothing is delivered then.
        """
        fill_log = self._log
        assert fill_log is not None  # nothing reads before begin
        began_ms = self._sync.venue_ms()
        for order in self._state.open_orders:
            self._note_order(order)
        self._symbols.update(symbol for (symbol, _) in self._state.positions)
        rows = await read_fills(self._requests, self._venue, fill_log.read_ms, self._symbols)
        await self._ask_whose([row for row in rows if not fill_log.has(row) and not row.client_order_id])
        live = {key_of(fill): fill for fill in self._held}
        fresh = [live.pop(key_of(row), row) for row in rows if not fill_log.has(row)]
        newest_ms = fresh[-1].venue_time_ms if fresh else 0
        # Of what is held, only what is not newer than what was read is sure to be next.
        fresh += (fill for fill in live.values() if fill.venue_time_ms <= newest_ms)
        count = 0
        if any(not fill.received_ns for fill in fresh):
            self.before_recovered()
        for fill in sorted(fresh, key=_time_of):
            is_read = not fill.received_ns
            count += self._deliver(msgspec.structs.replace(fill, recovered=True) if is_read else fill) and is_read
        if count:
            self._on_incident(
                FillsRecovered(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    count=count,
                )
            )
        fill_log.read_until(began_ms - LAG_MS)
        if self._journal is not None:
            self._journal.fills_read_until(fill_log.read_ms)
        return count

    async def _ask_whose(self, rows: list[Fill]) -> None:
        """Read the orders whose names the rows do not tell and we do not know."""
        unknown = dict.fromkeys(key for row in rows if (key := (row.symbol, row.order_id)) not in self._orders)
        for symbol, order_id in list(unknown)[:MOST_ASKED]:
            with suppress(APIError):  # the fill counts all the same
                self._note_order(await self._requests.run(self._venue.get_order(symbol, order_id, None)))


def _nothing(*_: Fill) -> None:
    pass


def _time_of(fill: Fill) -> int:
    return fill.venue_time_ms
