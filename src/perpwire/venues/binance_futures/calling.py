"""How a row of the table becomes a Call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import msgspec

from perpwire.errors import APIError, Garbled, OutcomeUnknown
from perpwire.venues.base import Call, Endpoint, Params
from perpwire.venues.binance_futures import endpoints_market
from perpwire.venues.binance_futures.translate_words import VENUE

T = TypeVar("T")


def garbled(endpoint: Endpoint, why: str, raw: bytes) -> APIError:
    """An answer that can't be read. The venue has answered, so it may well have done what was asked."""
    reason = f"the answer could not be read: {why}"
    if endpoint.writes:
        return OutcomeUnknown(reason, venue=VENUE, call=endpoint.name)
    return Garbled(reason, venue=VENUE, call=endpoint.name, raw=raw)


def call(
    endpoint: Endpoint,
    params: Params,
    translated: Callable[[Any], T],
    *,
    next_page: Callable[[Any], Call[T] | None] | None = None,
    row_key: Callable[[Any], Hashable] | None = None,
    otherwise: Call[T] | None = None,
    then: Callable[[Any], Call[T]] | None = None,
    follow: Callable[[T], Call[T] | None] | None = None,
) -> Call[T]:
    """A call whose answer is Garbled, too, where it can be decoded but makes no sense."""

    def translate_it(reply: Any) -> T:
        try:
            return translated(reply)
        except ValueError as error:
            raise garbled(endpoint, str(error), msgspec.json.encode(reply)) from error

    return Call(
        endpoint,
        params,
        translate_it,
        next_page=next_page,
        row_key=row_key,
        otherwise=otherwise,
        then=then,
        follow=follow,
    )


def at_the_venues_time(
    build: Callable[[int], Call[tuple[T, ...]]], row_key: Callable[[Any], Hashable] | None = None
) -> Call[tuple[T, ...]]:
    """Pages up to now, by the venue's own clock, which is asked first: nothing here has a clock.

    Args:
        build: The venue's time, Unix milliseconds -> the first page.
    """
    return call(
        endpoints_market.SERVER_TIME,
        {},
        lambda reply: (),
        row_key=row_key,
        next_page=lambda reply: build(int(reply.server_time)),
    )
