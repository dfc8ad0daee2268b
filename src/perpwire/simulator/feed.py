"""The background market: seeded anonymous orders that look like other people's trading.

Arrivals come in clusters (a self-exciting process: each one makes the next more likely for a while), and more of them
in times of stress. Each is one event: orders are added or cancelled, or one taker trades, and what that changes in the
book is published as one. All of it goes around a fair price that wanders, more in some minutes than in others, and that
trading pushes; users trade against the orders by price and time. The market can't run out: whatever was eaten or left
behind is laid anew by the next arrivals.
"""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import takewhile
from random import Random

from perpwire.clock import Clock, Timer
from perpwire.model.order import Side
from perpwire.simulator.execution import Execution
from perpwire.simulator.market import Market
from perpwire.simulator.matching import Resting
from perpwire.simulator.mood import Mood

ORDERS_PER_SIDE = 130
"""As many as there usually are."""
THIN = 12
"""Below so many prices on a side, it is filled up at once."""

_CHILDREN = 0.6  # how many further arrivals each one brings, on average; below 1
_FADE_PER_S = 8.0  # how fast that wears off
_DAILY_DEVIATION = 0.012  # of the fair price in usual times, as a share of itself
_TYPICAL_VALUE = 24_000.0  # quote; of a background order near the top
_TAKEN = 0.35  # what a taker wants, to that
_DEEPER = 6.0  # times larger are the orders furthest from the top
_LARGEST = 60.0  # times the typical order
_LATE_S = 1.0  # a feed that is later than this lets the missed time go

_MOOD_STEP_S = 0.1
_ARRIVALS_A_TURN = 50
_FORGET_EVERY = 8  # arrivals
_KEPT_PRICES = 20_000


_SIDES = (Side.BUY, Side.SELL)


class _Quote(Resting):
    """A background order; `ticks` is its price."""

    __slots__ = ("ticks",)

    def __init__(self, side: Side, price: Decimal, quantity: Decimal, ticks: int) -> None:
        super().__init__(side, price, quantity)
        self.ticks = ticks


class SyntheticFeed:
    """One symbol's background. Lays the first book when made; `start` sets it going.

    Args:
        rate: Arrivals a second, on average in the long run: one a second or less, up to what the machine can do.

    Attributes:
        symbol: Whose background it is.
    """

    def __init__(self, market: Market, execution: Execution, clock: Clock, rng: Random, rate: float) -> None:
        self.symbol = market.symbol
        self._market = market
        self._execution = execution
        self._clock = clock
        self._rng = rng
        self._rate = rate
        self._mood = Mood(rng)
        instrument = market.spec.instrument
        self._tick = instrument.tick_size
        self._step = instrument.quantity_step
        self._fewest_steps = math.ceil(instrument.min_quantity / self._step)
        self._typical_steps = _TYPICAL_VALUE / float(market.spec.start_price * self._step)
        self._fair = float(market.spec.start_price / self._tick)  # in ticks
        self._deviation = self._fair * _DAILY_DEVIATION / math.sqrt(86400)  # of the fair price in a second, in ticks
        self._reach = max(50, round(10 * self._deviation))  # how many ticks deep, from the fair price, orders are laid
        self._excitement = rate * _CHILDREN  # its mean
        self._waited_s = self._unfelt_s = 0.0
        self._arrivals = 0
        self._targets: dict[Side, int] = {}
        self._quotes: dict[Side, list[_Quote]] = {Side.BUY: [], Side.SELL: []}
        self._prices: dict[int, Decimal] = {}
        self._timer: Timer | None = None
        self._is_closed = False
        self._next_at_ns = 0
        self._lay()
        market.book.take_changes()
        market.price.anchor = self._fair_price

    # --- time ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._next_at_ns = self._clock.monotonic_ns()
        self._draw_next()
        self._sleep()

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sleep(self) -> None:
        if self._is_closed:
            return
        wait_s = max(0, self._next_at_ns - self._clock.monotonic_ns()) / 1e9
        self._timer = self._clock.call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._next_at_ns > _LATE_S * 1e9:
            self._next_at_ns = now_ns
        try:
            # One that is behind catches up in small steps, so that calls are answered in between.
            for _ in range(_ARRIVALS_A_TURN):
                if self._next_at_ns > now_ns or self._is_closed:
                    break
                self._drift()
                self._draw_next()
                with self._market.step:
                    self.arrive()
        finally:  # whatever somebody who listens does, the market goes on
            self._sleep()

    def _drift(self) -> None:
        """What the time since the last arrival did to mood and fair price."""
        waited_s = self._waited_s
        self._unfelt_s += waited_s
        if self._unfelt_s > _MOOD_STEP_S:
            self._mood.advance(self._unfelt_s)
            self._unfelt_s = 0.0
        # Most of the movement comes with arrivals, so that it clusters as they do; the rest with time.
        spread = self._deviation * self._mood.volatility * math.sqrt(0.3 * waited_s + 0.7 / self._rate)
        self._push(spread * (self._rng.gauss(0.0, 1.0) + 0.25 * self._imbalance()))

    def _draw_next(self) -> None:
        """Set the time of the next arrival, by thinning: candidates at the present rate, which can only fade."""
        base = self._rate * self._mood.busyness * (1 - _CHILDREN)
        waited_s = 0.0
        while True:
            upper = base + self._excitement
            gap_s = self._rng.expovariate(upper)
            waited_s += gap_s
            self._excitement *= math.exp(-_FADE_PER_S * gap_s)
            if self._rng.random() * upper <= base + self._excitement:
                break
        self._excitement += _CHILDREN * _FADE_PER_S
        self._next_at_ns += round(waited_s * 1e9)
        self._waited_s = waited_s

    # --- arrivals -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """One arrival: orders are added or cancelled, or one trades."""
        rng, stress = self._rng, self._mood.stress
        draw = rng.random()
        self._arrivals += 1
        if not self._arrivals % _FORGET_EVERY:
            self._forget()
        for side in _SIDES:
            self._withdraw_stale(side)
        for side in _SIDES:
            behind = self._behind(side)
            if behind > self._reach // 4 or (behind and rng.random() < 0.9 - 0.6 * stress):
                self._add(side, 0)
            if len(self._market.book.side(side).prices) < THIN:
                for _ in range(10):
                    self._add(side, self._depth(side))
        sweeps = 0.006 + 0.02 * stress
        if draw < sweeps:
            self._take(40 * _TAKEN, rng.randint(3, 8))
        elif draw < 0.10 + 0.06 * stress:
            self._take(rng.choice((1, 1, 1, 2, 3)) * _TAKEN, 1)
        else:
            self._make(rng.choice(_SIDES))
        self._market.publish_book()

    def move_to(self, price: Decimal) -> None:
        """The fair price is this from now on, and every background order is laid anew around it."""
        self._fair = max(2.0 * THIN, float(price / self._tick))
        for quotes in self._quotes.values():
            for quote in quotes:
                if quote.quantity:
                    self._market.book.remove(quote)
            quotes.clear()
        self._lay()

    def _lay(self) -> None:
        self._push(0.0)
        for side in _SIDES:
            while len(self._quotes[side]) < ORDERS_PER_SIDE:
                self._add(side, self._depth(side))

    def _push(self, ticks: float) -> None:
        """Move the fair price, and with it the best prices that makers would quote now: further away in stress."""
        self._fair = fair = max(2.0 * THIN, self._fair + ticks)
        mood = self._mood
        apart = mood.stress * min(0.25 * self._deviation * mood.volatility, 0.1 * self._reach)
        self._targets = {Side.BUY: math.ceil(fair - apart) - 1, Side.SELL: math.floor(fair + apart) + 1}

    def _fair_price(self) -> Decimal:
        return self._tick * round(self._fair * 1000) / 1000

    # --- makers -------------------------------------------------------------------------------------------------------

    def _make(self, side: Side) -> None:
        """Orders are added or one is cancelled, whatever brings their number to what is wanted now."""
        quotes = self._quotes[side]
        wanted = ORDERS_PER_SIDE * self._mood.depth(side)
        missing = wanted - len(quotes)
        several = 1 + int(abs(missing) / 10)
        for _ in range(several):
            if self._rng.random() * 2 * wanted < wanted + 6 * missing:
                self._add(side, self._depth(side))
            else:
                self._cancel(side)

    def _behind(self, side: Side) -> int:
        """How far the best price is from where this side would quote, in ticks."""
        best = self._market.book.side(side).best
        return 0 if best is None else max(0, (int(best / self._tick) - self._targets[side]) * _outward(side))

    def _depth(self, side: Side) -> int:
        """How many ticks behind the best one an order is laid."""
        rng = self._rng
        behind = self._behind(side)
        if behind and rng.random() < 0.5:
            return int(min(behind, self._reach) * rng.random())  # the top was eaten: close the gap
        if rng.random() < 0.5:
            return min(self._reach - 1, int(rng.expovariate(1 / 6)))
        return int(self._reach * rng.random() ** 2)

    def _add(self, side: Side, depth: int) -> None:
        ticks = max(1, self._targets[side] + _outward(side) * depth)
        price = self._price(ticks)
        # What is left of the old price on the other side is taken first: so the market moves with the fair price.
        quantity = self._step * self._steps(1 + _DEEPER * depth / self._reach)
        if self._market.book.would_take(side, price):
            quantity = self._execution.take(self._market, side, quantity, price)
        if quantity:
            quote = _Quote(side, price, quantity, ticks)
            self._market.book.add(quote)
            self._quotes[side].append(quote)

    def _cancel(self, side: Side) -> None:
        quotes = self._quotes[side]
        # The one farthest from the fair price of a few goes: old levels don't stay around for ever.
        picks = [self._rng.randrange(len(quotes)) for _ in range(3)] if quotes else []
        for index in sorted(picks, key=lambda one: -abs(quotes[one].ticks - self._fair)):
            quote = quotes[index]
            quotes[index] = quotes[-1]
            quotes.pop()
            if quote.quantity:
                self._market.book.remove(quote)
            return

    def _withdraw_stale(self, side: Side) -> None:
        """Makers pull what the fair price has left behind on the wrong side. Users' orders stay, and will be taken."""
        book = self._market.book.side(side)
        best = book.best
        if best is None or (int(best / self._tick) - self._fair) * _outward(side) >= 0:
            return
        fair = self._fair_price()
        left_behind = takewhile(lambda level: book.is_better(level.price, fair), book.best_first())
        stale = [resting for level in left_behind for resting in level.queue if resting.order is None]
        for resting in stale:
            if self._rng.random() < 0.85:  # some are too slow, and are taken by what comes next
                self._market.book.remove(resting)

    def _forget(self) -> None:
        """Keep no background order that is gone."""
        for quotes in self._quotes.values():
            quotes[:] = [one for one in quotes if one.quantity]

    # --- takers -------------------------------------------------------------------------------------------------------

    def _take(self, size: float, levels: int) -> None:
        """One taker of so many typical orders trades through as many levels at most. Takers lean toward the fair price,
        so that they draw the book along, and toward the thinner side of the book."""
        book = self._market.book
        middle = float(self._market.middle / self._tick)
        behind = (self._fair - middle) / (1 + self._deviation)
        lean = max(-0.25, min(0.25, behind)) + 0.45 * self._imbalance()
        side = Side.BUY if self._rng.random() < 0.5 + lean else Side.SELL
        against = book.opposite(side)
        first = against.best
        if first is None:
            return
        reached = against.prices[-levels:][0] if against.is_bid else against.prices[:levels][-1]
        self._execution.take(self._market, side, self._step * self._steps(size), reached)
        away = 1 if side is Side.BUY else -1
        moved = 0.0 if against.best is None else abs(float((against.best - first) / self._tick))
        self._push(away * min(0.02 * self._deviation + 0.3 * moved, self._deviation))

    def _imbalance(self) -> float:
        """Of the best five levels: from -1, all asks, to 1, all bids."""
        book = self._market.book
        bids = asks = 0.0
        for price in book.bids.prices[-5:]:
            bids += float(book.bids.levels[price].total)
        for price in book.asks.prices[:5]:
            asks += float(book.asks.levels[price].total)
        return (bids - asks) / (bids + asks) if bids and asks else 0.0

    def _price(self, ticks: int) -> Decimal:
        price = self._prices.get(ticks)
        if price is None:
            if len(self._prices) > _KEPT_PRICES:
                self._prices.clear()
            price = self._prices[ticks] = self._tick * ticks
        return price

    def _steps(self, typical: float) -> int:
        """How large an order is that is about so many typical ones: mostly near that, a few many times as large."""
        size = self._typical_steps * typical * self._rng.lognormvariate(-0.8, 0.9)
        if self._rng.random() < 0.08:
            size *= min(_LARGEST, self._rng.paretovariate(1.6))
        return max(self._fewest_steps, round(size))


def _outward(side: Side) -> int:
    """Away from the other side: where a side's worse prices are."""
    return -1 if side is Side.BUY else 1
