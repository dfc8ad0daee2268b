"""What the public streams say. Events are frozen; a venue's decoder fills them straight from the wire."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

import msgspec

Level = tuple[Decimal, Decimal]
"""Price (quote per base) and quantity (base)."""

TextLevel = tuple[str, str]
"""The same, as the venue wrote it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything a stream delivers.

    Attributes:
        venue: "binance" or "bybit".
        symbol: The venue's own symbol; "" where an event belongs to none.
        venue_time_ms: When the venue's matching engine made it: Unix milliseconds, the venue's clock. 0: not stated.
        received_ns: When its frame was readable here: Unix nanoseconds, our clock. 0 outside streams.
        recovered: It was read back over REST after a time in which its stream was not there.
    """

    venue: str = ""
    symbol: str = ""
    venue_time_ms: int = 0
    received_ns: int = 0
    recovered: bool = False


def kind_of(made: type[Event]) -> type[Event]:
    """The model's class of an event's own: venues deliver subclasses of it."""
    return next((one for one in made.__mro__ if one.__module__.startswith("perpwire.model.")), made)


class Gap(Event, frozen=True, kw_only=True):
    """In place of events that were, or may have been, missed: delivered to those who asked for their kind, before what
    comes next. `symbol` is "" where it holds for every symbol.

    Attributes:
        kind: Name of the kind of event that is missing, such as "Trade".
        interval: Of candles, as in Kline; "" of all else.
        since_ns: Arrival of the last event before it, Unix nanoseconds, our clock; where there was none, of the
            venue's acknowledgement of the stream, or 0.
        until_ns: When the stream was there again.
        first_missing, last_missing: Ids of what is missing, where the venue counts them; None where it does not.
        repaired: What was missing follows, read back and marked `recovered`.
        why: Such as "the connection was lost".
    """

    kind: str
    interval: str = ""
    since_ns: int
    until_ns: int
    first_missing: int | None = None
    last_missing: int | None = None
    repaired: bool = False
    why: str = ""


class Stale(Event, frozen=True, kw_only=True):
    """Nothing has come of a stream since then, though something should, or its connection is lost: what was last said
    may be old. Told in a fan-out only (docs/fanout.md); within this program incidents and states tell it.

    Attributes:
        kind: Name of the kind of event that its stream carries.
        interval: Of candles, as in Kline; "" of all else.
        since_ns: When that was found: Unix nanoseconds, the clock of who found it.
        why: Such as "the connection was lost".
    """

    kind: str
    interval: str = ""
    since_ns: int
    why: str = ""


class Recovered(Event, frozen=True, kw_only=True):
    """A stream that was Stale is there again. Where events were missed, a Gap says which; see Stale.

    Attributes:
        kind, interval: As of Stale.
        at_ns: Unix nanoseconds, the clock of who found it.
    """

    kind: str
    interval: str = ""
    at_ns: int


class Unknown(Event, frozen=True, kw_only=True):
    """A message of a kind that this version does not know. Nothing of it is lost: `raw` is the whole of it.

    Attributes:
        name: What the venue calls it; "" where that can't be told.
        raw: Its text as it came.
    """

    name: str
    raw: str


class Trade(Event, frozen=True, kw_only=True, gc=False):
    """One public trade.

    Attributes:
        trade_id: The venue's id, as text.
        price: Quote per base, exactly as sent.
        quantity: Base; always positive.
        buyer_is_maker: True when the seller crossed the spread.
        is_block: It was agreed outside the book, and its price need not be the market's. Said by Bybit.
        is_rpi: An RPI order, which no usual book shows, was its maker. Said by Bybit, and at Binance over REST only
            (get_recent_trades): on its streams, and where it adds trades up, False means nothing.
        sequence: Of the venue's matching engine, as in BookLevels (Bybit seq); trades of one match may share it. 0
            where the venue has none.
    """

    trade_id: int | str
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    is_block: bool = False
    is_rpi: bool = False
    sequence: int = 0

    @property
    def taker_is_buyer(self) -> bool:
        return not self.buyer_is_maker


class AggTrade(Trade, frozen=True, kw_only=True, gc=False):
    """Trades of one taker order at one price, in one; Binance only. Handlers of Trade hear these too.

    Attributes:
        first_trade_id, last_trade_id: Of the trades in it.
        quantity_without_rpi: Base; of `quantity`, without what RPI orders made. None where not stated.
    """

    first_trade_id: int
    last_trade_id: int
    quantity_without_rpi: Decimal | None = None


class BookTicker(Event, frozen=True, kw_only=True, gc=False):
    """Top of book. A side without quotes has price and quantity 0. Bybit repeats it every 3 s while nothing changes:
    with the same `update_id`, and `venue_time_ms` of the repeat.

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


class BookLevels(Event, frozen=True, kw_only=True, dict=True):
    """Levels of a book as they came; `bids` and `asks` make numbers of them when they are first read.

    Attributes:
        bid_text, ask_text: Price and quantity of each level in the venue's own digits, best first.
        update_id: The venue's counter of the last update in it (Binance u or lastUpdateId, Bybit u).
        sequence: Of the venue's matching engine (Bybit seq), which never falls; 0 where the venue has none.
        stream: The stream's own name, such as "orderbook.50.BTCUSDT", by which books of another depth or speed are told
            apart; "" outside streams.
    """

    bid_text: tuple[TextLevel, ...]
    ask_text: tuple[TextLevel, ...]
    update_id: int
    sequence: int = 0
    stream: str = ""

    @cached_property
    def bids(self) -> tuple[Level, ...]:
        """Price and quantity of each bid level, exactly as sent."""
        return exact_levels(self.bid_text)

    @cached_property
    def asks(self) -> tuple[Level, ...]:
        """Price and quantity of each ask level, exactly as sent."""
        return exact_levels(self.ask_text)


def exact_levels(levels: Iterable[TextLevel]) -> tuple[Level, ...]:
    """
    Raises:
        decimal.InvalidOperation: Something in it is no number.
    """
    return tuple([(Decimal(price), Decimal(quantity)) for price, quantity in levels])


def text_levels(levels: Iterable[tuple[Decimal | int | str, Decimal | int | str]]) -> tuple[TextLevel, ...]:
    """For making book events of your own: levels as a venue would write them."""
    return tuple([(f"{Decimal(price):f}", f"{Decimal(quantity):f}") for price, quantity in levels])


class BookSnapshot(BookLevels, frozen=True, kw_only=True, dict=True):
    """A whole book, or its top N levels: best first. Deltas continue from its `update_id`."""


class BookDelta(BookLevels, frozen=True, kw_only=True, dict=True):
    """Changed levels: quantities are absolute, 0 removes the level.

    Attributes:
        first_update_id: First update in it (Binance U); same as update_id where the venue has none.
        previous_update_id: update_id of the delta before (Binance pu); None where the venue has none.
    """

    first_update_id: int
    previous_update_id: int | None = None


RpiLevel = tuple[Decimal, Decimal, Decimal]
"""Price, quantity without and quantity of retail-price-improvement orders."""


class RpiBook(Event, frozen=True, kw_only=True):
    """Changed levels of the book with retail-price-improvement orders, in which bids may stand above asks.

    Attributes:
        bids, asks: Levels as (price, quantity, RPI quantity); where the venue states the sum alone (Binance) it is the
            quantity, and the RPI quantity is 0. Both 0 removes the level.
        is_snapshot: These are all the levels there are.
        update_id, previous_update_id: See BookDelta.
    """

    bids: tuple[RpiLevel, ...]
    asks: tuple[RpiLevel, ...]
    is_snapshot: bool
    update_id: int
    previous_update_id: int | None = None


class MarkPrice(Event, frozen=True, kw_only=True):
    """Mark price and funding.

    Attributes:
        mark_price: Quote per base; what margin and liquidation go by.
        index_price: Quote per base; None where not stated.
        funding_rate: Of the coming funding, as a fraction (0.0001 is 1 bp); None where the contract has none.
        next_funding_time_ms: Unix milliseconds; None where there is none.
        average_price: Moving average of the mark price, quote per base; None where not stated (Bybit, and over REST).
        settle_price: What it would be settled at, as the venue estimates; of use in the last hour before. None where
            not stated (Bybit).
    """

    mark_price: Decimal
    index_price: Decimal | None
    funding_rate: Decimal | None
    next_funding_time_ms: int | None
    average_price: Decimal | None = None
    settle_price: Decimal | None = None


class PriceKind(StrEnum):
    """Which price candles are made of."""

    LAST = "LAST"
    MARK = "MARK"
    INDEX = "INDEX"
    PREMIUM = "PREMIUM"


class Bar(Event, frozen=True, kw_only=True):
    """What candles have in common.

    Attributes:
        interval: In one spelling for both venues: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M.
        open_time_ms: Its first millisecond, venue's clock.
        close_time_ms: Its last millisecond.
        open, high, low, close: Quote per base (a fraction for PREMIUM).
        volume: Base; None where the price kind has none.
        quote_volume: Quote; None likewise.
        trades: Number of trades; None where not stated.
        taker_buy_volume, taker_buy_quote_volume: What of both volumes takers bought; None where not stated (Bybit).
        is_closed: False while it may still change.
        is_complete: False where trades of its time may be missing: it is made of them (candles.py), and there was a
            gap.
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
    taker_buy_volume: Decimal | None = None
    taker_buy_quote_volume: Decimal | None = None
    is_closed: bool
    is_complete: bool = True


class Kline(Bar, frozen=True, kw_only=True):
    """One candle of a symbol."""

    price_kind: PriceKind = PriceKind.LAST


class ContinuousKline(Bar, frozen=True, kw_only=True):
    """One candle of a pair's contract of one kind, whichever that is just now; Binance only. `symbol` is the pair.

    Attributes:
        contract: Such as PERPETUAL or CURRENT_QUARTER.
    """

    contract: str


class MiniTicker(Event, frozen=True, kw_only=True):
    """Rolling 24 hours of one symbol, in short; Binance only.

    Attributes:
        last_price, open_price, high_price, low_price: Quote per base.
        volume: Base. quote_volume: Quote.
    """

    last_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    volume: Decimal
    quote_volume: Decimal


class Ticker(Event, frozen=True, kw_only=True):
    """Rolling 24 hours of one symbol. What a venue does not state is None.

    Attributes:
        last_price, open_price, high_price, low_price: Quote per base; open is the price 24 hours ago.
        volume: Base. quote_volume: Quote.
        price_change: Quote per base; from open to last. Binance only.
        price_change_percent: The same in percent of open: 1.5 is 1.5 %.
        average_price: Quote per base, weighted by volume. Binance only.
        last_quantity: Base; of the last trade. Binance only.
        trades: Their number. Binance only.
        bid_price, ask_price: Quote per base; the best. bid_quantity, ask_quantity: Base. Bybit only, as old as the
            ticker; BookTicker is sooner.
    """

    last_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    volume: Decimal
    quote_volume: Decimal
    price_change: Decimal | None = None
    price_change_percent: Decimal | None = None
    average_price: Decimal | None = None
    last_quantity: Decimal | None = None
    trades: int | None = None
    bid_price: Decimal | None = None
    bid_quantity: Decimal | None = None
    ask_price: Decimal | None = None
    ask_quantity: Decimal | None = None


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


class Liquidation(Event, frozen=True, kw_only=True):
    """A position of somebody's that is being closed by force. Binance tells the largest of each symbol and second,
    Bybit all.

    Attributes:
        side: Of the order that closes it: SELL where a long position is liquidated.
        price: Of that order (Binance), or the bankruptcy price (Bybit); quote per base.
        quantity: Base.
        filled_quantity, average_price: Of the order so far; None where not stated.
    """

    side: str
    price: Decimal
    quantity: Decimal
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None


class ContractChanged(Event, frozen=True, kw_only=True):
    """A contract was listed, changed its state or its brackets, or is delisted.

    Attributes:
        status: The venue's word.
        onboard_time_ms, delivery_time_ms: Unix milliseconds; None where there is none.
        raw: The whole message.
    """

    status: str
    onboard_time_ms: int | None
    delivery_time_ms: int | None
    raw: str


class PriceLimits(Event, frozen=True, kw_only=True):
    """Between which prices orders are taken; Bybit only.

    Attributes:
        highest_bid, lowest_ask: Quote per base.
    """

    highest_bid: Decimal
    lowest_ask: Decimal


class AdlWarning(Event, frozen=True, kw_only=True):
    """How near the insurance fund of a symbol is to auto-deleveraging; Bybit only.

    Attributes:
        coin: Of the fund.
        balance: Of the fund's pool, in `coin`.
        pnl_ratio: As it is. trigger_ratio: At or below it deleveraging begins. stop_ratio: Where it ends.
        trigger_balance: Balance at or below which it begins.
    """

    coin: str
    balance: Decimal
    pnl_ratio: Decimal
    trigger_ratio: Decimal
    stop_ratio: Decimal | None
    trigger_balance: Decimal | None


class InsuranceFund(Event, frozen=True, kw_only=True):
    """A pool of the insurance fund changed; Bybit only. `symbol` is "": it is of `symbols`."""

    coin: str
    symbols: tuple[str, ...]
    balance: Decimal


class CompositeIndex(Event, frozen=True, kw_only=True):
    """An index of several assets and what it is made of; Binance only.

    Attributes:
        price: Of the index.
        parts: (asset, weight in quantity, weight in percent, index price) of each.
    """

    price: Decimal
    parts: tuple[tuple[str, Decimal, Decimal, Decimal], ...]


class AssetIndex(Event, frozen=True, kw_only=True):
    """What an asset is worth as margin in multi-assets mode; Binance only. `symbol` is such as ADAUSD.

    Attributes:
        index_price, bid_rate, ask_rate: Quote per asset.
    """

    index_price: Decimal
    bid_rate: Decimal
    ask_rate: Decimal


class TradingSession(Event, frozen=True, kw_only=True):
    """The session of the underlying's home market (TradFi contracts); Binance only. `symbol` is "".

    Attributes:
        market: The venue's word, such as EquityUpdate.
        session: Such as REGULAR or NO_TRADING.
        start_ms, end_ms: Unix milliseconds.
    """

    market: str
    session: str
    start_ms: int
    end_ms: int


class SystemNotice(Event, frozen=True, kw_only=True):
    """The venue's own word on maintenance that is planned or under way; `symbol` is "".

    Attributes:
        title: Its words. state: Such as scheduled, ongoing, completed.
        begin_ms, end_ms: Unix milliseconds; 0: not stated.
        raw: The whole message.
    """

    title: str
    state: str
    begin_ms: int
    end_ms: int
    raw: str


class VenueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the venue works, as it says itself.

    Attributes:
        is_up: False during a maintenance that stops trading.
        notices: Its words about maintenance that is under way or planned.
    """

    venue: str
    is_up: bool
    notices: tuple[str, ...] = ()
