"""A plain book to hold the local one against, and streams of updates that somebody might send."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

from perpwire.data_processor.book_sync import BookSync
from perpwire.model.market import BookDelta, BookSnapshot, Level, TextLevel
from perpwire.venues.base import BookRule


class PlainBook:
    """Everything there is, by the slowest and plainest means."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, bids: tuple[TextLevel, ...], asks: tuple[TextLevel, ...]) -> None:
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in changes:
                side.pop(Decimal(price), None)
                if Decimal(quantity):
                    side[Decimal(price)] = Decimal(quantity)

    def top(self, depth: int) -> tuple[list[Level], list[Level]]:
        return sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]

    def text(self, depth: int) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        bids, asks = self.top(depth)
        return tuple((f"{p:f}", f"{q:f}") for p, q in bids), tuple((f"{p:f}", f"{q:f}") for p, q in asks)


class Market:
    """A walk of the middle, with orders coming and going around it; never crossed."""

    def __init__(self, seed: int, width: int = 80) -> None:
        self.random = random.Random(seed)
        self.width = width
        self.book = PlainBook()
        self.middle = 50_000
        bids = tuple((self._price(self.middle - n), self._quantity()) for n in range(1, width))
        asks = tuple((self._price(self.middle + n), self._quantity()) for n in range(1, width))
        self.book.apply(bids, asks)

    def change(self) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        """Insertions, changes, deletions of levels that are there or not; and the middle moves."""
        chance = self.random
        if chance.random() < 0.3:
            step = chance.choice((-1, 1))
            self.middle += step
            gone: tuple[TextLevel, ...] = ((self._price(self.middle), chance.choice(("0", "0.000"))),)
        else:
            gone = ()
        bids = asks = gone
        bids += ((self._price(self.middle - chance.randint(1, self.width)), self._quantity(0.3)),)
        asks += ((self._price(self.middle + chance.randint(1, self.width)), self._quantity(0.3)),)
        self.book.apply(bids, asks)
        return bids, asks

    def _price(self, ticks: int) -> str:
        """Sometimes with a zero more or less: it is the same price."""
        text = f"{Decimal(ticks) / 10:f}"
        return text + "0" if "." in text and self.random.random() < 0.5 else text

    def _quantity(self, none: float = 0.0) -> str:
        return "0.000" if self.random.random() < none else f"{self.random.randint(1, 9999) / 1000:.3f}"


class Fed:
    """A book and what it asks for and tells."""

    def __init__(self, rule: BookRule, *, depth: int | None = None, limit: int | None = None) -> None:
        self.renewals = 0
        self.turns: list[bool] = []
        self.sync = BookSync(
            "X", rule, renew=self._renew, changed=lambda ok, why: self.turns.append(ok), depth=depth, limit=limit
        )
        self.book = self.sync.book

    def _renew(self) -> None:
        self.renewals += 1


def diffs(market: Market, first: int = 1000) -> Iterator[BookDelta]:
    """As Binance numbers them: ids are shared by all symbols, so they jump; `pu` chains them."""
    last = first
    while True:
        begins = last + market.random.randint(1, 50)
        ends = begins + market.random.randint(0, 9)
        bids, asks = market.change()
        yield BookDelta(
            bid_text=bids, ask_text=asks, first_update_id=begins, update_id=ends, previous_update_id=last,
            venue_time_ms=ends,
        )  # fmt: skip
        last = ends


def snapshot_of(market: Market, update_id: int, depth: int = 1000) -> BookSnapshot:
    bids, asks = market.book.text(depth)
    return BookSnapshot(bid_text=bids, ask_text=asks, update_id=update_id, venue_time_ms=update_id)
