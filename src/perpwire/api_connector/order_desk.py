"""Orders with a known outcome: placed so that nothing is ever in doubt without saying so.

What goes well goes straight through here. What does not is settled by reconcile.py: by the account's stream and by
questions, never by sending anything twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NoReturn

from perpwire.api_connector.order_changes import OrderChanges, reasons
from perpwire.api_connector.position_modes import PositionModes
from perpwire.api_connector.reconcile import (
    LOST_ANSWER_S,
    MARGIN_MS,
    OVERLOAD_S,
    Desk,
    Resolution,
    watch_until,
)
from perpwire.api_connector.sending import Sending
from perpwire.data_processor.order_tracker import Key
from perpwire.errors import (
    APIError,
    BadInput,
    Busy,
    DuplicateOrder,
    Garbled,
    InsufficientBalance,
    NotSent,
    OrderRejected,
    OutcomeUnknown,
    Overloaded,
    PositionModeMismatch,
)
from perpwire.model.incident import BalanceInsufficient, Incident, OrderDoubtful, OrderFailed, OrderResolved
from perpwire.model.order import Order, OrderRequest, OrderStatus, Replaced, TimeInForce
from perpwire.venues.base import Road

if TYPE_CHECKING:
    from perpwire.api_connector.guards import Guard
    from perpwire.api_connector.order_journal import OrderJournal

ACCEPTED_S = (0.3, 0.5, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before questions after an order that was only acknowledged."""

Wait = Literal["accepted"]


class OrderDesk(OrderChanges):
    """One per running connector.

    Args:
        guard: Asked once more right before an order is written.
        patience_s: How long a caller waits for the outcome of an order; the search goes on after that.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        modes: PositionModes,
        journal: OrderJournal | None = None,
        guard: Guard | None = None,
        patience_s: float,
        on_incident: Callable[[Incident], None],
    ) -> None:
        super().__init__(desk, patience_s, on_incident)
        self._modes = modes
        self._journal = journal
        self._guard = guard
        self._is_closed = False

    @property
    def unresolved(self) -> tuple[Resolution, ...]:
        """Orders whose outcome is not known yet."""
        return tuple(self._unresolved.values())

    async def close(self) -> None:
        """Stop searching; what is not known is told, and stays open in the journal."""
        self._is_closed = True
        for resolution in self.unresolved:
            await resolution.stop()

    # --- place --------------------------------------------------------------------------------------------------------

    async def place(
        self,
        request: OrderRequest,
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
        wait: Wait | None = None,
    ) -> Order:
        """See OrderMethods.place_order."""
        if self._unresolved:
            self._check_not_in_doubt(request)
        sending = Sending((request,), self._window_ms(request), self._clock, self._journal, self._guard)
        try:
            call = self._venue.place_order(request)
            order = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
        except PositionModeMismatch as error:
            request = await self._in_other_mode(request, error)
            order = await self._place_in_mode(request, road, deadline_ns)
        except (APIError, asyncio.CancelledError) as error:
            order = await self._troubled(request, sending, error)
        else:
            order = self._placed(order)
        if wait is not None and order.status is OrderStatus.PENDING_NEW:
            return await self._accepted(order)
        return order

    def _window_ms(self, request: OrderRequest) -> int:
        """So long after its time stamp the venue surely refuses it."""
        return self._venue.window_ms(request.venue_params) + MARGIN_MS

    def _placed(self, order: Order) -> Order:
        if self._journal is not None:
            self._journal.settled(order.symbol, order.client_order_id, order)
        return self._orders.on_answer(order)

    def _check_not_in_doubt(self, request: OrderRequest) -> None:
        """An id is no protection at a venue that takes it again once its order has been filled.

        Raises:
            NotSent: An order of the same id is being searched for.
        """
        running = self._unresolved.get(_key(request))
        if running is not None:
            error = NotSent(
                f"what became of the order {request.client_order_id} that was sent before is not known yet",
                venue=self._venue.name,
                call="place_order",
                code="IN_DOUBT",
                advice="Nothing was sent. Wait for the outcome of the first (unresolved_orders), or use another id.",
            )
            error.__cause__ = running.doubt
            raise error

    async def _in_other_mode(self, request: OrderRequest, mismatch: PositionModeMismatch) -> OrderRequest:
        """The same order as the account's mode wants it said; read anew where we have not learnt of it meanwhile."""
        restated = self._modes.restated(request)
        if restated != request:
            return restated
        try:
            await self._modes.read(self._requests, request.symbol)
        except APIError:
            self._failed(request, mismatch)
        except asyncio.CancelledError:
            self._settled(request, mismatch)  # it was refused, and is not sent again
            raise
        return self._modes.restated(request)

    async def _place_in_mode(self, request: OrderRequest, road: Road | None, deadline_ns: int | None) -> Order:
        sending = Sending((request,), self._window_ms(request), self._clock, self._journal, self._guard)
        try:
            call = self._venue.place_order(request)
            order = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
        except (APIError, asyncio.CancelledError) as error:
            return await self._troubled(request, sending, error)
        return self._placed(order)

    async def _troubled(
        self, request: OrderRequest, sending: Sending, error: APIError | asyncio.CancelledError
    ) -> Order:
        """What becomes of an order that did not go well: it is known, or is searched for."""
        if isinstance(error, asyncio.CancelledError):
            if sending.tries:  # it is on its way, whoever waits for it
                self._search(request, sending, error)
            raise error
        if self._is_doubtful(error, sending):
            return await self._search(request, sending, error).within(self._patience_s)
        self._failed(request, error)

    def _failed(self, request: OrderRequest, error: APIError) -> NoReturn:
        """It does not exist.

        Raises:
            APIError: Always.
        """
        if isinstance(error, Busy):
            error = _not_taken(error)
        if not isinstance(error, BadInput):
            kind = BalanceInsufficient if isinstance(error, InsufficientBalance) else OrderFailed
            self._on_incident(self._about(kind, request, error))
        self._settled(request, error)
        raise error

    def _is_doubtful(self, error: APIError, sending: Sending) -> bool:
        if isinstance(error, DuplicateOrder):
            return sending.tries > 1  # an earlier try of ours, of which nothing seemed to have left
        return isinstance(error, OutcomeUnknown | Garbled | Overloaded)

    def _search(self, request: OrderRequest, sending: Sending, error: APIError | asyncio.CancelledError) -> Resolution:
        self._on_incident(self._about(OrderDoubtful, request, error))
        return self.resolve(
            request,
            first_sent_ms=sending.first_ms,
            certain_after_ms=sending.last_ms + sending.window_ms,
            sent_ns=sending.first_ns,
            doubt=error,
        )

    def resolve(
        self,
        request: OrderRequest,
        *,
        first_sent_ms: int,
        certain_after_ms: int,
        sent_ns: int = 0,
        doubt: BaseException | None = None,
    ) -> Resolution:
        """Search for the outcome of an order; await what is given back, or let it go on by itself. See Resolution."""
        running = self._unresolved.get(_key(request))
        if running is not None and running.request == request:
            return running
        resolution = Resolution(
            self._desk,
            request,
            first_sent_ms=first_sent_ms,
            certain_after_ms=0 if isinstance(doubt, Overloaded) else certain_after_ms,  # that one was answered
            sent_ns=sent_ns,
            doubt=doubt or OutcomeUnknown("the program ended before the answer came", code="RESTART"),
            pauses_s=OVERLOAD_S if isinstance(doubt, Overloaded) else LOST_ANSWER_S,
            on_end=self._resolved,
        )
        if self._is_closed:
            resolution.give_up()
        elif not resolution.is_done:
            self._unresolved[_key(request)] = resolution
        return resolution

    def _resolved(self, resolution: Resolution, outcome: Order | APIError) -> None:
        request = resolution.request
        if self._unresolved.get(_key(request)) is resolution:
            del self._unresolved[_key(request)]
        match outcome:
            case Order():
                word, why = "ACCEPTED", outcome.status.value
            case NotSent():
                word, why = "NOT_PLACED", ""
            case _:
                word, why = "UNRESOLVED", outcome.reason
        self._settled(request, outcome)
        self._on_incident(
            OrderResolved(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=why,
                symbol=request.symbol,
                client_order_id=request.client_order_id,
                outcome=word,
                after_s=(self._clock.monotonic_ns() - resolution.began_ns) / 1e9,
                side=request.side.value,
                quantity=request.quantity,
            )
        )

    def _settled(self, request: OrderRequest, outcome: Order | APIError) -> None:
        if self._journal is not None:
            self._journal.settled(request.symbol, request.client_order_id, outcome)

    async def _accepted(self, order: Order) -> Order:
        """The order once the venue has said more than that it took it in.

        Raises:
            OrderRejected: The venue rejected it after all, or turned it away with nothing filled and said why.
            OutcomeUnknown: It has not said in time.
        """
        seen = await watch_until(
            self._desk, order.symbol, order.order_id, None, lambda one: one.status is not OrderStatus.PENDING_NEW,
            ACCEPTED_S,
        )  # fmt: skip
        if seen.order is None or not seen.is_so:
            raise OutcomeUnknown(
                f"the order was acknowledged, and nothing is known of it yet ({reasons(None, seen)})",
                client_order_id=order.client_order_id,
                code="NOT_SEEN",
                venue=self._venue.name,
                call="place_order",
            )
        if _was_rejected(seen.order):
            why = seen.order.reason or "rejected"
            raise OrderRejected(why, code=seen.order.status.value, venue=self._venue.name, call="place_order")
        return seen.order

    async def replace(
        self,
        symbol: str,
        order_id: str | None,
        client_order_id: str | None,
        request: OrderRequest,
        *,
        even_if_filled: bool = False,
        road: Road | None = None,
        deadline_ns: int | None = None,
    ) -> Replaced:
        """See OrderMethods.replace_order. The new order is sent only once it is certain that the old one has ended, and
        nothing of it was filled (unless told)."""
        if self._unresolved:
            self._check_not_in_doubt(request)  # before the old one is gone
        old = await self.cancel(symbol, order_id, client_order_id, road=road, deadline_ns=deadline_ns)
        if old.filled_quantity and not even_if_filled:
            return Replaced(old, None)
        return Replaced(old, await self.place(request, road=road, deadline_ns=deadline_ns))

    def _about(
        self, kind: type[OrderFailed], request: OrderRequest, error: APIError | asyncio.CancelledError
    ) -> OrderFailed:
        return kind(
            venue=self._venue.name,
            time_ns=self._clock.time_ns(),
            why=error.reason if isinstance(error, APIError) else "the caller gave up while it was under way",
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            code=error.code if isinstance(error, APIError) else "CANCELLED",
            side=request.side.value,
            quantity=request.quantity,
        )


def _key(request: OrderRequest) -> Key:
    return request.symbol, request.client_order_id


def _was_rejected(order: Order) -> bool:
    """Some venues call it cancelled when a post-only order would have taken."""
    would_take = order.status is OrderStatus.CANCELED and order.time_in_force is TimeInForce.POST_ONLY
    return order.status is OrderStatus.REJECTED or (would_take and not order.filled_quantity)


def _not_taken(error: Busy) -> NotSent:
    """A refusal of which the venue says for certain that nothing came of it, and that has nothing against the order."""
    refused = NotSent(
        f"the venue did not take it: {error.reason}",
        venue=error.venue,
        call=error.call,
        code=error.code,
        advice="It is certain that the order does not exist. The venue is overloaded or in maintenance: place it again "
        "after a pause.",
    )
    refused.__cause__ = error
    return refused
