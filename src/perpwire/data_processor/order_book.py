"""One local order book: the venue's own digits, sorted by price, read as exact numbers.

Prices are told apart and sorted by a float, which is much cheaper than a Decimal and as sure: a double tells any two
numbers of up to 15 significant digits apart and keeps their order (docs/decisions.md). Longer ones, which no contract
has, are compared as Decimals. Nothing that is read ever was a float.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from perpwire.model.market import Level, TextLevel, exact_levels

DIGITS = 15
"""A text that is no longer has so few significant digits that a float is enough for it."""

INFINITE = float("inf")

Key = float
"""Price as it is sorted; of asks, the negative: so the best of either side is the last."""


class _Side:
    """Levels of one side by the key of their price, and the keys in ascending order."""

    __slots__ = ("depth", "horizon", "horizon_text", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[Key] = []
        self.levels: dict[Key, TextLevel] = {}
        self.horizon: Key | None = None
        self.horizon_text = ""
        self.depth: int | None = None

    def load(self, levels: Iterable[TextLevel], limit: int | None) -> None:
        """Replace everything. Where there are `limit` levels or more, there may be others behind them."""
        self.keys = []
        self.levels = {}
        self.horizon = None
        self.apply(levels)
        if limit is not None and len(self.keys) >= limit:
            self.horizon = self.keys[0]
            self.horizon_text = self.levels[self.horizon][0]

    def apply(self, changes: Iterable[TextLevel]) -> None:
        """THE HOT PATH of books.

        Raises:
            ValueError: Something in it is no number; what stood before it is applied.
        """
        keys, levels, sign = self.keys, self.levels, self.sign
        for level in changes:
            price, quantity = level
            key = sign * float(price) if len(price) <= DIGITS else self.key(price)
            amount = float(quantity)
            if 0.0 < amount < INFINITE:
                if key not in levels:
                    if not -INFINITE < key < INFINITE:
                        raise ValueError(f"{price!r} is no price")
                    insort(keys, key)
                levels[key] = level
            elif amount == 0.0:
                # Deleting an unknown level is normal: it lay outside the snapshot.
                if key in levels:
                    del levels[key]
                    del keys[bisect_left(keys, key)]
            else:
                raise ValueError(f"{quantity!r} is no quantity")

    def key(self, price: str | Decimal) -> Key:
        """
        Raises:
            ValueError: It is no number.
        """
        try:
            exact = Decimal(price)
        except InvalidOperation:
            raise ValueError(f"{price!r} is no price") from None
        if exact.is_finite() and len(exact.normalize().as_tuple().digits) > DIGITS:
            return self.sign * exact  # type: ignore[return-value]  # compares with floats exactly
        return self.sign * float(exact)

    def trim(self, depth: int) -> None:
        self.depth = depth
        if len(self.keys) > depth:
            for key in self.keys[:-depth]:
                del self.levels[key]
            del self.keys[:-depth]

    def last_known(self) -> Key | None:
        """Key of the last price up to which every level is known; None: all of the side is."""
        if self.depth is not None:
            return self.keys[0] if len(self.keys) >= self.depth else None
        return self.horizon

    def horizon_price(self) -> Decimal | None:
        last_known = self.last_known()
        if last_known is None:
            return None
        return Decimal(self.horizon_text if self.depth is None else self.levels[last_known][0])

    @property
    def is_out_of_sight(self) -> bool:
        """What is best is not known: all known levels were eaten away, and those behind them never told."""
        return self.horizon is not None and (not self.keys or self.keys[-1] < self.horizon)

    def first(self) -> int:
        """Index in `keys` of the last level before the horizon."""
        last_known = self.last_known()
        return 0 if last_known is None else bisect_left(self.keys, last_known)

    def read(self, depth: int | None, beyond: bool) -> list[Level]:
        """Best first."""
        start = 0 if beyond else self.first()
        if depth is not None:
            start = max(start, len(self.keys) - max(0, depth))
        return list(exact_levels(self.levels[key] for key in reversed(self.keys[start:])))

    def best(self) -> Level | None:
        if not self.keys:
            return None
        price, quantity = self.levels[self.keys[-1]]
        return Decimal(price), Decimal(quantity)


class OrderBook:
    """Bids and asks of one symbol, as last loaded and changed. It trusts its feeder: book_sync.py."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids = _Side(1)
        self._asks = _Side(-1)

    def load(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel], limit: int | None = None) -> None:
        """Replace everything.

        Args:
            limit: How many levels a side were asked for: where so many came, what lies behind them is not known.

        Raises:
            ValueError: Something in it is no number.
        """
        self._bids.load(bids, limit)
        self._asks.load(asks, limit)

    def apply(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> None:
        """Change levels; quantities are absolute, 0 removes.

        Raises:
            ValueError: Something in it is no number.
        """
        self._bids.apply(bids)
        self._asks.apply(asks)

    def trim(self, depth: int) -> None:
        """Forget what lies beyond the best `depth` levels of each side, as the feed says nothing of it."""
        self._bids.trim(depth)
        self._asks.trim(depth)

    @property
    def best_bid(self) -> Level | None:
        return self._bids.best()

    @property
    def best_ask(self) -> Level | None:
        return self._asks.best()

    def bids(self, depth: int | None = None, beyond: bool = False) -> list[Level]:
        """Best first, up to the horizon; those known beyond it too where wished."""
        return self._bids.read(depth, beyond)

    def asks(self, depth: int | None = None, beyond: bool = False) -> list[Level]:
        return self._asks.read(depth, beyond)

    @property
    def horizon(self) -> tuple[Decimal | None, Decimal | None]:
        """Lowest bid price and highest ask price up to which every level is known; None: the whole side is."""
        return self._bids.horizon_price(), self._asks.horizon_price()

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels are known, beyond the horizon too."""
        return len(self._bids.keys), len(self._asks.keys)

    @property
    def is_crossed(self) -> bool:
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks and bids[-1] >= -asks[-1])

    @property
    def is_out_of_sight(self) -> bool:
        """The price has walked beyond the horizon: the best of a side is not known."""
        return self._bids.is_out_of_sight or self._asks.is_out_of_sight
