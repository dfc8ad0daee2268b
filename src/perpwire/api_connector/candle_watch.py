"""An async iterator over candles made of trades."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from perpwire.api_connector.event_queue import EventQueue
from perpwire.data_processor.candles import CandleMaker
from perpwire.model.market import Gap, Kline, Trade


class CandleWatch:
    """`async for candle in await connector.watch_candles("BTCUSDT", "5s")`: each candle once, when it is closed, which
    the first trade after it does. Where trades of it may be missing, `is_complete` is False.

    While nobody iterates, trades wait, up to the limit of watch_trades.
    """

    def __init__(self, trades: EventQueue[Trade | Gap], maker: CandleMaker) -> None:
        self._trades = trades
        self._maker = maker
        self._closed: deque[Kline] = deque()

    @property
    def current(self) -> Kline | None:
        """The candle that is open, of the trades that the iteration has come to; None before the first."""
        return self._maker.current

    @property
    def late(self) -> int:
        """Trades that came after their candle was closed, and are in none."""
        return self._maker.late

    def close(self) -> None:
        """Take the subscription back, and end the iteration after the trades that wait."""
        self._trades.close()

    def __aiter__(self) -> AsyncIterator[Kline]:
        return self

    async def __anext__(self) -> Kline:
        while not self._closed:
            event = await anext(self._trades)
            if isinstance(event, Gap):
                self._maker.on_gap(event)
            else:
                self._closed.extend(self._maker.on_trade(event))
        return self._closed.popleft()

    async def __aenter__(self) -> CandleWatch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
