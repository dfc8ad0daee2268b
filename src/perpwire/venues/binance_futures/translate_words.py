"""Numbers and words, from the venue's spelling and back."""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.venues.binance_futures import wire

VENUE = "binance"

STATUSES = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,  # by self-trade prevention
    # Of orders that the venue makes: a liquidation taken over by the insurance fund or by deleveraging.
    "NEW_INSURANCE": OrderStatus.NEW,
    "NEW_ADL": OrderStatus.NEW,
}

TYPES = {kind.value: kind for kind in OrderType}
SIDES = {one.value: one for one in Side}
POSITION_SIDES = {one.value: one for one in PositionSide}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
    "GTD": TimeInForce.GTD,
    "RPI": TimeInForce.RPI,
}
TIMES_IN_FORCE_OUT = {ours: venue for venue, ours in TIMES_IN_FORCE.items()}


ZERO = Decimal(0)
_UNKNOWN = TimeInForce.UNKNOWN


def number(text: wire.Number) -> Decimal | None:
    """A decimal text, or None where it is absent, null or empty.

    Raises:
        ValueError: No finite number.
    """
    if not text:
        return None
    # InvalidOperation is an ArithmeticError, which nobody expects of a decoder.
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = None
    if value is None or not value.is_finite():
        raise ValueError(f"{text!r} is no number")
    return value


def needed(text: wire.Number, name: str) -> Decimal:
    """A decimal text that can't be missing.

    Raises:
        ValueError: It is missing, or no number.
    """
    value = number(text)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def or_zero(text: wire.Number) -> Decimal:
    """A decimal text; 0 where it is absent, null or empty."""
    value = number(text)
    return ZERO if value is None else value


def side(text: str) -> Side:
    """
    Raises:
        ValueError: Neither BUY nor SELL.
    """
    return SIDES.get(text) or Side(text)


def above_zero(text: wire.Number) -> Decimal | None:
    """Where the venue writes 0 for "there is none"."""
    return number(text) or None


def time_ms(value: wire.Int) -> int | None:
    """A time, or None where it is absent, null or 0."""
    return value or None


def trade_prevention(text: wire.Text) -> str:
    """How an order deals with orders of the same account, in the venue's words; "" where it does not say."""
    return "" if not text or text == "NONE" else text


def words(text: wire.Text) -> str:
    return text or ""


def order_status(text: str) -> OrderStatus:
    """UNKNOWN where it is not known: to guess at it could lose an order."""
    return STATUSES.get(text, OrderStatus.UNKNOWN)


def order_type(text: str) -> OrderType:
    return TYPES.get(text, OrderType.UNKNOWN)


def time_in_force(text: wire.Text) -> TimeInForce:
    return TIMES_IN_FORCE.get(text or "", _UNKNOWN)


def position_side(text: wire.Text) -> PositionSide:
    return POSITION_SIDES.get(text) or PositionSide(text) if text else PositionSide.BOTH


def whole(value: object, name: str) -> int:
    """A whole number, which the venue has been seen to write as a text, too.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{name} {value!r} is no whole number")
    return int(value)


def count(value: wire.Int) -> int | None:
    """A whole number, or None where it is absent or null."""
    return value if isinstance(value, int) else None


def from_float(value: float) -> Decimal:
    """A JSON number, by its shortest decimal: exact for up to 15 digits."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
