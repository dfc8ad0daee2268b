"""Contracts and market data, from the venue's words to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from perpwire.model.instrument import ContractType, Instrument
from perpwire.model.market import (
    AggTrade,
    BookSnapshot,
    BookTicker,
    FundingRate,
    Kline,
    MarkPrice,
    OpenInterest,
    PriceKind,
    TextLevel,
    Ticker,
    Trade,
    VenueStatus,
)
from perpwire.venues.binance_futures import wire, wire_market, wire_streams
from perpwire.venues.binance_futures.translate_words import (
    VENUE,
    above_zero,
    count,
    needed,
    number,
    or_zero,
    time_ms,
    whole,
    words,
)

_CONTRACT_TYPES: Mapping[str, ContractType] = {
    "PERPETUAL": "PERPETUAL",
    "TRADIFI_PERPETUAL": "PERPETUAL",
    "PERPETUAL_DELIVERING": "PERPETUAL",
    "CURRENT_MONTH": "FUTURE",
    "NEXT_MONTH": "FUTURE",
    "CURRENT_QUARTER": "FUTURE",
    "NEXT_QUARTER": "FUTURE",
}

USUAL_FUNDING_H = 8
"""Between two fundings, where nothing else is said."""

_NEVER_MS = 4_133_404_800_000
"""deliveryDate of a perpetual contract that is not to be taken off the market: Christmas of 2100."""


def instruments(info: wire.ExchangeInfo) -> tuple[Instrument, ...]:
    return tuple(instrument(symbol) for symbol in info.symbols)


def instrument(info: wire.SymbolInfo) -> Instrument:
    """Filters that are missing, or switched off by a 0, bound nothing."""
    rules = {rule.filter_type: rule for rule in info.filters}
    nothing = wire.Filter(filter_type="")
    price = rules.get("PRICE_FILTER", nothing)
    lot = rules.get("LOT_SIZE", nothing)
    market_lot = rules.get("MARKET_LOT_SIZE", nothing)
    notional = rules.get("MIN_NOTIONAL", nothing)
    percent = rules.get("PERCENT_PRICE", nothing)
    orders = rules.get("MAX_NUM_ORDERS", nothing)
    delivers_ms = time_ms(info.delivery_date)
    return Instrument(
        venue=VENUE,
        symbol=info.symbol,
        base=info.base_asset,
        quote=info.quote_asset,
        settle=info.margin_asset,
        is_trading=info.status == "TRADING",
        tick_size=or_zero(price.tick_size),
        min_price=above_zero(price.min_price),
        max_price=above_zero(price.max_price),
        quantity_step=or_zero(lot.step_size),
        min_quantity=or_zero(lot.min_qty),
        max_quantity=above_zero(lot.max_qty),
        max_market_quantity=above_zero(market_lot.max_qty),
        min_market_quantity=number(market_lot.min_qty),
        market_quantity_step=number(market_lot.step_size),
        max_buy_price_ratio=above_zero(percent.multiplier_up),
        min_sell_price_ratio=above_zero(percent.multiplier_down),
        max_open_orders=orders.limit or None,
        trigger_protect=above_zero(info.trigger_protect),
        min_notional=above_zero(notional.notional),
        status=info.status,
        contract_type=_CONTRACT_TYPES.get(words(info.contract_type), "UNKNOWN"),
        launch_time_ms=time_ms(info.onboard_date),
        delivery_time_ms=None if delivers_ms is None or delivers_ms >= _NEVER_MS else delivers_ms,
    )


def with_funding(
    instruments: tuple[Instrument, ...], rows: Sequence[wire_market.FundingInfo]
) -> tuple[Instrument, ...]:
    """The venue lists only contracts that something was adjusted of; the others are funded every eight hours."""
    hours = {row.symbol: row.funding_interval_hours for row in rows if row.funding_interval_hours > 0}
    return tuple(
        replace(one, funding_interval_s=3600 * hours.get(one.symbol, USUAL_FUNDING_H))
        if one.contract_type == "PERPETUAL"
        else one
        for one in instruments
    )


def levels(rows: Sequence[wire.WireLevel]) -> tuple[TextLevel, ...]:
    """As they are, once it is sure that they are numbers."""
    for price, quantity in rows:
        needed(price, "price")
        needed(quantity, "quantity")
    return tuple(rows)


def book_snapshot(symbol: str, depth: wire.Depth) -> BookSnapshot:
    return BookSnapshot(
        venue=VENUE,
        symbol=symbol,
        venue_time_ms=time_ms(depth.transaction_time) or time_ms(depth.event_time) or 0,
        bid_text=levels(depth.bids),
        ask_text=levels(depth.asks),
        update_id=depth.last_update_id,
    )


def mark_price(update: wire_streams.MarkPriceUpdate, received_ns: int) -> MarkPrice:
    return MarkPrice(
        venue=VENUE,
        symbol=update.symbol,
        venue_time_ms=update.event_time,
        received_ns=received_ns,
        mark_price=needed(update.mark_price, "mark price"),
        index_price=number(update.index_price),
        funding_rate=number(update.funding_rate),
        next_funding_time_ms=time_ms(update.next_funding_time),
        average_price=number(update.average_price),
        settle_price=above_zero(update.settle_price),
    )


def mark_prices(reply: wire.PremiumIndex | Sequence[wire.PremiumIndex]) -> tuple[MarkPrice, ...]:
    rows = (reply,) if isinstance(reply, wire.PremiumIndex) else reply
    return tuple(
        MarkPrice(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=time_ms(row.time) or 0,
            mark_price=needed(row.mark_price, "mark price"),
            index_price=number(row.index_price),
            funding_rate=number(row.last_funding_rate) if row.next_funding_time else None,
            next_funding_time_ms=time_ms(row.next_funding_time),
            settle_price=above_zero(row.estimated_settle_price),
        )
        for row in rows
    )


def status(info: wire.ExchangeInfo) -> VenueStatus:
    return VenueStatus(venue=VENUE, is_up=any(symbol.status == "TRADING" for symbol in info.symbols))


def recent_trades(symbol: str, rows: Sequence[wire.RecentTrade]) -> tuple[Trade, ...]:
    return tuple(
        Trade(
            venue=VENUE,
            symbol=symbol,
            venue_time_ms=row.time,
            trade_id=row.id,
            price=needed(row.price, "price"),
            quantity=needed(row.qty, "quantity"),
            buyer_is_maker=row.is_buyer_maker,
            is_rpi=row.is_rpi_trade is True,
        )
        for row in rows
    )


def aggregate_trade(symbol: str, row: wire_streams.RestAggTrade) -> AggTrade:
    first, last = row.first_id, row.last_id
    return AggTrade(
        venue=VENUE,
        symbol=symbol,
        venue_time_ms=row.trade_time,
        trade_id=row.agg_id,
        price=needed(row.price, "price"),
        quantity=needed(row.quantity, "quantity"),
        buyer_is_maker=row.buyer_is_maker,
        first_trade_id=first if isinstance(first, int) else 0,
        last_trade_id=last if isinstance(last, int) else 0,
        quantity_without_rpi=number(row.quantity_without_rpi),
    )


def kline(symbol: str, interval: str, price_kind: PriceKind, now_ms: int, row: wire_market.Kline) -> Kline:
    """Of prices at which nothing is traded there are no volumes: what stands in their places means nothing."""
    open_ms, open_price, high, low, close, volume, close_ms, quote_volume, trades, bought, paid = row[:11]
    traded = price_kind is PriceKind.LAST
    return Kline(
        venue=VENUE,
        symbol=symbol,
        venue_time_ms=open_ms,
        interval=interval,
        open_time_ms=open_ms,
        close_time_ms=close_ms,
        open=needed(open_price, "open"),
        high=needed(high, "high"),
        low=needed(low, "low"),
        close=needed(close, "close"),
        volume=needed(volume, "volume") if traded else None,
        quote_volume=needed(quote_volume, "quote volume") if traded else None,
        trades=trades if traded else None,
        taker_buy_volume=number(bought) if traded else None,
        taker_buy_quote_volume=number(paid) if traded else None,
        is_closed=close_ms < now_ms,
        price_kind=price_kind,
    )


def tickers(reply: wire_market.DayTicker | Sequence[wire_market.DayTicker]) -> tuple[Ticker, ...]:
    rows = (reply,) if isinstance(reply, wire_market.DayTicker) else reply
    return tuple(
        Ticker(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=time_ms(row.close_time) or 0,
            last_price=needed(row.last_price, "last price"),
            open_price=needed(row.open_price, "open price"),
            high_price=needed(row.high_price, "high price"),
            low_price=needed(row.low_price, "low price"),
            volume=needed(row.volume, "volume"),
            quote_volume=needed(row.quote_volume, "quote volume"),
            price_change=number(row.price_change),
            price_change_percent=number(row.price_change_percent),
            average_price=number(row.weighted_avg_price),
            last_quantity=number(row.last_qty),
            trades=count(row.count),
        )
        for row in rows
    )


def book_tickers(reply: wire.BestQuotes | Sequence[wire.BestQuotes]) -> tuple[BookTicker, ...]:
    rows = (reply,) if isinstance(reply, wire.BestQuotes) else reply
    return tuple(
        BookTicker(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=time_ms(row.time) or 0,
            bid_price=or_zero(row.bid_price),
            bid_quantity=or_zero(row.bid_qty),
            ask_price=or_zero(row.ask_price),
            ask_quantity=or_zero(row.ask_qty),
            update_id=row.last_update_id or 0,
        )
        for row in rows
    )


def open_interest(row: wire_market.OpenInterest) -> OpenInterest:
    return OpenInterest(
        venue=VENUE, symbol=row.symbol, venue_time_ms=row.time, quantity=needed(row.open_interest, "open interest")
    )


def open_interest_history(rows: Sequence[wire_market.OpenInterestStatistic]) -> tuple[OpenInterest, ...]:
    return tuple(
        OpenInterest(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=whole(row.timestamp, "timestamp"),
            quantity=needed(row.sumOpenInterest, "open interest"),
            notional=number(row.sumOpenInterestValue),
        )
        for row in rows
    )


def funding_rates(rows: Sequence[wire_market.FundingRate]) -> tuple[FundingRate, ...]:
    return tuple(
        FundingRate(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=row.funding_time,
            rate=needed(row.funding_rate, "funding rate"),
            mark_price=number(row.mark_price),
        )
        for row in rows
    )
