"""Holes in public streams are marked, and trades and candles that fell into them are read back.

A hole is where a connection was lost, where one topic was mute among others that spoke, or where the venue's own
numbering of trades jumps. Whoever has asked for a kind of event gets a Gap before the next event of it. Trades
(trade_repair.py) and closed candles (candle_repair.py) are read back over REST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from perpwire.api_connector.candle_repair import CandleRepair
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.strands import Means
from perpwire.api_connector.trade_repair import Tape, TradeRepair
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.errors import NotOffered
from perpwire.model.incident import Incident
from perpwire.model.market import AggTrade, Event, Kline, Trade
from perpwire.venues.base import Said, Venue


class PublicGaps:
    """One for a connector's public streams."""

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        streams: WebSocketManager,
        clock: Clock,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._frames = streams.frames
        self._clock = clock
        self._off = streams.holes.mended_by(venue.name, self)
        self._on_incident = on_incident
        self._teller = GapTeller(venue.name, streams.frames, clock, on_incident)
        means = Means(venue, requests, streams.frames, clock, self._teller, self._begin)
        self._trades = TradeRepair(means)
        self._candles = CandleRepair(means)
        self._followed: dict[str, dict[Said, None]] = {}
        """Topic -> what it was asked for."""
        self._offs: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    def follow(self, kind: type[Event], symbol: str, topic: str, interval: str = "") -> None:
        """Somebody has subscribed `topic` for this. Where nobody else has, what it said in an earlier life is past."""
        asked = Said(kind, symbol, interval)
        self._followed.setdefault(topic, {})[asked] = None
        if issubclass(kind, Trade):
            self._tape(topic, asked)
        elif kind is Kline:
            self._candles.of(symbol, interval)
        if not self._offs:
            self._offs = [
                self._frames.gate(Trade, self._trades.on_trade),
                self._frames.gate(Kline, self._candles.on_candle),
            ]

    def forget(self, topic: str) -> None:
        """Nobody wants it any more: what it says later begins anew."""
        for asked in self._followed.pop(topic, {}):
            if issubclass(asked.kind, Trade):
                self._trades.forget(asked.symbol, aggregated=self._is_aggregated(topic, asked))
            elif asked.kind is Kline:
                self._candles.forget(asked.symbol, asked.interval)

    async def close(self) -> None:
        """Hand on what waits, and end."""
        self._trades.close()
        self._candles.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for off in (*self._offs, self._off):
            off()
        self._offs.clear()

    def away(self, topic: str) -> None:
        """See Mender."""
        for asked in self._followed.get(topic, ()):
            if issubclass(asked.kind, Trade):
                self._trades.away(self._tape(topic, asked))
            elif asked.kind is Kline:
                self._candles.away(self._candles.of(asked.symbol, asked.interval))

    def back(self, topic: str, since_ns: int, why: str) -> Collection[type[Event]]:
        """See Mender."""
        followed = tuple(self._followed.get(topic, ()))
        for asked in followed:
            if issubclass(asked.kind, Trade):
                self._trades.back(self._tape(topic, asked), since_ns, why)
            elif asked.kind is Kline:
                self._candles.back(self._candles.of(asked.symbol, asked.interval), since_ns, why)
            else:
                self._teller.tell(asked.kind, asked.symbol, since_ns, why, is_repaired=False, interval=asked.interval)
        return {one.kind for one in followed}

    def _tape(self, topic: str, asked: Said) -> Tape:
        return self._trades.tape(asked.symbol, aggregated=self._is_aggregated(topic, asked))

    def _is_aggregated(self, topic: str, asked: Said) -> bool:
        try:
            return self._venue.topic(AggTrade, asked.symbol).name == topic
        except NotOffered:
            return False

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="perpwire public gap")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        told_of(task, "the reading back of a public gap", self._venue.name, self._clock, self._on_incident)
