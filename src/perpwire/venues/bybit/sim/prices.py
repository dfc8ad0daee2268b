"""What the venue computes from trades and quotes: tick directions, price limits, protective prices."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from perpwire.model.order import Side
from perpwire.simulator.events import MarkTick, SimEvent, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import SymbolSpec
from perpwire.venues.bybit.sim.numbers import ZERO
from perpwire.venues.bybit.sim.pool_peak import PoolPeak
from perpwire.venues.bybit.sim.rules import rules_of

PREMIUM_SECONDS = 30


class SymbolPrices:
    """One symbol's."""

    def __init__(self, spec: SymbolSpec) -> None:
        self._premiums: deque[Decimal] = deque(maxlen=PREMIUM_SECONDS)
        self._last_price = spec.start_price
        self._up = True
        self.tick_direction = "ZeroPlusTick"

    def on_trade(self, trade: Traded) -> None:
        price = trade.price
        if price != self._last_price:
            self._up = price > self._last_price
            self.tick_direction = "PlusTick" if self._up else "MinusTick"
        else:
            self.tick_direction = "ZeroPlusTick" if self._up else "ZeroMinusTick"
        self._last_price = price

    def on_mark(self, middle: Decimal, mark: Decimal) -> None:
        self._premiums.append(middle - mark)

    @property
    def premium(self) -> Decimal:
        """Mean of (best bid + best ask) / 2 - mark over the last half minute, sampled each second."""
        return sum(self._premiums, ZERO) / len(self._premiums) if self._premiums else ZERO


class Prices:
    """Every symbol's figures."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pool = PoolPeak()
        self._symbols = {spec.instrument.symbol: SymbolPrices(spec) for spec in exchange.specs()}

    def of(self, symbol: str) -> SymbolPrices:
        return self._symbols[symbol]

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, Traded):
            self._symbols[event.symbol].on_trade(event)
        elif isinstance(event, MarkTick):
            self.pool_drawdown()  # so that the peak is known
            bids, asks, _, _ = self._exchange.book(event.symbol, 1)
            if bids and asks:
                self._symbols[event.symbol].on_mark((bids[0][0] + asks[0][0]) / 2, event.mark_price)

    def pool_drawdown(self) -> Decimal:
        """What the insurance pool has lost of its peak of eight hours, as a fraction; 0 or below."""
        return self._pool.drawdown(self._exchange.now_ms(), self._exchange.insurance_fund())

    def limits(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Highest price of a buy, lowest of a sell. An order beyond is silently re-priced to it.

        Source: docs/v5 and the venue's announcement, as of 2026-05-26:
        maxBuy  = min(mark (1 + Y), max(index, mark (1 + X) + max(0, P30)))
        minSell = max(mark (1 - Y), min(index, mark (1 - X) + min(0, P30)))
        """
        mark, index = self._exchange.mark_price(symbol), self._exchange.index_price(symbol)
        rules, premium = rules_of(symbol), self._symbols[symbol].premium
        x, y = rules.price_limit_x, rules.price_limit_y
        tick = self._exchange.spec(symbol).instrument.tick_size
        highest = min(mark * (1 + y), max(index, mark * (1 + x) + max(ZERO, premium)))
        lowest = max(mark * (1 - y), min(index, mark * (1 - x) + min(ZERO, premium)))
        return _to_tick(highest, tick, ROUND_FLOOR), _to_tick(lowest, tick, ROUND_CEILING)

    def within_limits(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        highest, lowest = self.limits(symbol)
        return min(price, highest) if side is Side.BUY else max(price, lowest)

    def protective(self, symbol: str, side: Side) -> Decimal:
        """The bound of a market order: it is an immediate-or-cancel limit order at this price."""
        x = rules_of(symbol).price_limit_x
        tick = self._exchange.spec(symbol).instrument.tick_size
        mark = self._exchange.mark_price(symbol)
        if side is Side.BUY:
            return _to_tick(mark * (1 + x), tick, ROUND_FLOOR)
        return _to_tick(mark * (1 - x), tick, ROUND_CEILING)


def _to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return ((price / tick).quantize(Decimal(1), rounding=rounding) * tick).quantize(tick)
