"""The connector's calls that carry several orders, or an order in place of another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Required

from perpwire.api_connector.order_form import OrderOptions
from perpwire.api_connector.order_methods import OrderMethods, as_road
from perpwire.errors import APIError, BadInput, NotSent, VenueRefused
from perpwire.model.numbers import Number
from perpwire.model.order import Order, OrderRequest, OrderType, Replaced, Side
from perpwire.venues.base import Road


class NewOrder(OrderOptions, total=False):
    """One order of place_orders; the names are those of place_order."""

    symbol: Required[str]
    side: Required[Side | str]
    quantity: Required[Number | None]
    order_type: OrderType | str
    venue_params: Mapping[str, Any]


_OWN = ("symbol", "side", "quantity", "order_type", "venue_params")
_WORDS = frozenset(NewOrder.__annotations__)


class BatchMethods(OrderMethods):
    """Results come in the order of what was asked, one for each, and an error stands in its own place: it is not
    raised (Raises: see each method)."""

    async def place_orders(
        self,
        orders: Sequence[NewOrder],
        *,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> tuple[Order | APIError, ...]:
        """Place several orders at once: in as few messages as the venue allows (Binance 5 orders, Bybit 10 in one),
        conditional ones and what is left over one by one. They are carried out side by side: which one is matched first
        is not said.

        A slot holds the order, or the error that place_order would have raised for it: BadInput and GuardRefused too.
        A lost answer is settled order by order, as for a single one.

        Raises:
            BadInput: The connector is not started, or there is no such road. Nothing else.

        Source: Binance Place-Multiple-Orders; Bybit order/batch-place.
        """
        by_road, deadline_ns = as_road(road), self._deadline_ns(deadline_s)
        desk = self._orders
        names: set[str] = set()
        slots: dict[int, Order | APIError] = {}
        ready: dict[int, OrderRequest] = {}
        self._placing += 1
        try:
            async with AsyncExitStack() as stack:
                for n, order in enumerate(orders):
                    try:
                        request = await self._request_of(order)
                        # What the venue can't be told spoils this order alone, not those that share its message.
                        self.venue.place_order(request)
                        if request.client_order_id in names:
                            raise self._bad_order("two of the orders have the same client_order_id", "SAME_ID")
                        names.add(request.client_order_id)
                        if self.guard.is_on:
                            await stack.enter_async_context(self.guard.admitted(request))
                        ready[n] = request
                    except APIError as error:
                        slots[n] = error
                ordinary = [n for n, request in ready.items() if not request.is_conditional]
                size = self.venue.batch_size
                chunks = [ordinary[at : at + size] for at in range(0, len(ordinary), size)] if size > 1 else []
                alone = [n for n, request in ready.items() if request.is_conditional or size == 1]
                alone += [chunks.pop()[0]] if chunks and len(chunks[-1]) == 1 else []

                async def place_alone(n: int) -> None:
                    try:
                        slots[n] = await desk.place(ready[n], road=by_road, deadline_ns=deadline_ns)
                    except APIError as error:
                        slots[n] = error

                async def place_chunk(chunk: Sequence[int]) -> None:
                    results = await desk.place_batch([ready[n] for n in chunk], road=by_road, deadline_ns=deadline_ns)
                    slots.update(zip(chunk, results, strict=True))

                await asyncio.gather(*map(place_chunk, chunks), *map(place_alone, alone))
        finally:
            self._placing -= 1
        for slot in slots.values():
            if isinstance(slot, VenueRefused):
                self.instruments.on_refused(slot)
        return tuple(slots[n] for n in range(len(orders)))

    async def check_order(self, order: NewOrder) -> OrderRequest:
        """An order as place_order would send it, held to the contract's rules and to your own guards; it is not sent.
        It counts as one of the guards' `max_orders`. `connector.venue.place_order(request)` is the call that it makes.

        Raises:
            BadInput, NotOffered: It breaks a rule of the contract, or the venue can't be told it.
            GuardRefused: A guard of your own would refuse it.
            APIError: What the guards must know (mark price, position) can't be asked.
        """
        request = await self._request_of(order)
        self.venue.place_order(request)
        if self.guard.is_on:
            await self.guard.admit(request)
            self.guard.done(request, NotSent("it was only checked"))
        return request

    async def cancel_orders(
        self, orders: Sequence[Order], *, road: Road | str | None = None
    ) -> tuple[Order | APIError, ...]:
        """Cancel several orders at once, side by side.

        A slot holds the order as it ended (it may have been filled meanwhile), or the error that cancel_order would
        have raised for it.

        Source: Binance Cancel-Order; Bybit order/cancel-order.
        """

        async def cancel(order: Order) -> Order | APIError:
            try:
                return await self.cancel_order(order.symbol, order.order_id, road=road)
            except APIError as error:
                return error

        return tuple(await asyncio.gather(*map(cancel, orders)))

    async def replace_order(
        self,
        symbol: str,
        order_id: str | int | None = None,
        *,
        client_order_id: str | None = None,
        new: NewOrder,
        even_if_filled: bool = False,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> Replaced:
        """Cancel an order and place another in its place; see amend_order for changing one where it stands.

        The new one is sent only when it is certain that the old one has ended, and that nothing of it was filled
        (unless `even_if_filled`): a lost race never doubles a position. `new` is checked before anything is sent.

        Raises:
            BadInput, GuardRefused: `new` breaks a rule; the old order stands.
            UnknownOrder: The venue does not know the old order; nothing was placed.
            OutcomeUnknown: What became of one of the two is not known; see `client_order_id` for which.

        Source: Binance Cancel-Order, New-Order; Bybit order/cancel-order, order/create-order.
        """
        request = await self._request_of(new)
        self.venue.place_order(request)  # what the venue can't be told must not cost the old order
        old_id = self._one_id(order_id, client_order_id)
        self._placing += 1
        try:
            async with AsyncExitStack() as stack:
                if self.guard.is_on:
                    await stack.enter_async_context(self.guard.admitted(request))
                return await self._orders.replace(
                    self._symbol(symbol),
                    old_id,
                    client_order_id,
                    request,
                    even_if_filled=even_if_filled,
                    road=as_road(road),
                    deadline_ns=self._deadline_ns(deadline_s),
                )
        finally:
            self._placing -= 1

    async def _request_of(self, order: NewOrder) -> OrderRequest:
        if not isinstance(order, Mapping):
            raise self._bad_order(f"{order!r} is no order: a dict with the words of place_order", "BAD_ORDER")
        unknown = [name for name in order if name not in _WORDS]
        if unknown:
            # A misspelt reduce_only that is left out would open a position.
            raise self._bad_order(f"an order has no {', '.join(map(repr, unknown))}", "BAD_WORD")
        missing = [name for name in ("symbol", "side", "quantity") if name not in order]
        if missing:
            raise self._bad_order(f"the order lacks {', '.join(missing)}", "MISSING_WORD")
        options = OrderOptions(**{name: value for name, value in order.items() if name not in _OWN})  # type: ignore[typeddict-item]
        return self._form.request(
            await self.get_instrument(order["symbol"]),
            order["side"],
            order["quantity"],
            order.get("order_type", OrderType.MARKET),
            dict(order.get("venue_params", {})),
            self._new_client_id(),
            **options,
        )

    def _bad_order(self, reason: str, code: str) -> BadInput:
        return BadInput(reason, venue=self.venue.name, call="place_orders", code=code)
