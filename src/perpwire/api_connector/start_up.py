"""What a connector with a journal does first: it settles the orders that its last life left in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from perpwire.api_connector.reconcile import Desk, settle_order
from perpwire.errors import APIError, NotSent, OutcomeUnknown
from perpwire.model.account import Position
from perpwire.model.incident import Incident, OrderResolved
from perpwire.model.order import Order
from perpwire.venues.base import Call

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import JournalEntry, OrderJournal

T = TypeVar("T")

log = logging.getLogger("perpwire.api_connector")

AT_ONCE = 20
"""Orders that are asked for side by side."""

REMEMBERED_MS = 24 * 3_600_000
"""Venues forget orders that were cancelled unfilled, the first of them after a day. An older order that is not known
may have been forgotten."""


class StartUpReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal's unsettled orders came to.

    Attributes:
        found: Orders that the venue has or had, as they stand.
        not_placed: Client order ids of those that certainly do not exist.
        unknown: Client order ids of those that could not be settled: the venue could not be asked, or may have
            forgotten them. What could not be asked goes on being searched for (unresolved_orders); what is not found
            stays in the journal, and is asked for at the next start.
        open_orders, positions: The account as it was then; None where the venue could not be asked. Live ones are in
            account_state once the account's stream is open.
        fills_recovered: Fills of the time in between that were read and delivered when the account's stream was
            opened; 0 before that.
    """

    found: tuple[Order, ...] = ()
    not_placed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    open_orders: tuple[Order, ...] | None = None
    positions: tuple[Position, ...] | None = None
    fills_recovered: int = 0


class StartUp:
    """One start of a connector."""

    def __init__(
        self,
        desk: Desk,
        journal: OrderJournal,
        *,
        patience_s: float,
        search: Callable[[JournalEntry], object],
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._desk = desk
        self._search = search
        self._venue = desk.venue
        self._requests = desk.requests
        self._journal = journal
        self._sync = desk.sync
        self._clock = desk.clock
        self._patience_s = patience_s
        self._on_incident = on_incident

    async def run(self) -> StartUpReport:
        """Ask for every unsettled order until it is known, or the venue must have refused it; then read the account."""
        entries = self._journal.unsettled()
        room = asyncio.Semaphore(AT_ONCE)

        async def one(entry: JournalEntry) -> Order | APIError:
            async with room:
                return await self._settle(entry)

        outcomes = await asyncio.gather(*map(one, entries))
        found, not_placed, unknown = [], [], []
        for entry, outcome in zip(entries, outcomes, strict=True):
            self._journal.settled(entry.request.symbol, entry.client_order_id, outcome)
            if isinstance(outcome, Order):
                found.append(outcome)
                word = "ACCEPTED"
            elif isinstance(outcome, NotSent):
                not_placed.append(entry.client_order_id)
                word = "NOT_PLACED"
            else:
                unknown.append(entry.client_order_id)
                word = "UNRESOLVED"
                if self._may_be_remembered(entry):
                    self._search(entry)
            self._tell(entry, word)
        open_orders = await self._read(self._venue.open_orders(None))
        positions = await self._read(self._venue.positions(None))
        return StartUpReport(
            found=tuple(found),
            not_placed=tuple(not_placed),
            unknown=tuple(unknown),
            open_orders=open_orders,
            positions=positions,
        )

    async def _read(self, call: Call[T]) -> T | None:
        try:
            return await self._requests.run(call)
        except APIError as error:
            log.warning("%s can't be read at the start: %s", call.endpoint.name, error)
            return None

    async def _settle(self, entry: JournalEntry) -> Order | APIError:
        try:
            return await settle_order(
                self._desk,
                entry.request,
                first_sent_ms=entry.sent_ms,
                certain_after_ms=entry.certain_after_ms,
                patience_s=self._patience_s,
                doubt=APIError("the process ended before it", venue=self._venue.name, call="place_order"),
            )
        except NotSent as absent:
            if self._may_be_remembered(entry):
                return absent
            return OutcomeUnknown(
                "the venue does not know the order (any more); it is too old to tell whether it ever was",
                venue=self._venue.name,
                call="place_order",
                client_order_id=entry.client_order_id,
            )
        except APIError as error:
            return error

    def _may_be_remembered(self, entry: JournalEntry) -> bool:
        return self._sync.venue_ms() - entry.certain_after_ms < REMEMBERED_MS

    def _tell(self, entry: JournalEntry, outcome: str) -> None:
        request = entry.request
        self._on_incident(
            OrderResolved(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why="sent by the run before",
                symbol=request.symbol,
                client_order_id=entry.client_order_id,
                outcome=outcome,
                after_s=(self._sync.venue_ms() - entry.sent_ms) / 1000,
                side=request.side.value,
                quantity=request.quantity,
            )
        )
