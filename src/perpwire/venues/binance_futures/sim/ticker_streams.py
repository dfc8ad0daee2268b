"""The streams of 24-hour figures, in full or in short: one symbol's every two seconds, or of all that have traded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perpwire.simulator.events import Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim import coin_margined
from perpwire.venues.binance_futures.sim.producer import PacedProducer, Publish
from perpwire.venues.binance_futures.sim.words import SymbolWords, padded

ONE_MS, ALL_MS = 2000, 1000

Row = wire_streams.DayTicker | wire_streams.MiniTicker


class DayFigures:
    """Makes rows; those of one moment are made once, whichever streams want them."""

    def __init__(self, exchange: Exchange, words: Mapping[str, SymbolWords]) -> None:
        self._exchange = exchange
        self._words = words
        self._rows: dict[str, tuple[int, wire_streams.DayTicker]] = {}

    def full(self, symbol: str) -> wire_streams.DayTicker:
        now_ms = self._exchange.now_ms()
        made_ms, row = self._rows.get(symbol, (-1, None))
        if row is None or made_ms != now_ms:
            row = self._made(self._words[symbol], now_ms)
            self._rows[symbol] = (now_ms, row)
        return row

    def short(self, symbol: str) -> wire_streams.MiniTicker:
        row = self.full(symbol)
        return wire_streams.MiniTicker(
            event_time=row.event_time,
            symbol=row.symbol,
            last_price=row.last_price,
            open_price=row.open_price,
            high_price=row.high_price,
            low_price=row.low_price,
            volume=row.volume,
            quote_volume=row.quote_volume,
            pair=row.pair,
        )

    def _made(self, words: SymbolWords, now_ms: int) -> wire_streams.DayTicker:
        day = self._exchange.day(words.symbol)
        change = day.last - day.open
        return wire_streams.DayTicker(
            event_time=now_ms,
            symbol=words.symbol,
            price_change=words.price(change),
            percent_change=padded(change * 100 / day.open, 3),
            average_price=words.price(day.average),
            last_price=words.price(day.last),
            last_quantity=words.quantity(day.last_quantity),
            open_price=words.price(day.open),
            high_price=words.price(day.high),
            low_price=words.price(day.low),
            volume=words.quantity(day.volume),
            quote_volume=padded(day.turnover, 2),
            open_time=day.open_ms,
            close_time=day.close_ms,
            first_id=day.first_trade_id,
            last_id=day.last_trade_id,
            trades=day.trades,
            pair=words.symbol,
        )


class TickerProducer(PacedProducer):
    """One symbol's, traded or not: its 24 hours go on."""

    def __init__(self, exchange: Exchange, publish: Publish, symbol: str, row_of: Callable[[str], Row]) -> None:
        super().__init__(exchange, publish, ONE_MS)
        self._symbol = symbol
        self._row_of = row_of

    def _tick(self) -> None:
        self._send(self._row_of(self._symbol))


class AllTickersProducer(PacedProducer):
    """Those of the symbols that have traded since the last frame; none, no frame."""

    def __init__(
        self, exchange: Exchange, publish: Publish, row_of: Callable[[str], Row], *, with_coin_margined: bool
    ) -> None:
        super().__init__(exchange, publish, ALL_MS)
        self._row_of = row_of
        self._with_coin_margined = with_coin_margined
        self._changed: dict[str, None] = {}
        self.hears = {Traded: self._on_trade}

    def _on_trade(self, event: Traded) -> None:
        self._changed[event.symbol] = None

    def _tick(self) -> None:
        if not self._changed:
            return
        rows: list[Any] = [self._row_of(symbol) for symbol in self._changed]
        self._changed.clear()
        if self._with_coin_margined:
            rows += [sibling for sibling in map(coin_margined.ticker, rows) if sibling is not None]
        self._send(rows)
