"""Candles that closed while their stream was away are read back: delivered in order, once, marked `recovered`."""

from __future__ import annotations

from collections.abc import Iterable

from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.strands import AWAY, Hole, Means, Mending, Strand, recovered
from perpwire.api_connector.trade_repair import HOLD_S
from perpwire.errors import APIError
from perpwire.model.market import Kline, PriceKind


class Candles(Strand[Kline]):
    """Those of one symbol and interval."""

    __slots__ = ("interval",)

    def __init__(self, symbol: str, interval: str) -> None:
        super().__init__(symbol)
        self.interval = interval


class CandleRepair(Mending[Candles, Kline]):
    """Of all symbols and intervals of one connector."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._candles: dict[tuple[str, str], Candles] = {}
        """By symbol and interval."""

    def of(self, symbol: str, interval: str) -> Candles:
        candles = self._candles.get((symbol, interval))
        if candles is None:
            candles = self._candles[symbol, interval] = Candles(symbol, interval)
        return candles

    def forget(self, symbol: str, interval: str) -> None:
        """What comes later begins anew."""
        candles = self._candles.pop((symbol, interval), None)
        if candles is not None:
            self.drop(candles)

    def _strands(self) -> Iterable[Candles]:
        return tuple(self._candles.values())

    def on_candle(self, candle: Kline) -> bool:
        candles = self._candles.get((candle.symbol, candle.interval))
        if candles is None or candle.venue != self._venue.name:
            return True
        if candles.waiting:
            self.wait(candles, candle)
            return False
        return self._step(candles, candle)

    def _step(self, candles: Candles, candle: Kline) -> bool:
        last = candles.last
        if last is not None and last.is_closed and candle.open_time_ms <= last.open_time_ms:
            return False  # the last word on it was told
        if last is None or candle.open_time_ms >= last.open_time_ms:
            candles.last = candle
        return True

    async def _read(self, candles: Candles, hole: Hole) -> None:
        """Those that closed meanwhile."""
        last = candles.last
        if last is None:
            self._tell_missing(candles, hole)
            return
        question = self._venue.klines(last.symbol, last.interval, last.open_time_ms, None, PriceKind.LAST)
        try:
            rows = await in_time(self._requests.run(question), HOLD_S, self._clock)
        except (APIError, TimeoutError) as error:
            hole.add(f"they can't be read back: {error}")
            if not candles.is_dropped:
                self._tell_missing(candles, hole)
            return
        if candles.is_dropped:
            return
        closed = [row for row in rows if row.is_closed and (row.open_time_ms > last.open_time_ms or not last.is_closed)]
        if closed:
            self._tell(candles, hole, is_repaired=True)
        for row in closed:
            candles.last = row
            candles.heard_ns = self._clock.time_ns()
            self._frames.pass_on(recovered(row))

    def _tell_missing(self, candles: Candles, hole: Hole) -> None:
        self._tell(candles, hole, is_repaired=False)

    def _tell(self, candles: Candles, hole: Hole, *, is_repaired: bool) -> None:
        self._teller.tell(
            Kline, candles.symbol, hole.since_ns, hole.why or AWAY, is_repaired=is_repaired,
            interval=candles.interval,
        )  # fmt: skip
