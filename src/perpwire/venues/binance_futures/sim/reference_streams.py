"""The streams of what contracts are made of and of when markets are open: every second, but for contractInfo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perpwire.simulator.events import ContractChanged
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import Tier
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.asset_indexes import AssetIndex, asset_indexes
from perpwire.venues.binance_futures.sim.baskets import parts_of
from perpwire.venues.binance_futures.sim.producer import PacedProducer, Producer, Publish
from perpwire.venues.binance_futures.sim.rules import symbol_info
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


class ContractInfoProducer(Producer):
    """When a contract is opened or closed; with its brackets when it is opened."""

    def __init__(self, exchange: Exchange, publish: Publish, words: Mapping[str, SymbolWords]) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self.hears = {ContractChanged: self._on_contract}

    def _on_contract(self, event: ContractChanged) -> None:
        words = self._words[event.symbol]
        info = symbol_info(words)
        told = wire_streams.ContractInfo(
            event_time=self._exchange.now_ms(),
            symbol=info.symbol,
            pair=info.pair,
            contract_type=info.contract_type,
            delivery_time=info.delivery_date,
            onboard_time=info.onboard_date,
            status=info.status,
        )
        if event.is_trading:
            told.brackets = _brackets(words.spec.tiers)
        self._send(told)


def _brackets(tiers: Sequence[Tier]) -> list[wire_streams.ContractBracket]:
    """Each begins a step above the greatest leverage of the next."""
    next_leverages = [int(tier.max_leverage) for tier in tiers[1:]] + [0]
    return [
        wire_streams.ContractBracket(
            number=tier.number,
            floor=int(tier.floor),
            cap=int(tier.cap),
            maintenance_rate=float(tier.maintenance_rate),
            deduction=int(tier.deduction) if tier.deduction == int(tier.deduction) else float(tier.deduction),
            min_leverage=next_leverage + 1,
            max_leverage=int(tier.max_leverage),
        )
        for tier, next_leverage in zip(tiers, next_leverages, strict=True)
    ]


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
