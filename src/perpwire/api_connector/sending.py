"""When an order was sent, and until when it may still be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perpwire.clock import Clock
from perpwire.model.order import OrderRequest

if TYPE_CHECKING:
    from perpwire.api_connector.guards import Guard
    from perpwire.api_connector.order_journal import OrderJournal


class Sending:
    """Notes when an order is sent, in the journal too where there is one; called right before each try.

    Args:
        window_ms: So long after its time stamp the venue surely refuses it.
        guard: Whose kill switch may have been thrown while it waited for its turn.

    Attributes:
        first_ms, last_ms: The venue's time at the first and the last try, Unix milliseconds.
        first_ns: At the first, monotonic.
    """

    __slots__ = ("clock", "first_ms", "first_ns", "guard", "journal", "last_ms", "requests", "tries", "window_ms")

    def __init__(
        self,
        requests: Sequence[OrderRequest],
        window_ms: int,
        clock: Clock,
        journal: OrderJournal | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.requests = requests
        self.window_ms = window_ms
        self.clock = clock
        self.journal = journal
        self.guard = guard
        self.first_ms = self.first_ns = self.last_ms = self.tries = 0

    def __call__(self, venue_ms: int) -> None:
        """
        Raises:
            GuardRefused: The kill switch was thrown; it is not sent.
        """
        if self.guard is not None and self.guard.killed is not None:
            self.guard.check_killed(self.requests)
        # The venue's clock may have been found to be behind what it was thought to be at the first try.
        first_ms = min(self.first_ms, venue_ms) if self.tries else venue_ms
        if self.journal is not None:
            self.journal.before_send(self.requests, first_ms, venue_ms + self.window_ms)
        self.first_ms, self.last_ms = first_ms, venue_ms
        self.tries += 1
        if self.tries == 1:
            self.first_ns = self.clock.monotonic_ns()
