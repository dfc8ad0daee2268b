"""Who is subscribed to which public stream, and the producers that run for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from perpwire.errors import BadInput
from perpwire.simulator.events import MarkTick, RecordedFrame, SimEvent, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.producer import Producer
from perpwire.venues.binance_futures.sim.producers import Producers
from perpwire.venues.binance_futures.stream_names import StreamName, read_name

logger = logging.getLogger("perpwire.simulator")

VENUE = "binance"

_RECORDED_KINDS = frozenset({"depth", "bookTicker", "trade"})
"""What a recording says instead of us, once it has begun for a symbol."""

_FED_KINDS = _RECORDED_KINDS | {
    "partialDepth",
    "rpiDepth",
    "aggTrade",
    "kline",
    "continuousKline",
    "ticker",
    "miniTicker",
}
"""What comes of a recording, as it is or made out of it: whoever wants one of these wants it to play."""


class Listener(Protocol):
    """A socket, as the hub sees it.

    Attributes:
        is_combined: It gets its frames in the envelope that names their stream.
    """

    is_combined: bool

    def deliver(self, frame: bytes, name: str, account: str = "", event: str = "") -> None: ...


class _Stream:
    """One name that somebody is subscribed to. `name` is None for names that nothing is ever sent on."""

    def __init__(self, text: str, name: StreamName | None) -> None:
        self.text = text
        self.name = name
        self.producer: Producer | None = None
        self.listeners: tuple[Listener, ...] = ()
        self._head = envelope_head(text)

    def publish(self, payload: bytes) -> None:
        """THE HOT PATH. One payload to all who listen; the envelope is made once, if anybody wants it."""
        text, wrapped = self.text, b""
        for listener in self.listeners:
            if listener.is_combined:
                wrapped = wrapped or self._head + payload + b"}"
                listener.deliver(wrapped, text)
            else:
                listener.deliver(payload, text)


def envelope_head(name: str) -> bytes:
    """What stands before the payload in a combined frame; a brace stands behind it."""
    return b'{"stream":' + msgspec.json.encode(name) + b',"data":'


class StreamHub:
    def __init__(self, exchange: Exchange, producers: Producers) -> None:
        self._exchange = exchange
        self._producers = producers
        self._streams: dict[str, _Stream] = {}
        self._recorded_symbols: set[str] = set()
        # Kind of event and symbol -> who hears of it. Made anew after whatever changes it, when it is first needed.
        self._hearers: dict[tuple[type[Any], str], tuple[Callable[[Any], None], ...]] = {}

    def close(self) -> None:
        for stream in self._streams.values():
            if stream.producer is not None:
                stream.producer.close()
        self._streams.clear()
        self._hearers.clear()

    # --- subscriptions --------------------------------------------------------------------------------------------

    def subscribe(self, text: str, listener: Listener) -> None:
        """From now on `listener` gets what the stream sends; nothing ever comes of a name that is none."""
        stream = self._streams.get(text)
        if stream is None:
            stream = self._streams[text] = self._open(text)
        if listener not in stream.listeners:
            stream.listeners = (*stream.listeners, listener)
        if stream.name is not None and stream.name.kind in _FED_KINDS:
            symbol = self._producers.symbol_of(stream.name)
            if symbol is not None:
                self._exchange.want_book(symbol)

    def unsubscribe(self, text: str, listener: Listener) -> None:
        stream = self._streams.get(text)
        if stream is None:
            return
        stream.listeners = tuple(one for one in stream.listeners if one is not listener)
        if not stream.listeners:
            del self._streams[text]
            if stream.producer is not None:
                stream.producer.close()
                self._hearers.clear()

    def _open(self, text: str) -> _Stream:
        try:
            name = read_name(text)
        except BadInput:
            return _Stream(text, None)
        stream = _Stream(text, name)
        stream.producer = self._producers.make(name, stream.publish)
        self._hearers.clear()
        return stream

    # --- events ---------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, RecordedFrame):
            if event.venue == VENUE:
                self._on_recorded(event)
            return
        if isinstance(event, Traded | MarkTick):
            self._producers.count(event)
        symbol = getattr(event, "symbol", None)
        if symbol is None or not self._streams:
            return
        kind = type(event)
        hearers = self._hearers.get((kind, symbol))
        if hearers is None:
            hearers = self._hearers[kind, symbol] = self._hearers_of(kind, symbol)
        for hear in hearers:
            hear(event)

    def _hearers_of(self, kind: type[Any], symbol: str) -> tuple[Callable[[Any], None], ...]:
        is_recorded = symbol in self._recorded_symbols
        found = []
        for stream in self._streams.values():
            name, producer = stream.name, stream.producer
            if name is None or producer is None or (is_recorded and name.kind in _RECORDED_KINDS):
                continue
            hear = producer.hears.get(kind)
            if hear is not None and self._producers.symbol_of(name) in (symbol, None):
                found.append(hear)
        return tuple(found)

    def _on_recorded(self, event: RecordedFrame) -> None:
        """Pass it on as it is; whoever wants the changes of the book gets them at the pace of the recording."""
        try:
            recorded = read_name(event.stream)
        except BadInput:
            logger.warning("a frame of the recording is skipped: %r is no stream of this venue", event.stream[:80])
            return
        symbol = self._producers.symbol_of(recorded)
        if symbol is not None and symbol not in self._recorded_symbols:
            self._recorded_symbols.add(symbol)
            self._hearers.clear()
        if recorded.kind == "trade" and not self._producers.with_trades:
            return
        for stream in tuple(self._streams.values()):
            name = stream.name
            if name is not None and name.kind == recorded.kind and name.symbol == recorded.symbol:
                stream.publish(event.payload)
