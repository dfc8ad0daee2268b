"""Holes in public streams are marked, and trades and candles that fell into them are read back.

A hole is where a connection was lost, where one topic was mute among others that spoke, or where the venue's own
numbering of trades jumps. Whoever has asked for a kind of event gets a Gap before the next event of it. Trades
(trade_repair.py) and closed candles (candle_repair.py) are read back over REST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from perpwire.api_connector.candle_repair import CandleRepair, Candles
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.trade_repair import Tape, TradeRepair
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.model.incident import Incident
from perpwire.model.market import Event, Kline, Trade
from perpwire.venues.base import Venue


class Asked(NamedTuple):
    """What a topic was subscribed for.

    Attributes:
        interval: Of candles; "" of all else.
    """

    kind: type[Event]
    symbol: str
    interval: str


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
        self._streams = streams
        self._off = streams.on_topic(lambda _, topic, state: self.on_topic(topic, state))
        self._on_incident = on_incident
        self._teller = GapTeller(venue.name, streams.frames, clock, on_incident)
        self._trades = TradeRepair(venue, requests, streams.frames, clock, self._teller, self._begin)
        self._candles = CandleRepair(venue, requests, streams.frames, clock, self._teller)
        self._followed: dict[str, dict[Asked, None]] = {}
        """Topic -> what it was asked for."""
        self._last_ns: dict[str, int] = {}
        """Connection or topic -> when it was lost, Unix nanoseconds."""
        self._offs: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    def follow(self, kind: type[Event], symbol: str, topic: str, interval: str = "") -> None:
        """Somebody has subscribed `topic` for this. Where nobody else has, what it said in an earlier life is past."""
        asked = Asked(kind, symbol, interval)
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
        self._last_ns.pop(topic, None)

    def _begin_anew(self, asked: Asked) -> None:
        """Unless another topic says the same kind of thing of the symbol."""
        base = next((one for one in (Trade, Kline) if issubclass(asked.kind, one)), None)
        others = (one for topic in self._followed.values() for one in topic)
        if base is None or any(issubclass(one.kind, base) and one[1:] == asked[1:] for one in others):
            return
        if base is Trade:
            self._trades.forget(asked.symbol)
        else:
            self._candles.forget(asked.symbol, asked.interval)

    @property
    def followed(self) -> dict[str, tuple[Asked, ...]]:
        """Topic -> what it was asked for."""
        return {topic: tuple(asked) for topic, asked in self._followed.items()}

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

    def on_state(self, connection: str, live: bool) -> None:
        """A connection is lost, or there again."""
        carrier = self._streams.connection(connection)
        topics = [topic for topic in (() if carrier is None else carrier.topics) if topic in self._followed]
        if live:
            since_ns = self._last_ns.pop(connection, None)
            if since_ns is not None:
                self._is_back(topics, since_ns, "the connection was lost")
        elif connection not in self._last_ns:
            self._last_ns[connection] = self._clock.time_ns()
            self._are_away(topics)

    def on_topic(self, topic: str, state: TopicState) -> None:
        """One topic fell silent among others, or speaks again."""
        if topic not in self._followed:
            return
        if state is TopicState.STALE:
            self._last_ns.setdefault(topic, self._clock.time_ns())
            self._are_away([topic])
        elif state is TopicState.LIVE:
            since_ns = self._last_ns.pop(topic, None)
            if since_ns is not None:
                self._is_back([topic], since_ns, "the topic was mute")

    def _are_away(self, topics: Iterable[str]) -> None:
        """From now on trades wait: what comes first when they are there again is not the next one."""
        for topic in topics:
            for asked in self._followed[topic]:
                tape, candles = self._kept(asked)
                if tape is not None:
                    tape.is_away = True
                elif candles is not None:
                    candles.hold()

    def _is_back(self, topics: Iterable[str], since_ns: int, why: str) -> None:
        for topic in topics:
            for asked in self._followed[topic]:
                tape, candles = self._kept(asked)
                if tape is not None:
                    self._begin(self._trades.repair(tape, since_ns, why))
                elif candles is not None:
                    candles.hold()
                    self._begin(self._candles.repair(candles, since_ns, why))
                else:
                    self._teller.tell(
                        asked.kind, asked.symbol, since_ns, why, is_repaired=False, interval=asked.interval
                    )

    def _kept(self, asked: Asked) -> tuple[Tape | None, Candles | None]:
        """What is known of a stream that can be read back."""
        if asked.kind is Kline:
            return None, self._candles.of(asked.symbol, asked.interval)
        return self._trades.tape(asked.symbol) if issubclass(asked.kind, Trade) else None, None

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="perpwire public gap")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        told_of(task, "the reading back of a public gap", self._venue.name, self._clock, self._on_incident)
