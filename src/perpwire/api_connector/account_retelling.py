"""Who has lost events of the account is told all of it anew, as soon as it is known.

A consumer that was too slow may have lost anything, so all is told, and to all: handlers are not told apart. Who can't
take that either loses something of it each time. So it is told ever more seldom then, and only the first loss of a run
makes the account be read.
"""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.retry import reread_pause_s
from perpwire.clock import Clock, Timer

SAME_RUN_S = 30.0
"""Losses so soon after it was told are of the same run."""


class AccountRetelling:
    """One for an account's stream; see module docstring.

    Args:
        is_known: Whether it is known now what the account is.
        read: Called to have it read soon.
        tell: Called to tell all of it.
    """

    def __init__(
        self, clock: Clock, is_known: Callable[[], bool], read: Callable[[], None], tell: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._is_known = is_known
        self._read = read
        self._tell = tell
        self._is_owed = False
        self._timer: Timer | None = None
        self._told_s = float("-inf")
        self._in_a_row = 0
        self._is_closed = False

    def owe(self) -> None:
        """A consumer has lost events that the stream did tell: no gap of it."""
        if self._is_owed or self._is_closed:
            return
        self._is_owed = True
        self._in_a_row = self._in_a_row + 1 if self._now_s() < self._told_s + SAME_RUN_S else 0
        if not self._in_a_row and self._is_known():
            self._read()
        self._pay_soon()

    def known(self) -> None:
        """It is known again what the account is."""
        if self._is_owed and self._timer is None:
            self._pay_soon()

    def close(self) -> None:
        """Tell nothing any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _pay_soon(self) -> None:
        self._timer = self._clock.call_later(reread_pause_s(self._in_a_row), self._pay)

    def _pay(self) -> None:
        self._timer = None
        if self._is_known():
            self._is_owed = False
            self._told_s = self._now_s()
            self._tell()

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
