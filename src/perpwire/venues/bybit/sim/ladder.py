"""A symbol's public book as it is written on the wire, and what of it a stream of some depth has shown.

The book is followed by what changed in it: a step of a stream costs what changed and what entered or left its window,
not its depth.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from decimal import Decimal

from perpwire.model.instrument import Instrument
from perpwire.model.market import Level
from perpwire.venues.bybit.sim.numbers import fit

LevelText = tuple[str, str]
SideText = tuple[LevelText, ...]

GONE = "0"


def side_text(levels: Iterable[Level], instrument: Instrument) -> SideText:
    """Levels as the venue writes them."""
    tick, step = instrument.tick_size, instrument.quantity_step
    return tuple((fit(price, tick), fit(size, step) if size else GONE) for price, size in levels)


class Side:
    """One side of the whole book: price -> price and size as text. `prices` are sorted ascending."""

    def __init__(self, is_bid: bool, instrument: Instrument) -> None:
        self.is_bid = is_bid
        self.levels: dict[Decimal, LevelText] = {}
        self.prices: list[Decimal] = []
        self._tick = instrument.tick_size
        self._step = instrument.quantity_step

    def load(self, levels: Iterable[Level]) -> None:
        self.levels = {price: (fit(price, self._tick), fit(size, self._step)) for price, size in levels}
        self.prices = sorted(self.levels)

    def apply(self, levels: Iterable[Level]) -> None:
        """Set levels; size 0 removes."""
        for price, size in levels:
            before = self.levels.get(price)
            if size:
                text = fit(price, self._tick) if before is None else before[0]
                self.levels[price] = (text, fit(size, self._step))
                if before is None:
                    insort(self.prices, price)
            elif before is not None:
                del self.levels[price]
                del self.prices[bisect_left(self.prices, price)]

    def edge(self, depth: int) -> Decimal | None:
        """The price of the last of so many levels; None where there are fewer, so that all are inside."""
        if len(self.prices) < depth:
            return None
        return self.prices[-depth] if self.is_bid else self.prices[depth - 1]

    def is_inside(self, price: Decimal, edge: Decimal | None) -> bool:
        return edge is None or (price >= edge if self.is_bid else price <= edge)

    def between(self, edge: Decimal, outer: Decimal | None) -> list[Decimal]:
        """The prices beyond `edge` up to and with `outer` (None: to the end)."""
        prices = self.prices
        if self.is_bid:
            return prices[0 if outer is None else bisect_left(prices, outer) : bisect_left(prices, edge)]
        return prices[bisect_right(prices, edge) : None if outer is None else bisect_right(prices, outer)]

    def best_first(self, prices: Iterable[Decimal]) -> list[Decimal]:
        return sorted(prices, reverse=self.is_bid)


class Window:
    """What a stream has shown of one side, at most `depth` levels.

    Attributes:
        shown: Price -> its texts, as the stream's clients have them now.
    """

    def __init__(self, side: Side, depth: int) -> None:
        self._side = side
        self._depth = depth
        self._edge: Decimal | None = None
        self._touched: set[Decimal] = set()
        self.shown: dict[Decimal, LevelText] = {}

    def touch(self, levels: Iterable[Level]) -> None:
        """These prices changed since the last step."""
        self._touched.update([price for price, _ in levels])

    def advance(self) -> SideText:
        """Bring what is shown up to now; gives what changed, best first: size "0" where a level is gone."""
        side, shown, old_edge = self._side, self.shown, self._edge
        new_edge = side.edge(self._depth)
        suspects, self._touched = self._touched, set()
        if old_edge != new_edge:
            if old_edge is not None and not (new_edge is not None and side.is_inside(new_edge, old_edge)):
                suspects.update(side.between(old_edge, new_edge))  # these came into the window
            elif new_edge is not None:
                suspects.update(side.between(new_edge, old_edge))  # these left it
            self._edge = new_edge
        changed: list[tuple[Decimal, LevelText]] = []
        for price in suspects:
            now = side.levels.get(price) if side.is_inside(price, new_edge) else None
            before = shown.get(price)
            if now == before:
                continue
            if now is not None:
                shown[price] = now
                changed.append((price, now))
            elif before is not None:
                del shown[price]
                changed.append((price, (before[0], GONE)))
        changed.sort(reverse=side.is_bid)
        return tuple([text for _, text in changed])

    def advance_fully(self) -> bool:
        """The same without knowing what changed; says whether anything did."""
        side = self._side
        self._touched.clear()
        self._edge = side.edge(self._depth)
        prices = side.prices[-self._depth :] if side.is_bid else side.prices[: self._depth]
        before, self.shown = self.shown, {price: side.levels[price] for price in prices}
        return before != self.shown

    def whole(self) -> SideText:
        """What is shown, best first."""
        return tuple([self.shown[price] for price in self._side.best_first(self.shown)])


class Ladder:
    """Both sides of one symbol's book, followed while a stream shows it."""

    def __init__(self, instrument: Instrument) -> None:
        self.bids = Side(True, instrument)
        self.asks = Side(False, instrument)
        self.windows: tuple[tuple[Window, Window], ...] = ()

    @property
    def is_followed(self) -> bool:
        return bool(self.windows)

    def load(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        self.bids.load(bids)
        self.asks.load(asks)

    def follow(self, windows: tuple[Window, Window]) -> None:
        self.windows = (*self.windows, windows)

    def leave(self, windows: tuple[Window, Window]) -> None:
        self.windows = tuple(one for one in self.windows if one is not windows)

    def apply(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
        """Take in what changed in the book: absolute quantities, 0 where a level is gone."""
        if bids:
            self.bids.apply(bids)
        if asks:
            self.asks.apply(asks)
        for bid_window, ask_window in self.windows:
            if bids:
                bid_window.touch(bids)
            if asks:
                ask_window.touch(asks)
