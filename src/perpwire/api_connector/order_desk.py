"""Orders with a known outcome: placed, amended and cancelled so that nothing is ever in doubt without saying so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.position_modes import PositionModes
from perpwire.api_connector.reconcile import MARGIN_MS, settle_order
from perpwire.api_connector.request_path import BeforeSend, RequestPath
from perpwire.clock import Clock
from perpwire.errors import (
    APIError,
    BadInput,
    Garbled,
    InsufficientBalance,
    OutcomeUnknown,
    PositionModeMismatch,
    UnknownOrder,
)
from perpwire.model.incident import BalanceInsufficient, Incident, OrderDoubtful, OrderFailed
from perpwire.model.order import Order, OrderRequest
from perpwire.venues.base import Road, Venue

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import OrderJournal


class OrderDesk:
    """One per running connector."""

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        *,
        sync: ClockSync,
        clock: Clock,
        modes: PositionModes,
        journal: OrderJournal | None = None,
        patience_s: float,
        on_incident: Callable[[Incident], None],
        on_order: Callable[[Order], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._sync = sync
        self._clock = clock
        self._modes = modes
        self._journal = journal
        self._patience_s = patience_s
        self._on_incident = on_incident
        self._on_order = on_order

    async def place(self, request: OrderRequest, *, road: Road | None = None, deadline_ns: int | None = None) -> Order:
        """See OrderMethods.place_order."""
        try:
            try:
                order = await self._place_once(request, road, deadline_ns)
            except PositionModeMismatch:
                order = await self._place_once(await self._in_other_mode(request), road, deadline_ns)
        except InsufficientBalance as error:
            self._tell(BalanceInsufficient, request, error)
            self._note_outcome(request, error)
            raise
        except APIError as error:
            self._tell(OrderFailed, request, error)
            self._note_outcome(request, error)
            raise
        except asyncio.CancelledError:
            given_up = APIError("the caller gave up while it was under way", code="CANCELLED")
            self._tell(OrderDoubtful, request, given_up)
            raise
        self._note_outcome(request, order)
        self._on_order(order)
        return order

    def _note_outcome(self, request: OrderRequest, outcome: Order | APIError) -> None:
        if self._journal is not None:
            self._journal.settled(request.client_order_id, outcome)

    def _noting(self, request: OrderRequest) -> BeforeSend | None:
        """What writes the order into the journal before it leaves."""
        journal = self._journal
        if journal is None:
            return None
        window_ms = self._venue.window_ms(request.venue_params) + MARGIN_MS
        return lambda venue_ms: journal.before_send((request,), venue_ms, venue_ms + window_ms)

    async def _place_once(self, request: OrderRequest, road: Road | None, deadline_ns: int | None) -> Order:
        first_sent_ms = self._sync.venue_ms()
        try:
            call = self._venue.place_order(request)
            return await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=self._noting(request))
        except (OutcomeUnknown, Garbled) as doubt:
            self._tell(OrderDoubtful, request, doubt)
            return await settle_order(
                self._requests, self._venue, self._sync, self._clock,
                request=request,
                first_sent_ms=first_sent_ms,
                last_sent_ms=self._sync.venue_ms(), patience_s=self._patience_s, doubt=doubt,
            )  # fmt: skip

    async def _in_other_mode(self, request: OrderRequest) -> OrderRequest:
        """The same order as the account's mode, read anew, wants it said."""
        await self._modes.read(self._requests, request.symbol)
        return self._modes.restated(request)

    async def amend(
        self,
        order: Order,
        price: Decimal | None,
        quantity: Decimal | None,
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
    ) -> Order:
        """See OrderMethods.amend_order."""
        call = self._venue.amend_order(order, price, quantity)
        return await self._requests.run(call, road=road, deadline_ns=deadline_ns)

    async def cancel(
        self,
        symbol: str,
        order_id: str | None,
        client_order_id: str | None,
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
    ) -> Order:
        """See OrderMethods.cancel_order."""
        call = self._venue.cancel_order(symbol, order_id, client_order_id)
        try:
            order = await self._requests.run(call, road=road, deadline_ns=deadline_ns)
        except UnknownOrder as gone:
            if not gone.after_doubt:
                raise
            # The first answer was lost, and it is gone now: most likely by our own cancel.
            order = await self._requests.run(self._venue.get_order(symbol, order_id, client_order_id))
        self._on_order(order)
        return order

    def _tell(self, kind: type[OrderFailed], request: OrderRequest, error: APIError) -> None:
        if isinstance(error, BadInput):
            return
        what = f"{request.side} {request.quantity} {request.symbol}"
        self._on_incident(
            kind(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                detail=f"{what}: {error.reason}",
                symbol=request.symbol,
                client_order_id=request.client_order_id,
                code=error.code,
            )
        )
