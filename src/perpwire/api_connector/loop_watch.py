"""Stalls of the event loop: how long it stood still, and where. Meanwhile no ping is answered and nothing is read."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

from perpwire.clock import Clock, Timer
from perpwire.model.incident import Incident, LoopStalled

BEAT_S = 0.1
"""Between two beats of the loop: what a stall may be longer than is measured."""

STALL_S = 0.2
"""What is shorter is not told."""

LOOK_S = 0.15
"""Between two looks of the watching thread."""

_FRAMES_KEPT = 40

_LOOPS = ("asyncio", "selectors")
"""Packages of which the innermost frame is, while no callback runs."""


class LoopWatch:
    """The loop beats; a thread, which is no part of it, notes where it stands when a beat does not come. The thread
    does nothing else, and asks nobody to wait.

    Attributes:
        stalls: How often the loop stood still.
        stalled_s: Seconds of all stalls.
        longest_s: Seconds of the longest one.
    """

    def __init__(self, venue: str, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._venue = venue
        self._clock = clock
        self._on_incident = on_incident
        self._loop_thread = 0
        self._due_ns = 0
        self._timer: Timer | None = None
        self._stop: threading.Event | None = None
        self._stack = ""
        self._seen = 0
        """Looks that found this stack, less those which found another one."""
        self.stalls = 0
        self.stalled_s = 0.0
        self.longest_s = 0.0

    def start(self) -> None:
        """From within the loop that is to be watched."""
        if self._stop is not None:
            return
        self._loop_thread = threading.get_ident()
        self._stop = threading.Event()
        self._next_beat()
        threading.Thread(target=self._watch, args=(self._stop,), name="perpwire loop watch", daemon=True).start()

    def stop(self) -> None:
        """The thread ends by itself, within its next look."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Note where the loop stands, if its beat is overdue; from the thread. Of several places it is the one where
        most looks found it: what came before or behind the long one has held it for a moment only."""
        late_ns = self._clock.monotonic_ns() - self._due_ns
        if late_ns < (STALL_S - LOOK_S) * 1e9:
            return
        frame = sys._current_frames().get(self._loop_thread)
        # Between two callbacks it is nobody's code that stands there, but the whole program: the machine is busy.
        if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] in _LOOPS:
            return
        # Lines of source only: values of variables may be secret.
        stack = "".join(traceback.format_stack(frame)[-_FRAMES_KEPT:])
        if stack == self._stack:
            self._seen += 1
        elif self._seen > 1:
            self._seen -= 1
        else:
            self._stack, self._seen = stack, 1

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_S):
            self.look()

    def _next_beat(self) -> None:
        self._stack, self._seen = "", 0
        self._due_ns = self._clock.monotonic_ns() + round(BEAT_S * 1e9)
        self._timer = self._clock.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        if self._stop is None:
            return
        late_s = (self._clock.monotonic_ns() - self._due_ns) / 1e9
        if late_s >= STALL_S:
            self._tell(late_s, self._stack)
        if self._stop is not None:  # who was told may have ended it
            self._next_beat()

    def _tell(self, late_s: float, stack: str) -> None:
        self.stalls += 1
        self.stalled_s += late_s
        self.longest_s = max(self.longest_s, late_s)
        self._on_incident(
            LoopStalled(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                stalled_s=late_s,
                stack=stack,
                where=_innermost(stack),
            )
        )


def _innermost(stack: str) -> str:
    """Such as `time.sleep(2)`."""
    return stack.rstrip().rpartition("\n")[2].strip()
