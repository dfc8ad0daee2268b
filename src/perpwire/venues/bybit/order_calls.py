"""The calls about orders and fills."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from perpwire.errors import APIError, NotOffered, OutcomeUnknown
from perpwire.model.account import CountDown, Setting
from perpwire.model.order import Fill, Order, OrderRequest, PositionSide, TriggerBy
from perpwire.venues.base import Call, Endpoint, OrderCalls, Params
from perpwire.venues.bybit import endpoints, replies, translate_orders, wire
from perpwire.venues.bybit.paging import DAY_MS, KEPT_MS, SETTLE_COINS, Log, bad, call, of_symbol_or_all
from perpwire.venues.bybit.translate import POSITION_INDEXES, TRIGGER_BY_TEXTS

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)

LEAST_COUNTDOWN_S, MOST_COUNTDOWN_S = 3, 300

Result = Order | APIError
Slot = wire.BatchRow | wire.BatchCode | OutcomeUnknown

ACKNOWLEDGED = "ACKNOWLEDGED"


class BybitOrderCalls(OrderCalls):
    """Conditional orders are orders like others here: one id, one list, from UNTRIGGERED to the end."""

    batch_size = 10  # the venue's pages say 20, or 10; more than ten a second take only accounts of a higher tier
    countdown_by_symbol = False
    ended_orders_kept_ms = DAY_MS

    def place_order(self, request: OrderRequest) -> Call[Order]:
        """The reply is an acknowledgement: the order comes back as PENDING_NEW, and the private stream or get_order
        tells what becomes of it. A trailing stop is no order here (NotOffered), but belongs to a position."""
        params, expected = _to_send(request)
        return call(endpoints.PLACE_ORDER, params, partial(translate_orders.acknowledged, expected))

    def amend_order(
        self, order: Order, price: Decimal | None, quantity: Decimal | None, trigger_price: Decimal | None = None
    ) -> Call[Order]:
        """Acknowledged, then read back: the order as the venue shows it then, which may still be the old one."""
        if price is None and quantity is None and trigger_price is None:
            raise bad("amend_order", "NOTHING_TO_AMEND", "neither price nor quantity nor trigger_price is given")
        named = _named(order.symbol, order.order_id, order.client_order_id)
        changes = {"price": price, "qty": quantity}
        if trigger_price is not None:
            changes["triggerPrice"] = trigger_price
        return self._acknowledged(endpoints.AMEND_ORDER, {**named, **changes}, named)

    def cancel_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """Acknowledged, then read back: the order as the venue shows it then, which may still be open."""
        named = _named(symbol, order_id, client_order_id)
        return self._acknowledged(endpoints.CANCEL_ORDER, named, named)

    def _acknowledged(self, endpoint: Endpoint, params: Params, named: Params) -> Call[Order]:
        def no_order(ids: wire.OrderIds) -> Order:
            raise AssertionError(f"{endpoint.name}: an acknowledgement holds no order; Call.then gives it")

        return Call(endpoint, params, no_order, then=lambda ids: self._order_named(named))

    def get_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """Open and just closed orders are asked for first, then the history."""
        return self._order_named(_named(symbol, order_id, client_order_id))

    def _order_named(self, params: Params) -> Call[Order]:
        past = call(endpoints.PAST_ORDER, params, translate_orders.one_order)
        return call(endpoints.GET_ORDER, params, translate_orders.one_order, otherwise=past)

    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]:
        params = {"category": "linear", "openOnly": 0, "limit": 50}
        return of_symbol_or_all(endpoints.OPEN_ORDERS, params, symbol, translate_orders.orders, row_key=_order_key)

    # --- several at once ------------------------------------------------------------------------------------------

    def place_orders(self, requests: Sequence[OrderRequest]) -> Call[tuple[Result, ...]]:
        """Acknowledgements and refusals, one a request. Each order counts by itself against the limit, which is not
        that of place_order: what is beyond it is refused (RateLimited) while the others are taken."""
        self._check_size("place_orders", len(requests))
        translate_orders.client_ids_are_apart(requests)
        sent = [_to_send(request) for request in requests]
        items = [{name: value for name, value in params.items() if name != "category"} for params, _ in sent]

        def results(reply: wire.Batch) -> tuple[Result, ...]:
            return tuple(
                translate_orders.acknowledged(expected, wire.OrderIds(slot.orderId or ""))
                if isinstance(slot, wire.BatchRow)
                else _error(endpoints.PLACE_ORDERS, slot, expected.client_order_id)
                for (_, expected), slot in zip(
                    sent, translate_orders.slots(reply, len(sent), "place_orders"), strict=True
                )
            )

        return call(endpoints.PLACE_ORDERS, {"category": "linear", "request": items}, results)

    def cancel_orders(self, orders: Sequence[tuple[str, str]]) -> Call[tuple[Result, ...]]:
        """Acknowledged together, then read back one by one, since the acknowledgement tells nothing of the orders."""
        self._check_size("cancel_orders", len(orders))
        items = [{"symbol": symbol, "orderId": order_id} for symbol, order_id in orders]

        def of_slot(slot: Slot) -> Result:
            if not isinstance(slot, wire.BatchRow):
                return _error(endpoints.CANCEL_ORDERS, slot)
            reason = "its cancel was acknowledged, but it can't be read back"
            return OutcomeUnknown(reason, venue=self.name, call="cancel_orders", code=ACKNOWLEDGED)

        def results(reply: wire.Batch) -> tuple[Result, ...]:
            return tuple(map(of_slot, translate_orders.slots(reply, len(orders), "cancel_orders")))

        def read_from(index: int, known: tuple[Result, ...]) -> Call[tuple[Result, ...]] | None:
            """The call that reads the next order whose cancel was acknowledged."""
            while index < len(orders) and not _to_be_read(known[index]):
                index += 1
            if index == len(orders):
                return None
            symbol, order_id = orders[index]

            def filled_in(page: wire.Page[wire.OrderRow]) -> tuple[Result, ...]:
                return (*known[:index], translate_orders.one_order(page), *known[index + 1 :])

            def lost(page: wire.Page[wire.OrderRow]) -> tuple[Result, ...]:
                return filled_in(page) if page.rows else known

            named = _named(symbol, order_id, None)
            after = partial(read_from, index + 1)
            past = call(endpoints.PAST_ORDER, named, lost, follow=after)
            return call(endpoints.GET_ORDER, named, filled_in, otherwise=past, follow=after)

        params = {"category": "linear", "request": items}
        return call(endpoints.CANCEL_ORDERS, params, results, follow=partial(read_from, 0))

    def _check_size(self, name: str, size: int) -> None:
        if not 1 <= size <= self.batch_size:
            raise bad(name, "BAD_BATCH_SIZE", f"a batch has 1 to {self.batch_size} orders, not {size}")

    def cancel_all(self, symbol: str | None) -> Sequence[Call[Any]]:
        """Orders of every kind: conditional ones, and the exits and trailing stops of positions too. The venue ends at
        most 500 in one call, so look again."""
        which = [{"symbol": symbol}] if symbol else [{"settleCoin": coin} for coin in SETTLE_COINS]
        return [call(endpoints.CANCEL_ALL, {"category": "linear", **of}, lambda reply: len(reply.rows)) for of in which]

    # --- the past -------------------------------------------------------------------------------------------------

    def order_history(self, symbol: str | None, start_ms: int | None, end_ms: int | None) -> Call[tuple[Order, ...]]:
        """Finished orders, oldest first, then those that are still open. The venue forgets orders that ended without a
        fill after a day, and its list of finished orders lags. Without times: the last week."""

        def created_then(order: Order) -> bool:
            at = order.created_time_ms or 0
            return (start_ms is None or at >= start_ms) and (end_ms is None or at <= end_ms)

        def still_open(page: wire.Page[wire.OrderRow]) -> tuple[Order, ...]:
            return tuple(filter(created_then, translate_orders.orders(page)))

        params = {"category": "linear", "openOnly": 0, "limit": 50}
        afterwards = of_symbol_or_all(endpoints.OPEN_ORDERS, params, symbol, still_open, row_key=_order_key)
        return Log(endpoints.ORDER_HISTORY, kept_ms=KEPT_MS).read(
            {"category": "linear", "symbol": symbol, "limit": 50},
            start_ms,
            end_ms,
            lambda reply: translate_orders.orders(reply.result),
            row_key=_order_key,
            afterwards=afterwards,
        )

    def orders_since(self, start_ms: int, symbols: Sequence[str]) -> Sequence[Call[tuple[Order, ...]]]:
        """The list of finished orders alone."""
        log = Log(endpoints.ORDER_HISTORY, kept_ms=KEPT_MS)
        params = {"category": "linear", "limit": 50}
        return [
            log.read(params, start_ms, None, lambda reply: translate_orders.orders(reply.result), row_key=_order_key)
        ]

    def fills(
        self, symbol: str | None, start_ms: int | None, end_ms: int | None, order_id: str | None = None
    ) -> Call[tuple[Fill, ...]]:
        """Executions, liquidations and deleveraging among them, oldest first. The venue is asked a week at a time, and
        what a week holds comes together. Without times: the last week. An order's are found whenever they were."""
        if order_id is not None:
            start_ms = end_ms = None  # the venue passes over them too
        return Log(endpoints.FILLS, kept_ms=KEPT_MS).read(
            {"category": "linear", "symbol": symbol, "orderId": order_id, "limit": 100},
            start_ms,
            end_ms,
            lambda reply: translate_orders.fills(reply.result),
            row_key=lambda fill: (fill.trade_id, fill.order_id),
        )

    # --- protection -----------------------------------------------------------------------------------------------

    def set_position_stops(
        self,
        symbol: str,
        position_side: PositionSide,
        take_profit: Decimal | None,
        stop_loss: Decimal | None,
        trigger_by: TriggerBy,
    ) -> Call[Setting]:
        """Exits of the whole position. They show up as orders of their own (TAKE_PROFIT_MARKET, STOP_MARKET) without a
        client order id. What is set already ends in NoChange."""
        if take_profit is None and stop_loss is None:
            raise bad("set_position_stops", "NOTHING_TO_SET", "neither take_profit nor stop_loss is given")
        by = TRIGGER_BY_TEXTS[trigger_by]
        params: dict[str, Any] = {
            "category": "linear",
            "symbol": symbol,
            "tpslMode": "Full",
            "positionIdx": POSITION_INDEXES[position_side],
        }
        if take_profit is not None:
            params |= {"takeProfit": take_profit, "tpTriggerBy": by}
        if stop_loss is not None:
            params |= {"stopLoss": stop_loss, "slTriggerBy": by}
        said = f"take_profit {_said(take_profit)}, stop_loss {_said(stop_loss)}"
        return call(endpoints.POSITION_STOPS, params, lambda reply: Setting(changed=True, value=said))

    def arm_countdown(self, symbol: str | None, seconds: float) -> Call[CountDown]:
        """For accounts that the venue has switched it on for (institutions). Orders of all contracts are cancelled once
        every private connection of the account that is subscribed to dcp.future (see countdown_topics) has been dead
        for so long. A changed time counts after about ten seconds. Nothing is to be renewed, and it can't be disarmed:
        leave dcp.future before the connection is closed."""
        if symbol is not None:
            raise bad("arm_countdown", "BAD_SYMBOL", "it is for the whole account here; give no symbol")
        if seconds == 0:
            raise NotOffered(
                "the venue has no call that switches it off", venue=self.name, call="arm_countdown", code="NO_DISARM",
                advice="Unsubscribe dcp.future before you close the connection, or ask your account manager.",
            )  # fmt: skip
        whole = round(seconds)
        if whole != seconds or not LEAST_COUNTDOWN_S <= whole <= MOST_COUNTDOWN_S:
            reason = f"{seconds} s must be a whole number from {LEAST_COUNTDOWN_S} to {MOST_COUNTDOWN_S}"
            raise bad("arm_countdown", "BAD_SECONDS", reason)
        params = {"product": "DERIVATIVES", "timeWindow": whole}
        return call(endpoints.COUNTDOWN, params, lambda reply: CountDown(symbol="", seconds=whole))


def _said(price: Decimal | None) -> str:
    return "unchanged" if price is None else f"{price:f}" if price else "none"


def _order_key(order: Order) -> str:
    return order.order_id


def _to_send(request: OrderRequest) -> tuple[dict[str, Any], Order]:
    """The parameters, and the order that they make."""
    params = translate_orders.order_params(request)
    own_id = params.get("orderLinkId")
    if own_id is not None and not CLIENT_ORDER_ID.fullmatch(str(own_id)):
        raise bad(
            "place_order",
            "BAD_CLIENT_ORDER_ID",
            f"client order id {own_id!r} must have 1 to 36 of the characters A-Z, a-z, 0-9, _ and -",
        )
    return params, translate_orders.order_to_be(params, request)


def _error(endpoint: Endpoint, slot: wire.BatchCode | OutcomeUnknown, client_order_id: str | None = None) -> APIError:
    error = replies.of_batch(endpoint, slot.code, slot.msg) if isinstance(slot, wire.BatchCode) else slot
    if isinstance(error, OutcomeUnknown):
        error.client_order_id = client_order_id
    return error


def _to_be_read(result: Result) -> bool:
    return isinstance(result, OutcomeUnknown) and result.code == ACKNOWLEDGED


def _named(symbol: str, order_id: str | None, client_order_id: str | None) -> Params:
    """The parameters that say which order; the venue's id wins where both are known."""
    if order_id:
        return {"category": "linear", "symbol": symbol, "orderId": order_id}
    if client_order_id:
        return {"category": "linear", "symbol": symbol, "orderLinkId": client_order_id}
    raise bad("order", "NO_ORDER_ID", "neither order_id nor client_order_id is given")
