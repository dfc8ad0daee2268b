"""publicTrade.{symbol}: what traded, in real time. Source: docs/v5/websocket/public/trade, as of 2026-07-24."""

from __future__ import annotations

from decimal import Decimal

from perpwire.simulator.events import Traded
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import Feed, FeedParts, encode
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, fit, id_text

TRADES_A_FRAME = 1024


class TradeFeed(Feed):
    """What trades in one step of the matching engine goes out together, oldest first. There is no snapshot."""

    def __init__(self, symbol: str, parts: FeedParts) -> None:
        super().__init__(f"publicTrade.{symbol}", parts)
        instrument = self._exchange.spec(symbol).instrument
        self._symbol = symbol
        self._tick, self._step = instrument.tick_size, instrument.quantity_step
        self._waiting: list[wire_streams.SentTrade[str]] = []
        self._last = Decimal(0)
        self._is_up = True

    def wake(self) -> None:
        trades = self._exchange.recent_trades(self._symbol, 2)
        self._last = trades[-1].price if trades else self._exchange.last_price(self._symbol)
        self._is_up = trades[0].price <= self._last if trades else True

    def on_trade(self, trade: Traded) -> None:
        if not self.is_awake:
            return
        if not self._waiting:
            self._timers.later(0, self._send)
        self._waiting.append(
            wire_streams.SentTrade(
                T=trade.time_ms,
                s=self._symbol,
                S="Sell" if trade.buyer_is_maker else "Buy",
                v=fit(trade.quantity, self._step),
                p=fit(trade.price, self._tick),
                i=id_text(TAKER_EXECUTION, trade.trade_id),
                L=self._direction(trade.price),
                seq=trade.seq,
            )
        )

    def _direction(self, price: Decimal) -> str:
        last, self._last = self._last, price
        if price != last:
            self._is_up = price > last
            return "PlusTick" if self._is_up else "MinusTick"
        return "ZeroPlusTick" if self._is_up else "ZeroMinusTick"

    def _send(self) -> None:
        trades, self._waiting = self._waiting, []
        for start in range(0, len(trades), TRADES_A_FRAME):
            part = trades[start : start + TRADES_A_FRAME]
            self._hub.publish(self.topic, lambda part=part: self._frame(part))  # type: ignore[misc]

    def _frame(self, trades: list[wire_streams.SentTrade[str]]) -> bytes:
        return encode(
            wire_streams.SentTradeFrame(topic=self.topic, type="snapshot", ts=self._exchange.now_ms(), data=trades)
        )
