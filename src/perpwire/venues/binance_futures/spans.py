"""Spans of time, cut into the windows that the venue takes."""

from __future__ import annotations

from perpwire.errors import BadInput
from perpwire.venues.binance_futures.translate_words import VENUE

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


def check_span(call: str, start_ms: int | None, end_ms: int | None) -> None:
    """
    Raises:
        BadInput: It ends before it begins.
    """
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise BadInput(
            f"the span ends ({end_ms}) before it begins ({start_ms})", venue=VENUE, call=call, code="BAD_SPAN"
        )


def bounds(call: str, start_ms: int | None, end_ms: int | None, now_ms: int, kept_ms: int) -> tuple[int, int]:
    """Both ends, known: up to now at most, from no earlier than what the venue keeps; the last week where no start is
    given, which is the venue's own default. A start that is still to come (by a clock that is a little ahead) is now.

    Raises:
        BadInput: All of it is older than what the venue keeps.
    """
    last_ms = now_ms if end_ms is None else min(end_ms, now_ms)
    if last_ms < now_ms - kept_ms:
        reason = f"the venue keeps {kept_ms // DAY_MS} days: nothing can be had up to {last_ms}"
        raise BadInput(reason, venue=VENUE, call=call, code="TOO_OLD")
    first_ms = last_ms - WEEK_MS if start_ms is None else min(start_ms, last_ms)
    return max(first_ms, now_ms - kept_ms), last_ms
