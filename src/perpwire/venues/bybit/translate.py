"""Words and small parts, between wire and model; see translate_orders.py, translate_account.py, translate_market.py.

What a venue may extend at will (order types, times in force) falls back to UNKNOWN. An order status, a side or a
position index that is not known raises ValueError: nothing may be guessed about what is owned or owed.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from perpwire.model.order import OrderStatus, PositionSide, Side, TimeInForce, TriggerBy

NAME = "bybit"
ZERO = Decimal(0)

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE_TEXTS = {side: text for text, side in SIDES.items()}

STATUSES = {
    "New": OrderStatus.NEW,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Triggered": OrderStatus.TRIGGERED,  # between Untriggered and New
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,  # cancelled before it was triggered
    "Rejected": OrderStatus.REJECTED,
    # Of earlier API versions; other connectors still expect them.
    "Created": OrderStatus.PENDING_NEW,
    "Active": OrderStatus.NEW,
    "PendingCancel": OrderStatus.NEW,  # it can still be filled
}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
    "RPI": TimeInForce.RPI,
}
TIME_IN_FORCE_TEXTS = {kind: text for text, kind in TIMES_IN_FORCE.items()}

POSITION_SIDES = {0: PositionSide.BOTH, 1: PositionSide.LONG, 2: PositionSide.SHORT}
POSITION_INDEXES = {side: index for index, side in POSITION_SIDES.items()}

TRIGGERS_BY = {"LastPrice": TriggerBy.LAST, "MarkPrice": TriggerBy.MARK, "IndexPrice": TriggerBy.INDEX}
TRIGGER_BY_TEXTS = {by: text for text, by in TRIGGERS_BY.items()}


# --- small parts --------------------------------------------------------------------------------------------------


def number(text: str) -> Decimal:
    """An amount on the wire; scientific notation occurs.

    Raises:
        ValueError: Not a finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return value


def optional(text: str | None) -> Decimal | None:
    """An amount that may be "", null or absent, all meaning "not stated"."""
    return number(text) if text else None


def percent(text: str | None) -> Decimal | None:
    """A fraction as percent, exactly; None where it is not stated."""
    fraction = optional(text)
    return None if fraction is None else fraction * 100


def stated(text: str | None) -> Decimal:
    """An amount that is 0 where it is not stated."""
    return number(text) if text else ZERO


def milliseconds(value: str | int | None) -> int | None:
    return int(value) if value else None


def positive(text: str | None) -> Decimal | None:
    """A price that may be "not stated": the venue says so by "", null or 0."""
    value = optional(text)
    return value or None


def side_of(text: str | None) -> Side:
    try:
        return SIDES[text or ""]
    except KeyError:
        raise ValueError(f"side {text!r} is not known") from None


def position_side_of(index: int | None) -> PositionSide:
    try:
        return POSITION_SIDES[index or 0]
    except KeyError:
        raise ValueError(f"positionIdx {index!r} is not known") from None


def settle_coin(symbol: str) -> str:
    """Of a linear contract: BTCUSDT and BTCUSDT-26DEC25 are settled in USDT, BTCPERP and BTC-26DEC25 in USDC."""
    return "USDT" if symbol.partition("-")[0].endswith("USDT") else "USDC"
