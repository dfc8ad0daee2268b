"""How the venue writes its numbers and ids."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from perpwire.model.numbers import plain

ZERO = Decimal(0)
_CENT = Decimal("0.00000001")

ORDER, TAKER_EXECUTION, MAKER_EXECUTION, FUNDING = (
    "6b1f0c2e5d3a4f70",
    "2f8e91a7c4065b13",
    "7d40b65e19f34a28",
    "c0a95d17e8624b3f",
)
"""The first half of an id's text; the second half is the exchange's number. Maker and taker of one match differ, so
that an account that meets itself has two executions."""


def whole(text: str) -> int | None:
    """A whole number of up to 20 digits, or None. Digits are those of ASCII: other scripts' are none to the venue."""
    return int(text) if len(text) <= 20 and text.isascii() and text.isdecimal() else None


def fit(number: Decimal, step: Decimal) -> str:
    """With as many decimals as `step` is written with, or more where it would not be exact otherwise: how public
    prices and sizes are written."""
    fitting = number.quantize(step)
    return plain(fitting if fitting == number else number)


def cut(number: Decimal, unit: Decimal = _CENT) -> str:
    """Truncated toward zero, at 8 decimals; trailing zeros are dropped."""
    text = plain(number.quantize(unit, rounding=ROUND_DOWN))
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def bare(number: Decimal) -> str:
    """Exact, without trailing zeros: how what is private is written."""
    text = plain(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def padded(number: Decimal, unit: Decimal) -> str:
    """Truncated toward zero at the decimals of `unit`, all of which are written."""
    return plain(number.quantize(unit, rounding=ROUND_DOWN))


def id_text(half: str, number: int) -> str:
    """The text of an id: 36 characters in five groups."""
    digits = f"{half}{number:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def number_of(half: str, text: str) -> int | None:
    """The number inside an id's text, or None where it is none of ours."""
    digits = text.replace("-", "")
    if len(digits) != 32 or not digits.startswith(half):
        return None
    try:
        number = int(digits[16:], 16)
    except ValueError:
        return None
    return number if id_text(half, number) == text else None
