"""Several orders in one message: each is settled by itself, as if it had gone alone (order_desk.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from perpwire.api_connector.order_desk import OrderDesk
from perpwire.api_connector.reconcile import Resolution
from perpwire.api_connector.sending import Sending
from perpwire.errors import APIError, NotSent, PositionModeMismatch
from perpwire.model.order import Order, OrderRequest
from perpwire.venues.base import Road

_Slot = Order | APIError | Resolution | OrderRequest
"""Of a batch: what came of an order, the search for it, or the order as it is to be sent again."""


class BatchDesk(OrderDesk):
    """The desk with all that it does."""

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
        sending = Sending(requests, max(map(self._window_ms, requests)), self._clock, self._journal, self._guard)
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

    def _slot(self, request: OrderRequest, sending: Sending, error: APIError) -> APIError | Resolution:
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
