"""What the exchange refuses, and why; dialects map each reason to their venue's code."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """Why the exchange refused something; dialects map each to their venue's code."""

    UNKNOWN_SYMBOL = "unknown symbol"
    UNKNOWN_ORDER = "no such order"
    ORDER_FINISHED = "the order is finished"
    DUPLICATE_CLIENT_ID = "client order id in use"
    PRICE_NOT_POSITIVE = "price must be above 0"
    PRICE_OFF_TICK = "price is not a multiple of the tick size"
    PRICE_TOO_LOW = "price below the least"
    PRICE_TOO_HIGH = "price above the greatest"
    QUANTITY_NOT_POSITIVE = "quantity must be above 0"
    QUANTITY_OFF_STEP = "quantity is not a multiple of the step"
    QUANTITY_TOO_SMALL = "quantity below the least"
    QUANTITY_TOO_LARGE = "quantity above the greatest"
    NOTIONAL_TOO_SMALL = "notional below the least"
    MARGIN = "margin is insufficient"
    POST_ONLY_WOULD_TAKE = "post-only order would take"
    FOK_UNFILLED = "fill-or-kill order can't be filled"
    REDUCE_ONLY = "reduce-only order would open or increase"
    NO_LIQUIDITY = "no liquidity for a market order"
    AMEND_NO_CHANGE = "nothing to amend"
    AMEND_BELOW_FILLED = "new quantity is not above the filled quantity"
    LEVERAGE_CAP = "position and orders would be above what this leverage allows"
    LEVERAGE = "leverage out of range"
    HAS_ORDERS = "there are open orders"
    HAS_POSITION = "there is an open position"
    NO_POSITION = "there is no open position"
    NOT_ISOLATED = "the position's margin is not isolated"
    UNCHANGED = "it is so already"
    POSITION_SIDE = "position side does not fit the position mode"
    WOULD_TRIGGER = "conditional order would trigger at once"
    BAD_ACTIVATION = "activation price on the wrong side of the market"
    UNKNOWN_TRIGGER = "no such conditional order"
    TRIGGER_FINISHED = "the conditional order is finished"
    EXPIRY = "good-till date is in the past"
    MARGIN_TOO_MUCH = "more margin than can be taken out"


class Refused(Exception):
    """The exchange refuses."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(detail or why.value)
        self.why = why
