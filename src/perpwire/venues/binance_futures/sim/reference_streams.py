"""The streams of what contracts are made of and of when markets are open: every second, but for contractInfo."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.asset_indexes import AssetIndex, asset_indexes
from perpwire.venues.binance_futures.sim.baskets import parts_of
from perpwire.venues.binance_futures.sim.producer import PacedProducer, Publish
from perpwire.venues.binance_futures.sim.trading_sessions import MARKETS, Market, Session, session_at
from perpwire.venues.binance_futures.sim.words import SymbolWords, money

_SECOND_MS = 1000


class CompositeIndexProducer(PacedProducer):
    """What a contract on a basket is made of."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords) -> None:
        super().__init__(exchange, publish, _SECOND_MS)
        self._words = words

    def _tick(self) -> None:
        symbol = self._words.symbol
        self._send(
            wire_streams.CompositeIndex(
                event_time=self._exchange.now_ms(),
                symbol=symbol,
                price=money(self._exchange.index_price(symbol)),
                parts=[
                    wire_streams.IndexPart(
                        base=part.asset,
                        quote=part.quote,
                        weight_in_quantity=money(part.quantity),
                        weight_in_share=money(part.share),
                        price=money(part.price),
                    )
                    for part in parts_of(self._exchange, self._words)
                ],
            )
        )


class AssetIndexProducer(PacedProducer):
    """One asset's index, or all in one frame.

    Args:
        symbol: Such as "BTCUSD"; "" for all.
    """

    def __init__(self, exchange: Exchange, publish: Publish, words: Mapping[str, SymbolWords], symbol: str) -> None:
        super().__init__(exchange, publish, _SECOND_MS)
        self._words = words
        self._symbol = symbol

    def _tick(self) -> None:
        now_ms = self._exchange.now_ms()
        rows = [
            _asset_index(one, now_ms)
            for one in asset_indexes(self._exchange, self._words)
            if self._symbol in ("", one.symbol)
        ]
        if not self._symbol:
            self._send(rows)
        elif rows:
            self._send(rows[0])


def _asset_index(one: AssetIndex, now_ms: int) -> wire_streams.AssetIndexUpdate:
    return wire_streams.AssetIndexUpdate(
        event_time=now_ms,
        symbol=one.symbol,
        index=money(one.price),
        bid_buffer=money(one.buffer),
        ask_buffer=money(one.buffer),
        bid_rate=money(one.bid_rate),
        ask_rate=money(one.ask_rate),
        auto_bid_buffer=money(one.auto_buffer),
        auto_ask_buffer=money(one.auto_buffer),
        auto_bid_rate=money(one.auto_bid_rate),
        auto_ask_rate=money(one.auto_ask_rate),
    )


class TradingSessionProducer(PacedProducer):
    """The session of each market, each in a frame of its own."""

    def __init__(self, exchange: Exchange, publish: Publish) -> None:
        super().__init__(exchange, publish, _SECOND_MS)
        self._sessions: dict[Market, Session] = {}

    def _tick(self) -> None:
        now_ms = self._exchange.now_ms()
        for market in MARKETS:
            session = self._sessions.get(market)
            if session is None or not session.start_ms <= now_ms < session.end_ms:
                session = self._sessions[market] = session_at(market, now_ms)
            self._send(
                wire_streams.SessionUpdate(
                    event=market.event,
                    event_time=now_ms,
                    start_time=session.start_ms,
                    end_time=session.end_ms,
                    session=session.kind,
                )
            )
