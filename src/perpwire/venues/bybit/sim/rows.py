"""From the exchange's records to the venue's rows of orders and executions. Those of positions and money: holdings.py.

Source: docs/v5/order and docs/v5/websocket/private, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from perpwire.model.order import OrderStatus, OrderType, TimeInForce
from perpwire.simulator.records import Booking, SimFill, SimOrder, SimTrigger
from perpwire.simulator.refusals import Refused
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.endings import order_ending, trigger_ending
from perpwire.venues.bybit.sim.holdings import Holdings, user_id
from perpwire.venues.bybit.sim.numbers import (
    FUNDING,
    MAKER_EXECUTION,
    ORDER,
    TAKER_EXECUTION,
    ZERO,
    bare,
    cut,
    id_text,
)
from perpwire.venues.bybit.translate import POSITION_INDEXES, SIDE_TEXTS, TIME_IN_FORCE_TEXTS

__all__ = ["STATUS_TEXTS", "TOO_LATE_TO_CANCEL", "Rows", "booking_side", "user_id"]

STATUS_TEXTS = {
    OrderStatus.NEW: "New",
    OrderStatus.PARTIALLY_FILLED: "PartiallyFilled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
    OrderStatus.REJECTED: "Rejected",
}

# A conditional order that was rejected as it triggered (margin is missing, say) ends as cancelled.
TRIGGER_STATUS_TEXTS = {
    "waiting": "Untriggered",
    "triggering": "Triggered",
    "triggered": "Triggered",
    "finished": "Triggered",
    "canceled": "Deactivated",
    "expired": "Deactivated",
    "rejected": "Cancelled",
}

TRIGGER_BY_TEXTS = {"last": "LastPrice", "mark": "MarkPrice", "index": "IndexPrice"}
DIRECTIONS = {"rises": 1, "falls": 2}

CREATE_TYPES = {
    "user": "CreateByUser",
    "trigger": "CreateByUser",
    "liquidation": "CreateByLiq",
    "takeover": "CreateByTakeOver_PassThrough",
    "adl": "CreateByAdl_PassThrough",
    "settlement": "CreateBySettle",
}
EXECUTION_TYPES = {"trade": "Trade", "liquidation": "BustTrade", "takeover": "BustTrade", "adl": "AdlTrade"}

TOO_LATE_TO_CANCEL = ("CancelByUser", "EC_OrigClOrdIDDoesNotExist")
"""A cancel that met a filled order: the order is told of a second time, with these."""

NOTED_TEXTS = (
    *("takeProfit", "stopLoss", "tpslMode", "tpLimitPrice", "slLimitPrice", "tpTriggerBy", "slTriggerBy"),
    *("stopOrderType", "triggerBy", "triggerPrice", "createType", "parentOrderLinkId", "smpType"),
    *("slippageToleranceType", "slippageTolerance", "lastPriceOnCreated", "ocoTriggerBy"),
)
"""What an order's note holds under the row's own names."""
SIZE_NOTE = "size"
"""The position's size when a stop for all of it was made."""
NOTED_FLAGS = ("closeOnTrigger", "rpiTakerAccess")

Ending = tuple[str, str]


class Rows(Holdings):
    """Makes rows. For words that do not apply, orders of unified accounts have "" (documentation's UNKNOWN is that of
    classic accounts, and clients with closed lists of words fail on it), executions have UNKNOWN."""

    # --- orders -------------------------------------------------------------------------------------------------------

    def order(self, order: SimOrder) -> wire.OrderRow:
        return wire.OrderRow(**{"tpslMode": ""} | self._order(order, order_ending(order)))

    def order_push(self, order: SimOrder, ending: Ending | None = None) -> wire.OrderPush:
        return wire.OrderPush(
            **self._order(order, ending or order_ending(order)),
            closedPnl=cut(order.closed_pnl),
            feeCurrency=self._exchange.spec(order.symbol).instrument.settle,
        )

    def _order(self, order: SimOrder, ending: Ending) -> dict[str, Any]:
        instrument = self._exchange.spec(order.symbol).instrument
        market = order.type is OrderType.MARKET
        # A market order is an immediate-or-cancel order at its protective price, which it shows.
        price = (order.bound if market else order.price) or ZERO
        leaves = ZERO if order.status.is_final else order.remaining
        average = order.average_price
        fields = {
            "orderId": id_text(ORDER, order.order_id),
            "orderLinkId": order.client_order_id,
            "symbol": order.symbol,
            "price": bare(price),
            "qty": bare(order.quantity),
            "side": SIDE_TEXTS[order.side],
            "positionIdx": POSITION_INDEXES[order.position_side],
            "orderStatus": STATUS_TEXTS[order.status],
            "orderType": "Market" if market else "Limit",
            "timeInForce": "IOC" if market else TIME_IN_FORCE_TEXTS.get(order.time_in_force, TimeInForce.GTC.value),
            "createType": CREATE_TYPES.get(order.origin, "CreateByUser"),
            "cancelType": ending[0],
            "rejectReason": ending[1],
            "avgPrice": "" if average is None else cut(average),
            "leavesQty": bare(leaves),
            "leavesValue": cut(leaves * price),
            "cumExecQty": bare(order.filled_quantity),
            "cumExecValue": cut(order.filled_value),
            "cumExecFee": cut(order.fees),
            "cumFeeDetail": {instrument.settle: cut(order.fees)} if order.filled_quantity else {},
            "reduceOnly": order.reduce_only,
            "smpOrderId": id_text(ORDER, order.met_order_id) if order.met_order_id else "",
            "createdTime": str(order.created_ms),
            "updatedTime": str(order.updated_ms),
        }
        return fields | _noted(order.note) | self._waited(order, instrument.tick_size)

    def _waited(self, order: SimOrder, tick: Decimal) -> dict[str, Any]:
        """Where the conditional order that it was has triggered: that may have been moved since it was made."""
        if not order.trigger_id:
            return {}
        try:
            trigger = self._exchange.find_trigger(order.account, trigger_id=order.trigger_id)
        except Refused:
            return {}  # forgotten meanwhile
        return {} if trigger.stop_price is None else {"triggerPrice": bare(trigger.stop_price)}

    # --- conditional orders -------------------------------------------------------------------------------------------

    def trigger(self, trigger: SimTrigger) -> wire.OrderRow:
        return wire.OrderRow(**{"tpslMode": ""} | self._trigger(trigger))

    def trigger_push(self, trigger: SimTrigger) -> wire.OrderPush:
        settle = self._exchange.spec(trigger.symbol).instrument.settle
        return wire.OrderPush(**self._trigger(trigger), feeCurrency=settle)

    def _trigger(self, trigger: SimTrigger) -> dict[str, Any]:
        intent = trigger.intent
        market = intent.type is OrderType.MARKET
        price = ZERO if market or intent.price is None else intent.price
        quantity = intent.quantity
        if intent.close_position:
            quantity = self._closing_size(trigger)
        leaves = quantity if trigger.is_open or trigger.status in ("triggering", "triggered") else ZERO
        stop = trigger.stop_price
        cancel_type, reject_reason = trigger_ending(trigger)
        fields = {
            "orderId": id_text(ORDER, trigger.trigger_id),
            "orderLinkId": intent.client_id,
            "symbol": intent.symbol,
            "price": bare(price),
            "qty": bare(quantity),
            "side": SIDE_TEXTS[intent.side],
            "positionIdx": POSITION_INDEXES[intent.position_side],
            "orderStatus": TRIGGER_STATUS_TEXTS[trigger.status],
            "orderType": "Market" if market else "Limit",
            "timeInForce": "IOC" if market else TIME_IN_FORCE_TEXTS.get(intent.time_in_force, TimeInForce.GTC.value),
            "createType": "CreateByUser",
            "cancelType": cancel_type,
            "rejectReason": reject_reason,
            "avgPrice": "",
            "leavesQty": bare(leaves),
            "leavesValue": cut(leaves * (price or stop or ZERO)),
            "cumExecQty": bare(ZERO),
            "reduceOnly": intent.reduce_only,
            "triggerDirection": DIRECTIONS[intent.direction],
            "createdTime": str(trigger.created_ms),
            "updatedTime": str(trigger.updated_ms),
        }
        noted = _noted(intent.note)
        noted["triggerPrice"] = "" if stop is None else bare(stop)
        noted["triggerBy"] = TRIGGER_BY_TEXTS[intent.trigger_by]
        return fields | noted

    def _closing_size(self, trigger: SimTrigger) -> Decimal:
        """Of one that closes a whole position: the position's size; once it is over, the size that it was made for."""
        intent = trigger.intent
        held = abs(self._exchange.position(trigger.account, intent.symbol, intent.position_side).quantity)
        return held if trigger.is_open else Decimal(intent.note.get(SIZE_NOTE) or held)

    # --- executions ---------------------------------------------------------------------------------------------------

    def execution(self, order: SimOrder, fill: SimFill) -> wire.ExecutionRow:
        return wire.ExecutionRow(**self._execution(order, fill, "UNKNOWN"))

    def execution_push(self, order: SimOrder, fill: SimFill) -> wire.ExecutionPush:
        return wire.ExecutionPush(**self._execution(order, fill, "UNKNOWN"), execPnl=cut(fill.realized_pnl))

    def fast_execution(self, order: SimOrder, fill: SimFill) -> wire.FastExecution:
        row = self._execution(order, fill, "")
        fields = {name: row[name] for name in wire.FastExecution.__struct_fields__ if name in row}
        # An order that rested before is not named by the client's id here: a maker's, or one amended into a taker.
        link_id = "" if fill.is_maker or order.amendments else order.client_order_id
        return wire.FastExecution(**{**fields, "orderLinkId": link_id})

    def _execution(self, order: SimOrder, fill: SimFill, nothing: str) -> dict[str, Any]:
        price = (order.bound if order.type is OrderType.MARKET else order.price) or fill.price
        return {
            "symbol": order.symbol,
            "orderId": id_text(ORDER, order.order_id),
            "orderLinkId": order.client_order_id,
            "side": SIDE_TEXTS[order.side],
            "orderPrice": bare(price),
            "orderQty": bare(order.quantity),
            "leavesQty": bare(fill.leaves),
            "createType": order.note.get("createType") or CREATE_TYPES.get(order.origin, "CreateByUser"),
            "orderType": "Market" if order.type is OrderType.MARKET else "Limit",
            "stopOrderType": order.note.get("stopOrderType") or nothing,
            "execId": id_text(MAKER_EXECUTION if fill.is_maker else TAKER_EXECUTION, fill.trade_id),
            "execPrice": bare(fill.price),
            "execQty": bare(fill.quantity),
            "execValue": cut(fill.price * fill.quantity),
            "execFee": cut(fill.fee),
            "execType": EXECUTION_TYPES[fill.kind],
            "execTime": str(fill.time_ms),
            "feeCurrency": fill.fee_asset,
            "isMaker": fill.is_maker,
            "feeRate": cut(fill.fee_rate),
            "markPrice": bare(fill.mark_price),
            "indexPrice": bare(fill.index_price),
            "closedSize": bare(fill.closed_quantity),
            "seq": fill.seq,
        }

    def funding_execution(self, booking: Booking) -> wire.ExecutionRow:
        """A payment of funding, as the list of executions has it: execFee above 0 is paid."""
        return wire.ExecutionRow(
            symbol=booking.symbol,
            orderId=id_text(ORDER, booking.number),
            side=booking_side(booking),
            orderPrice="0",
            orderQty="0",
            leavesQty="0",
            createType="",
            orderType="UNKNOWN",
            execId=id_text(FUNDING, booking.number),
            execPrice=bare(booking.price),
            execQty=bare(abs(booking.quantity)),
            execValue=cut(booking.price * abs(booking.quantity)),
            execFee=cut(-booking.funding),
            execType="Funding",
            execTime=str(booking.time_ms),
            feeCurrency=booking.asset,
            feeRate=cut(booking.fee_rate),
            markPrice=bare(booking.price),
            closedSize="0",
        )


def booking_side(booking: Booking) -> str:
    """Of the execution; of a funding, that of the position; "" where there is neither."""
    if booking.side is not None:
        return SIDE_TEXTS[booking.side]
    if not booking.symbol or not booking.position_quantity:
        return ""
    return "Buy" if booking.position_quantity > 0 else "Sell"


def _noted(note: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(("stopOrderType", "triggerBy", "tpTriggerBy", "slTriggerBy"), "")
    fields |= {name: note[name] for name in NOTED_TEXTS if note.get(name)}
    fields |= {name: note[name] == "1" for name in NOTED_FLAGS if name in note}
    if "triggerDirection" in note:
        fields["triggerDirection"] = int(note["triggerDirection"])
    return fields
