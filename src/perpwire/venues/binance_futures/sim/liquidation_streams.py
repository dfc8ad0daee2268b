"""The streams of liquidations: of each symbol the largest of a second, at its end."""

from __future__ import annotations

from perpwire.simulator.events import Liquidated
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.producer import Producer, Publish
from perpwire.venues.binance_futures.sim.words import rounded, stripped

SPAN_MS = 1000


class ForceOrderProducer(Producer):
    """One symbol's, or all symbols' (`is_all`), which says pair and type too."""

    def __init__(self, exchange: Exchange, publish: Publish, *, is_all: bool) -> None:
        super().__init__(exchange, publish)
        self._is_all = is_all
        self._largest: dict[str, Liquidated] = {}
        self.hears = {Liquidated: self._on_liquidated}

    def _on_liquidated(self, event: Liquidated) -> None:
        before = self._largest.get(event.symbol)
        if before is None or event.quantity > before.quantity:
            self._largest[event.symbol] = event
        self._wake_at_next(SPAN_MS)

    def _tick(self) -> None:
        for event in self._largest.values():
            self._send(self._framed(event))
        self._largest.clear()

    def _framed(self, event: Liquidated) -> wire_streams.ForceOrder:
        filled = stripped(event.filled_quantity)
        framed = wire_streams.ForceOrder(
            event_time=self._exchange.now_ms(),
            order=wire_streams.ForcedOrder(
                symbol=event.symbol,
                side=event.side.value,
                quantity=stripped(event.quantity),
                price=stripped(event.price),
                average_price=stripped(rounded(event.average_price)),
                status="FILLED" if event.filled_quantity == event.quantity else "PARTIALLY_FILLED",
                last_quantity=filled,
                filled_quantity=filled,
                trade_time=event.time_ms,
            ),
        )
        if self._is_all:
            framed.pair, framed.symbol_type = event.symbol, 1
        return framed
