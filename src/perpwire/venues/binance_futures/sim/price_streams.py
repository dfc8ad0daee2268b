"""The streams of the mark price: one symbol's or all, every second or every third."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from perpwire.simulator.events import MarkTick
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim import coin_margined
from perpwire.venues.binance_futures.sim.producer import Producer, Publish
from perpwire.venues.binance_futures.sim.words import money, padded, rounded

MEAN_TICKS = 30
"""Over how many seconds the mean mark price (`ap`) goes; the venue does not publish its own span."""


class MeanMarkPrices:
    """The mean of each symbol's last mark prices, kept whether anybody listens or not."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._prices: dict[str, deque[Decimal]] = {symbol: deque(maxlen=MEAN_TICKS) for symbol in symbols}

    def add(self, event: MarkTick) -> None:
        self._prices[event.symbol].append(event.mark_price)

    def of(self, symbol: str) -> Decimal:
        """With the newest tick in it."""
        prices = self._prices[symbol]
        return rounded(sum(prices, Decimal(0)) / len(prices))


class MarkPriceProducer(Producer):
    """Every tick (a second), or every third; of the contract itself or of its COIN-M sibling."""

    def __init__(
        self,
        exchange: Exchange,
        publish: Publish,
        means: MeanMarkPrices,
        period_ms: int,
        *,
        is_sibling: bool = False,
    ) -> None:
        super().__init__(exchange, publish)
        self._means = means
        self._period_ms = period_ms
        self._is_sibling = is_sibling
        self.hears = {MarkTick: self._on_mark}

    def _on_mark(self, event: MarkTick) -> None:
        if _is_due(event, self._period_ms):
            update = _update(event, self._means)
            self._send(coin_margined.mark_price(update) if self._is_sibling else update)


class AllMarkPricesProducer(Producer):
    """Every symbol's mark price in one frame. TradFi contracts, which this exchange has none of, have a second one."""

    def __init__(
        self,
        exchange: Exchange,
        publish: Publish,
        means: MeanMarkPrices,
        period_ms: int,
        *,
        with_coin_margined: bool,
    ) -> None:
        super().__init__(exchange, publish)
        self._means = means
        self._period_ms = period_ms
        self._with_coin_margined = with_coin_margined
        self._rows: dict[str, wire_streams.MarkPriceUpdate] = {}
        self.hears = {MarkTick: self._on_mark}

    def _on_mark(self, event: MarkTick) -> None:
        if not _is_due(event, self._period_ms):
            return
        self._rows[event.symbol] = _update(event, self._means)
        if len(self._rows) < len(self._exchange.specs()):
            return
        rows = list(self._rows.values())
        self._rows.clear()
        if self._with_coin_margined:
            rows += [sibling for sibling in map(coin_margined.mark_price, rows) if sibling is not None]
        self._send(rows)


def _is_due(event: MarkTick, period_ms: int) -> bool:
    """Ticks are a second apart: the ones whose second is a multiple of the period."""
    return event.time_ms // 1000 % (period_ms // 1000) == 0


def _update(event: MarkTick, means: MeanMarkPrices) -> wire_streams.MarkPriceUpdate:
    return wire_streams.MarkPriceUpdate(
        event_time=event.time_ms,
        symbol=event.symbol,
        mark_price=money(event.mark_price),
        average_price=money(means.of(event.symbol)),
        index_price=money(event.index_price),
        settle_price=money(event.index_price),
        funding_rate=padded(event.funding_rate, 8),
        next_funding_time=event.next_funding_ms,
    )
