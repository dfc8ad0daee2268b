"""The venue's time, from our monotonic clock and a measured offset. Wall-clock steps of this machine don't touch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from perpwire.clock import Clock
from perpwire.errors import APIError


class ClockSync:
    """The offset by the sample with the shortest round trip: half of it is the largest error it can have."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Until measured, the machine's clock is the best guess.
        self._venue_minus_monotonic_ns = clock.time_ns() - clock.monotonic_ns()
        self.round_trip_ns: int | None = None
        """Round trip of the sample in use; None before the first measurement."""

    def venue_ms(self) -> int:
        """Unix milliseconds of the venue's clock, rounded down: a stamp in the venue's future is refused sooner."""
        return (self._clock.monotonic_ns() + self._venue_minus_monotonic_ns) // 1_000_000

    def venue_s(self) -> float:
        return (self._clock.monotonic_ns() + self._venue_minus_monotonic_ns) / 1e9

    @property
    def offset_ms(self) -> float:
        """How far the venue's clock is ahead of this machine's wall clock, milliseconds."""
        venue_ns = self._clock.monotonic_ns() + self._venue_minus_monotonic_ns
        return (venue_ns - self._clock.time_ns()) / 1e6

    async def measure(self, ask_ms: Callable[[], Awaitable[int]], samples: int = 3) -> None:
        """Ask the venue's time a few times and keep the best answer.

        Raises:
            APIError: From `ask_ms`, where no sample succeeded.
        """
        best: tuple[int, int] | None = None
        for _ in range(samples):
            started_ns = self._clock.monotonic_ns()
            try:
                venue_ms = await ask_ms()
            except APIError:
                if best is None:
                    raise
                break
            ended_ns = self._clock.monotonic_ns()
            round_trip_ns = ended_ns - started_ns
            if best is None or round_trip_ns < best[0]:
                best = (round_trip_ns, venue_ms * 1_000_000 - (started_ns + round_trip_ns // 2))
        if best is not None:
            self.round_trip_ns, self._venue_minus_monotonic_ns = best
