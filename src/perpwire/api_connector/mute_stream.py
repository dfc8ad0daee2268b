"""The account's stream is proven mute: it is replaced, at once for the first time, and ever later where that does not
help. Until then it is not live, and what it may not tell is read."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.retry import replace_pause_s
from perpwire.clock import Clock

HELPED_S = 1800.0
"""A replacement after which nothing was proven for so long has helped."""


class MuteStream:
    """One for the account's stream.

    Args:
        on_mute: Told, once for each replacement, why, of how many seconds of silence, and in how many it is replaced.
        replace: Has it replaced, given the reason.
    """

    def __init__(
        self, clock: Clock, on_mute: Callable[[str, float, float], None], replace: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._on_mute = on_mute
        self._replace = replace
        self._due_s: float | None = None
        self._why = ""
        self._in_vain = 0
        self._replaced_s = float("-inf")

    @property
    def why(self) -> str:
        """Why it is mute, as far as is known; "" where it is not."""
        return self._why

    def is_proven(self, why: str, silent_s: float) -> None:
        """Something shows it."""
        if self._due_s is not None:
            return
        now_s = self._now_s()
        self._in_vain = self._in_vain + 1 if now_s < self._replaced_s + HELPED_S else 0
        pause_s = replace_pause_s(self._in_vain)
        self._due_s, self._why = now_s + pause_s, why
        self._on_mute(why, silent_s, pause_s)
        self.tend()

    def tend(self) -> None:
        """Every now and then: is it time?"""
        if self._due_s is not None and self._now_s() >= self._due_s:
            self._replace(self._why)

    def is_lost(self) -> None:
        """What follows is another stream, however the old one ended."""
        if self._due_s is not None:
            self._due_s, self._why, self._replaced_s = None, "", self._now_s()

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
