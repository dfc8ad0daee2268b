"""The venue's time, from our monotonic clock and what the venue's answers prove about the offset between the two.

An answer that states the venue's time was made between our sending and our receiving: so it proves that the offset lies
between two bounds, as far apart as the round trip was long. What all answers prove together is narrower than what the
best of them does; a slow answer proves little and moves nothing. Between answers the bounds drift apart as fast as two
clocks may; how fast these two do is proven in the same way, from answers that lie far apart. An answer that contradicts
all before it says that a clock was stepped: what was known before holds no more, and is remembered for what was stamped
then.

Wall-clock steps of this machine do not touch it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from perpwire.api_connector.kept_up import Work
from perpwire.clock import Clock, Timer
from perpwire.errors import APIError, NotSent
from perpwire.model.market import Event

FASTEST_DRIFT_PPM = 100.0
"""Two clocks run apart no faster: those of machines are good to 100 ppm, mostly to 50."""

LEAST_DRIFT_PPM = 5.0
"""What is proven of the drift stays true only so far: clocks change their pace with the temperature."""

BASELINE_S = 300.0
"""Answers that lie less apart say nothing of the drift,"""
LONGEST_BASELINE_S = 3600.0
"""and those that lie further apart than this say nothing of the drift of today."""

SLOW_NS = 1_000_000_000
"""An answer that took longer says nothing unless it contradicts: what delayed it may have delayed its time too."""

GOOD_MS = 20.0
"""Known so well, the offset is good for the next five minutes."""

REFRESH_S = 300.0
SOON_S = 2.0
"""So soon it is made better, after the start and after a step."""

AT_ONCE = 3
"""Questions asked side by side: the first answer is the quickest, and the best."""

ROUNDS = 4
"""So often the time is asked for until it is known well."""

STEPS = 100
"""So many of the last steps are remembered."""


class Sample(NamedTuple):
    """One answer with the venue's time, and when it was asked for and received here."""

    sent_ns: int
    received_ns: int
    venue_ms: int


class Span(NamedTuple):
    """What the venue's clock may have shown at one moment, Unix milliseconds: not one time where it was stepped
    afterwards, as nobody knows when."""

    least_ms: int
    most_ms: int


class ClockSync:
    """Bounds of the offset (the venue's clock less our monotonic one) at a moment of ours, and of its drift."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Until measured, the machine's clock is the best guess.
        self._offset_ns: float = clock.time_ns() - clock.monotonic_ns()
        self._error_ns = float("inf")
        self._at_ns = clock.monotonic_ns()
        self._drift_ppm = 0.0
        self._drift_error_ppm = FASTEST_DRIFT_PPM
        self._baseline: tuple[int, float, float] | None = None  # when, offset, its error
        self._steps: deque[tuple[int, float]] = deque(maxlen=STEPS)
        """When a step was noticed -> the offset before it."""

    def venue_ms(self) -> int:
        """Unix milliseconds of the venue's clock, rounded down: a stamp in the venue's future is refused sooner."""
        return self._venue_ns() // 1_000_000

    def span_ms(self, at_ns: int) -> Span:
        """What the venue's clock may have shown at a moment of our monotonic clock. What happened since is stamped with
        the least or later; what is stamped with the most or later happened since."""
        now_ns = self._clock.monotonic_ns()
        offsets = [self._venue_ns() - now_ns, *(offset for until_ns, offset in self._steps if until_ns >= at_ns)]
        return Span(*(int((at_ns + offset) // 1_000_000) for offset in (min(offsets), max(offsets))))

    def is_behind(self, catching_up_s: float) -> bool:
        """The venue's clock was put back, and shows what it has shown before, or did so less than that long ago. What a
        list has "up to now" may lack what was stamped before the step; and stamps do not tell what was first."""
        shown_ns = self._venue_ns() - round(catching_up_s * 1e9)
        return any(until_ns + offset > shown_ns for until_ns, offset in self._steps)

    @property
    def offset_ms(self) -> float:
        """How far the venue's clock is ahead of this machine's wall clock, milliseconds."""
        return (self._venue_ns() - self._clock.time_ns()) / 1e6

    def lag_ms(self, event: Event) -> float | None:
        """From the venue making the event to its frame being readable here; None where it does not say when."""
        if not event.venue_time_ms:
            return None
        return event.received_ns / 1e6 + self.offset_ms - event.venue_time_ms

    @property
    def error_ms(self) -> float:
        """The offset is right to so many milliseconds, for certain unless a clock was stepped since the last answer;
        infinite before the first."""
        elapsed_ns = self._clock.monotonic_ns() - self._at_ns
        return (self._error_ns + elapsed_ns * self._drift_error_ppm / 1e6) / 1e6

    @property
    def drift_ppm(self) -> float:
        """How many microseconds the venue's clock gains on ours each second, as far as it is known; else 0."""
        return self._drift_ppm

    def _venue_ns(self) -> int:
        now_ns = self._clock.monotonic_ns()
        return now_ns + round(self._offset_ns + (now_ns - self._at_ns) * self._drift_ppm / 1e6)

    def add(self, sample: Sample) -> bool:
        """Learn from one answer.

        Returns:
            False where it contradicts what was known: a clock was stepped.
        """
        self._advance(sample.received_ns)
        # The venue cuts its time to whole milliseconds.
        least_ns = sample.venue_ms * 1_000_000 - sample.received_ns
        most_ns = sample.venue_ms * 1_000_000 + 1_000_000 - sample.sent_ns
        low_ns = max(least_ns, self._offset_ns - self._error_ns)
        high_ns = min(most_ns, self._offset_ns + self._error_ns)
        fits = low_ns <= high_ns
        if fits and sample.received_ns - sample.sent_ns > SLOW_NS and self._error_ns < SLOW_NS:
            return True
        if not fits:
            self._steps.append((sample.received_ns, self._offset_ns))
            low_ns, high_ns = least_ns, most_ns
            self._baseline = None
            self._drift_error_ppm = FASTEST_DRIFT_PPM
        self._offset_ns = (low_ns + high_ns) / 2
        self._error_ns = (high_ns - low_ns) / 2
        self._learn_drift()
        return fits

    def _advance(self, now_ns: int) -> None:
        elapsed_ns = now_ns - self._at_ns
        if elapsed_ns > 0:
            self._offset_ns += elapsed_ns * self._drift_ppm / 1e6
            self._error_ns += elapsed_ns * self._drift_error_ppm / 1e6
            self._at_ns = now_ns

    def _learn_drift(self) -> None:
        if self._baseline is None:
            if self._error_ns / 1e6 <= GOOD_MS:
                self._baseline = (self._at_ns, self._offset_ns, self._error_ns)
            return
        at_ns, offset_ns, error_ns = self._baseline
        apart_ns = self._at_ns - at_ns
        if apart_ns < BASELINE_S * 1e9:
            return
        drift_ppm = (self._offset_ns - offset_ns) / apart_ns * 1e6
        error_ppm = max(LEAST_DRIFT_PPM, (self._error_ns + error_ns) / apart_ns * 1e6)
        if error_ppm < self._drift_error_ppm:
            self._drift_ppm, self._drift_error_ppm = drift_ppm, error_ppm
        if apart_ns > LONGEST_BASELINE_S * 1e9:
            self._baseline = (self._at_ns, self._offset_ns, self._error_ns)


class ClockKeeper:
    """Asks the venue's time: at the start, every five minutes, and when a time stamp was refused.

    Args:
        ask: One question and its answer.
        keep_up: Runs what must not end by an error that nobody foresaw.
    """

    def __init__(
        self,
        sync: ClockSync,
        clock: Clock,
        ask: Callable[[], Coroutine[Any, Any, Sample]],
        keep_up: Callable[[Work], Awaitable[None]] | None = None,
    ) -> None:
        self._sync = sync
        self._clock = clock
        self._ask = ask
        self._keep_up = keep_up or (lambda work: work())
        self._measuring = asyncio.Lock()
        self._asked_ns = -1
        self._asking: set[asyncio.Task[Sample]] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._timer: Timer | None = None

    async def measure(self) -> None:
        """Ask a few times side by side, and return with the first answer; the others make it better when they come.

        Raises:
            APIError: From `ask`, where no answer came.
        """
        asked_ns = self._clock.monotonic_ns()
        asking = [asyncio.create_task(self._ask(), name="perpwire ask the time") for _ in range(AT_ONCE)]
        for task in asking:
            self._asking.add(task)
            task.add_done_callback(self._learn)
        pending = set(asking)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(not task.cancelled() and task.exception() is None for task in done):
                self._asked_ns = asked_ns
                return
        for task in asking:
            if not task.cancelled():
                task.result()  # raises
        raise NotSent("the connector was closed", call="server_time", code="CLOSED")

    async def resync(self, refused_sent_ns: int, stated: Sample | None = None) -> bool:
        """Measure anew, once for all calls that were refused for the clock at about the same time.

        Args:
            refused_sent_ns: When the refused call was sent: if the time was asked for since, that is enough.
            stated: What the refusal itself says of the venue's time; then nothing is asked.

        Returns:
            Whether this call was the one that measured.

        Raises:
            APIError: See measure.
        """
        async with self._measuring:
            if self._asked_ns >= refused_sent_ns:
                return False
            if stated is not None:
                self._sync.add(stated)
                self._asked_ns = self._clock.monotonic_ns()
            else:
                await self.measure()
        self._next_in(SOON_S)
        return True

    def start(self) -> None:
        """Keep the offset fresh in the background, until `close`."""
        if self._keeping is None:
            self._next_in(SOON_S)
            self._keeping = asyncio.create_task(self._kept(), name="perpwire clock")

    async def close(self) -> None:
        running = [task for task in (self._keeping, *self._asking) if task is not None]
        self._keeping = None
        if self._timer is not None:
            self._timer.cancel()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _learn(self, task: asyncio.Task[Sample]) -> None:
        self._asking.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._sync.add(task.result())

    def _next_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(seconds, self._due.set)

    async def _kept(self) -> None:
        await self._keep_up(self._keep)

    async def _keep(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            self._next_in(REFRESH_S)
            try:
                for _ in range(ROUNDS):
                    async with self._measuring:
                        await self.measure()
                    if self._sync.error_ms <= GOOD_MS:
                        break
            except APIError:
                continue  # the venue is away; the offset is as good as it is
