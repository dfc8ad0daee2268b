"""A venue's rate limits, spent by REST and WebSocket alike. It says how long to wait; it never sleeps.

Every window is kept as a rolling one, also those that the venue turns at its full minute: what no rolling window
exceeds, no fixed one does, and nothing depends on whose clock says when the minute is full. A request counts from the
moment it may go until one period after its answer: the venue counted it somewhere between the two, so that however
unevenly requests travel, the venue never sees more of them in a period than we allowed.

Windows and stops are pools, which several ledgers can draw on: those of one address, and those of one account
(shared_budgets.py).

Times are nanoseconds of our monotonic clock, which no step of a clock can move.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from perpwire.venues.base import Costs, Lane, Limit

ADDRESS_PERCENT = (90, 90, 80, 80, 70, 50)
"""By lane: how much of a window it may use where all of an address share it. A tenth is never used: others may live
behind the address, and what they do is known only after it is done. A tenth is kept for cancels and for orders that
reduce, a tenth for all that is about the account. Trades that are read back after a loss leave a fifth to the books
that were lost with them: those of some 24 contracts at Binance."""

ACCOUNT_PERCENT = (100, 100, 90, 90, 90, 90)
"""The same where only the account's own calls count."""

LONGEST_FLIGHT_NS = 5_000_000_000
"""A request without an answer is taken to have arrived by then: it has outlived the usual receive window."""

NEWS_NS = 2_000_000_000
"""A stop that ends later than the one before by no more than this is the same one, told by another call."""

NEVER_NS = 1 << 62
"""A wait without an end."""

Whose = Literal["all", "address", "account"]
"""What is stopped: every call; those that draw on the address's windows; those that draw on the same account windows as
the call that was refused."""


class WindowUse(msgspec.Struct, frozen=True):
    """One of the venue's limits, and what is spent of it.

    Attributes:
        scope: "ip": shared by all calls from this address; "account": by those of this account.
        period_s: Seconds it is long.
        used, limit: Units.
        stopped_s: Seconds until something of it may be spent again; 0: now.
    """

    name: str
    scope: Literal["ip", "account"]
    period_s: float
    used: int
    limit: int
    stopped_s: float

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit else 0.0


class _Window:
    """One limit, and what is used of it."""

    __slots__ = (
        "ceilings", "freed", "held", "limit", "name", "noted", "of_address", "period_ns", "rolls_ns",
        "stopped_until_ns", "used",
    )  # fmt: skip

    def __init__(self, limit: Limit) -> None:
        self.name = limit.name
        self.of_address = limit.scope == "ip"
        # A nanosecond more: a window that includes both its ends must not hold too many either.
        self.period_ns = round(limit.period_s * 1e9) + 1
        self.held: deque[tuple[int, int]] = deque()  # (free at, units), of answered requests, the next to be free first
        self.noted: deque[tuple[int, int]] = deque()  # the same, of what the venue counted and we did not send
        self.used = 0  # both, and what is not answered yet
        self.freed = 0  # units that were ever let go
        self.rolls_ns = 0  # when that is to be looked at even where there is room: once in a period
        self.stopped_until_ns = 0
        self.set_limit(limit.limit)

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        percent = ADDRESS_PERCENT if self.of_address else ACCOUNT_PERCENT
        # Rounded up: of a limit of five there is no tenth to keep.
        self.ceilings = tuple(-(-limit * share // 100) for share in percent)

    def roll(self, now_ns: int) -> None:
        """Let go of what is free. Until then it counts as used, which errs on the safe side."""
        self.rolls_ns = now_ns + self.period_ns
        for queue in (self.held, self.noted):
            while queue and queue[0][0] <= now_ns:
                units = queue.popleft()[1]
                self.used -= units
                self.freed += units

    def hold(self, units: int, free_at_ns: int) -> None:
        held = self.held
        held.append((free_at_ns, units))
        if len(held) > 1 and held[-2][0] > free_at_ns:
            self.held = deque(sorted(held))  # given up late, with a time before answers that came meanwhile

    def wait_ns(self, cost: int, lane: Lane, now_ns: int) -> int:
        """How long until so many units may be spent, at the least; 0 for now. What is larger than the ceiling goes when
        nothing else is in the window, what is larger than the limit never."""
        if now_ns < self.stopped_until_ns:
            return self.stopped_until_ns - now_ns
        if not cost:
            return 0
        self.roll(now_ns)
        excess = self.used + cost - self.ceilings[lane]
        if excess <= 0:
            return 0
        if cost > self.limit:
            return NEVER_NS
        if not self.used:
            return 0
        for free_at_ns, units in sorted((*self.held, *self.noted)) if self.noted else self.held:
            excess -= units
            if excess <= 0:
                return free_at_ns - now_ns
        if self.used > sum(units for queue in (self.held, self.noted) for _, units in queue):
            return self.period_ns  # after an answer that is still to come
        return max(queue[-1][0] for queue in (self.held, self.noted) if queue) - now_ns

    def clip_noted(self, until_ns: int) -> None:
        """Where the venue counted a full window, it is another one when the venue takes calls again."""
        if self.used < self.limit:
            return
        self.noted = deque((min(free_at_ns, until_ns), units) for free_at_ns, units in self.noted)


class Pool:
    """The windows of one address, or of one account, and the stop that holds for all who draw on them.

    Attributes:
        users: How many draw on it.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.users = 0
        self.windows = {one.name: _Window(one) for one in limits}
        self.stopped_until_ns = 0
        self.banned_until: tuple[int, int] | None = None  # on our clock, and on the venue's in milliseconds

    def give_up(self) -> None:
        """One draws on it no longer."""
        self.users -= 1

    def is_idle(self, now_ns: int) -> bool:
        """Nothing of it is used, and no stop holds: a new one would be the same."""
        for window in self.windows.values():
            window.roll(now_ns)
            if window.used or now_ns < window.stopped_until_ns:
                return False
        return now_ns >= self.stopped_until_ns


class Receipt:
    """What one request has spent."""

    __slots__ = ("is_open", "sent_ns", "slots")

    def __init__(self, slots: list[tuple[_Window, int, int]], sent_ns: int) -> None:
        self.slots = slots  # window, units, what the window had freed when it was sent
        self.sent_ns = sent_ns
        self.is_open = True  # not answered, not given up


class RateLedger:
    """The windows of one venue, and its stops.

    HTTP 429 for weight and 418 stop every call; Bybit's 403 those by HTTP; an order limit or retCode 10006 only calls
    that draw on the same account windows.

    Args:
        limits: The venue's.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._rest_only = frozenset(one.name for one in limits if one.rest_only)
        self._unanswered: deque[Receipt] = deque()
        self.draw_on(
            Pool(one for one in limits if one.scope == "ip"), Pool(one for one in limits if one.scope == "account")
        )

    def draw_on(self, address: Pool, account: Pool) -> None:
        """Draw on these from now on: what others spend of them is spent."""
        self._address = address
        self._windows = address.windows | account.windows

    @property
    def stopped_until_ns(self) -> int:
        """No call at all may go before."""
        return self._address.stopped_until_ns

    # --- spending -------------------------------------------------------------------------------------------------

    def on_socket(self, costs: Costs) -> Costs:
        """What a call uses that goes by the trading socket."""
        return {name: cost for name, cost in costs.items() if name not in self._rest_only} if self._rest_only else costs

    def take(self, costs: Costs, lane: Lane, now_ns: int) -> Receipt | None:
        """Spend it if there is room for all of it now; None where there is not."""
        if now_ns < self._address.stopped_until_ns:
            return None
        if self._unanswered:
            self._give_up_waiting(now_ns)
        windows = self._windows
        slots: list[tuple[_Window, int, int]] = []
        for name, cost in costs.items():
            window = windows[name]
            if now_ns >= window.rolls_ns:
                window.roll(now_ns)
            if (window.used + cost > window.ceilings[lane] or now_ns < window.stopped_until_ns) and window.wait_ns(
                cost, lane, now_ns
            ):
                for spent, units, _ in slots:
                    spent.used -= units
                return None
            window.used += cost
            slots.append((window, cost, window.freed))
        receipt = Receipt(slots, now_ns)
        self._unanswered.append(receipt)
        return receipt

    def wait(self, costs: Costs, lane: Lane, now_ns: int) -> tuple[int, Iterable[str]]:
        """How long until `take` can succeed, at the least, and which windows stand in its way."""
        longest_ns = max(0, self.stopped_until_ns - now_ns)
        short: list[str] = []
        if self._unanswered:
            self._give_up_waiting(now_ns)
        for name, cost in costs.items():
            wait_ns = self._windows[name].wait_ns(cost, lane, now_ns)
            if wait_ns:
                short.append(name)
                longest_ns = max(longest_ns, wait_ns)
        return longest_ns, short

    def is_stopped(self, costs: Costs, now_ns: int) -> bool:
        """Whether calls of these costs are held back by a stop."""
        return now_ns < self.stopped_until_ns or any(now_ns < self._windows[name].stopped_until_ns for name in costs)

    def settle(self, receipt: Receipt, now_ns: int) -> None:
        """Its answer is there, or given up: it leaves the windows one period from now."""
        if receipt.is_open:
            receipt.is_open = False
            for window, cost, _ in receipt.slots:
                if cost:
                    window.hold(cost, now_ns + window.period_ns)

    def refund(self, receipt: Receipt) -> None:
        """It was never sent after all."""
        if receipt.is_open:
            receipt.is_open = False
            for window, cost, _ in receipt.slots:
                window.used -= cost

    def _give_up_waiting(self, now_ns: int) -> None:
        unanswered = self._unanswered
        while unanswered and (not unanswered[0].is_open or unanswered[0].sent_ns + LONGEST_FLIGHT_NS <= now_ns):
            receipt = unanswered.popleft()
            self.settle(receipt, receipt.sent_ns + LONGEST_FLIGHT_NS)

    # --- what the venue says --------------------------------------------------------------------------------------

    def reported(self, usage: Costs, receipt: Receipt, now_ns: int) -> None:
        """What the reply to a request says is used; the larger number counts.

        What may be ours of it is all that was in the window when the request went out, and all that has been sent
        since, be it free by now. Whatever is more than that was spent by others, at the latest now.
        """
        for window, _, freed in receipt.slots:
            used = usage.get(window.name)
            if used is not None and (strange := used - (window.used + window.freed - freed)) > 0:
                window.noted.append((now_ns + window.period_ns, strange))
                window.used += strange

    def reported_limits(self, limits: Costs) -> None:
        """The caps that the account really has."""
        for name, limit in limits.items():
            window = self._windows[name]
            if limit != window.limit and limit > 0:
                window.set_limit(limit)

    def stop(
        self, whose: Whose, until_ns: int, now_ns: int, *, costs: Costs | None = None, venue_until_ms: int = 0
    ) -> bool:
        """Send nothing until then.

        Args:
            whose: Which calls; see Whose.
            costs: Of the call that was refused; for "account".
            venue_until_ms: The same instant on the venue's clock, to be read as banned_until_ms.

        Returns:
            Whether this is news: False where calls like these were held back already for about as long.
        """
        if whose == "all":
            before_ns = self._address.stopped_until_ns
            self._address.stopped_until_ns = max(before_ns, until_ns)
            windows = [one for one in self._windows.values() if one.of_address]
        else:
            windows = [
                window
                for name, window in self._windows.items()
                if (window.of_address if whose == "address" else not window.of_address and name in (costs or ()))
            ]
            before_ns = min((one.stopped_until_ns for one in windows), default=0)
            for window in windows:
                window.stopped_until_ns = max(window.stopped_until_ns, until_ns)
        for window in windows:
            window.roll(now_ns)
            window.clip_noted(until_ns)
        banned_until = self._address.banned_until
        if whose != "account" and (banned_until is None or until_ns > banned_until[0]):
            self._address.banned_until = (until_ns, venue_until_ms)
        return before_ns <= now_ns or until_ns > before_ns + NEWS_NS

    def banned_until_ms(self, now_ns: int) -> int | None:
        """Until when the venue takes no calls from this address, Unix milliseconds of its clock; None: it does."""
        banned_until = self._address.banned_until
        return None if banned_until is None or banned_until[0] <= now_ns else banned_until[1]

    # --- reading --------------------------------------------------------------------------------------------------

    def windows(self, now_ns: int) -> list[WindowUse]:
        """Every window as it stands now."""
        stop_ns = self._address.stopped_until_ns
        uses = []
        for window in self._windows.values():
            window.roll(now_ns)
            stopped_ns = max(0, max(stop_ns, window.stopped_until_ns) - now_ns)
            scope: Literal["ip", "account"] = "ip" if window.of_address else "account"
            period_s = (window.period_ns - 1) / 1e9
            uses.append(WindowUse(window.name, scope, period_s, window.used, window.limit, stopped_ns / 1e9))
        return uses

    def used(self, name: str, now_ns: int) -> int:
        """Units of a window that are spent now, by us and by others."""
        window = self._windows[name]
        window.roll(now_ns)
        return window.used

    def limit(self, name: str) -> int:
        """What a window takes in all, as far as the venue has said."""
        return self._windows[name].limit
