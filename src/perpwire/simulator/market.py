"""One symbol's market: the book that orders match in, and what the public sees of it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from random import Random

from perpwire.clock import Clock
from perpwire.model.market import Level
from perpwire.simulator.candles import Candles
from perpwire.simulator.events import BookChanged, Traded
from perpwire.simulator.market_price import MarketPrice
from perpwire.simulator.matching import Book
from perpwire.simulator.outbox import Outbox
from perpwire.simulator.specs import SymbolSpec

TAPE_LENGTH = 2000
"""How many public trades are remembered."""
FIRST_SEQ = 50_000_000_000


class RecordedSide:
    """One side of a recorded book: absolute quantities by price. `prices` are sorted ascending."""

    def __init__(self, is_bid: bool) -> None:
        self.is_bid = is_bid
        self.levels: dict[Decimal, Decimal] = {}
        self.prices: list[Decimal] = []

    def apply(self, levels: Iterable[Level]) -> tuple[Level, ...]:
        """Set levels, 0 removes; gives those that really changed."""
        changed: list[Level] = []
        for level in levels:
            price, quantity = level
            before = self.levels.get(price)
            if quantity == (before or 0):
                continue
            if not quantity:
                del self.levels[price]
                del self.prices[bisect_left(self.prices, price)]
            else:
                if before is None:
                    insort(self.prices, price)
                self.levels[price] = quantity
            changed.append(level)
        return tuple(changed)

    def top(self, count: int) -> list[Level]:
        prices = reversed(self.prices[-count:]) if self.is_bid else self.prices[:count]
        return [(price, self.levels[price]) for price in prices]


class RecordedBook:
    """The public book while a recording plays: what the recording says, untouched by the users' own orders."""

    def __init__(self) -> None:
        self.bids = RecordedSide(is_bid=True)
        self.asks = RecordedSide(is_bid=False)

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The best `levels` of each side, best first; `levels` is above 0."""
        return self.bids.top(levels), self.asks.top(levels)


class Market:
    """One symbol's state; `publish_*` tell the listeners of it.

    Attributes:
        recorded: Set while the market is a recording's: the public side is then the recording alone.
        update_id: Counter of the public book; a recording sets it to the venue's.
        seq: The matching engine's sequence: grows with every change of the book and every trade.
        step: `with market.step:` makes one step of what is done in the block; see outbox.py.
        prices: At which it traded since somebody last took them: the conditional orders do, at the end of each step.
    """

    def __init__(self, spec: SymbolSpec, clock: Clock, rng: Random, outbox: Outbox, candles: Candles) -> None:
        self.spec = spec
        self.symbol = spec.instrument.symbol
        self.book = Book()
        self.price = MarketPrice(spec.instrument, spec.start_price, rng, cap=spec.funding_cap, floor=spec.funding_floor)
        self.recorded: RecordedBook | None = None
        self.update_id = 1
        self.changed_ms = clock.time_ns() // 1_000_000
        self.last_price = spec.start_price
        self.tape: deque[Traded] = deque(maxlen=TAPE_LENGTH)
        self.seq = FIRST_SEQ
        self.step = outbox
        self.candles = candles
        self.prices: list[Decimal] = []
        self._clock = clock
        self._emit = outbox.emit

    def now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000

    def canonical(self, price: Decimal) -> Decimal:
        """The same price with as many digits as the tick size has, so that equal prices are written alike."""
        return price.quantize(self.spec.instrument.tick_size)

    @property
    def middle(self) -> Decimal:
        """Of best bid and ask; the last price where a side is empty."""
        middle = self.book.middle
        return self.last_price if middle is None else middle

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The public book, best first."""
        return (self.recorded or self.book).depth(levels)

    def begin_taking(self) -> None:
        """An order is about to take: all that it trades shares one sequence number."""
        self.seq += 1

    def record_trade(self, trade_id: int, price: Decimal, quantity: Decimal, buyer_is_maker: bool) -> None:
        """A match between orders of ours; a recording's tape does not show it."""
        if self.recorded is None:
            self.publish_trade(trade_id, price, quantity, buyer_is_maker)

    def publish_trade(self, trade_id: int, price: Decimal, quantity: Decimal, buyer_is_maker: bool) -> None:
        self.last_price = price
        self.prices.append(price)
        traded = Traded(
            symbol=self.symbol,
            trade_id=trade_id,
            price=price,
            quantity=quantity,
            buyer_is_maker=buyer_is_maker,
            time_ms=self.now_ms(),
            seq=self.seq,
        )
        self.tape.append(traded)
        self.candles.on_trade(traded)
        self._emit(traded)

    def publish_book(self) -> None:
        """Tell what changed in the book since the last call; a recording tells for itself."""
        bids, asks = self.book.take_changes()
        if self.recorded is None and (bids or asks):
            self.publish_levels(self.update_id + 1, bids, asks)

    def publish_levels(self, update_id: int, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
        self.update_id = update_id
        self.seq += 1
        self.changed_ms = self.now_ms()
        self._emit(
            BookChanged(
                symbol=self.symbol,
                update_id=update_id,
                time_ms=self.changed_ms,
                bids=bids,
                asks=asks,
                seq=self.seq,
            )
        )
