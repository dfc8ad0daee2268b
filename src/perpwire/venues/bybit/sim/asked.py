"""What a call asks for: its parameters read, in the venue's way of refusing what can't be read.

Source: docs/v5 (each endpoint's page), as of 2026-07-24.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from perpwire.errors import BadInput
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import SymbolSpec
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange

Asked = dict[str, Any]
"""A query's parameters as texts, or a body's members."""

T = TypeVar("T")

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS
CATEGORIES = ("linear", "inverse", "spot", "option")

_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,12})?", re.ASCII)
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)


def read_query(query: str) -> Asked:
    return dict(parse_qsl(query, keep_blank_values=True))


def read_body(body: bytes) -> Asked:
    """
    Raises:
        CallRefused: Not a JSON object.
    """
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise CallRefused(10001, "Request parameter error.")
    return read


# --- which contract -------------------------------------------------------------------------------------------------


def is_linear(asked: Asked, default: str | None = None) -> bool:
    """True for linear; False for a category that exists and has nothing here.

    Raises:
        CallRefused: No such category.
    """
    category = asked.get("category") or default
    if category not in CATEGORIES:
        raise bad_param("category invalid")
    return bool(category == "linear")


def check_linear(asked: Asked, default: str | None = None) -> None:
    """
    Raises:
        CallRefused: Another category.
    """
    if (asked.get("category") or default) != "linear":
        raise bad_param("category invalid")


def spec_of(exchange: Exchange, asked: Asked, default: str | None = None) -> SymbolSpec:
    """The linear contract that is asked for by `symbol`; the category may have a default.

    Raises:
        CallRefused: Another category, or no such symbol.
    """
    check_linear(asked, default)
    try:
        return exchange.spec(str(asked.get("symbol") or ""))
    except Refused as refused:
        raise of_exchange(refused) from None


def specs_of(exchange: Exchange, asked: Asked) -> Sequence[SymbolSpec]:
    """The contract asked for by `symbol`, or all of them."""
    return [spec_of(exchange, asked)] if asked.get("symbol") else exchange.specs()


# --- pages and times ------------------------------------------------------------------------------------------------


def paged(keyed: list[tuple[int, T]], asked: Asked, *, default: int, most: int) -> tuple[list[T], str]:
    """One page of rows whose keys fall, and the token for the next: it names the last key, so that rows that come in
    meanwhile move nothing. The token is percent-encoded already, as the venue's are.

    Raises:
        CallRefused: A token that is none of ours.
    """
    limit = limit_of(asked, default, most)
    last = cursor_key(asked)
    if last is not None:
        keyed = [one for one in keyed if one[0] < last]
    page, rest = keyed[:limit], keyed[limit:]
    return [row for _, row in page], cursor_after(page[-1][0]) if rest else ""


def cursor_key(asked: Asked) -> int | None:
    """The key that the last page ended with; None for the first page.

    Raises:
        CallRefused: A token that is none of ours.
    """
    cursor = asked.get("cursor")
    if not cursor:
        return None
    # Some clients encode the token once more than it is.
    name, _, key = unquote(str(cursor)).rstrip("&").partition("=")
    last = whole(key)
    if name != "page_token" or last is None:
        raise CallRefused(10001, "cursor error")
    return last


def cursor_after(key: int) -> str:
    return quote(f"page_token={key}&", safe="")


_FIRST_KEY = 1_000_000_000


def in_order(rows: Sequence[T]) -> list[tuple[int, T]]:
    """Rows in the order in which they are to be shown, keyed for `paged`: one more at the end changes no key."""
    return [(_FIRST_KEY - index, row) for index, row in enumerate(rows)]


def newest_first(rows: Sequence[T]) -> list[tuple[int, T]]:
    """Rows of a log that only grows, oldest first, keyed for `paged` and turned round."""
    return list(enumerate(rows, start=1))[::-1]


def limit_of(asked: Asked, default: int, most: int) -> int:
    """More than there may be counts as the most.

    Raises:
        CallRefused: No number, or 0.
    """
    limit = whole(str(asked.get("limit") or default))
    if not limit:
        raise bad_param("limit invalid")
    return min(limit, most)


def optional_ms(asked: Asked, name: str) -> int | None:
    text = asked.get(name)
    if not text:
        return None
    time_ms = whole(str(text))
    if time_ms is None:
        raise bad_param(f"{name} invalid")
    return time_ms


def period(asked: Asked, now_ms: int, *, default_ms: int = WEEK_MS, most_ms: int = WEEK_MS) -> tuple[int, int]:
    """Nothing given: the last `default_ms`; one bound: that long from it; both: at most `most_ms`.

    Raises:
        CallRefused: 10001.
    """
    start, end = optional_ms(asked, "startTime"), optional_ms(asked, "endTime")
    if start is None:
        end = now_ms if end is None else end
        start = end - default_ms
    if end is None:
        end = start + default_ms
    if end < start or end - start > most_ms:
        days = most_ms // DAY_MS
        raise CallRefused(10001, f"The time range between startTime and endTime cannot exceed {days} days.")
    return start, end


# --- members of a body ----------------------------------------------------------------------------------------------


def text(asked: Asked, name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) else ""


def choice(asked: Asked, name: str, allowed: Sequence[str], default: str = "") -> str:
    """One of the words allowed; the default where nothing is said.

    Raises:
        CallRefused: Another word.
    """
    value = asked.get(name)
    if value in (None, ""):
        return default
    if value not in allowed:
        raise bad_param(f"{name} invalid")
    return str(value)


def flag(asked: Asked, name: str) -> bool:
    value = asked.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise bad_param(f"{name} invalid")


def integer(asked: Asked, name: str, default: int | None = None) -> int:
    """A whole number, as a JSON number or as text: clients send both.

    Raises:
        CallRefused: Neither, or absent where there is no default.
    """
    value = asked.get(name)
    if value in (None, "") and default is not None:
        return default
    read = value if isinstance(value, int) and not isinstance(value, bool) else whole(str(value))
    if read is None:
        raise bad_param(f"{name} invalid")
    return read


def amount(asked: Asked, name: str, words: str) -> Decimal:
    """Amounts are plain decimal texts: no number of JSON's, no sign, no exponent."""
    value = asked.get(name)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise bad_param(words)
    return Decimal(value)


def optional_amount(asked: Asked, name: str, words: str = "") -> Decimal | None:
    """None where nothing is said."""
    return None if asked.get(name) in (None, "") else amount(asked, name, words or f"{name} invalid")


def link_id(asked: Asked) -> str:
    value = asked.get("orderLinkId")
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _LINK_ID.fullmatch(value):
        raise bad_param("orderLinkId invalid")
    return value


def check_price(spec: SymbolSpec, price: Decimal) -> None:
    """
    Raises:
        CallRefused: No multiple of the tick, or out of the contract's range.
    """
    try:
        spec.instrument.check_price(price)
    except BadInput as bad:
        raise of_exchange(Refused(Why[str(bad.code)])) from None


def check_quantity(spec: SymbolSpec, quantity: Decimal) -> None:
    """
    Raises:
        CallRefused: No multiple of the step, or out of the contract's range.
    """
    if 0 < quantity < spec.instrument.min_quantity:
        raise of_exchange(Refused(Why.QUANTITY_TOO_SMALL))
    try:
        spec.instrument.check_quantity(quantity)
    except BadInput as bad:
        raise of_exchange(Refused(Why[str(bad.code)])) from None
