"""The parameters of a call: what each must look like, and how it is refused where it does not.

Every value is text, as it was sent. What is sent empty is refused before a call is looked at (see gateway.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.binance_futures.sim.words import Refusal, invalid, missing, places_of

Args = Mapping[str, str]
"""Parameters by name; those of the query win over those of the body."""

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS

_NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)
_SIGNED_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)
_STOP_PRICES = frozenset({"triggerPrice", "activatePrice"})
_LEGAL_NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"


def needed(args: Args, name: str) -> str:
    """
    Raises:
        Refusal: It was not sent, or is empty.
    """
    value = args.get(name, "")
    if not value:
        raise missing(name)
    return value


def whole(args: Args, name: str) -> int | None:
    """A whole number, or None where it was not sent.

    Raises:
        Refusal: It is something else.
    """
    text = args.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def needed_whole(args: Args, name: str) -> int:
    """
    Raises:
        Refusal: It was not sent, or is no whole number.
    """
    number = whole(args, name)
    if number is None:
        raise missing(name)
    return number


def limit_of(args: Args, default: int, greatest: int) -> int:
    """`limit`, which is from 1 to `greatest`.

    Raises:
        Refusal: It is not.
    """
    limit = whole(args, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= greatest:
        raise invalid("limit")
    return limit


def number_text(args: Args, name: str) -> str:
    """A number that is sent and not below 0, as it was written.

    Raises:
        Refusal, Refused: It is something else.
    """
    text = needed(args, name)
    if _NUMBER.fullmatch(text):
        return text
    if _SIGNED_NUMBER.fullmatch(text):
        if name in _STOP_PRICES:
            raise Refusal(-4006, "Stop price less than 0.")
        if name == "callbackRate":
            raise invalid(name)
        raise Refused(Why.PRICE_NOT_POSITIVE if name == "price" else Why.QUANTITY_NOT_POSITIVE)
    raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{_LEGAL_NUMBER}'.")


def decimal(args: Args, name: str) -> Decimal:
    """As `number_text`."""
    return Decimal(number_text(args, name))


def check_places(number: Decimal, places: int) -> None:
    """Trailing zeros don't count.

    Raises:
        Refusal: There are more decimals.
    """
    # Shorter numbers need no look, and longer ones than 28 digits would be rounded by it.
    if places_of(number) > places and number != number.quantize(Decimal(1).scaleb(-places)):
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")


def truth(args: Args, name: str) -> bool | None:
    """True, False, or None where it was not sent.

    Raises:
        Refusal: It is something else.
    """
    text = args.get(name, "").lower()
    if not text:
        return None
    if text not in ("true", "false"):
        raise missing(name)
    return text == "true"


def needed_truth(args: Args, name: str) -> bool:
    """
    Raises:
        Refusal: It was not sent, or is neither true nor false.
    """
    value = truth(args, name)
    if value is None:
        raise missing(name)
    return value


def times(args: Args) -> tuple[int | None, int | None]:
    """`startTime` and `endTime`, Unix milliseconds.

    Raises:
        Refusal: The first is after the second, or one is no whole number.
    """
    start_ms, end_ms = whole(args, "startTime"), whole(args, "endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise Refusal(-1023, "Start time is greater than end time.")
    return start_ms, end_ms


def span(args: Args, now_ms: int) -> tuple[int, int]:
    """From and to, Unix milliseconds, a week at most: what was sent, or the week from the start on, or up to the end.

    Raises:
        Refusal: The span is turned round, or longer.
    """
    start_ms, end_ms = times(args)
    if start_ms is None:
        end_ms = now_ms if end_ms is None else end_ms
        return end_ms - WEEK_MS, end_ms
    if end_ms is None:
        return start_ms, start_ms + WEEK_MS
    if end_ms - start_ms > WEEK_MS:
        raise Refusal(-4165, "Invalid time interval.")
    return start_ms, end_ms
