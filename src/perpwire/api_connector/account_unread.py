"""Since when an account is being read, or can't be, and the incidents of that: told where it takes long."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.clock import Clock, Timer
from perpwire.model.incident import AccountReadAgain, AccountUnread, Incident

UNREAD_S = 5.0
"""For so long the account may be unread before that is told."""


class AccountUnreadness:
    """One for an account's stream; see module docstring.

    Args:
        on_told: Called before it is told: nobody waits for the reading any longer.

    Attributes:
        why: What the last reading failed with; "": none has.
        was_told: It has been told, and is not over.
    """

    def __init__(
        self, venue: str, clock: Clock, on_told: Callable[[], None], on_incident: Callable[[Incident], None]
    ) -> None:
        self.why = ""
        self.was_told = False
        self._venue = venue
        self._clock = clock
        self._on_told = on_told
        self._on_incident = on_incident
        self._since_s: float | None = None
        self._failures = 0
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        """It is being read in vain, or what was missed is not read yet."""
        return self._since_s is not None

    def begins(self) -> None:
        """It has to be read."""
        if self._since_s is None:
            self._since_s = self._now_s()
            self._timer = self._clock.call_later(UNREAD_S, self._tell)

    def failed(self, why: str, *, at_once: bool) -> None:
        """A reading has; `at_once`: the next one will, too."""
        self.why = why
        self._failures += 1
        self.begins()
        if at_once:
            self._tell()

    def ends(self) -> None:
        """It is read."""
        since_s, was_told = self._since_s, self.was_told
        self.forget()
        if was_told and since_s is not None:
            unread_s = self._now_s() - since_s
            self._on_incident(AccountReadAgain(venue=self._venue, time_ns=self._clock.time_ns(), unread_s=unread_s))

    def forget(self) -> None:
        """It matters no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._since_s, self.why, self._failures, self.was_told = None, "", 0, False

    def _tell(self) -> None:
        if self.was_told or self._since_s is None:
            return
        self.was_told = True
        self._on_told()
        self._on_incident(
            AccountUnread(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                why=self.why or "it is still being read",
                unread_s=self._now_s() - self._since_s,
                attempts=self._failures,
            )
        )

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
