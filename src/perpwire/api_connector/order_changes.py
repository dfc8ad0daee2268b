"""Open orders changed, cancelled and read, so that it is known what came of it.

What goes well goes straight through here. Where an answer is lost, or is a mere acknowledgement, the account's stream
and questions tell (reconcile.py).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.api_connector.reconcile import LAG_S, LOST_ANSWER_S, MARGIN_MS, Desk, Resolution, Seen, watch_until
from perpwire.api_connector.sending import Sending
from perpwire.data_processor.order_tracker import Key
from perpwire.errors import APIError, Garbled, NoChange, NotSent, OutcomeUnknown, UnknownOrder
from perpwire.model.incident import ChangeUnresolved, Incident
from perpwire.model.order import Order, OrderStatus
from perpwire.venues.base import Road

GONE_S = (0.0, 0.4)
ENDED_S = (0.0, 0.5, 0.75, 0.75)
"""Pauses before questions after an order that is said to be gone, then after one that was cancelled: its end is known
within three seconds."""

CHANGED_S = (0.1, 0.3, 0.6, 1.0, 1.0)
"""The same after a change that was acknowledged."""


class OrderChanges:
    """Of orders that the venue has; order_desk.py is about those that it is to get.

    Args:
        patience_s: How long a caller waits for the outcome of an order; the search goes on after that.
    """

    def __init__(self, desk: Desk, patience_s: float, on_incident: Callable[[Incident], None]) -> None:
        self._desk = desk
        self._venue = desk.venue
        self._requests = desk.requests
        self._orders = desk.orders
        self._clock = desk.clock
        self._patience_s = patience_s
        self._on_incident = on_incident
        self._unresolved: dict[Key, Resolution] = {}
        """Orders whose outcome is searched for, by symbol and client order id: one id may serve on several symbols."""

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

        began_ns = self._clock.monotonic_ns()
        sending = Sending((), self._venue.recv_window_ms + MARGIN_MS, self._clock)
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
            if is_amended(answer):
                # The change is made, so all that was told before it is older, whatever the venue's clock says.
                return self._orders.on_answer(answer, since_ns=began_ns)
            self._orders.on_answer(answer)
        seen = await watch_until(
            self._desk, order.symbol, order.order_id, None, lambda one: is_amended(one) or one.status.is_final,
            CHANGED_S if doubt is None else LOST_ANSWER_S, since_ns=began_ns if doubt is None else None,
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
            and not seen.was_shown
            and self._desk.sync.venue_ms() > sending.last_ms + sending.window_ms
        ):
            raise NotSent(
                f"the answer was lost ({doubt.reason}), and order {name} is as it was: it was not amended",
                venue=self._venue.name, call="amend_order", code=doubt.code,
                advice="It is certain that the order was not changed: amending it again is safe.",
            ) from doubt  # fmt: skip
        unknown = OutcomeUnknown(
            f"order {name} does not show the change yet ({reasons(doubt, seen)})",
            venue=self._venue.name, call="amend_order", code="NOT_SEEN" if doubt is None else doubt.code,
            client_order_id=order.client_order_id or None,
        )  # fmt: skip
        self._tell_unresolved("AMEND", order.symbol, name, unknown)
        raise unknown from doubt

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
        sending = Sending((), self._venue.recv_window_ms + MARGIN_MS, self._clock)

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
        name = client_order_id or order_id or ""
        error = self._not_cancelled(name, answer, seen, sending)
        if isinstance(error, OutcomeUnknown):
            self._tell_unresolved("CANCEL", symbol, name, error)
        raise error

    def _tell_unresolved(self, change: str, symbol: str, name: str, error: OutcomeUnknown) -> None:
        self._on_incident(
            ChangeUnresolved(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=error.reason,
                change=change,
                symbol=symbol,
                orders=(name,),
            )
        )

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

    def _not_cancelled(self, name: str, answer: Order | APIError, seen: Seen, sending: Sending) -> APIError:
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
            f"order {name} is not known to have ended ({reasons(answer, seen)})",
            venue=venue,
            call="cancel_order",
            code=code,
        )

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


def _has_ended(order: Order) -> bool:
    return order.status.is_final


def reasons(doubt: Order | APIError | None, seen: Seen) -> str:
    words = [error.reason for error in (doubt, seen.trouble) if isinstance(error, APIError)]
    return "; then: ".join(words) or "nothing was heard of it"
