"""One local order book: exact levels, sorted, best first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal

from perpwire.model.market import Level


class _Side:
    """Levels of one side: quantity by price, and the prices in ascending order."""

    __slots__ = ("prices", "quantities")

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self.quantities: dict[Decimal, Decimal] = {}

    def load(self, levels: Iterable[Level]) -> None:
        self.quantities = {price: quantity for price, quantity in levels if quantity}
        self.prices = sorted(self.quantities)

    def apply(self, levels: Iterable[Level]) -> None:
        prices, quantities = self.prices, self.quantities
        for price, quantity in levels:
            if quantity:
                if price not in quantities:
                    prices.insert(bisect_left(prices, price), price)
                quantities[price] = quantity
            elif price in quantities:
                # Deleting an unknown level is normal: it lay outside the snapshot.
                del quantities[price]
                del prices[bisect_left(prices, price)]


class OrderBook:
    """Bids and asks of one symbol, as last loaded and changed. It trusts its feeder: book_sync.py."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids = _Side()
        self._asks = _Side()

    def load(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Replace everything."""
        self._bids.load(bids)
        self._asks.load(asks)

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Change levels; quantities are absolute, 0 removes."""
        self._bids.apply(bids)
        self._asks.apply(asks)

    def trim(self, depth: int) -> None:
        """Forget what lies beyond the best `depth` levels of each side."""
        for price in self._bids.prices[:-depth]:
            del self._bids.quantities[price]
        del self._bids.prices[:-depth]
        for price in self._asks.prices[depth:]:
            del self._asks.quantities[price]
        del self._asks.prices[depth:]

    @property
    def best_bid(self) -> Level | None:
        side = self._bids
        return (side.prices[-1], side.quantities[side.prices[-1]]) if side.prices else None

    @property
    def best_ask(self) -> Level | None:
        side = self._asks
        return (side.prices[0], side.quantities[side.prices[0]]) if side.prices else None

    def bids(self, depth: int | None = None) -> list[Level]:
        """Best first."""
        prices = self._bids.prices if depth is None else self._bids.prices[-depth:] if depth else []
        return [(price, self._bids.quantities[price]) for price in reversed(prices)]

    def asks(self, depth: int | None = None) -> list[Level]:
        """Best first."""
        prices = self._asks.prices if depth is None else self._asks.prices[:depth]
        return [(price, self._asks.quantities[price]) for price in prices]

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels are known."""
        return len(self._bids.prices), len(self._asks.prices)

    @property
    def is_crossed(self) -> bool:
        return bool(self._bids.prices and self._asks.prices and self._bids.prices[-1] >= self._asks.prices[0])
