"""What the public streams say. Events are frozen; a venue's decoder fills them straight from the wire."""

from __future__ import annotations

from decimal import Decimal

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
