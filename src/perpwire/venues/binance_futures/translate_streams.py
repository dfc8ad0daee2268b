"""Events of the market streams that come some times a second or less, from the venue's words to the model.

Rows of COIN-M contracts, which come on streams of the whole market, are left out: their units differ.
"""

from __future__ import annotations

from typing import Any

from msgspec import UnsetType

from perpwire.model.market import (
    AssetIndex,
    CompositeIndex,
    ContinuousKline,
    ContractChanged,
    Event,
    Kline,
    Liquidation,
    MiniTicker,
    RpiBook,
    RpiLevel,
    Ticker,
    TradingSession,
)
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.translate_words import VENUE, ZERO, above_zero, count, needed, number, time_ms

UM = 1
"""`st` of USD-M contracts."""


def kline(said: wire_streams.KlineEvent, received_ns: int) -> Kline:
    return Kline(symbol=said.symbol, **_bar(said, received_ns))


def continuous_kline(said: wire_streams.ContinuousKline, received_ns: int) -> ContinuousKline:
    return ContinuousKline(symbol=said.pair, contract=said.contract_type, **_bar(said, received_ns))


def _bar(said: wire_streams.KlineEvent | wire_streams.ContinuousKline, received_ns: int) -> dict[str, Any]:
    row = said.kline
    return {
        "venue": VENUE,
        "venue_time_ms": said.event_time,
        "received_ns": received_ns,
        "interval": row.interval,
        "open_time_ms": row.open_time,
        "close_time_ms": row.close_time,
        "open": needed(row.open, "open"),
        "high": needed(row.high, "high"),
        "low": needed(row.low, "low"),
        "close": needed(row.close, "close"),
        "volume": needed(row.volume, "volume"),
        "quote_volume": needed(row.quote_volume, "quote volume"),
        "trades": row.trades,
        "taker_buy_volume": number(row.taker_volume),
        "taker_buy_quote_volume": number(row.taker_quote_volume),
        "is_closed": row.is_closed,
    }


def ticker(said: wire_streams.DayTicker, received_ns: int) -> Ticker | None:
    if said.symbol_type != UM:
        return None
    return Ticker(
        **_of_a_day(said, received_ns),
        price_change=number(said.price_change),
        price_change_percent=number(said.percent_change),
        average_price=number(said.average_price),
        last_quantity=number(said.last_quantity),
        trades=count(said.trades),
    )


def mini_ticker(said: wire_streams.MiniTicker, received_ns: int) -> MiniTicker | None:
    return MiniTicker(**_of_a_day(said, received_ns)) if said.symbol_type == UM else None


def _of_a_day(said: wire_streams.DayTicker | wire_streams.MiniTicker, received_ns: int) -> dict[str, Any]:
    return {
        "venue": VENUE,
        "symbol": said.symbol,
        "venue_time_ms": said.event_time,
        "received_ns": received_ns,
        "last_price": needed(said.last_price, "last price"),
        "open_price": needed(said.open_price, "open price"),
        "high_price": needed(said.high_price, "high price"),
        "low_price": needed(said.low_price, "low price"),
        "volume": needed(said.volume, "volume"),
        "quote_volume": needed(said.quote_volume, "quote volume"),
    }


def liquidation(said: wire_streams.ForceOrder, received_ns: int) -> Liquidation | None:
    if not isinstance(said.symbol_type, UnsetType) and said.symbol_type != UM:
        return None
    order = said.order
    return Liquidation(
        venue=VENUE,
        symbol=order.symbol,
        venue_time_ms=order.trade_time,
        received_ns=received_ns,
        side=order.side,
        price=needed(order.price, "price"),
        quantity=needed(order.quantity, "quantity"),
        filled_quantity=number(order.filled_quantity),
        average_price=above_zero(order.average_price),
    )


def contract(said: wire_streams.ContractInfo, received_ns: int, raw: bytes) -> ContractChanged | None:
    if said.symbol_type != UM:
        return None
    return ContractChanged(
        venue=VENUE,
        symbol=said.symbol,
        venue_time_ms=said.event_time,
        received_ns=received_ns,
        status=said.status,
        onboard_time_ms=time_ms(said.onboard_time),
        delivery_time_ms=time_ms(said.delivery_time),
        raw=raw.decode(),
    )


def composite_index(said: wire_streams.CompositeIndex, received_ns: int) -> CompositeIndex:
    return CompositeIndex(
        venue=VENUE,
        symbol=said.symbol,
        venue_time_ms=said.event_time,
        received_ns=received_ns,
        price=needed(said.price, "price"),
        parts=tuple(
            (
                part.base,
                needed(part.weight_in_quantity, "weight"),
                needed(part.weight_in_share, "weight"),
                needed(part.price, "price"),
            )
            for part in said.parts
        ),
    )


def asset_index(said: wire_streams.AssetIndexUpdate, received_ns: int) -> AssetIndex:
    return AssetIndex(
        venue=VENUE,
        symbol=said.symbol,
        venue_time_ms=said.event_time,
        received_ns=received_ns,
        index_price=needed(said.index, "index"),
        bid_rate=needed(said.bid_rate, "bid rate"),
        ask_rate=needed(said.ask_rate, "ask rate"),
    )


def trading_session(said: wire_streams.SessionUpdate, received_ns: int) -> TradingSession:
    return TradingSession(
        venue=VENUE,
        venue_time_ms=said.event_time,
        received_ns=received_ns,
        market=said.event,
        session=said.session,
        start_ms=said.start_time,
        end_ms=said.end_time,
    )


def rpi_book(said: wire_streams.DepthUpdate, received_ns: int) -> RpiBook:
    return RpiBook(
        venue=VENUE,
        symbol=said.symbol,
        venue_time_ms=said.transaction_time,
        received_ns=received_ns,
        bids=tuple(map(_rpi_level, said.bids)),
        asks=tuple(map(_rpi_level, said.asks)),
        is_snapshot=False,
        update_id=said.last_id,
        previous_update_id=said.previous_id,
    )


def _rpi_level(level: tuple[str, str]) -> RpiLevel:
    return needed(level[0], "price"), needed(level[1], "quantity"), ZERO


def present(*events: Event | None) -> tuple[Event, ...]:
    return tuple(event for event in events if event is not None)
