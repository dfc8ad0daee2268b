"""The market's cross sequence, which ties books, trades, fills and positions together."""

from __future__ import annotations

from perpwire.simulator.exchange import Exchange


class Memory:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def seq(self, symbol: str) -> int:
        """Grows with every change of the symbol's book and every trade."""
        return self._exchange.seq(symbol)
