"""Rows of the market's past, page by page, oldest first, to the end of what was asked for.

Source: usds-margined-futures/market-data/rest-api, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Sequence

from perpwire.model.market import AggTrade, FundingRate, Kline, OpenInterest, PriceKind, Trade
from perpwire.venues.base import Call, Params
from perpwire.venues.binance_futures import endpoints_market as endpoints, translate_market, wire_market, wire_streams
from perpwire.venues.binance_futures.calling import at_the_venues_time, call
from perpwire.venues.binance_futures.spans import DAY_MS, bounds

PAGE = 1000

INTERVALS_MS = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000,
    "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000, "12h": 43_200_000, "1d": DAY_MS, "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS, "1M": 28 * DAY_MS,
}  # fmt: skip
"""Of candles; a month's is the shortest there is."""

STATISTICS_INTERVALS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
STATISTICS_PAGE = 500
STATISTICS_KEPT_MS = 30 * DAY_MS


# --- trades -----------------------------------------------------------------------------------------------------------


def _trade_id(one: Trade) -> int | str:
    return one.trade_id


def _from(last: Trade, rows: tuple[Trade, ...]) -> tuple[Trade, ...]:
    at = next((n for n, row in enumerate(rows) if row.trade_id == last.trade_id), 0)
    return rows[at:]


def trades_from(symbol: str, last: Trade) -> Call[tuple[Trade, ...]]:
    """One page: the aggregated trade of this id and what came after it. Of single ones the newest there are: older ones
    are told to no one without an API key."""
    if not isinstance(last, AggTrade):
        return call(
            endpoints.RECENT_TRADES,
            {"symbol": symbol, "limit": PAGE},
            lambda rows: _from(last, translate_market.recent_trades(symbol, rows)),
        )
    return call(
        endpoints.TRADES,
        {"symbol": symbol, "limit": PAGE, "fromId": last.trade_id},
        lambda rows: tuple(translate_market.aggregate_trade(symbol, row) for row in rows),
    )


def trades(symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[Trade, ...]]:
    """From the start on the first trade's id leads on; without a start there is one page, the newest."""

    def page(where: Params) -> Call[tuple[Trade, ...]]:
        def next_page(rows: Sequence[wire_streams.RestAggTrade]) -> Call[tuple[Trade, ...]] | None:
            if start_ms is None or len(rows) < PAGE or (end_ms is not None and rows[-1].trade_time > end_ms):
                return None
            return page({"fromId": rows[-1].agg_id + 1})

        return call(
            endpoints.TRADES,
            {"symbol": symbol, "limit": PAGE, **where},
            lambda rows: tuple(
                translate_market.aggregate_trade(symbol, row)
                for row in rows
                if end_ms is None or row.trade_time <= end_ms
            ),
            next_page=next_page,
            row_key=_trade_id,
        )

    return page({"endTime": end_ms} if start_ms is None else {"startTime": start_ms})


# --- candles ----------------------------------------------------------------------------------------------------------

_CANDLES = {
    PriceKind.LAST: (endpoints.KLINES, "symbol"),
    PriceKind.MARK: (endpoints.MARK_KLINES, "symbol"),
    PriceKind.INDEX: (endpoints.INDEX_KLINES, "pair"),
    PriceKind.PREMIUM: (endpoints.PREMIUM_KLINES, "symbol"),
}

_CANDLE_PAGES = (99, 499, 1000)
"""The greatest pages of each weight; the largest of all, 1500, costs more for each candle."""


def kline_key(one: Kline) -> int:
    return one.open_time_ms


class KlinePages:
    def __init__(self, symbol: str, interval: str, price_kind: PriceKind, now_ms: int) -> None:
        self._symbol = symbol
        self._interval = interval
        self._price_kind = price_kind
        self._now_ms = now_ms

    def between(self, start_ms: int | None, end_ms: int | None) -> Call[tuple[Kline, ...]]:
        """Without a start one page, the newest."""
        last_ms = self._now_ms if end_ms is None else end_ms
        if start_ms is None:
            return self._page(None, end_ms, _CANDLE_PAGES[1], last_ms)
        wanted = max(0, last_ms - start_ms) // INTERVALS_MS[self._interval] + 1
        limit = next((size for size in _CANDLE_PAGES if size >= wanted), _CANDLE_PAGES[-1])
        return self._page(start_ms, end_ms, limit, last_ms)

    def _page(self, start_ms: int | None, end_ms: int | None, limit: int, last_ms: int) -> Call[tuple[Kline, ...]]:
        endpoint, name = _CANDLES[self._price_kind]

        def next_page(rows: Sequence[wire_market.Kline]) -> Call[tuple[Kline, ...]] | None:
            if start_ms is None or len(rows) < limit or rows[-1][6] >= last_ms:
                return None
            return self._page(rows[-1][0] + 1, end_ms, limit, last_ms)

        return call(
            endpoint,
            {name: self._symbol, "interval": self._interval, "startTime": start_ms, "endTime": end_ms, "limit": limit},
            lambda rows: tuple(
                translate_market.kline(self._symbol, self._interval, self._price_kind, self._now_ms, row)
                for row in rows
            ),
            next_page=next_page,
            row_key=kline_key,
        )


# --- statistics -------------------------------------------------------------------------------------------------------


def _at(one: OpenInterest | FundingRate) -> int:
    return one.venue_time_ms


def open_interest(
    symbol: str, interval: str, start_ms: int | None, end_ms: int | None
) -> Call[tuple[OpenInterest, ...]]:
    """Spans that no page overflows, as the venue does not say which rows it would leave out."""
    params = {"symbol": symbol, "period": interval, "limit": STATISTICS_PAGE}
    if start_ms is None:
        newest = {**params, "endTime": end_ms}
        return call(endpoints.OPEN_INTEREST_HISTORY, newest, translate_market.open_interest_history)
    asked_ms = start_ms

    def first(now_ms: int) -> Call[tuple[OpenInterest, ...]]:
        # A minute later than the oldest there is: it must still be there when the question arrives.
        kept_ms = STATISTICS_KEPT_MS - 60_000
        return window(*bounds("open_interest_history", asked_ms, end_ms, now_ms, kept_ms))

    def window(from_ms: int, last_ms: int) -> Call[tuple[OpenInterest, ...]]:
        until_ms = min(from_ms + (STATISTICS_PAGE - 1) * INTERVALS_MS[interval], last_ms)
        return call(
            endpoints.OPEN_INTEREST_HISTORY,
            {**params, "startTime": from_ms, "endTime": until_ms},
            translate_market.open_interest_history,
            next_page=lambda rows: window(until_ms + 1, last_ms) if until_ms < last_ms else None,
            row_key=_at,
        )

    return at_the_venues_time(first, _at)


def funding_rates(symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[FundingRate, ...]]:
    """From the start on; without a start there is one page, the newest."""

    def page(from_ms: int | None) -> Call[tuple[FundingRate, ...]]:
        def next_page(rows: Sequence[wire_market.FundingRate]) -> Call[tuple[FundingRate, ...]] | None:
            return None if from_ms is None or len(rows) < PAGE else page(rows[-1].funding_time + 1)

        return call(
            endpoints.FUNDING_RATES,
            {"symbol": symbol, "startTime": from_ms, "endTime": end_ms, "limit": PAGE},
            translate_market.funding_rates,
            next_page=next_page,
            row_key=_at,
        )

    return page(start_ms)
