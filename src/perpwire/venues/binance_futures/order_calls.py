"""The calls about orders: ordinary ones, and conditional ones, which the venue keeps in a store of its own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from perpwire.errors import APIError, BadInput, Busy, UnknownOrder
from perpwire.model.account import CountDown
from perpwire.model.order import Fill, Order, OrderRequest, with_child
from perpwire.venues.base import Call, OrderCalls, Params
from perpwire.venues.binance_futures import (
    endpoints_orders as endpoints,
    translate_orders,
    wire,
    wire_account,
    wire_algo,
)
from perpwire.venues.binance_futures.calling import call
from perpwire.venues.binance_futures.order_pages import FillPages, conditional_history, order_history
from perpwire.venues.binance_futures.order_params import (
    ALGO,
    algo_params,
    amend_params,
    is_algo_id,
    order_key,
    order_params,
    whole_id,
)
from perpwire.venues.binance_futures.spans import DAY_MS, check_span
from perpwire.venues.binance_futures.translate_algo import algo_order, algo_orders, joined
from perpwire.venues.binance_futures.translate_words import VENUE, needed


class BinanceOrderCalls(OrderCalls):
    """A conditional order keeps the id "algo-<algoId>" for its whole life. What its trigger makes is an ordinary order
    of the venue; its state and fills are told as the parent's wherever the parent is known or can be asked for."""

    batch_size = 5
    batch_needs_one_symbol = True
    cancel_all_needs_symbol = True
    fills_need_symbol = True
    past_conditional_need_symbol = True
    triggers_make_orders = True
    ended_orders_kept_ms = 3 * DAY_MS

    # --- placing and changing -------------------------------------------------------------------------------------

    def place_order(self, request: OrderRequest) -> Call[Order]:
        if request.is_conditional:
            return call(endpoints.PLACE_ALGO_ORDER, algo_params(request), algo_order)
        return call(endpoints.PLACE_ORDER, order_params(request), translate_orders.order)

    def place_orders(self, requests: Sequence[OrderRequest]) -> Call[tuple[Order | APIError, ...]]:
        """Ordinary orders only; see OrderCalls.

        Raises:
            BadInput: A conditional order, or more than batch_size.
        """
        if not 1 <= len(requests) <= self.batch_size:
            raise _bad("place_orders", f"{len(requests)} orders: a batch has 1 to {self.batch_size}", "BAD_BATCH")
        asked = [order_params(request) for request in requests]
        return call(
            endpoints.PLACE_ORDERS,
            {"batchOrders": asked},
            lambda rows: translate_orders.batch(endpoints.PLACE_ORDER, len(asked), rows),
        )

    def amend_order(
        self, order: Order, price: Decimal | None, quantity: Decimal | None, trigger_price: Decimal | None = None
    ) -> Call[Order]:
        """A conditional order can't be changed before its trigger; what the trigger has made can.

        Raises:
            BadInput: It has no price.
            NotOffered: It is conditional, and waits.
        """
        order_id = order.order_id
        if is_algo_id(order_id):
            if order.child_order_id is None or trigger_price is not None:
                self.lacks("amend_order", "a conditional order can't be changed: cancel it and place it anew")
            order_id = order.child_order_id
        key = order_key("amend_order", order_id, order.client_order_id)
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        params = amend_params(order.symbol, order.side, key, new_price, new_quantity)
        if order_id == order.order_id:
            return call(endpoints.AMEND_ORDER, params, translate_orders.order)
        return call(endpoints.AMEND_ORDER, params, lambda row: with_child(order, translate_orders.order(row)))

    # --- cancelling -----------------------------------------------------------------------------------------------

    def cancel_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """See OrderCalls. Of a conditional order that was triggered, what the trigger has made is cancelled."""
        if is_algo_id(order_id):
            return self._cancel_algo(symbol, _algo_key("cancel_order", order_id, None))
        params = {"symbol": symbol, **order_key("cancel_order", order_id, client_order_id)}
        ordinary = call(endpoints.CANCEL_ORDER, params, translate_orders.order)
        if order_id or conditional is False:
            return ordinary
        if conditional:
            return self._cancel_algo(symbol, _algo_key("cancel_order", None, client_order_id), ordinary)
        ordinary.otherwise = self._cancel_algo(symbol, _algo_key("cancel_order", None, client_order_id))
        return ordinary

    def _cancel_algo(self, symbol: str, key: Params, last: Call[Order] | None = None) -> Call[Order]:
        """The acknowledgement does not show the order: it is read back. Where nothing waits, it may have triggered."""
        found = call(endpoints.GET_ALGO_ORDER, key, _triggered, follow=_cancel_child, otherwise=last)
        return call(
            endpoints.CANCEL_ALGO_ORDER,
            key,
            _not_shown,
            then=lambda reply: self._get_algo(symbol, {"algoId": reply.algo_id}),
            otherwise=found,
        )

    def cancel_orders(self, orders: Sequence[tuple[str, str]]) -> Call[tuple[Order | APIError, ...]]:
        """Ordinary orders of one symbol; see OrderCalls.

        Raises:
            BadInput: Several symbols, a conditional order, or more than batch_size.
        """
        if not 1 <= len(orders) <= self.batch_size:
            raise _bad("cancel_orders", f"{len(orders)} orders: a batch has 1 to {self.batch_size}", "BAD_BATCH")
        symbols = {symbol for symbol, _ in orders}
        if len(symbols) > 1:
            raise _bad("cancel_orders", "orders of several symbols can't be cancelled by one call", "BAD_BATCH")
        ids = [whole_id("cancel_orders", order_id) for _, order_id in orders]
        return call(
            endpoints.CANCEL_ORDERS,
            {"symbol": symbols.pop(), "orderIdList": ids},
            lambda rows: translate_orders.batch(endpoints.CANCEL_ORDER, len(ids), rows),
        )

    def cancel_all(self, symbol: str | None) -> Sequence[Call[Any]]:
        """The ordinary orders of a symbol, and the conditional ones.

        Raises:
            BadInput: No symbol is given.
        """
        if symbol is None:
            raise _bad("cancel_all", "the venue cancels symbol by symbol: name one", "NO_SYMBOL")
        # Should the venue call it unknown that nothing is open, that is no error.
        nothing = call(endpoints.OPEN_ORDERS, {"symbol": symbol}, _nothing)
        return [
            call(endpoints.CANCEL_ALL, {"symbol": symbol}, _nothing, otherwise=nothing),
            call(endpoints.CANCEL_ALL_ALGO_ORDERS, {"symbol": symbol}, _nothing, otherwise=nothing),
        ]

    def arm_countdown(self, symbol: str | None, seconds: float) -> Call[CountDown]:
        """Of one symbol. It is not documented to reach conditional orders that have not triggered: they stay.

        Raises:
            BadInput: No symbol, or below 0 seconds.
        """
        if symbol is None:
            raise _bad("arm_countdown", "the venue counts down symbol by symbol: name one", "NO_SYMBOL")
        if seconds < 0:
            raise _bad("arm_countdown", f"{seconds} s is below 0", "BAD_SECONDS")
        params = {"symbol": symbol, "countdownTime": round(seconds * 1000)}
        return call(endpoints.ARM_COUNTDOWN, params, _countdown)

    # --- reading --------------------------------------------------------------------------------------------------

    def get_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """See OrderCalls. By client order id alone the store of conditional orders is asked first: an order that a
        trigger has made has the same client id, and only there is its parent known. By the number of such an order it
        is told as the ordinary order that it is."""
        if is_algo_id(order_id):
            return self._get_algo(symbol, _algo_key("get_order", order_id, None))
        params = {"symbol": symbol, **order_key("get_order", order_id, client_order_id)}
        ordinary = call(endpoints.GET_ORDER, params, translate_orders.order)
        if order_id or conditional is False:
            return ordinary
        found = self._get_algo(symbol, _algo_key("get_order", None, client_order_id))
        found.otherwise = ordinary
        return found

    def _get_algo(self, symbol: str, key: Params) -> Call[Order]:
        def child_of(parent: Order) -> Call[Order] | None:
            if parent.child_order_id is None:
                return None
            return call(
                endpoints.GET_ORDER,
                {"symbol": parent.symbol, "orderId": whole_id("get_order", parent.child_order_id)},
                lambda row: with_child(parent, translate_orders.order(row)),
                # Not shown yet, or forgotten already: what the algo store says stands.
                otherwise=call(endpoints.GET_ALGO_ORDER, key, algo_order),
            )

        def the_one(rows: Sequence[wire_algo.AlgoOrder]) -> Order:
            for row in rows:
                if row.algo_id == key["algoId"]:
                    return algo_order(row)
            raise UnknownOrder("no such conditional order", venue=VENUE, call="get_order", code=-2013)

        found = call(endpoints.GET_ALGO_ORDER, key, algo_order, follow=child_of)
        if "algoId" in key:
            # The venue has been seen not to know by its id an order that it lists.
            found.otherwise = call(endpoints.OPEN_ALGO_ORDERS, {"symbol": symbol, **key}, the_one, follow=child_of)
        return found

    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]:
        """Both stores, and where ordinary limit orders are open, whether a trigger made them (5 weight a symbol): then
        they are told as their parents, if these were placed within the last week."""
        # Those that wait first: what is triggered between the two questions is seen twice rather than not at all.
        return call(
            endpoints.OPEN_ALGO_ORDERS,
            {"symbol": symbol},
            algo_orders,
            follow=lambda waiting: call(
                endpoints.OPEN_ORDERS,
                {"symbol": symbol},
                lambda rows: waiting + translate_orders.orders(rows),
                follow=_linked,
            ),
        )

    def order_history(self, symbol: str | None, start_ms: int | None, end_ms: int | None) -> Call[tuple[Order, ...]]:
        """Oldest first; 90 days. See order_pages.order_history for conditional ones. What a trigger has made stands
        under its ordinary id where its parent was created before the span."""
        check_span("order_history", start_ms, end_ms)
        return order_history(symbol, start_ms, end_ms)

    def orders_since(self, start_ms: int, symbols: Sequence[str]) -> Sequence[Call[tuple[Order, ...]]]:
        """Ordinary ones of all symbols (weight 5), and of each of `symbols` the conditional ones (5 each)."""
        return [
            order_history(None, start_ms, None),
            *(conditional_history(symbol, start_ms) for symbol in symbols),
        ]

    def fills(
        self, symbol: str | None, start_ms: int | None, end_ms: int | None, order_id: str | None = None
    ) -> Call[tuple[Fill, ...]]:
        """Three months; without a start, the last week. By the id of a conditional order those of what it has become,
        told as its own; otherwise such fills bear the ordinary id of that order: the venue says no more. Client order
        ids are not stated ("").

        Raises:
            BadInput: No symbol is given.
        """
        if symbol is None:
            raise _bad("fills", "the venue tells fills symbol by symbol: name one", "NO_SYMBOL")
        check_span("fills", start_ms, end_ms)
        if order_id is None:
            return FillPages(symbol).between(start_ms, end_ms)
        if is_algo_id(order_id):
            return call(
                endpoints.GET_ALGO_ORDER,
                _algo_key("fills", order_id, None),
                _no_rows,
                next_page=lambda row: _fills_of_algo(algo_order(row), start_ms, end_ms),
            )
        number = whole_id("fills", order_id)
        if start_ms is not None:
            return FillPages(symbol, number).between(start_ms, end_ms)
        # From its own beginning on, however long ago that is.
        return call(
            endpoints.GET_ORDER,
            {"symbol": symbol, "orderId": number},
            _no_rows,
            next_page=lambda row: FillPages(symbol, number).between(
                translate_orders.order(row).created_time_ms, end_ms
            ),
        )


def _fills_of_algo(parent: Order, start_ms: int | None, end_ms: int | None) -> Call[tuple[Fill, ...]] | None:
    if parent.child_order_id is None:
        return None
    number = whole_id("fills", parent.child_order_id)
    pages = FillPages(parent.symbol, number, {parent.child_order_id: parent})
    return pages.between(parent.created_time_ms if start_ms is None else start_ms, end_ms)


def _linked(found: tuple[Order, ...]) -> Call[tuple[Order, ...]] | None:
    """Asks symbol by symbol for the parents of open limit orders."""
    symbols = sorted({one.symbol for one in found if not is_algo_id(one.order_id) and one.price is not None})

    def ask(place: int, orders: tuple[Order, ...]) -> Call[tuple[Order, ...]] | None:
        if place == len(symbols):
            return None

        def told(rows: Sequence[wire_algo.AlgoOrder]) -> tuple[Order, ...]:
            parents = {one.child_order_id: one for one in algo_orders(rows) if one.child_order_id is not None}
            return _each_once(joined(parents, orders))

        params = {"symbol": symbols[place], "limit": 1000}
        return call(endpoints.ALL_ALGO_ORDERS, params, told, follow=lambda linked: ask(place + 1, linked))

    return ask(0, found)


def _each_once(orders: Sequence[Order]) -> tuple[Order, ...]:
    """The later of two: a conditional order seen waiting, and then as what it has become."""
    return tuple({one.order_id: one for one in orders}.values())


def _triggered(row: wire_algo.AlgoOrder) -> Order:
    """A conditional order that can't be cancelled itself, but as what it has become.

    Raises:
        UnknownOrder: It has ended.
        Busy: It is just being triggered.
    """
    order = algo_order(row)
    if order.status.is_final:
        raise UnknownOrder(f"it is {order.status} already", venue=VENUE, call="cancel_order", code=-2011)
    if order.child_order_id is None:
        raise Busy(
            "the order is just being triggered", venue=VENUE, call="cancel_order", code=-2011, advice="Cancel again."
        )
    return order


def _cancel_child(parent: Order) -> Call[Order]:
    assert parent.child_order_id is not None  # see _triggered
    return call(
        endpoints.CANCEL_ORDER,
        {"symbol": parent.symbol, "orderId": whole_id("cancel_order", parent.child_order_id)},
        lambda row: with_child(parent, translate_orders.order(row)),
    )


def _algo_key(name: str, order_id: str | None, client_order_id: str | None) -> Params:
    if order_id is not None:
        return {"algoId": whole_id(name, order_id.removeprefix(ALGO))}
    return {"clientAlgoId": client_order_id}


def _countdown(reply: wire_account.Countdown) -> CountDown:
    return CountDown(symbol=reply.symbol, seconds=float(needed(reply.countdown_time, "countdown")) / 1000)


def _nothing(reply: wire.Done | list[wire.Order]) -> None:
    return None


def _no_rows(reply: object) -> tuple[Fill, ...]:
    return ()


def _not_shown(reply: wire_algo.AlgoCancelled) -> Order:
    raise ValueError("the acknowledgement of a cancel is not an order")


def _bad(name: str, reason: str, code: str) -> BadInput:
    return BadInput(reason, venue=VENUE, call=name, code=code)
