"""One symbol's book: price-time priority with exact numbers. It knows no account but the name on an order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal

from perpwire.model.market import Level
from perpwire.model.order import Side
from perpwire.simulator.records import SimOrder
from perpwire.simulator.vocabulary import SelfTrade

ZERO = Decimal(0)


class Resting:
    """A quantity that rests in the book: an account's order, or anonymous background where `order` is None."""

    __slots__ = ("order", "price", "quantity", "side")

    def __init__(self, side: Side, price: Decimal, quantity: Decimal, order: SimOrder | None = None) -> None:
        self.side = side
        self.price = price
        self.quantity = quantity
        self.order = order


class PriceLevel:
    """All that rests at one price, oldest first. `total` is the sum of the queue's quantities."""

    __slots__ = ("price", "queue", "total")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.queue: deque[Resting] = deque()
        self.total = ZERO


class BookSide:
    """The levels of one side. `prices` are sorted ascending on both sides."""

    __slots__ = ("is_bid", "levels", "prices")

    def __init__(self, is_bid: bool) -> None:
        self.is_bid = is_bid
        self.levels: dict[Decimal, PriceLevel] = {}
        self.prices: list[Decimal] = []

    @property
    def best(self) -> Decimal | None:
        if not self.prices:
            return None
        return self.prices[-1] if self.is_bid else self.prices[0]

    def best_first(self) -> Iterator[PriceLevel]:
        """The levels from the best price outward; the side must not change meanwhile."""
        prices = reversed(self.prices) if self.is_bid else iter(self.prices)
        return (self.levels[price] for price in prices)

    def is_within(self, price: Decimal, limit: Decimal | None) -> bool:
        """May an incoming order with this limit trade against this side at `price`?"""
        return limit is None or (price >= limit if self.is_bid else price <= limit)

    def is_better(self, price: Decimal, than: Decimal) -> bool:
        return price > than if self.is_bid else price < than

    def level(self, price: Decimal) -> PriceLevel:
        """The level at this price, made where there is none."""
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = PriceLevel(price)
            insort(self.prices, price)
        return level

    def drop(self, price: Decimal) -> None:
        del self.levels[price]
        del self.prices[bisect_left(self.prices, price)]


class Book:
    """Bids and asks of one symbol. Changed prices are collected until `take_changes`."""

    def __init__(self) -> None:
        self.bids = BookSide(is_bid=True)
        self.asks = BookSide(is_bid=False)
        self._changed_bids: dict[Decimal, None] = {}
        self._changed_asks: dict[Decimal, None] = {}
        self.user_orders = 0
        """How many accounts' orders rest here."""

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks

    def opposite(self, side: Side) -> BookSide:
        return self.asks if side is Side.BUY else self.bids

    def _touch(self, side: Side, price: Decimal) -> None:
        (self._changed_bids if side is Side.BUY else self._changed_asks)[price] = None

    def take_changes(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The levels that changed since the last call, bids and asks: absolute quantities, 0 where a level is gone."""
        bids, asks = self._changed_bids, self._changed_asks
        if not bids and not asks:
            return (), ()
        self._changed_bids, self._changed_asks = {}, {}
        return _totals(self.bids, bids), _totals(self.asks, asks)

    # --- what rests -----------------------------------------------------------------------------------------------

    def add(self, resting: Resting) -> None:
        """Queue it behind everything at its price."""
        level = self.side(resting.side).level(resting.price)
        level.queue.append(resting)
        level.total += resting.quantity
        self.user_orders += resting.order is not None
        self._touch(resting.side, resting.price)

    def reduce(self, resting: Resting, quantity: Decimal) -> None:
        """Take `quantity` off what rests, keeping its place; at 0 it leaves the book."""
        side = self.side(resting.side)
        level = side.levels[resting.price]
        resting.quantity -= quantity
        level.total -= quantity
        if not resting.quantity:
            # Nearly always the oldest, so this is cheap.
            level.queue.remove(resting)
            self.user_orders -= resting.order is not None
            if not level.queue:
                side.drop(resting.price)
        self._touch(resting.side, resting.price)

    def remove(self, resting: Resting) -> None:
        self.reduce(resting, resting.quantity)

    def set_background(self, side: Side, levels: Iterable[Level]) -> None:
        """Make the anonymous quantity at each price what a recorded update says. Not part of `take_changes`.

        More of it queues behind the accounts' orders there; less is taken off the rear first, so that an account's
        order never loses its place and moves up only when nothing anonymous is left behind it.
        """
        book_side = self.side(side)
        for price, quantity in levels:
            level = book_side.levels.get(price)
            if level is None:
                if quantity:
                    level = book_side.level(price)
                    level.queue.append(Resting(side, price, quantity))
                    level.total = quantity
            elif len(level.queue) == 1 and level.queue[0].order is None:
                # Nearly every level: nobody's order is there.
                if quantity:
                    level.queue[0].quantity = level.total = quantity
                else:
                    level.queue[0].quantity = quantity
                    book_side.drop(price)
            else:
                _requeue(level, side, quantity)
                if not level.queue:
                    book_side.drop(price)

    # --- what an incoming order would meet --------------------------------------------------------------------------

    def next_maker(self, side: Side, limit: Decimal | None) -> Resting | None:
        """What an incoming order of this side and limit trades with next; None where nothing is in reach."""
        against = self.opposite(side)
        best = against.best
        if best is None or not against.is_within(best, limit):
            return None
        return against.levels[best].queue[0]

    def would_take(self, side: Side, limit: Decimal) -> bool:
        return self.next_maker(side, limit) is not None

    def reach(
        self,
        side: Side,
        limit: Decimal | None,
        quantity: Decimal,
        account: str | None = None,
        self_trade: SelfTrade = "taker",
    ) -> tuple[Decimal, Decimal]:
        """How much of `quantity` could be filled now, and its value. The account's own orders end it, are
        passed over or count, by `self_trade`."""
        filled = value = ZERO
        against = self.opposite(side)
        for level in against.best_first():
            if not against.is_within(level.price, limit):
                break
            for resting in level.queue:
                is_own = account is not None and resting.order is not None and resting.order.account == account
                if is_own and self_trade in ("taker", "both"):
                    return filled, value
                if is_own and self_trade == "maker":
                    continue
                part = min(resting.quantity, quantity - filled)
                filled += part
                value += part * level.price
                if filled == quantity:
                    return filled, value
        return filled, value

    # --- what can be seen -------------------------------------------------------------------------------------------

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The best `levels` of each side, best first."""
        return _top(self.bids, levels), _top(self.asks, levels)

    @property
    def middle(self) -> Decimal | None:
        """Between best bid and best ask; None where a side is empty."""
        bid, ask = self.bids.best, self.asks.best
        return None if bid is None or ask is None else (bid + ask) / 2


def _requeue(level: PriceLevel, side: Side, quantity: Decimal) -> None:
    """Bring the anonymous part of a mixed queue to `quantity`, at the rear."""
    queue = level.queue
    change = quantity - sum((one.quantity for one in queue if one.order is None), ZERO)
    level.total += change
    if change > 0:
        if queue[-1].order is None:
            queue[-1].quantity += change
        else:
            queue.append(Resting(side, level.price, change))
        return
    for resting in reversed(tuple(queue)):
        if resting.order is None and change:
            taken = min(-change, resting.quantity)
            change += taken
            resting.quantity -= taken
            if not resting.quantity:
                queue.remove(resting)


def _totals(side: BookSide, prices: dict[Decimal, None]) -> tuple[Level, ...]:
    levels = side.levels
    return tuple((price, levels[price].total if price in levels else ZERO) for price in prices)


def _top(side: BookSide, count: int) -> list[Level]:
    prices = side.prices[: -count - 1 : -1] if side.is_bid else side.prices[:count]
    levels = side.levels
    return [(price, levels[price].total) for price in prices]
