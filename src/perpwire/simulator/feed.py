"""The background market: seeded anonymous orders that look like other people's trading.

Arrivals come in clusters (a self-exciting process: each one makes the next more likely for a while). They add, cancel
and take around a fair price that wanders slowly; users trade against them by price and time. The market can't run out:
whatever was eaten or left behind is laid anew by the next arrivals.
"""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random

from perpwire.clock import Clock, Timer
from perpwire.model.order import Side
from perpwire.simulator.execution import Execution
from perpwire.simulator.market import Market
from perpwire.simulator.matching import Resting

LEVELS = 50
"""How many ticks deep, counted from the fair price, orders are laid."""
ORDERS_PER_SIDE = 130
THIN = 30
"""Below so many resting orders on a side, only that side is filled up."""

_CHILDREN = 0.6  # how many further arrivals each one brings, on average; below 1
_FADE_PER_S = 8.0  # how fast that wears off
_DRIFT_TICKS = 1.2  # standard deviation of the fair price after one second, in ticks
_TYPICAL_VALUE = 12_000.0  # quote; of a background order near the top
_LATE_S = 1.0  # a feed that is later than this lets the missed time go

_ARRIVALS_A_TURN = 50


class SyntheticFeed:
    """One symbol's background. Lays the first book when made; `start` sets it going.

    Args:
        rate: Arrivals a second, on average.
    """

    def __init__(self, market: Market, execution: Execution, clock: Clock, rng: Random, rate: float) -> None:
        self.symbol = market.symbol
        self._market = market
        self._execution = execution
        self._clock = clock
        self._rng = rng
        self._rate = rate
        instrument = market.spec.instrument
        self._tick = instrument.tick_size
        self._step = instrument.quantity_step
        self._min_quantity = instrument.min_quantity
        self._typical_quantity = _TYPICAL_VALUE / float(market.spec.start_price)
        self._fair = float(market.spec.start_price / self._tick)  # in ticks
        self._excitement = 0.0
        self._orders: dict[Side, list[Resting]] = {Side.BUY: [], Side.SELL: []}
        self._timer: Timer | None = None
        self._next_at_ns = 0
        for side in Side:
            while len(self._orders[side]) < ORDERS_PER_SIDE:
                self._add(side)
        market.book.take_changes()

    # --- time ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._next_at_ns = self._clock.monotonic_ns()
        self._schedule()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self._draw_next()
        self._sleep()

    def _sleep(self) -> None:
        wait_s = max(0, self._next_at_ns - self._clock.monotonic_ns()) / 1e9
        self._timer = self._clock.call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._next_at_ns > _LATE_S * 1e9:
            self._next_at_ns = now_ns
        # One that is behind catches up in small steps, so that calls are answered in between.
        for _ in range(_ARRIVALS_A_TURN):
            if self._next_at_ns > now_ns:
                break
            with self._market.step:
                self.arrive()
            self._draw_next()
        self._sleep()

    def _draw_next(self) -> None:
        """Set the time of the next arrival, by thinning: candidates at the present rate, which can only fade."""
        base = self._rate * (1 - _CHILDREN)
        waited_s = 0.0
        while True:
            upper = base + self._excitement
            gap_s = self._rng.expovariate(upper)
            waited_s += gap_s
            self._excitement *= math.exp(-_FADE_PER_S * gap_s)
            if self._rng.random() * upper <= base + self._excitement:
                break
        self._excitement += _CHILDREN * _FADE_PER_S
        self._fair = max(2.0 * LEVELS, self._fair + self._rng.gauss(0.0, _DRIFT_TICKS * math.sqrt(waited_s)))
        self._next_at_ns += round(waited_s * 1e9)

    # --- arrivals -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """One arrival: an order is added, cancelled, or trades."""
        thin = [side for side in Side if len(self._living(side)) < THIN]
        draw = self._rng.random()
        if thin:
            for side in thin:
                for _ in range(8):
                    self._add(side)
        elif draw < 0.88:
            side = self._rng.choice((Side.BUY, Side.SELL))
            missing = ORDERS_PER_SIDE - len(self._orders[side])
            if self._rng.random() * 2 * ORDERS_PER_SIDE < ORDERS_PER_SIDE + 6 * missing:
                for _ in range(1 if missing < 10 else 3):
                    self._add(side)
            else:
                self._cancel(side)
        elif draw < 0.99:
            self._take(self._quantity(0) * self._rng.choice((1, 1, 1, 2, 3)), through_ticks=0)
        else:
            self._take(self._quantity(0) * 60, through_ticks=self._rng.randint(3, 8))
        self._market.publish_book()

    def move_to(self, price: Decimal) -> None:
        """The fair price jumps."""
        self._fair = float(price / self._tick)

    def _target(self, side: Side) -> int:
        """The best price this side would quote now, in ticks."""
        return math.ceil(self._fair) - 1 if side is Side.BUY else math.floor(self._fair) + 1

    def _price(self, ticks: int) -> Decimal:
        return self._tick * ticks

    def _quantity(self, depth: int) -> Decimal:
        size = self._typical_quantity * (1 + depth / 15) * self._rng.lognormvariate(-0.5, 1.0)
        return max(self._min_quantity, self._step * round(size / float(self._step)))

    def _add(self, side: Side) -> None:
        away = -1 if side is Side.BUY else 1
        best = self._market.book.side(side).best
        target = self._target(side)
        behind = 0 if best is None else abs(target - int(best / self._tick))
        if behind and self._rng.random() < 0.5:
            depth = self._rng.randrange(min(behind, LEVELS))  # the top was eaten: close the gap
        elif self._rng.random() < 0.5:
            depth = min(LEVELS - 1, int(self._rng.expovariate(1 / 6)))
        else:
            depth = self._rng.randrange(LEVELS)
        price = self._price(target + away * depth)
        quantity = self._quantity(depth)
        # What is left of the old price on the other side is taken first: so the market moves with the fair price.
        quantity = self._execution.take(self._market, side, quantity, price)
        if quantity:
            resting = Resting(side, price, quantity)
            self._market.book.add(resting)
            self._orders[side].append(resting)

    def _cancel(self, side: Side) -> None:
        orders = self._living(side)
        surplus = len(orders) - ORDERS_PER_SIDE
        if orders:
            # The one farthest from the fair price of a few goes: old levels don't stay around for ever.
            picks = [self._rng.randrange(len(orders)) for _ in range(4 if surplus > 0 else 2)]
            index = max(picks, key=lambda one: abs(float(orders[one].price / self._tick) - self._fair))
            resting = orders[index]
            orders[index] = orders[-1]
            orders.pop()
            self._market.book.remove(resting)

    def _take(self, quantity: Decimal, through_ticks: int) -> None:
        # Trading leans toward the fair price, so that it draws the book along.
        middle = float(self._market.middle / self._tick)
        lean = max(-0.35, min(0.35, (self._fair - middle) * 0.15))
        side = Side.BUY if self._rng.random() < 0.5 + lean else Side.SELL
        best = self._market.book.opposite(side).best
        if best is None:
            return
        away = 1 if side is Side.BUY else -1
        self._execution.take(self._market, side, quantity, best + away * through_ticks * self._tick)
        self._fair += 0.3 * away if through_ticks else 0.05 * away

    def _living(self, side: Side) -> list[Resting]:
        orders = self._orders[side]
        if any(not one.quantity for one in orders):
            orders[:] = [one for one in orders if one.quantity]
        return orders
