"""Contracts and market data, from the venue's words to the model."""

from __future__ import annotations

from collections.abc import Sequence

from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot, Level, MarkPrice
from perpwire.venues.binance_futures import wire, wire_streams
from perpwire.venues.binance_futures.translate_words import VENUE, above_zero, needed, number, or_zero, time_ms


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
        min_notional=above_zero(notional.notional),
    )


def levels(rows: Sequence[wire.WireLevel]) -> tuple[Level, ...]:
    return tuple((needed(price, "price"), needed(quantity, "quantity")) for price, quantity in rows)


def book_snapshot(symbol: str, depth: wire.Depth) -> BookSnapshot:
    return BookSnapshot(
        venue=VENUE,
        symbol=symbol,
        venue_time_ms=time_ms(depth.transaction_time) or time_ms(depth.event_time) or 0,
        bids=levels(depth.bids),
        asks=levels(depth.asks),
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
    )


def mark_prices(reply: wire.PremiumIndex | Sequence[wire.PremiumIndex]) -> tuple[MarkPrice, ...]:
    rows = (reply,) if isinstance(reply, wire.PremiumIndex) else reply
    return tuple(
        MarkPrice(
            venue=VENUE,
            symbol=row.symbol,
            venue_time_ms=row.time,
            mark_price=needed(row.mark_price, "mark price"),
            index_price=number(row.index_price),
            funding_rate=number(row.last_funding_rate) if row.next_funding_time else None,
            next_funding_time_ms=time_ms(row.next_funding_time),
        )
        for row in rows
    )
