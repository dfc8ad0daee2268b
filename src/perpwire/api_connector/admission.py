"""The turnstile in front of the ledger: who may go next, and who has waited too long.

One queue for each lane and each set of windows. The most urgent lane is looked at first, and in it who came first. Who
can't go yet claims the windows that have no room for him: nobody who comes after him, in his lane or in a lesser one,
draws on those before he has gone, so that small calls never starve a big one. Calls that draw on other windows pass.

Nothing here sleeps or holds a lock: one timer wakes the turnstile when the ledger says that something may fit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heapify, heappop, heappush

from perpwire.api_connector.ledger import NEVER_NS, RateLedger, Receipt
from perpwire.clock import Clock, Timer
from perpwire.errors import NotSent, RateLimited
from perpwire.venues.base import Costs, Lane

UNDER_WAY = (1 << 30, 1 << 30, 80, 64, 48, 32)
"""By lane: a call is let through while fewer than so many are under way. The pool of HTTP connections has 100: what is
signed must not wait there behind thousands of others, and a cancel always finds one free."""

EARLY_NS = 5_000_000
"""A deadline is given up so much before it: who waits for it is told in time."""

HURRIED = (Lane.CANCEL, Lane.REDUCE, Lane.ORDER)
"""Calls of these lanes are not left waiting for longer than longest_hold_s: an order belongs to its moment."""


class _Waiter:
    __slots__ = ("call", "costs", "deadline_ns", "lane", "number", "timer", "turn")

    def __init__(
        self, call: str, costs: Costs, lane: Lane, deadline_ns: int | None, number: int, turn: asyncio.Future[Receipt]
    ) -> None:
        self.call = call
        self.costs = costs
        self.lane = lane
        self.deadline_ns = deadline_ns
        self.number = number
        self.turn = turn
        self.timer: Timer | None = None


_Queues = dict[tuple[str, ...], deque[_Waiter]]


class Admission:
    """For one connector and one event loop.

    Args:
        ledger: What there is to spend.
        longest_hold_s: A call without a deadline is not held back for longer by a stop, and an order by nothing.
        venue: For errors.
    """

    def __init__(self, ledger: RateLedger, clock: Clock, *, longest_hold_s: float, venue: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._longest_hold_ns = round(longest_hold_s * 1e9)
        self._venue = venue
        self._lanes: dict[Lane, _Queues] = {lane: {} for lane in Lane}
        self._count = 0  # of those who came, for their order
        self._waiting = 0
        self._under_way = 0
        self._timer: Timer | None = None
        self._wakes_ns = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._waiting

    @property
    def under_way(self) -> int:
        """How many calls have been let through and are not settled."""
        return self._under_way

    def admit_now(self, costs: Costs, lane: Lane) -> Receipt | None:
        """The way of nearly every call: let through without a wait, or None where it has to queue."""
        if self._waiting or self._closed or self._under_way >= UNDER_WAY[lane]:
            return None
        receipt = self._ledger.take(costs, lane, self._clock.monotonic_ns())
        if receipt is not None:
            self._under_way += 1
        return receipt

    async def admit(self, call: str, costs: Costs, lane: Lane, deadline_ns: int | None = None) -> Receipt:
        """Wait for its turn. Every receipt must be given back: by settle, or by refund where nothing was sent.

        Args:
            call: Its name, for errors.
            deadline_ns: Of our monotonic clock.

        Raises:
            NotSent: DEADLINE: its turn does not come before that, told before it passes. CLOSED: the connector was
                closed. TOO_LARGE: it costs more than there ever is.
            RateLimited: HELD_BACK: it has no deadline, and can't go for longer than longest_hold_s.
        """
        while True:
            if self._closed:
                raise self._not_sent(call, "CLOSED", "the connector was closed")
            waiter = self._enqueue(call, costs, lane, deadline_ns)
            try:
                receipt = await waiter.turn
            except asyncio.CancelledError:
                self._leave(waiter)
                raise
            now_ns = self._clock.monotonic_ns()
            if deadline_ns is not None and now_ns >= deadline_ns:
                self.refund(receipt)
                raise self._not_sent(call, "DEADLINE", "its turn came after its deadline")
            if not self._closed and not self._ledger.is_stopped(costs, now_ns):
                return receipt
            self.refund(receipt)  # closed or stopped between our turn and now

    def settle(self, receipt: Receipt) -> None:
        """Its answer is there, or given up."""
        self._under_way -= 1
        self._ledger.settle(receipt, self._clock.monotonic_ns())
        if self._waiting:
            self._pump()

    def refund(self, receipt: Receipt) -> None:
        """Nothing was sent for it."""
        self._under_way -= 1
        self._ledger.refund(receipt)
        if self._waiting:
            self._pump()

    def changed(self) -> None:
        """The ledger was told something: a stop, or another limit."""
        if self._waiting:
            self._pump()

    def close(self) -> None:
        """Nobody goes any more: all who wait end in NotSent."""
        self._closed = True
        for queues in self._lanes.values():
            for queue in queues.values():
                for waiter in queue:
                    self._fail(waiter, self._not_sent(waiter.call, "CLOSED", "the connector was closed"))
            queues.clear()
        self._wake_at(None, 0)

    # --- the queue ------------------------------------------------------------------------------------------------

    def _enqueue(self, call: str, costs: Costs, lane: Lane, deadline_ns: int | None) -> _Waiter:
        self._count += 1
        waiter = _Waiter(call, costs, lane, deadline_ns, self._count, asyncio.get_running_loop().create_future())
        key = tuple(name for name, cost in costs.items() if cost)
        self._lanes[lane].setdefault(key, deque()).append(waiter)
        self._waiting += 1
        self._pump()
        if not waiter.turn.done():
            now_ns = self._clock.monotonic_ns()
            if deadline_ns is not None:
                self._give_up_in(waiter, deadline_ns - EARLY_NS - now_ns)
            elif lane in HURRIED:
                self._give_up_in(waiter, self._longest_hold_ns)
        return waiter

    def _give_up_in(self, waiter: _Waiter, wait_ns: int) -> None:
        def give_up() -> None:
            if not waiter.turn.done():
                self._fail(waiter, self._too_late(waiter, self._clock.monotonic_ns(), 0))
                self._pump()

        if wait_ns <= 0:
            give_up()
        else:
            waiter.timer = self._clock.call_later(wait_ns / 1e9, give_up)

    def _leave(self, waiter: _Waiter) -> None:
        """Its caller was cancelled. Its place in the queue is taken out when it comes to the head."""
        if waiter.turn.cancelled():
            self._waiting -= 1
            if waiter.timer is not None:
                waiter.timer.cancel()
            self._pump()
        elif waiter.turn.exception() is None:
            self.refund(waiter.turn.result())  # its turn came in the same moment

    def _fail(self, waiter: _Waiter, error: Exception) -> None:
        if not waiter.turn.done():
            self._waiting -= 1
            if waiter.timer is not None:
                waiter.timer.cancel()
            waiter.turn.set_exception(error)

    def _pump(self) -> None:
        """Let through whoever may go, in order, and set the timer for the next."""
        now_ns = self._clock.monotonic_ns()
        claimed: set[str] = set()
        wake_ns: int | None = None
        for lane, queues in self._lanes.items():
            if not queues:
                continue
            heads = [(number, key) for key, queue in queues.items() if (number := _first(queue))]
            for key in [key for key, queue in queues.items() if not queue]:
                del queues[key]
            heapify(heads)
            while heads:
                if self._under_way >= UNDER_WAY[lane]:
                    break
                _, key = heappop(heads)
                if not claimed.isdisjoint(key):
                    continue
                queue = queues[key]
                waiter = queue[0]
                receipt = self._ledger.take(waiter.costs, lane, now_ns)
                if receipt is not None:
                    self._let_through(waiter, receipt)
                else:
                    wait_ns, short = self._ledger.wait(waiter.costs, lane, now_ns)
                    if not self._is_too_long(waiter, wait_ns, now_ns):
                        claimed.update(short)
                        wake_ns = now_ns + wait_ns if wake_ns is None else min(wake_ns, now_ns + wait_ns)
                        continue
                    self._fail(waiter, self._too_late(waiter, now_ns, wait_ns))
                queue.popleft()
                if number := _first(queue):
                    heappush(heads, (number, key))
            if self._under_way >= UNDER_WAY[lane] and heads:
                break  # lesser lanes may have even fewer under way; settle comes back here
        self._wake_at(wake_ns, now_ns)

    def _let_through(self, waiter: _Waiter, receipt: Receipt) -> None:
        self._waiting -= 1
        self._under_way += 1
        if waiter.timer is not None:
            waiter.timer.cancel()
        waiter.turn.set_result(receipt)

    def _wake_at(self, wake_ns: int | None, now_ns: int) -> None:
        if self._timer is not None:
            if wake_ns is not None and now_ns < self._wakes_ns <= wake_ns:
                return  # it comes early enough; what is still to be waited for then is found then
            self._timer.cancel()
            self._timer = None
        if wake_ns is not None:
            self._wakes_ns = wake_ns
            # A microsecond more, so that the rounding of seconds to a float never wakes it just too early.
            self._timer = self._clock.call_later((wake_ns - now_ns) / 1e9 + 1e-6, self._awake)

    def _awake(self) -> None:
        self._timer = None
        if self._waiting:
            self._pump()

    # --- refusals -------------------------------------------------------------------------------------------------

    def _is_too_long(self, waiter: _Waiter, wait_ns: int, now_ns: int) -> bool:
        if waiter.deadline_ns is not None:
            return now_ns + wait_ns > waiter.deadline_ns - EARLY_NS
        return wait_ns > self._longest_hold_ns

    def _too_late(self, waiter: _Waiter, now_ns: int, wait_ns: int) -> Exception:
        if not wait_ns:
            wait_ns = self._ledger.wait(waiter.costs, waiter.lane, now_ns)[0]
        seconds = wait_ns / 1e9
        if wait_ns >= NEVER_NS:
            return self._not_sent(waiter.call, "TOO_LARGE", "it costs more than the venue's whole limit: it can't pass")
        if waiter.deadline_ns is not None:
            return self._not_sent(
                waiter.call, "DEADLINE", f"its turn does not come before its deadline; nothing goes for {seconds:.1f} s"
            )
        return RateLimited(
            f"the venue takes no such call for {seconds:.0f} s",
            venue=self._venue,
            call=waiter.call,
            code="HELD_BACK",
            retry_after_s=seconds,
            advice="Nothing was sent. Wait retry_after_s.",
        )

    def _not_sent(self, call: str, code: str, reason: str) -> NotSent:
        return NotSent(reason, venue=self._venue, call=call, code=code)


def _first(queue: deque[_Waiter]) -> int:
    """The number of who is at the head, after those who have gone away; 0 where nobody is left."""
    while queue and queue[0].turn.done():
        queue.popleft()
    return queue[0].number if queue else 0
