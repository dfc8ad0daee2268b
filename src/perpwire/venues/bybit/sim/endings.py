"""Why an order ended, in the venue's two words: cancelType and rejectReason.

Source: docs/v5/enum, as of 2026-07-24; which words come together, as captured up to 2026-07.
"""

from __future__ import annotations

from perpwire.model.order import OrderStatus
from perpwire.simulator.records import SimOrder, SimTrigger
from perpwire.simulator.refusals import Why

Ending = tuple[str, str]

NO_END = ("UNKNOWN", "EC_NoError")

# Why the exchange ended an order -> cancelType, rejectReason.
ENDINGS: dict[str, Ending] = {
    "": NO_END,
    "user": ("CancelByUser", "EC_PerCancelRequest"),
    "ioc": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "market": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "fok": ("UNKNOWN", "EC_CancelForNoFullFill"),
    "post_only": ("UNKNOWN", "EC_PostOnlyWillTakeLiquidity"),
    "stp": ("CancelBySmp", "EC_StopBySelfMatch"),
    "reduce_only": ("CancelByReduceOnly", "EC_NoError"),
    "no_position": ("CancelByReduceOnly", "EC_NoError"),
    "liquidation": ("CancelAllBeforeLiq", "EC_NoError"),
    "adl": ("CancelAllBeforeAdl", "EC_NoError"),
    "countdown": ("CancelByDCP", "EC_NoError"),
    "disconnect": ("CancelByDCP", "EC_NoError"),
    "delisted": ("CancelByAdmin", "EC_NoError"),
    "position_closed": ("CancelByTpSlTsClear", "EC_NoError"),
}

# Why the matching engine refused an order that had been acknowledged -> rejectReason.
REJECTIONS = {
    "duplicate_client_id": "EC_DuplicatedClOrdID",
    "price_too_low": "EC_LimitOrderInvalidPrice",
    "price_too_high": "EC_LimitOrderInvalidPrice",
    "no_liquidity": "EC_NoEnoughQtyToFill",
}


def order_ending(order: SimOrder) -> Ending:
    if order.status is OrderStatus.REJECTED:
        return "UNKNOWN", REJECTIONS.get(order.reason, "EC_Others")
    return ENDINGS.get(order.reason, ("UNKNOWN", "EC_Others"))


def trigger_ending(trigger: SimTrigger) -> Ending:
    """Of a conditional order that became no order."""
    if trigger.status == "rejected":
        return ("CancelByReduceOnly", "EC_NoError") if trigger.why is Why.REDUCE_ONLY else ("UNKNOWN", "EC_Others")
    if trigger.reason == "oco":
        is_profit = trigger.intent.kind == "take_profit"
        other = "CancelByOCOTpCanceledBySlTriggered" if is_profit else "CancelByOCOSlCanceledByTpTriggered"
        return other, "EC_NoError"
    return ENDINGS.get(trigger.reason, ("UNKNOWN", "EC_Others"))
