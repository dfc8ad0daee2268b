"""The venue's own clock, which a fault may put wrong: ahead, behind, or drifting."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.clock import Clock, Timer

LARGEST_SKEW_S = 50 * 365.25 * 86400.0
"""How far a venue's clock may be off, either way: its years keep four digits, and its times stay above 0."""

LARGEST_DRIFT_PPM = 100_000.0
"""How fast a venue's clock may run away, either way: a tenth of a second a second."""


def check_skew(seconds: float) -> None:
    """
    Raises:
        ValueError: Beyond LARGEST_SKEW_S, or not a number.
    """
    if not abs(seconds) <= LARGEST_SKEW_S:
        raise ValueError(f"a skew of {seconds:g} s is not within {LARGEST_SKEW_S:.0f} s either way")


def check_drift(ppm: float) -> None:
    """
    Raises:
        ValueError: Beyond LARGEST_DRIFT_PPM, or not a number.
    """
    if not abs(ppm) <= LARGEST_DRIFT_PPM:
        raise ValueError(f"a drift of {ppm:g} ppm is not within {LARGEST_DRIFT_PPM:.0f} ppm either way")


class SkewedClock:
    """A clock whose wall time is off; monotonic time and timers are the true ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._skew_ns = 0
        self._drift_ppm = 0.0
        self._drifts_since_ns = 0

    @property
    def skew_s(self) -> float:
        """How far it is ahead of the true clock now; below 0: behind."""
        return self._now_skew_ns() / 1e9

    @skew_s.setter
    def skew_s(self, seconds: float) -> None:
        check_skew(seconds)
        self._skew_ns = round(seconds * 1e9)
        self._drifts_since_ns = self._clock.monotonic_ns()

    @property
    def drift_ppm(self) -> float:
        """Microseconds that it gains (below 0: loses) each second."""
        return self._drift_ppm

    @drift_ppm.setter
    def drift_ppm(self, ppm: float) -> None:
        check_drift(ppm)
        self._skew_ns = self._now_skew_ns()
        self._drifts_since_ns = self._clock.monotonic_ns()
        self._drift_ppm = ppm

    def _now_skew_ns(self) -> int:
        if not self._drift_ppm:
            return self._skew_ns
        drifted_ns = (self._clock.monotonic_ns() - self._drifts_since_ns) * self._drift_ppm / 1e6
        return self._skew_ns + round(drifted_ns)

    def time_ns(self) -> int:
        if not self._drift_ppm:
            return self._clock.time_ns() + self._skew_ns
        return self._clock.time_ns() + self._now_skew_ns()

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._clock.call_later(seconds, callback)
