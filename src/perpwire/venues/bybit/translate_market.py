"""The market, from wire to model. Times are Unix milliseconds of the venue's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from perpwire.model.instrument import Instrument
from perpwire.model.market import (
    BookSnapshot,
    BookTicker,
    FundingRate,
    Kline,
    MarkPrice,
    OpenInterest,
    PriceKind,
    Ticker,
    Trade,
    VenueStatus,
    text_levels,
)
from perpwire.model.order import Side
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.translate import NAME, milliseconds, number, optional, percent, positive, side_of, stated
from perpwire.venues.finite import not_finite

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

INTERVALS = {
    "1m": ("1", MINUTE_MS),
    "3m": ("3", 3 * MINUTE_MS),
    "5m": ("5", 5 * MINUTE_MS),
    "15m": ("15", 15 * MINUTE_MS),
    "30m": ("30", 30 * MINUTE_MS),
    "1h": ("60", 60 * MINUTE_MS),
    "2h": ("120", 120 * MINUTE_MS),
    "4h": ("240", 240 * MINUTE_MS),
    "6h": ("360", 360 * MINUTE_MS),
    "12h": ("720", 720 * MINUTE_MS),
    "1d": ("D", DAY_MS),
    "1w": ("W", 7 * DAY_MS),
    "1M": ("M", 28 * DAY_MS),
}
"""Our spelling -> the venue's, and the least length of such a candle."""

INTEREST_INTERVALS = {
    "5m": ("5min", 5 * MINUTE_MS),
    "15m": ("15min", 15 * MINUTE_MS),
    "30m": ("30min", 30 * MINUTE_MS),
    "1h": ("1h", 60 * MINUTE_MS),
    "4h": ("4h", 240 * MINUTE_MS),
    "1d": ("1d", DAY_MS),
}

T = TypeVar("T")

FUTURES, TRADING = 1, 1
"""Of a notice: the product and the service that concern us."""


def server_time(reply: wire.ServerTime) -> int:
    return int(reply.timeNano) // 1_000_000


def instruments(page: wire.Page[wire.InstrumentRow]) -> tuple[Instrument, ...]:
    """The perpetuals of a page; dated futures are left out."""
    return tuple(instrument(row) for row in page.rows or () if row.contractType == "LinearPerpetual")


def instrument(row: wire.InstrumentRow) -> Instrument:
    prices, lots = row.priceFilter, row.lotSizeFilter
    return Instrument(
        venue=NAME,
        symbol=row.symbol,
        base=row.baseCoin or "",
        quote=row.quoteCoin or "",
        settle=row.settleCoin or "",
        is_trading=row.status == "Trading",
        tick_size=stated(prices.tickSize),
        min_price=optional(prices.minPrice),
        max_price=optional(prices.maxPrice),
        quantity_step=stated(lots.qtyStep),
        min_quantity=stated(lots.minOrderQty),
        max_quantity=optional(lots.maxOrderQty),
        max_market_quantity=optional(lots.maxMktOrderQty),
        min_notional=optional(lots.minNotionalValue),
        funding_interval_s=row.fundingInterval * 60 if row.fundingInterval else None,
        status=row.status or "",
        launch_time_ms=milliseconds(row.launchTime) or None,
        delivery_time_ms=milliseconds(row.deliveryTime) or None,
        max_leverage=None if row.leverageFilter is None else optional(row.leverageFilter.maxLeverage),
        leverage_step=None if row.leverageFilter is None else optional(row.leverageFilter.leverageStep),
    )


def book(reply: wire.BookReply[Decimal]) -> BookSnapshot:
    for level in (*reply.b, *reply.a):
        if not (level[0].is_finite() and level[1].is_finite()):
            not_finite(*level)
    return BookSnapshot(
        venue=NAME,
        symbol=reply.s,
        venue_time_ms=reply.cts or reply.ts or 0,
        bid_text=text_levels(reply.b),
        ask_text=text_levels(reply.a),
        update_id=reply.u,
        sequence=reply.seq if isinstance(reply.seq, int) else 0,
    )


def status(page: wire.Rows[wire.StatusRow]) -> VenueStatus:
    """Down while a maintenance of trading in futures is under way for all users; one for some accounts only (uidSuffix)
    is a notice."""
    ours = [row for row in page.rows or () if FUTURES in (row.product or (FUTURES,))]
    shown = [row for row in ours if row.state in ("ongoing", "scheduled")]
    stops = [
        row
        for row in shown
        if row.state == "ongoing" and TRADING in (row.serviceTypes or (TRADING,)) and not row.uidSuffix
    ]
    return VenueStatus(venue=NAME, is_up=not stops, notices=tuple(f"{row.state}: {row.title or ''}" for row in shown))


def trades(page: wire.Page[wire.RecentTradeRow]) -> tuple[Trade, ...]:
    """Oldest first."""
    return tuple(
        Trade(
            venue=NAME,
            symbol=row.symbol,
            venue_time_ms=int(row.time),
            trade_id=row.execId,
            price=number(row.price),
            quantity=number(row.size),
            buyer_is_maker=side_of(row.side) is Side.SELL,
            is_block=row.isBlockTrade is True,
            is_rpi=row.isRPITrade is True,
            sequence=int(row.seq) if str(row.seq).isdecimal() else 0,
        )
        for row in reversed(page.rows or ())
    )


def close_time_ms(interval: str, open_ms: int) -> int:
    """The last millisecond of a candle."""
    if interval != "1M":
        return open_ms + INTERVALS[interval][1] - 1
    opened = datetime.fromtimestamp(open_ms / 1000, UTC)
    following = datetime(opened.year + opened.month // 12, opened.month % 12 + 1, 1, tzinfo=UTC)
    return int(following.timestamp()) * 1000 - 1


def klines(reply: wire.Dated[wire.Candles], symbol: str, interval: str, kind: PriceKind) -> tuple[Kline, ...]:
    """In the venue's order: newest first."""
    return tuple(_kline(row, symbol, interval, kind, reply.time) for row in reply.result.rows or ())


def _kline(row: tuple[str, ...], symbol: str, interval: str, kind: PriceKind, now_ms: int) -> Kline:
    if len(row) < 5:
        raise ValueError(f"a candle of {len(row)} parts")
    open_ms = int(row[0])
    closes_ms = close_time_ms(interval, open_ms)
    return Kline(
        venue=NAME,
        symbol=symbol,
        venue_time_ms=open_ms,
        interval=interval,
        open_time_ms=open_ms,
        close_time_ms=closes_ms,
        open=number(row[1]),
        high=number(row[2]),
        low=number(row[3]),
        close=number(row[4]),
        volume=number(row[5]) if len(row) > 6 else None,
        quote_volume=number(row[6]) if len(row) > 6 else None,
        trades=None,
        is_closed=closes_ms < now_ms,
        price_kind=kind,
    )


def of_tickers(reply: wire.Dated[wire.Page[wire.TickerRow]], one: Callable[[wire.TickerRow, int], T]) -> tuple[T, ...]:
    """Of the perpetuals; dated futures (BTC-25DEC26) are left out."""
    return tuple(one(row, reply.time) for row in reply.result.rows or () if "-" not in row.symbol)


def ticker(row: wire.TickerRow, time_ms: int) -> Ticker:
    return Ticker(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=time_ms,
        last_price=number(row.lastPrice or ""),
        open_price=stated(row.prevPrice24h),
        high_price=stated(row.highPrice24h),
        low_price=stated(row.lowPrice24h),
        volume=stated(row.volume24h),
        quote_volume=stated(row.turnover24h),
        price_change_percent=percent(row.price24hPcnt),
        bid_price=positive(row.bid1Price),
        bid_quantity=optional(row.bid1Size),
        ask_price=positive(row.ask1Price),
        ask_quantity=optional(row.ask1Size),
    )


def book_ticker(row: wire.TickerRow, time_ms: int) -> BookTicker:
    """The venue states no book counter here: update_id is 0."""
    return BookTicker(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=time_ms,
        bid_price=stated(row.bid1Price),
        bid_quantity=stated(row.bid1Size),
        ask_price=stated(row.ask1Price),
        ask_quantity=stated(row.ask1Size),
        update_id=0,
    )


def mark_price(row: wire.TickerRow, time_ms: int) -> MarkPrice:
    return MarkPrice(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=time_ms,
        mark_price=number(row.markPrice or ""),
        index_price=positive(row.indexPrice),
        funding_rate=optional(row.fundingRate),
        next_funding_time_ms=milliseconds(row.nextFundingTime) or None,
    )


def open_interest(row: wire.TickerRow, time_ms: int) -> OpenInterest:
    """Each contract once; the venue's openInterest counts both its sides."""
    return OpenInterest(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=time_ms,
        quantity=_one_side(row.singleOpenInterest, row.openInterest),
        notional=_one_side(row.singleOpenInterestValue, row.openInterestValue),
    )


def open_interests(page: wire.Page[wire.OpenInterestRow], symbol: str) -> tuple[OpenInterest, ...]:
    """In the venue's order: newest first."""
    return tuple(
        OpenInterest(
            venue=NAME,
            symbol=symbol,
            venue_time_ms=int(row.timestamp),
            quantity=_one_side(row.singleOpenInterest, row.openInterest),
        )
        for row in page.rows or ()
    )


def _one_side(single: str | None, both: str | None) -> Decimal:
    return number(single) if single else stated(both) / 2


def funding_rates(page: wire.Page[wire.FundingRow]) -> tuple[FundingRate, ...]:
    """In the venue's order: newest first."""
    return tuple(
        FundingRate(
            venue=NAME,
            symbol=row.symbol,
            venue_time_ms=int(row.fundingRateTimestamp),
            rate=number(row.fundingRate),
        )
        for row in page.rows or ()
    )
