"""One socket's way to its client while something is wrong with it: held back, throttled, out of order, in pieces.

In order unless a fault says otherwise: what waits makes everything behind it wait. A healthy socket does without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from perpwire.clock import Clock, Timer
from perpwire.simulator.journal import Raw, mark


class Parcel:
    """What goes out at once when its time has come; `raw` is its entry in the journal, None for a mere copy. One that
    `has_more` is a piece of a message: nothing gets between it and the next."""

    __slots__ = ("due_ns", "has_more", "raw", "send", "size")

    def __init__(self, size: int, raw: Raw | None, send: Callable[[], None], has_more: bool = False) -> None:
        self.size = size
        self.raw = raw
        self.send = send
        self.has_more = has_more
        self.due_ns = 0


class _Aside:
    """A parcel that others may pass: so many more of them, or until its timer is over."""

    def __init__(self, parcel: Parcel, behind: int | None) -> None:
        self.parcel = parcel
        self.behind = behind
        self.timer: Timer | None = None
        self.is_due = False


class Pipe:
    """See module docstring.

    Attributes:
        bytes_per_s: The pace it is throttled to; None for no limit.
    """

    def __init__(self, clock: Clock) -> None:
        self.bytes_per_s: float | None = None
        self._clock = clock
        self._waiting: deque[Parcel] = deque()
        self._aside: list[_Aside] = []
        self._timer: Timer | None = None
        self._free_at_ns = 0
        self._is_inside = False

    @property
    def is_idle(self) -> bool:
        """Whether what is sent now may go straight out."""
        return not self._waiting and not self._aside and self.bytes_per_s is None

    @property
    def behind_s(self) -> float:
        """Seconds until all that waits has gone out."""
        return max(0, self._free_at_ns - self._clock.monotonic_ns()) / 1e9

    def put(self, parcel: Parcel, delay_s: float = 0.0, pause_s: float = 0.0) -> None:
        """Send it after so many seconds, and so long after everything that waits."""
        now_ns = self._clock.monotonic_ns()
        due_ns = max(self._free_at_ns, now_ns + round(delay_s * 1e9)) + round(pause_s * 1e9)
        if self.bytes_per_s is not None:
            due_ns += round(parcel.size / self.bytes_per_s * 1e9)
        self._free_at_ns = due_ns
        if due_ns <= now_ns and not self._waiting:
            self._emit(parcel)
            return
        parcel.due_ns = due_ns
        self._waiting.append(parcel)
        if self._timer is None:
            self._set_timer(now_ns)

    def set_aside(self, parcel: Parcel, behind: int | None, at_most_s: float) -> None:
        """Send it after so many others (None: any number of them), or after so many seconds."""
        aside = _Aside(parcel, behind)
        self._aside.append(aside)
        aside.timer = self._clock.call_later(at_most_s, lambda: self._rejoin(aside))

    def flush(self) -> None:
        """Send everything now."""
        self._stop()
        while self._waiting:
            self._emit(self._waiting.popleft())
        for aside in tuple(self._aside):
            self._rejoin(aside)
        self._free_at_ns = 0

    def drop(self) -> None:
        """Everything that waits is lost."""
        self._stop()
        lost = [*self._waiting, *(aside.parcel for aside in self._aside)]
        self._waiting.clear()
        for aside in self._aside:
            if aside.timer is not None:
                aside.timer.cancel()
        self._aside.clear()
        for parcel in lost:
            if parcel.raw is not None:
                mark(parcel.raw, "lost")

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, now_ns: int) -> None:
        wait_s = max(0, self._waiting[0].due_ns - now_ns) / 1e9
        self._timer = self._clock.call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_ns = self._clock.monotonic_ns()
        while self._waiting and self._waiting[0].due_ns <= now_ns:
            self._emit(self._waiting.popleft())
        if self._waiting and self._timer is None:
            self._set_timer(now_ns)

    def _emit(self, parcel: Parcel) -> None:
        parcel.send()
        self._is_inside = parcel.has_more
        if self._is_inside:
            return
        for aside in tuple(self._aside):
            if aside.behind is not None:
                aside.behind -= 1
                aside.is_due = aside.is_due or aside.behind <= 0
            if aside.is_due:
                self._rejoin(aside)

    def _rejoin(self, aside: _Aside) -> None:
        if self._is_inside:
            aside.is_due = True
        elif aside in self._aside:
            self._aside.remove(aside)
            if aside.timer is not None:
                aside.timer.cancel()
            aside.parcel.send()
