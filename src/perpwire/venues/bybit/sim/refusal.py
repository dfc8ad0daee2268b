"""A call is refused: in the venue's words, by retCode or by HTTP status."""

from __future__ import annotations

from typing import Any

from perpwire.simulator.refusals import Refused, Why


class CallRefused(Exception):
    """HTTP 200 with a retCode other than 0, as the venue answers nearly everything."""

    def __init__(self, code: int, words: str, result: Any = None, ext: Any = None) -> None:
        super().__init__(f"{code} {words}")
        self.code = code
        self.words = words
        self.result: Any = {} if result is None else result
        self.ext: Any = {} if ext is None else ext


class HttpRefused(Exception):
    """Another HTTP status; no retCode that matters."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


def bad_param(words: str) -> CallRefused:
    return CallRefused(10001, f"params error: {words}")


def of_exchange(refused: Refused) -> CallRefused:
    """The venue's code and words for what the exchange says."""
    code, words = _WORDS[refused.why]
    return CallRefused(code, words or str(refused))


_WORDS: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_SYMBOL: (10001, "params error: symbol invalid"),
    Why.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
    Why.ORDER_FINISHED: (110001, "order not exists or too late to cancel"),
    Why.DUPLICATE_CLIENT_ID: (110072, "OrderLinkedID is duplicate"),
    Why.PRICE_NOT_POSITIVE: (10001, "params error: price err"),
    Why.PRICE_OFF_TICK: (10001, "params error: price err"),
    Why.PRICE_TOO_LOW: (110003, "Order price is out of permissible range."),
    Why.PRICE_TOO_HIGH: (110003, "Order price is out of permissible range."),
    Why.QUANTITY_NOT_POSITIVE: (10001, "params error: qty err"),
    Why.QUANTITY_OFF_STEP: (10001, "params error: qty err"),
    Why.QUANTITY_TOO_SMALL: (10001, "The number of contracts exceeds minimum limit allowed"),
    Why.QUANTITY_TOO_LARGE: (10001, "The number of contracts exceeds maximum limit allowed: too large"),
    Why.NOTIONAL_TOO_SMALL: (110094, "Order does not meet minimum order value 5USDT"),
    Why.MARGIN: (110007, "ab not enough for new order"),
    Why.POST_ONLY_WOULD_TAKE: (10001, "params error: post only will take liquidity"),
    Why.FOK_UNFILLED: (10001, "params error: fok can not be filled"),
    Why.REDUCE_ONLY: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Why.NO_LIQUIDITY: (110118, "no price for a market order: the book is empty within its bounds"),
    Why.AMEND_NO_CHANGE: (10001, "order not modified"),
    Why.AMEND_BELOW_FILLED: (110064, "qty must be greater than the filled qty"),
    Why.LEVERAGE_CAP: (110090, "Order placement failed as your position may exceed the max limit"),
    Why.LEVERAGE: (110013, "cannot set leverage due to risk limit"),
    Why.HAS_ORDERS: (110028, "you have existing open orders, so you cannot switch position mode"),
    Why.HAS_POSITION: (110024, "you have an existing position, so you cannot switch position mode"),
    Why.NO_POSITION: (110033, "no position, margin can't be added"),
    Why.NOT_ISOLATED: (110076, "only available in isolated mode"),
    Why.UNCHANGED: (110025, "Position mode is not modified"),
    Why.POSITION_SIDE: (10001, "position idx not match position mode"),
    Why.WOULD_TRIGGER: (110092, "expect Rising, but trigger_price <= current"),
    Why.BAD_ACTIVATION: (10001, "params error: active price invalid"),
    Why.UNKNOWN_TRIGGER: (110001, "order not exists or too late to cancel"),
    Why.TRIGGER_FINISHED: (110001, "order not exists or too late to cancel"),
    Why.EXPIRY: (10001, "params error: expiry invalid"),
    Why.MARGIN_TOO_MUCH: (110078, "margin reduction is too large"),
}
