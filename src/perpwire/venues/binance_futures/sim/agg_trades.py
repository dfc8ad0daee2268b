"""One symbol's aggregate trades: fills of one price and taker side within the same tenth of a second."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from perpwire.simulator.events import Traded

WINDOW_MS = 100
REMEMBERED = 2000
FIRST_ID = 2_000_000_001


class AggTrade(msgspec.Struct):
    """`time_ms` is that of its last fill."""

    agg_id: int
    price: Decimal
    quantity: Decimal
    first_id: int
    last_id: int
    time_ms: int
    buyer_is_maker: bool


class AggTrades:
    """Counts from the start, whether anybody listens or not, so that ids have no gaps."""

    def __init__(self) -> None:
        self._tape: deque[AggTrade] = deque(maxlen=REMEMBERED)
        self._next_id = FIRST_ID

    @property
    def last_id(self) -> int:
        """Of the newest, finished or not."""
        return self._next_id - 1

    def add(self, trade: Traded) -> None:
        last = self._tape[-1] if self._tape else None
        if (
            last is not None
            and last.price == trade.price
            and last.buyer_is_maker is trade.buyer_is_maker
            and last.time_ms // WINDOW_MS == trade.time_ms // WINDOW_MS
        ):
            last.quantity += trade.quantity
            last.last_id = trade.trade_id
            last.time_ms = trade.time_ms
            return
        self._tape.append(
            AggTrade(
                agg_id=self._next_id,
                price=trade.price,
                quantity=trade.quantity,
                first_id=trade.trade_id,
                last_id=trade.trade_id,
                time_ms=trade.time_ms,
                buyer_is_maker=trade.buyer_is_maker,
            )
        )
        self._next_id += 1

    def finished(self, now_ms: int, after_id: int = 0) -> list[AggTrade]:
        """Those with a greater id whose tenth of a second is over, oldest first."""
        window = now_ms // WINDOW_MS
        newer: list[AggTrade] = []
        for one in reversed(self._tape):
            if one.agg_id <= after_id:
                break
            if one.time_ms // WINDOW_MS < window:
                newer.append(one)
        newer.reverse()
        return newer
