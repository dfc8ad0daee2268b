"""How conditional orders are written in this venue's way."""

from __future__ import annotations

from decimal import Decimal

from msgspec import UNSET

from perpwire.model.order import OrderType
from perpwire.simulator.records import SimOrder, SimTrigger
from perpwire.venues.binance_futures import wire_algo
from perpwire.venues.binance_futures.sim.words import SymbolWords, stp_word, stripped

_NOTHING = Decimal(0)

STATUS_WORDS = {
    "waiting": "NEW",
    "triggering": "TRIGGERING",
    "triggered": "TRIGGERED",
    "finished": "FINISHED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}

_WORKING_WORDS = {"last": "CONTRACT_PRICE", "mark": "MARK_PRICE", "index": "MARK_PRICE"}


def working_word(trigger: SimTrigger) -> str:
    return _WORKING_WORDS[trigger.intent.trigger_by]


def order_type_word(trigger: SimTrigger) -> str:
    """`orderType`; the order that it becomes has another type."""
    intent = trigger.intent
    if intent.kind == "trailing":
        return "TRAILING_STOP_MARKET"
    word = "STOP" if intent.kind == "stop" else "TAKE_PROFIT"
    return word if intent.type is OrderType.LIMIT else f"{word}_MARKET"


def activate_price_of(trigger: SimTrigger, words: SymbolWords) -> str:
    """ "" where it is no trailing order or named none."""
    price = trigger.intent.activation_price
    return "" if price is None else words.price(price)


def callback_rate_of(trigger: SimTrigger) -> str:
    """Per cent; "" where it is no trailing order."""
    rate = trigger.intent.callback_rate
    return "" if rate is None else stripped(rate * 100)


def placed(trigger: SimTrigger, words: SymbolWords) -> wire_algo.AlgoOrder:
    """As the call that places one answers."""
    intent = trigger.intent
    return wire_algo.AlgoOrder(
        algo_id=trigger.trigger_id,
        client_algo_id=trigger.client_id,
        algo_type="CONDITIONAL",
        order_type=order_type_word(trigger),
        symbol=trigger.symbol,
        side=intent.side.value,
        position_side=intent.position_side.value,
        time_in_force=intent.note.get("timeInForce", "GTC"),
        quantity=words.quantity(intent.quantity),
        algo_status=STATUS_WORDS[trigger.status],
        trigger_price=words.price(intent.trigger_price or _NOTHING),
        price=words.price(intent.price or _NOTHING),
        iceberg_quantity=None,
        self_trade_prevention_mode=stp_word(intent),
        working_type=working_word(trigger),
        price_match=intent.note.get("priceMatch", "NONE"),
        close_position=intent.close_position,
        price_protect=intent.price_protect is not None,
        reduce_only=intent.reduce_only,
        activate_price=activate_price_of(trigger, words),
        callback_rate=callback_rate_of(trigger),
        create_time=trigger.created_ms,
        update_time=trigger.updated_ms,
        trigger_time=trigger.triggered_ms,
        good_till_date=intent.expire_ms,
    )


def shown(trigger: SimTrigger, order: SimOrder | None, words: SymbolWords) -> wire_algo.AlgoOrder:
    """As the calls that read them answer; `order` is what it has become."""
    row = placed(trigger, words)
    if trigger.intent.kind != "trailing":
        row.activate_price = row.callback_rate = UNSET
    row.actual_order_id = str(trigger.order_id) if trigger.order_id else ""
    row.actual_price = words.value((order.average_price if order else None) or _NOTHING)
    row.actual_qty = words.quantity(order.filled_quantity) if order else "0.0"
    if order is not None:
        row.actual_type = order.type.value
    nothing = words.price(_NOTHING)
    row.tp_trigger_price = row.tp_price = row.sl_trigger_price = row.sl_price = nothing
    row.tp_order_type = ""
    row.is_activated = trigger.is_activated if trigger.intent.kind == "trailing" else False
    return row
