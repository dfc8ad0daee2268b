"""Candles that closed while their stream was away, or that it left out, are read back: delivered in order, once, marked
`recovered`.

A candle that a list ends with may be an old state of it, whatever the clock says: its last word is the one that has
another candle behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import force_setattr

from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.strands import AWAY, HOLD_S, SETTLED_S, Hole, Means, Mending, Strand, recovered
from perpwire.errors import APIError
from perpwire.model.market import Kline, PriceKind


class Candles(Strand[Kline]):
    """Those of one symbol and interval.

    Attributes:
        is_sought: What closed between the last one that was told and the next was looked for: whatever that is.
    """

    __slots__ = ("interval", "is_sought")

    def __init__(self, symbol: str, interval: str) -> None:
        super().__init__(symbol)
        self.interval = interval
        self.is_sought = False


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
        if last is not None:
            if candle.open_time_ms < _next_ms(last):
                return False  # the last word on it was told
            if candle.open_time_ms > _next_ms(last) and not candles.is_sought:
                self.tear(candles, candle, "one was left out")
                return False
        candles.last = candle
        candles.is_sought = False
        return True

    async def _read(self, candles: Candles, hole: Hole) -> None:
        """Those that closed meanwhile."""
        last = candles.last
        if last is None:
            self._tell_missing(candles, hole)
            return
        await self._hear(candles, hole, SETTLED_S)
        closed: list[Kline] = []
        is_whole = False
        failure = ""
        tries = 0
        while True:
            behind = candles.behind()
            if behind and behind[0].open_time_ms <= _next_ms(closed[-1] if closed else last):
                is_whole = True
                break
            asked_ns = self._clock.monotonic_ns()
            question = self._venue.klines(last.symbol, last.interval, last.open_time_ms, None, PriceKind.LAST)
            rows: tuple[Kline, ...] = ()
            try:
                rows = await in_time(self._requests.run(question), min(HOLD_S, self._left_s(hole)), self._clock)
            except (APIError, TimeoutError) as error:
                failure = f"they can't be read back: {error}"
            if candles.is_dropped:
                return
            if rows:
                closed = [row for row in rows[:-1] if row.open_time_ms >= _next_ms(last)]
                behind = candles.behind()
                if (
                    rows[-1].open_time_ms >= behind[0].open_time_ms
                    if behind
                    else self._is_settled(candles, hole, asked_ns)
                ):
                    is_whole = True
                    break
            tries += 1
            if not await self._again(hole, tries):
                break
        if failure and not is_whole:
            hole.add(failure)
        if behind:  # the stream says the others itself
            closed = [row for row in closed if row.open_time_ms < behind[0].open_time_ms]
        if closed or not is_whole:
            self._tell(candles, hole, is_repaired=is_whole)
        candles.is_sought = bool(behind) or not is_whole
        for row in closed:
            candles.last = row
            candles.heard_ns = self._clock.time_ns()
            force_setattr(row, "is_closed", True)
            self._frames.pass_on(recovered(row))

    def _tell_missing(self, candles: Candles, hole: Hole) -> None:
        candles.is_sought = True
        self._tell(candles, hole, is_repaired=False)

    def _tell(self, candles: Candles, hole: Hole, *, is_repaired: bool) -> None:
        self._teller.tell(
            Kline, candles.symbol, hole.since_ns, hole.why or AWAY, is_repaired=is_repaired,
            interval=candles.interval,
        )  # fmt: skip


def _next_ms(last: Kline) -> int:
    """When the candle opened that comes after this one; it itself, while it is open."""
    return last.close_time_ms + 1 if last.is_closed else last.open_time_ms
