"""When a further socket of a venue may be opened: a storm of reconnects never becomes a ban, and nobody waits on when
the venue can be reached again."""

from __future__ import annotations

import asyncio
from collections import deque

from perpwire.api_connector.shared import Shared, place
from perpwire.clock import Clock
from perpwire.transport.base import SocketTransport

FIRST_BURST = 10
"""So many first connections go out side by side; after that, and once any was lost, one a second."""

SHARE, OF_ALL = 0.8, 0.9
"""Of what the venue takes in its window: for most sockets, and with those of accounts; the rest is for what else runs
behind our address."""


class Openings:
    """When an address has opened its latest sockets.

    Args:
        window: Most sockets that the venue takes of it, within so many seconds.
    """

    def __init__(self, window: tuple[int, float]) -> None:
        most, self._window_s = window
        self._most, self._most_of_all = max(1, int(most * SHARE)), max(1, int(most * OF_ALL))
        self._times: deque[float] = deque(maxlen=self._most_of_all)

    def wait_s(self, now_s: float, *, is_first: bool) -> float:
        """How long until there is room for one more."""
        most = self._most_of_all if is_first else self._most
        if len(self._times) < most:
            return 0.0
        return max(0.0, self._times[-most] + self._window_s - now_s)

    def note(self, now_s: float) -> None:
        self._times.append(now_s)


_shared: Shared[Openings] = Shared()


def shared_openings(
    venue: str,
    window: tuple[int, float],
    *,
    host: str,
    way_out: str,
    clock: Clock,
    network: SocketTransport | None,
) -> Openings:
    """Those of all managers in this thread.

    Args:
        host: Base address of the venue's streams.
        way_out: What makes the address that the venue sees; see shared_budgets.shared_pools.
        network: See Shared.among.
    """
    with _shared.among(clock, network) as known:
        return known.setdefault((*place(venue, host), way_out), Openings(window))


class ConnectGate:
    """One per venue and manager.

    Args:
        openings: Of its address.
    """

    def __init__(self, clock: Clock, openings: Openings) -> None:
        self._clock = clock
        self._openings = openings
        self._burst_left = FIRST_BURST
        self._next_s = 0.0
        self._turn = asyncio.Lock()
        self._news: asyncio.Future[None] | None = None

    async def enter(self, *, again: bool, is_first: bool = False) -> None:
        """Return when a socket may be opened.

        Args:
            again: One was lost before.
            is_first: It goes before all that wait here; only the venue's window holds it, which has room kept for such.
        """
        if is_first:
            await self._window(is_first=True)
            self._note()
            return
        if again:
            self._burst_left = 0
        if self._burst_left:
            self._burst_left -= 1
            await self._window()
            self._note()
            self._next_s = self._now_s() + 1.0
            return
        async with self._turn:
            await self._until(self._next_s)
            await self._window()
            self._next_s = self._now_s() + 1.0
            self._note()

    def came_through(self) -> None:
        """A socket has become live: whoever waits before trying again need wait no longer."""
        news, self._news = self._news, None
        if news is not None:
            news.set_result(None)

    async def pause(self, seconds: float, *, may_be_cut_short: bool) -> None:
        """Wait before trying again; until another socket comes through, where that says something."""
        if not may_be_cut_short:
            await self._clock.sleep(seconds)
            return
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._news}, timeout=seconds)

    async def _window(self, *, is_first: bool = False) -> None:
        while wait_s := self._openings.wait_s(self._now_s(), is_first=is_first):  # others may be quicker
            await self._clock.sleep(wait_s)

    async def _until(self, then_s: float) -> None:
        wait_s = then_s - self._now_s()
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    def _note(self) -> None:
        self._openings.note(self._now_s())

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
