"""The COIN-M perpetuals whose rows come on the streams of the whole market since the two families were joined.

They carry `st` 2, their quantities are contracts, and a client of USD-M has to pass them over. Their mark prices and
candles may also be asked for by name. Here each is made from its USD-M sibling: same prices, quantities in contracts of
100 (BTC) or 10 (others) dollars.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.words import padded

COIN_MARGINED = 2
"""`st` of these."""

_CONTRACT_VALUES = {"BTCUSDT": 100, "ETHUSDT": 10}
"""USD-M sibling -> dollars a contract."""


def pair_of(symbol: str) -> str | None:
    """The COIN-M pair beside a USD-M contract; None where there is none."""
    return f"{symbol.removesuffix('USDT')}USD" if symbol in _CONTRACT_VALUES else None


def stream_of(symbol: str) -> str | None:
    """Its perpetual contract as stream names have it."""
    pair = pair_of(symbol)
    return None if pair is None else f"{pair}_PERP".lower()


def contracts(symbol: str, quantity: str, price: str) -> str:
    """A quantity in base currency at this price, in whole contracts."""
    return padded(Decimal(quantity) * Decimal(price) / _CONTRACT_VALUES[symbol], 0)


def mark_price(row: wire_streams.MarkPriceUpdate) -> wire_streams.MarkPriceUpdate | None:
    pair = pair_of(row.symbol)
    if pair is None:
        return None
    return msgspec.structs.replace(row, symbol=f"{pair}_PERP", symbol_type=COIN_MARGINED)


def kline(row: wire_streams.KlineEvent) -> wire_streams.KlineEvent:
    """Of a contract that has such a sibling. Volumes are in contracts, and turnovers in the base currency."""
    symbol = f"{pair_of(row.symbol)}_PERP"
    candle, value = row.kline, _CONTRACT_VALUES[row.symbol]
    assert isinstance(candle.taker_quote_volume, str)  # as this exchange writes it
    shown = msgspec.structs.replace(
        candle,
        symbol=symbol,
        volume=padded(Decimal(candle.quote_volume) / value, 0),
        quote_volume=candle.volume,
        taker_volume=padded(Decimal(candle.taker_quote_volume) / value, 0),
        taker_quote_volume=candle.taker_volume,
    )
    return msgspec.structs.replace(row, symbol=symbol, kline=shown)


def book_ticker(row: wire_streams.BookTickerEvent) -> wire_streams.BookTickerEvent | None:
    pair = pair_of(row.symbol)
    if pair is None:
        return None
    return msgspec.structs.replace(
        row,
        symbol=f"{pair}_PERP",
        pair=pair,
        bid_quantity=contracts(row.symbol, row.bid_quantity, row.bid_price),
        ask_quantity=contracts(row.symbol, row.ask_quantity, row.ask_price),
        symbol_type=COIN_MARGINED,
    )


def ticker(
    row: wire_streams.DayTicker | wire_streams.MiniTicker,
) -> wire_streams.DayTicker | wire_streams.MiniTicker | None:
    """Its volume is in contracts, and its turnover in the base currency."""
    pair = pair_of(row.symbol)
    if pair is None:
        return None
    return msgspec.structs.replace(
        row,
        symbol=f"{pair}_PERP",
        pair=pair,
        volume=padded(Decimal(row.quote_volume) / _CONTRACT_VALUES[row.symbol], 0),
        quote_volume=row.volume,
        symbol_type=COIN_MARGINED,
    )
