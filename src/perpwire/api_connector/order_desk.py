"""Orders with a known outcome: placed, amended and cancelled so that nothing is ever in doubt without saying so.

What goes well goes straight through here. What does not is settled by reconcile.py: by the account's stream and by
questions, never by sending anything twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec

from perpwire.api_connector.position_modes import PositionModes
from perpwire.api_connector.reconcile import (
    LAG_S,
    LOST_ANSWER_S,
    MARGIN_MS,
    OVERLOAD_S,
    Desk,
    Resolution,
    Seen,
    watch_until,
)
from perpwire.clock import Clock
from perpwire.data_processor.order_tracker import Key
from perpwire.errors import (
    APIError,
    BadInput,
    Busy,
    DuplicateOrder,
    Garbled,
    InsufficientBalance,
    NoChange,
    NotSent,
    OrderRejected,
    OutcomeUnknown,
    Overloaded,
    PositionModeMismatch,
    UnknownOrder,
)
from perpwire.model.incident import BalanceInsufficient, Incident, OrderDoubtful, OrderFailed, OrderResolved
from perpwire.model.order import Order, OrderRequest, OrderStatus, Replaced, TimeInForce
from perpwire.venues.base import Road

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import OrderJournal

log = logging.getLogger("perpwire.api_connector")

GONE_S = (0.0, 0.4)
ENDED_S = (0.0, 0.5, 0.75, 0.75)
"""Pauses before questions after an order that is said to be gone, then after one that was cancelled: its end is known
within three seconds."""

ACCEPTED_S = (0.3, 0.5, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The same after one that was only acknowledged."""

CHANGED_S = (0.1, 0.3, 0.6, 1.0, 1.0)
"""The same after a change that was acknowledged."""

Wait = Literal["accepted"]

_Slot = Order | APIError | Resolution | OrderRequest
"""Of a batch: what came of an order, the search for it, or the order as it is to be sent again."""


class _Sending:
    """Notes when an order is sent, in the journal too where there is one; called right before each try."""

    __slots__ = ("clock", "first_ms", "first_ns", "journal", "last_ms", "requests", "tries", "window_ms")

    def __init__(
        self, requests: Sequence[OrderRequest], window_ms: int, clock: Clock, journal: OrderJournal | None = None
    ) -> None:
        self.requests = requests
        self.window_ms = window_ms
        self.clock = clock
        self.journal = journal
        self.first_ms = self.first_ns = self.last_ms = self.tries = 0

    def __call__(self, venue_ms: int) -> None:
        # The venue's clock may have been found to be behind what it was thought to be at the first try.
        first_ms = min(self.first_ms, venue_ms) if self.tries else venue_ms
        if self.journal is not None:
            self.journal.before_send(self.requests, first_ms, venue_ms + self.window_ms)
        self.first_ms, self.last_ms = first_ms, venue_ms
        self.tries += 1
        if self.tries == 1:
            self.first_ns = self.clock.monotonic_ns()


class OrderDesk:
    """One per running connector.

    Args:
        patience_s: How long a caller waits for the outcome of an order; the search goes on after that.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        modes: PositionModes,
        journal: OrderJournal | None = None,
        patience_s: float,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._desk = desk
        self._venue = desk.venue
        self._requests = desk.requests
        self._orders = desk.orders
        self._clock = desk.clock
        self._modes = modes
        self._journal = journal
        self._patience_s = patience_s
        self._on_incident = on_incident
        self._unresolved: dict[Key, Resolution] = {}
        """By symbol and client order id: one id may serve on several symbols."""
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
        sending = _Sending((request,), self._window_ms(request), self._clock, self._journal)
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
        sending = _Sending((request,), self._window_ms(request), self._clock, self._journal)
        try:
            call = self._venue.place_order(request)
            order = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
        except (APIError, asyncio.CancelledError) as error:
            return await self._troubled(request, sending, error)
        return self._placed(order)

    async def _troubled(
        self, request: OrderRequest, sending: _Sending, error: APIError | asyncio.CancelledError
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

    def _is_doubtful(self, error: APIError, sending: _Sending) -> bool:
        if isinstance(error, DuplicateOrder):
            return sending.tries > 1  # an earlier try of ours, of which nothing seemed to have left
        return isinstance(error, OutcomeUnknown | Garbled | Overloaded)

    def _search(self, request: OrderRequest, sending: _Sending, error: APIError | asyncio.CancelledError) -> Resolution:
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
                word, detail = "ACCEPTED", f"it is {outcome.status}"
            case NotSent():
                word, detail = "NOT_PLACED", "it was not placed"
            case _:
                word, detail = "UNRESOLVED", outcome.reason
                log.warning("order %s is unresolved: %s", request.client_order_id, outcome)
        self._settled(request, outcome)
        self._on_incident(
            OrderResolved(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                detail=f"{_what(request)}, order {request.client_order_id}: {detail}",
                symbol=request.symbol,
                client_order_id=request.client_order_id,
                outcome=word,
                after_s=(self._clock.monotonic_ns() - resolution.began_ns) / 1e9,
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
                f"the order was acknowledged, and nothing is known of it yet ({_why(None, seen)})",
                client_order_id=order.client_order_id,
                code="NOT_SEEN",
                venue=self._venue.name,
                call="place_order",
            )
        if _was_rejected(seen.order):
            why = seen.order.reason or "rejected"
            raise OrderRejected(why, code=seen.order.status.value, venue=self._venue.name, call="place_order")
        return seen.order

    async def place_batch(
        self,
        requests: Sequence[OrderRequest],
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
    ) -> tuple[Order | APIError, ...]:
        """One message of at most Venue.batch_size ordinary orders; a slot for each, in order. A lost answer is settled
        order by order. Raises nothing but CancelledError, upon which what was sent goes on being searched for."""
        if self._unresolved:
            return await self._place_batch_beside_doubts(requests, road, deadline_ns)
        return await self._place_batch(requests, road, deadline_ns)

    async def _place_batch_beside_doubts(
        self, requests: Sequence[OrderRequest], road: Road | None, deadline_ns: int | None
    ) -> tuple[Order | APIError, ...]:
        """Those that may not be sent stay out of the message."""
        slots: dict[int, Order | APIError] = {}
        for n, request in enumerate(requests):
            try:
                self._check_not_in_doubt(request)
            except NotSent as error:
                slots[n] = error
        left = [n for n in range(len(requests)) if n not in slots]
        if left:
            slots.update(
                zip(left, await self._place_batch([requests[n] for n in left], road, deadline_ns), strict=True)
            )
        return tuple(slots[n] for n in range(len(requests)))

    async def _place_batch(
        self, requests: Sequence[OrderRequest], road: Road | None, deadline_ns: int | None
    ) -> tuple[Order | APIError, ...]:
        sending = _Sending(requests, max(map(self._window_ms, requests)), self._clock, self._journal)
        results: tuple[Order | APIError, ...]
        try:
            call = self._venue.place_orders(requests)
            results = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
        except asyncio.CancelledError as error:
            if sending.tries:
                for request in requests:
                    self._search(request, sending, error)
            raise
        except APIError as error:
            results = (error,) * len(requests)
        slots: list[_Slot] = [
            self._placed(result) if isinstance(result, Order) else self._slot(request, sending, result)
            for request, result in zip(requests, results, strict=True)
        ]
        for n, slot in enumerate(slots):
            if isinstance(slot, PositionModeMismatch):
                slots[n] = await self._restated(requests[n], slot)
        return tuple(await asyncio.gather(*(self._slot_outcome(one, road, deadline_ns) for one in slots)))

    def _slot(self, request: OrderRequest, sending: _Sending, error: APIError) -> APIError | Resolution:
        if self._is_doubtful(error, sending):
            return self._search(request, sending, error)
        if isinstance(error, PositionModeMismatch):
            return error
        try:
            self._failed(request, error)
        except APIError as failure:
            return failure

    async def _restated(self, request: OrderRequest, mismatch: PositionModeMismatch) -> OrderRequest | APIError:
        """See _in_other_mode."""
        try:
            return await self._in_other_mode(request, mismatch)
        except APIError as error:
            return error

    async def _slot_outcome(self, slot: _Slot, road: Road | None, deadline_ns: int | None) -> Order | APIError:
        try:
            match slot:
                case Resolution():
                    return await slot.within(self._patience_s)
                case OrderRequest():
                    return await self._place_in_mode(slot, road, deadline_ns)
        except APIError as error:
            return error
        return slot

    # --- amend --------------------------------------------------------------------------------------------------------

    async def amend(
        self,
        order: Order,
        price: Decimal | None,
        quantity: Decimal | None,
        trigger_price: Decimal | None = None,
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
    ) -> Order:
        """See OrderMethods.amend_order."""

        def is_amended(one: Order) -> bool:
            wanted = ((price, one.price), (quantity, one.quantity), (trigger_price, one.trigger_price))
            return all(value is None or value == now for value, now in wanted)

        sending = _Sending((), self._venue.recv_window_ms + MARGIN_MS, self._clock)
        doubt: APIError | None = None
        try:
            call = self._venue.amend_order(order, price, quantity, trigger_price)
            answer = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
        except (OutcomeUnknown, Garbled) as error:
            doubt = error
        except (NoChange, UnknownOrder) as error:
            if not error.after_doubt:
                raise
            doubt = error
        else:
            answer = self._orders.on_answer(answer)
            if is_amended(answer):
                return answer
        seen = await watch_until(
            self._desk, order.symbol, order.order_id, None, lambda one: is_amended(one) or one.status.is_final,
            CHANGED_S if doubt is None else LOST_ANSWER_S,
        )  # fmt: skip
        if seen.order is not None and is_amended(seen.order):
            return seen.order
        name = order.client_order_id or order.order_id
        if seen.order is not None and seen.order.status.is_final:
            raise UnknownOrder(
                f"order {name} was {seen.order.status} before it was amended",
                venue=self._venue.name, call="amend_order", code=None if doubt is None else doubt.code,
            ) from doubt  # fmt: skip
        if (
            doubt is not None
            and seen.trouble is None
            and self._desk.sync.venue_ms() > sending.last_ms + sending.window_ms
        ):
            raise NotSent(
                f"the answer was lost ({doubt.reason}), and order {name} is as it was: it was not amended",
                venue=self._venue.name, call="amend_order", code=doubt.code,
                advice="It is certain that the order was not changed: amending it again is safe.",
            ) from doubt  # fmt: skip
        raise OutcomeUnknown(
            f"order {name} does not show the change yet ({_why(doubt, seen)})",
            venue=self._venue.name, call="amend_order", code="NOT_SEEN" if doubt is None else doubt.code,
            client_order_id=order.client_order_id or None,
        ) from doubt  # fmt: skip

    # --- cancel -------------------------------------------------------------------------------------------------------

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
        sending = _Sending((), self._venue.recv_window_ms + MARGIN_MS, self._clock)

        async def send() -> Order | APIError:
            try:
                conditional = self._orders.is_conditional(symbol, order_id, client_order_id)
                call = self._venue.cancel_order(symbol, order_id, client_order_id, conditional)
                answer = await self._requests.run(call, road=road, deadline_ns=deadline_ns, before_send=sending)
            except (OutcomeUnknown, Garbled, UnknownOrder) as error:
                return error
            return self._orders.on_answer(answer)

        def watch(pauses_s: Sequence[float], *, from_known: bool = True) -> Coroutine[Any, Any, Seen]:
            return watch_until(
                self._desk, symbol, order_id, client_order_id, _has_ended, pauses_s, from_known=from_known
            )

        known = None if order_id else self._orders.find(symbol, None, client_order_id)
        answer = await send()
        if isinstance(answer, UnknownOrder) and await self._was_in_doubt(symbol, order_id, client_order_id):
            answer = await send()
        if isinstance(answer, UnknownOrder):
            seen = await watch(GONE_S)
            if seen.order is not None and not seen.is_so:
                answer = await send()  # it came before the venue's books knew the order
        if isinstance(answer, Order) and answer.status.is_final:
            return answer
        if isinstance(answer, OutcomeUnknown | Garbled):
            # One that had ended before need not be the one that was cancelled: an id may be used again.
            seen = await watch(LOST_ANSWER_S, from_known=known is None or not known.status.is_final)
        else:
            seen = await watch(ENDED_S)
        if seen.order is not None and seen.is_so:
            return seen.order
        raise self._not_cancelled(client_order_id or order_id or "", answer, seen, sending)

    async def _was_in_doubt(self, symbol: str, order_id: str | None, client_order_id: str | None) -> bool:
        """Whether the venue could not know it yet: it may be on its way. Returns once it is known that it was placed.

        Raises:
            OutcomeUnknown: It is not known in time.
        """
        placing = self._unresolved.get((symbol, client_order_id or ""))
        if order_id is not None or placing is None:
            return False
        try:
            await placing.within(self._patience_s)
        except NotSent:
            return False
        return True

    def _not_cancelled(self, name: str, answer: Order | APIError, seen: Seen, sending: _Sending) -> APIError:
        if isinstance(answer, UnknownOrder) and seen.order is None and seen.trouble is None:
            return answer
        venue, code = self._venue.name, answer.code if isinstance(answer, APIError) else "NOT_SEEN"
        is_certain = self._desk.sync.venue_ms() > sending.last_ms + sending.window_ms
        if isinstance(answer, OutcomeUnknown | Garbled) and seen.order is not None and not seen.trouble and is_certain:
            return NotSent(
                f"the answer was lost ({answer.reason}), and order {name} is open as before: it was not cancelled",
                venue=venue,
                call="cancel_order",
                code=code,
                advice="It is certain that this cancel was not carried out: cancel the order again.",
            )
        return OutcomeUnknown(
            f"order {name} is not known to have ended ({_why(answer, seen)})",
            venue=venue,
            call="cancel_order",
            code=code,
        )

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

    # --- read ---------------------------------------------------------------------------------------------------------

    async def get(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Order:
        """See OrderMethods.get_order. What the stream said stands above what is read, and what was acknowledged a
        moment ago is pending where the venue does not find it yet."""
        try:
            conditional = self._orders.is_conditional(symbol, order_id, client_order_id)
            order = await self._requests.run(self._venue.get_order(symbol, order_id, client_order_id, conditional))
        except UnknownOrder:
            tracked = self._orders.tracked(symbol, order_id, client_order_id)
            known = self._orders.find(symbol, order_id, client_order_id)
            if tracked is None or known is None:
                raise
            if known.status.is_final:
                return known
            if self._clock.monotonic_ns() - tracked.told_ns >= LAG_S * 1e9:
                raise
            if known.status is OrderStatus.NEW and not tracked.by_stream:
                return msgspec.structs.replace(known, status=OrderStatus.PENDING_NEW)
            return known
        return self._orders.on_answer(order)

    def _about(
        self, kind: type[OrderFailed], request: OrderRequest, error: APIError | asyncio.CancelledError
    ) -> OrderFailed:
        reason = error.reason if isinstance(error, APIError) else "the caller gave up while it was under way"
        return kind(
            venue=self._venue.name,
            time_ns=self._clock.time_ns(),
            detail=f"{_what(request)}: {reason}",
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            code=error.code if isinstance(error, APIError) else "CANCELLED",
        )


def _key(request: OrderRequest) -> Key:
    return request.symbol, request.client_order_id


def _has_ended(order: Order) -> bool:
    return order.status.is_final


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


def _what(request: OrderRequest) -> str:
    return f"{request.side} {request.quantity} {request.symbol}"


def _why(doubt: Order | APIError | None, seen: Seen) -> str:
    reasons = [error.reason for error in (doubt, seen.trouble) if isinstance(error, APIError)]
    return "; then: ".join(reasons) or "nothing was heard of it"
