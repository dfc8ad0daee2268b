"""allLiquidation.{symbol}: positions that were liquidated, every half second.

Source: docs/v5/websocket/public/all-liquidation, as of 2026-07-24.
"""

from __future__ import annotations

from perpwire.model.order import Side
from perpwire.simulator.events import Liquidated
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import FeedParts, SteppedFeed, encode
from perpwire.venues.bybit.sim.numbers import fit

LIQUIDATION_INTERVAL_S = 0.500


class LiquidationFeed(SteppedFeed):
    """`S` is the side of the position: Buy where a long was liquidated. `p` is its bankruptcy price."""

    def __init__(self, symbol: str, parts: FeedParts) -> None:
        super().__init__(f"allLiquidation.{symbol}", LIQUIDATION_INTERVAL_S, parts)
        instrument = self._exchange.spec(symbol).instrument
        self._symbol = symbol
        self._price_step, self._lot = instrument.tick_size, instrument.quantity_step
        self._waiting: list[wire_streams.LiquidationRow] = []

    def on_liquidated(self, event: Liquidated) -> None:
        if not self.is_awake:
            return
        row = wire_streams.LiquidationRow(
            T=event.time_ms,
            s=self._symbol,
            S="Buy" if event.side is Side.SELL else "Sell",
            v=fit(event.quantity, self._lot),
            p=fit(event.price, self._price_step),
        )
        self._waiting.append(row)
        self.touch()

    def publish(self) -> None:
        rows, self._waiting = self._waiting, []
        frame = wire_streams.LiquidationFrame(topic=self.topic, type="snapshot", ts=self._exchange.now_ms(), data=rows)
        self._hub.publish(self.topic, lambda: encode(frame))

    def sleep(self) -> None:
        self._waiting.clear()
