"""What stands where a number must be, and is none. Decimal and float read NaN and Infinity where the venue's text says
so; no venue means that, and nothing that reckons with prices survives it.

Texts that translate functions read are refused by their own small functions; this is for what is decoded straight into
the model, at the cost of some ten nanoseconds a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NoReturn

import msgspec

Amount = Annotated[str, msgspec.Meta(min_length=1)]
"""An amount that stays text: not empty."""


def not_finite(*numbers: Any) -> NoReturn:
    """
    Raises:
        ValueError: Always; for who has found one of them not finite.
    """
    found = next((one for one in numbers if not (isinstance(one, Decimal) and one.is_finite())), None)
    raise ValueError(f"{found} where a number must be")


def check_levels(frame: bytes, *sides: Iterable[tuple[str, str]]) -> None:
    """Levels that stay text, of a frame whose first list they are. Every spelling of what is no number has an n in it,
    and the frames of books have none behind that point.

    Raises:
        ValueError: One of them is no number.
    """
    start = frame.find(b"[")
    if frame.find(b"N", start) < 0 and frame.find(b"n", start) < 0:
        return
    for side in sides:
        for level in side:
            for text in level:
                try:
                    number = Decimal(text)
                except InvalidOperation:
                    raise ValueError(f"{text!r} is no number") from None
                if not number.is_finite():
                    raise ValueError(f"{text!r} where a number must be")
