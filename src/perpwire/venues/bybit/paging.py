"""How the venue's replies become results: page after page, window after window, and never half."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from perpwire.errors import APIError, BadInput, Garbled
from perpwire.model.market import Event
from perpwire.venues.base import Call, Endpoint, Params
from perpwire.venues.bybit import wire

T = TypeVar("T")
E = TypeVar("E", bound=Event)

NAME = "bybit"
SETTLE_COINS = ("USDT", "USDC")
"""What linear contracts are settled in. A listing without a symbol takes one of them at a time."""

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS
"""The longest span of one question to a log."""

KEPT_MS = 732 * DAY_MS
"""The account's logs go back two years, and a day for good measure."""


def bad(call: str, code: str, reason: str, advice: str | None = None) -> BadInput:
    return BadInput(reason, venue=NAME, call=call, code=code, advice=advice)


def call(
    endpoint: Endpoint,
    params: Params,
    translate_reply: Callable[[Any], T],
    *,
    next_page: Callable[[Any], Call[T] | None] | None = None,
    row_key: Callable[[Any], Hashable] | None = None,
    otherwise: Call[T] | None = None,
    follow: Callable[[T], Call[T] | None] | None = None,
) -> Call[T]:
    """A call whose reply, if it can be decoded but not understood, is Garbled."""

    def translated(reply: Any) -> T:
        try:
            return translate_reply(reply)
        except APIError:
            raise
        except ValueError as error:
            raise Garbled(str(error), venue=NAME, call=endpoint.name) from error

    return Call(endpoint, params, translated, next_page=next_page, row_key=row_key, otherwise=otherwise, follow=follow)


def paged(
    endpoint: Endpoint,
    params: Params,
    translate_page: Callable[[Any], tuple[T, ...]],
    *,
    row_key: Callable[[Any], Hashable] | None = None,
    afterwards: Call[tuple[T, ...]] | None = None,
) -> Call[tuple[T, ...]]:
    """A listing to its last page, then `afterwards`."""

    def next_page(page: wire.Page[Any]) -> Call[tuple[T, ...]] | None:
        # A token can come with the last page too; the page after it is empty then.
        if not page.nextPageCursor or not page.rows:
            return afterwards
        following = {**params, "cursor": page.nextPageCursor}
        return paged(endpoint, following, translate_page, row_key=row_key, afterwards=afterwards)

    return call(endpoint, params, translate_page, next_page=next_page, row_key=row_key)


def of_symbol_or_all(
    endpoint: Endpoint,
    params: Params,
    symbol: str | None,
    translate_page: Callable[[Any], tuple[T, ...]],
    *,
    row_key: Callable[[Any], Hashable],
) -> Call[tuple[T, ...]]:
    """A listing of one symbol, or of the contracts settled in one coin after the other."""
    if symbol is not None:
        return paged(endpoint, {**params, "symbol": symbol}, translate_page, row_key=row_key)
    following: Call[tuple[T, ...]] | None = None
    for coin in reversed(SETTLE_COINS):
        asked = {**params, "settleCoin": coin}
        following = paged(endpoint, asked, translate_page, row_key=row_key, afterwards=following)
    assert following is not None
    return following


class Log:
    """A log that the venue gives newest first and by spans of time: read oldest first, span after span.

    A span's pages are held back until its last one, and then given together, turned round.

    Args:
        span_ms: Longest span of one question.
        start, end: The venue's names for its ends, which are both included.
        kept_ms: How far back there is anything: what the caller wants from before that is not asked for, as soon as
            the first answer has told the venue's time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        span_ms: int = WEEK_MS,
        start: str = "startTime",
        end: str = "endTime",
        kept_ms: int | None = None,
    ):
        self._endpoint = endpoint
        self._span_ms = span_ms
        self._start = start
        self._end = end
        self._kept_ms = kept_ms

    def read(
        self,
        params: Mapping[str, Any],
        start_ms: int | None,
        end_ms: int | None,
        translate_page: Callable[[wire.Dated[Any]], tuple[T, ...]],
        *,
        row_key: Callable[[Any], Hashable],
        afterwards: Call[tuple[T, ...]] | None = None,
    ) -> Call[tuple[T, ...]]:
        """With start_ms: from there to end_ms, or to the time of the last reply. Without: one question, as the venue
        takes it: its default span, which ends at end_ms or now. What ends before what is kept is BadInput (TOO_OLD), as
        soon as the first answer has told the venue's time."""
        last_ms = end_ms if start_ms is None else start_ms + self._span_ms - 1
        if last_ms is not None and end_ms is not None:
            last_ms = min(last_ms, end_ms)
        window = {self._start: start_ms, self._end: last_ms}

        def beyond(now_ms: int) -> Call[tuple[T, ...]] | None:
            """What comes after this span."""
            goal_ms = now_ms if end_ms is None else min(end_ms, now_ms)
            if start_ms is None or last_ms is None or last_ms >= goal_ms:
                return afterwards
            next_ms = last_ms + 1
            if self._kept_ms is not None:
                next_ms = max(next_ms, now_ms - self._kept_ms)
            if next_ms > goal_ms:
                return afterwards
            return self.read(params, next_ms, end_ms, translate_page, row_key=row_key, afterwards=afterwards)

        def page(cursor: Mapping[str, Any], held: tuple[wire.Dated[Any], ...]) -> Call[tuple[T, ...]]:
            def more(reply: wire.Dated[Any]) -> bool:
                return bool(reply.result.nextPageCursor and reply.result.rows)

            def rows(reply: wire.Dated[Any]) -> tuple[T, ...]:
                if self._kept_ms is not None and end_ms is not None and end_ms < reply.time - self._kept_ms:
                    reason = f"the venue keeps {self._kept_ms // DAY_MS} days: nothing can be had up to {end_ms}"
                    raise bad(self._endpoint.name, "TOO_OLD", reason)
                if more(reply):
                    return ()
                return tuple(row for one in (*held, reply) for row in translate_page(one))[::-1]

            def next_page(reply: wire.Dated[Any]) -> Call[tuple[T, ...]] | None:
                if more(reply):
                    return page({"cursor": reply.result.nextPageCursor}, (*held, reply))
                return beyond(reply.time)

            return call(self._endpoint, {**params, **window, **cursor}, rows, next_page=next_page, row_key=row_key)

        return page({}, ())


def backwards(
    endpoint: Endpoint,
    params: Mapping[str, Any],
    start_ms: int | None,
    end_ms: int | None,
    translate_page: Callable[[Any], tuple[E, ...]],
    *,
    most: int,
) -> Call[tuple[E, ...]]:
    """A list without page tokens whose rows lie unevenly in time: each question goes on before the oldest row of the
    last one, down to start_ms (without: one question). All rows come with the last page, oldest first.

    Args:
        most: Rows of a full page.
    """

    def page(last_ms: int | None, held: tuple[Any, ...]) -> Call[tuple[E, ...]]:
        def rows_of(reply: Any) -> tuple[E, ...]:
            return tuple(row for one in (*held, reply) for row in translate_page(one))

        def oldest_ms(reply: Any) -> int | None:
            """Where the next question ends; None: it is not needed."""
            rows = translate_page(reply)
            if start_ms is None or len(rows) < most or rows[-1].venue_time_ms <= start_ms:
                return None
            return rows[-1].venue_time_ms - 1

        def rows(reply: Any) -> tuple[E, ...]:
            if oldest_ms(reply) is not None:
                return ()
            return tuple(one for one in rows_of(reply)[::-1] if start_ms is None or one.venue_time_ms >= start_ms)

        def next_page(reply: Any) -> Call[tuple[E, ...]] | None:
            before_ms = oldest_ms(reply)
            return None if before_ms is None else page(before_ms, (*held, reply))

        # The venue takes no start without an end.
        span = {"startTime": None if last_ms is None else start_ms, "endTime": last_ms}
        return call(endpoint, {**params, **span}, rows, next_page=next_page, row_key=lambda one: one.venue_time_ms)

    return page(end_ms, ())
