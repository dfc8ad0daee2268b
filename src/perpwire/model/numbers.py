"""Exact numbers: how a caller's number becomes a Decimal, and how a Decimal is written on the wire."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import cast

from perpwire.errors import BadInput

MOST_DIGITS = 16
"""Before and after the point; arithmetic on such numbers is exact in the 28 digits that Decimals carry."""

ARITHMETIC = Context(prec=64, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""For products and remainders of such numbers: exact, whatever the program has set its own decimal context to."""

Number = Decimal | int | str | float

_KINDS = (Decimal, str, int, float)


def exact(value: Number, name: str = "number", venue: str = "", call: str = "") -> Decimal:
    """The Decimal a caller means. A float counts by its shortest repr: 0.1 is exactly 0.1.

    Args:
        name, venue, call: For the error.

    Raises:
        BadInput: Not a finite number.
    """
    kind = type(value)
    try:
        if kind is str:
            number = Decimal(value)
        elif kind is Decimal:
            number = cast(Decimal, value)
        elif isinstance(value, bool) or not isinstance(value, _KINDS):
            raise _bad(f"{name} must be a Decimal, int, str or float, not {kind.__name__}", venue, call)
        elif isinstance(value, Decimal):
            number = value
        else:
            number = Decimal(float.__repr__(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise _bad(f"{name} {value!r} is not a number", venue, call) from None
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        # Decimal takes 1_000 and the digits of other scripts, which nobody writes on purpose.
        raise _bad(f"{name} {value!r} is not a number", venue, call)
    if not number.is_finite():
        raise _bad(f"{name} {value!r} is not finite", venue, call)
    if number and not (
        -MOST_DIGITS <= number.adjusted() < MOST_DIGITS
        # No more digits than arithmetic carries. A text that short has no more for certain, and is much sooner made
        # than the tuple.
        and (len(str(number)) <= 28 or len(number.as_tuple().digits) <= 28)
    ):
        # Not repr(value): Python does not write an int of thousands of digits.
        raise _bad(f"{name} {number:.6g} is beyond any price or quantity", venue, call)
    return number


def _bad(reason: str, venue: str, call: str) -> BadInput:
    return BadInput(reason, venue=venue, call=call, code="NOT_A_NUMBER")


def plain(number: Decimal) -> str:
    """A Decimal as wire text: never in exponent form."""
    return format(number, "f")


def optional(text: str | None) -> Decimal | None:
    """A wire text that may be empty, null or absent, all meaning "not stated"."""
    return Decimal(text) if text else None
