"""Holes in public streams are marked, and trades and candles that fell into them are read back.

A hole is where a connection was lost, where one topic was mute among others that spoke, or where the venue's own
numbering of trades jumps. Whoever has asked for a kind of event gets a Gap before the next event of it. Trades
(trade_repair.py) and closed candles (candle_repair.py) are read back over REST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from perpwire.api_connector.candle_repair import CandleRepair, Candles
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.trade_repair import Tape, TradeRepair
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.model.incident import Incident
from perpwire.model.market import Event, Kline, Trade
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
        self._trades = TradeRepair(venue, requests, streams.frames, clock, self._teller, self._begin)
        self._candles = CandleRepair(venue, requests, streams.frames, clock, self._teller)
        self._followed: dict[str, dict[Said, None]] = {}
        """Topic -> what it was asked for."""
        self._offs: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    def follow(self, kind: type[Event], symbol: str, topic: str, interval: str = "") -> None:
        """Somebody has subscribed `topic` for this. Where nobody else has, what it said in an earlier life is past."""
        asked = Said(kind, symbol, interval)
        if topic not in self._followed:
            self._begin_anew(asked)
        self._followed.setdefault(topic, {})[asked] = None
        if not self._offs:
            self._offs = [
                self._frames.gate(Trade, self._trades.on_trade),
                self._frames.gate(Kline, self._candles.on_candle),
            ]

    def forget(self, topic: str) -> None:
        """Nobody wants it any more: what it says later begins anew."""
        for asked in self._followed.pop(topic, {}):
            self._begin_anew(asked)

    def _begin_anew(self, asked: Said) -> None:
        """Unless another topic says the same kind of thing of the symbol."""
        base = next((one for one in (Trade, Kline) if issubclass(asked.kind, one)), None)
        others = (one for topic in self._followed.values() for one in topic)
        if base is None or any(issubclass(one.kind, base) and one[1:] == asked[1:] for one in others):
            return
        if base is Trade:
            self._trades.forget(asked.symbol)
        else:
            self._candles.forget(asked.symbol, asked.interval)

    async def close(self) -> None:
        """Hand on what waits, and end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._trades.close()
        self._candles.close()
        for off in (*self._offs, self._off):
            off()
        self._offs.clear()

    def away(self, topic: str) -> None:
        """See Mender. From now on trades wait: what comes first when it is there again is not the next one."""
        for asked in self._followed.get(topic, ()):
            tape, candles = self._kept(asked)
            if tape is not None:
                tape.is_away = True
            elif candles is not None:
                candles.hold()

    def back(self, topic: str, since_ns: int, why: str) -> Collection[type[Event]]:
        """See Mender."""
        followed = tuple(self._followed.get(topic, ()))
        for asked in followed:
            tape, candles = self._kept(asked)
            if tape is not None:
                self._begin(self._trades.repair(tape, since_ns, why))
            elif candles is not None:
                candles.hold()
                self._begin(self._candles.repair(candles, since_ns, why))
            else:
                self._teller.tell(asked.kind, asked.symbol, since_ns, why, is_repaired=False, interval=asked.interval)
        return {one.kind for one in followed}

    def _kept(self, asked: Said) -> tuple[Tape | None, Candles | None]:
        """What is known of a stream that can be read back."""
        if asked.kind is Kline:
            return None, self._candles.of(asked.symbol, asked.interval)
        return self._trades.tape(asked.symbol) if issubclass(asked.kind, Trade) else None, None

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="perpwire public gap")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        told_of(task, "the reading back of a public gap", self._venue.name, self._clock, self._on_incident)
