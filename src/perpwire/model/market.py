"""What the public streams say. Events are frozen; a venue's decoder fills them straight from the wire."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

Level = tuple[Decimal, Decimal]
"""Price (quote per base) and quantity (base)."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything a stream delivers.

    Attributes:
        venue: "binance" or "bybit".
        symbol: The venue's own symbol; "" where an event belongs to none.
        venue_time_ms: When the venue's matching engine made it: Unix milliseconds, the venue's clock. 0: not stated.
        received_ns: When its frame was readable here: Unix nanoseconds, our clock. 0 outside streams.
    """

    venue: str = ""
    symbol: str = ""
    venue_time_ms: int = 0
    received_ns: int = 0


class Trade(Event, frozen=True, kw_only=True):
    """One public trade (at Binance an aggregate of fills at one price and side).

    Attributes:
        trade_id: The venue's id, as text.
        price: Quote per base, exactly as sent.
        quantity: Base; always positive.
        buyer_is_maker: True when the seller crossed the spread.
    """

    trade_id: int | str
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool

    @property
    def taker_is_buyer(self) -> bool:
        return not self.buyer_is_maker


class BookTicker(Event, frozen=True, kw_only=True):
    """Top of book. A side without quotes has price and quantity 0.

    Attributes:
        bid_price, ask_price: Quote per base.
        bid_quantity, ask_quantity: Base.
        update_id: The venue's book counter; grows.
    """

    bid_price: Decimal
    bid_quantity: Decimal
    ask_price: Decimal
    ask_quantity: Decimal
    update_id: int


class BookSnapshot(Event, frozen=True, kw_only=True):
    """A whole book, or its top N levels: best first.

    Attributes:
        update_id: The counter that deltas continue from.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    update_id: int


class BookDelta(Event, frozen=True, kw_only=True):
    """Changed levels: quantities are absolute, 0 removes the level.

    Attributes:
        first_update_id: First update in it (Binance U); same as update_id where the venue has none.
        update_id: Last update in it (u).
        previous_update_id: update_id of the delta before (Binance pu); None where the venue has none.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    first_update_id: int
    update_id: int
    previous_update_id: int | None = None


class MarkPrice(Event, frozen=True, kw_only=True):
    """Mark price and funding.

    Attributes:
        mark_price: Quote per base; what margin and liquidation go by.
        index_price: Quote per base; None where not stated.
        funding_rate: Of the coming funding, as a fraction (0.0001 is 1 bp); None where the contract has none.
        next_funding_time_ms: Unix milliseconds; None where there is none.
    """

    mark_price: Decimal
    index_price: Decimal | None
    funding_rate: Decimal | None
    next_funding_time_ms: int | None


class PriceKind(StrEnum):
    """Which price candles are made of."""

    LAST = "LAST"
    MARK = "MARK"
    INDEX = "INDEX"
    PREMIUM = "PREMIUM"


class Kline(Event, frozen=True, kw_only=True):
    """One candle.

    Attributes:
        interval: In one spelling for both venues: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M.
        open_time_ms: Its first millisecond, venue's clock.
        close_time_ms: Its last millisecond.
        open, high, low, close: Quote per base (a fraction for PREMIUM).
        volume: Base; None where the price kind has none.
        quote_volume: Quote; None likewise.
        trades: Number of trades; None where not stated.
        is_closed: False while it may still change.
    """

    interval: str
    open_time_ms: int
    close_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    quote_volume: Decimal | None
    trades: int | None
    is_closed: bool
    price_kind: PriceKind = PriceKind.LAST


class Ticker(Event, frozen=True, kw_only=True):
    """Rolling 24 hours of one symbol.

    Attributes:
        last_price, open_price, high_price, low_price: Quote per base; open is the price 24 hours ago.
        volume: Base. quote_volume: Quote.
    """

    last_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    volume: Decimal
    quote_volume: Decimal


class OpenInterest(Event, frozen=True, kw_only=True):
    """Contracts open at `venue_time_ms`.

    Attributes:
        quantity: Base.
        notional: Quote; None where not stated.
    """

    quantity: Decimal
    notional: Decimal | None = None


class FundingRate(Event, frozen=True, kw_only=True):
    """One funding that has taken place, at `venue_time_ms`.

    Attributes:
        rate: Fraction of the notional that longs paid to shorts; negative the other way.
        mark_price: Quote per base; None where not stated.
    """

    rate: Decimal
    mark_price: Decimal | None = None


class VenueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the venue works, as it says itself.

    Attributes:
        is_up: False during a maintenance that stops trading.
        notices: Its words about maintenance that is under way or planned.
    """

    venue: str
    is_up: bool
    notices: tuple[str, ...] = ()
