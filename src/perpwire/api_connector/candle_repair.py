"""Candles that closed while their stream was away are read back: delivered in order, once, marked `recovered`."""

from __future__ import annotations

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.trade_repair import HOLD_S, recovered
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.market import Kline, PriceKind
from perpwire.venues.base import Venue


class Candles:
    """Those of one symbol and interval.

    Attributes:
        last: The newest that was delivered; None before the first.
        held: Those of the stream that wait; None: they need not.
        holes: How many are being read back.
    """

    __slots__ = ("held", "holes", "interval", "last", "symbol")

    def __init__(self, symbol: str, interval: str) -> None:
        self.symbol = symbol
        self.interval = interval
        self.last: Kline | None = None
        self.held: list[Kline] | None = None
        self.holes = 0

    def hold(self) -> None:
        """From now on they wait."""
        if self.held is None:
            self.held = []


class CandleRepair:
    """Of all symbols and intervals of one connector."""

    def __init__(self, venue: Venue, requests: RequestPath, frames: FramePath, clock: Clock, teller: GapTeller) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._clock = clock
        self._teller = teller
        self._candles: dict[tuple[str, str], Candles] = {}
        """By symbol and interval."""

    def forget(self, symbol: str, interval: str) -> None:
        """What comes later begins anew."""
        self._candles.pop((symbol, interval), None)

    def close(self) -> None:
        """Hand on what waits."""
        for candles in self._candles.values():
            self._release(candles)

    def of(self, symbol: str, interval: str) -> Candles:
        candles = self._candles.get((symbol, interval))
        if candles is None:
            candles = self._candles[symbol, interval] = Candles(symbol, interval)
        return candles

    def on_candle(self, candle: Kline) -> bool:
        candles = self.of(candle.symbol, candle.interval)
        if candles.held is not None:
            candles.held.append(candle)
            return False
        candles.last = candle
        return True

    def _release(self, candles: Candles) -> None:
        held, candles.held = candles.held or (), None
        for candle in held:
            last = candles.last
            if last is not None and last.is_closed and candle.open_time_ms <= last.open_time_ms:
                continue  # the last word on it was read back
            candles.last = candle
            self._frames.pass_on(candle)

    async def repair(self, candles: Candles, since_ns: int, why: str) -> None:
        candles.holes += 1
        if candles.holes > 1:
            return  # whoever reads will read this one too
        try:
            while candles.holes:
                holes = candles.holes
                await self._read_closed(candles, since_ns, why)
                candles.holes -= holes
        except Exception:
            candles.holes = 0
            self._tell(candles, since_ns, why, is_repaired=False)
            raise
        finally:
            self._release(candles)

    async def _read_closed(self, candles: Candles, since_ns: int, why: str) -> None:
        """Those that closed meanwhile."""
        last, rows = candles.last, None
        if last is not None:
            question = self._requests.run(
                self._venue.klines(last.symbol, last.interval, last.open_time_ms, None, PriceKind.LAST)
            )
            try:
                rows = await in_time(question, HOLD_S, self._clock)
            except (APIError, TimeoutError) as error:
                why = f"{why}; they can't be read back: {error}"
        if self._candles.get((candles.symbol, candles.interval)) is not candles:
            candles.held = None  # nobody wants them any more
            return
        if last is None or rows is None:
            self._tell(candles, since_ns, why, is_repaired=False)
            return
        closed = [row for row in rows if row.is_closed and (row.open_time_ms > last.open_time_ms or not last.is_closed)]
        if closed:
            self._tell(candles, since_ns, why, is_repaired=True)
        for row in closed:
            candles.last = row
            self._frames.pass_on(recovered(row))

    def _tell(self, candles: Candles, since_ns: int, why: str, *, is_repaired: bool) -> None:
        self._teller.tell(Kline, candles.symbol, since_ns, why, is_repaired=is_repaired, interval=candles.interval)
