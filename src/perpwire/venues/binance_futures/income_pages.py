"""Bookings of the account, page by page to the end of what was asked for, oldest first.

Source: usds-margined-futures/account/rest-api/Get-Income-History, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from perpwire.model.account import Income
from perpwire.venues.base import Call
from perpwire.venues.binance_futures import endpoints_account as endpoints, wire_account
from perpwire.venues.binance_futures.calling import at_the_venues_time, call
from perpwire.venues.binance_futures.spans import DAY_MS, bounds
from perpwire.venues.binance_futures.translate_account import INCOME_KINDS, income

PAGE = 1000
KEPT_MS = 93 * DAY_MS


def _key(one: Income) -> Hashable:
    """The id is unique only among bookings of its kind, and a trade in two assets may share it."""
    return one.venue_kind, one.income_id, one.asset, one.symbol


def income_pages(
    symbol: str | None, kind: str | None, start_ms: int | None, end_ms: int | None
) -> Call[tuple[Income, ...]]:
    """A kind that the venue books under several types is asked for type by type, and handed out when all are read."""
    types: Sequence[str | None] = INCOME_KINDS.get(kind or "", (None,))

    def wanted(rows: Sequence[wire_account.Income]) -> tuple[Income, ...]:
        return tuple(one for one in map(income, rows) if kind in (None, one.kind))

    def first(now_ms: int) -> Call[tuple[Income, ...]]:
        begin_ms, last_ms = bounds("income", start_ms, end_ms, now_ms, KEPT_MS)

        def page(place: int, from_ms: int, before: tuple[Income, ...]) -> Call[tuple[Income, ...]]:
            is_last_type = place == len(types) - 1

            def next_ms(rows: Sequence[wire_account.Income]) -> int | None:
                """Where the next page begins: at the last row's time, of which there may be more."""
                if len(rows) < PAGE:
                    return None
                if rows[-1].time <= from_ms:
                    raise ValueError(f"a page of {len(rows)} bookings goes no further than {from_ms}")
                return rows[-1].time

            def translated(rows: Sequence[wire_account.Income]) -> tuple[Income, ...]:
                found, more = wanted(rows), next_ms(rows) is not None
                if len(types) == 1:
                    return found
                if more or not is_last_type:
                    return ()
                return tuple(sorted(before + found, key=lambda one: one.time_ms))

            def next_page(rows: Sequence[wire_account.Income]) -> Call[tuple[Income, ...]] | None:
                after_ms = next_ms(rows)
                kept = () if len(types) == 1 else before + wanted(rows)
                if after_ms is not None:
                    return page(place, after_ms, kept)
                return None if is_last_type else page(place + 1, begin_ms, kept)

            return call(
                endpoints.INCOME,
                {
                    "symbol": symbol,
                    "incomeType": types[place],
                    "startTime": from_ms,
                    "endTime": last_ms,
                    "limit": PAGE,
                },
                translated,
                next_page=next_page,
                row_key=_key,
            )

        return page(0, begin_ms, ())

    return at_the_venues_time(first, _key)
