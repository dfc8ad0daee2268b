"""The only home of time: the system's clock, and one that tests turn by hand."""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Timer(Protocol):
    """A call that was put off; asyncio.TimerHandle is one."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What perpwire needs of time. Wall time is Unix time; monotonic time never jumps."""

    def time_ns(self) -> int: ...

    def monotonic_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


def _steady() -> Callable[[], int]:
    """The system's monotonic clock that goes on while the machine sleeps: what was to be sent before a laptop was
    closed is late when it is opened again, and the offset from the venue's clock is still the same."""
    if sys.platform == "win32":
        return time.monotonic_ns  # does so by itself
    clock = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    steady = partial(time.clock_gettime_ns, clock)
    try:
        steady()
    except OSError:
        return time.monotonic_ns
    return steady


class SystemClock:
    """The machine's clock and the running event loop's timers."""

    # The system's functions themselves: a call asks for the time a dozen times.
    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(_steady())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)


class Every:
    """Calls something each so many seconds, from `start` to `stop`. The next call is set before this one is made, so
    that one that fails is not the last."""

    def __init__(self, clock: Clock, seconds: float, call: Callable[[], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._call = call
        self._timer: Timer | None = None

    def start(self) -> None:
        """The first call is so many seconds from now; nothing where it runs already."""
        if self._timer is None:
            self._set()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._timer = self._clock.call_later(self._seconds, self._next)

    def _next(self) -> None:
        self._set()
        self._call()


class ManualClock:
    """Time that moves only when told, or, inside `run`, whenever everything waits.

    `advance` turns it by hand in tests without a loop. `run` runs a coroutine on an event loop that lives by this
    clock: as soon as nothing is ready, time jumps to the next timer, so an hour passes in the time its work takes,
    and always in the same order. Real sockets don't work under `run`; transport/memory.py does.
    """

    def __init__(self, start_ns: int = 1_790_000_000_000_000_000) -> None:
        self._wall_at_zero_ns = start_ns
        self._monotonic_ns = 0

    def time_ns(self) -> int:
        return self._wall_at_zero_ns + self._monotonic_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)

    def advance(self, seconds: float) -> None:
        """Move time forward, without a loop or between its steps."""
        self._monotonic_ns += round(seconds * 1e9)

    def jump_wall(self, seconds: float) -> None:
        """Step the wall clock only, as a bad time server would; monotonic time goes on undisturbed."""
        self._wall_at_zero_ns += round(seconds * 1e9)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end in virtual time and return its result."""
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(main)


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for its next timer, time is moved there instead."""

    clock: ManualClock

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            # Nothing can ever wake the loop but another thread: a test that waits for what will not come.
            raise RuntimeError("deadlock in virtual time: every task waits and no timer is set")
        if timeout > 0:
            # One extra nanosecond: a float timeout must not round to just before the timer.
            self.clock.advance(timeout + 1e-9)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: ManualClock) -> None:
        selector = _JumpingSelector()
        selector.clock = clock
        self._manual_clock = clock
        super().__init__(selector)

    def time(self) -> float:
        return self._manual_clock.monotonic_ns() / 1e9
