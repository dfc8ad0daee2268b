"""How many connections an address may open and have. Source: docs/v5/rate-limit (WebSocket IP limit), 2026-07-24."""

from __future__ import annotations

from collections import defaultdict, deque

from perpwire.clock import Clock
from perpwire.simulator.dialect import SocketRefused

NEW_CONNECTIONS = 500
NEW_PERIOD_S = 300.0
PUBLIC_CONNECTIONS = 1000
"""At once, for market data; counted apart for each kind of contract."""

TOO_MANY = 403
"""HTTP status of a refused connection; the venue does not say which it is."""


class Doors:
    """Counts connections by the client's address.

    Args:
        new_connections: How many it may open in five minutes; 0 for any number, and then any number at once too.
    """

    def __init__(self, clock: Clock, new_connections: int = NEW_CONNECTIONS) -> None:
        self._clock = clock
        self._limit = new_connections
        self._opened_ns: defaultdict[str, deque[int]] = defaultdict(deque)
        self._open: defaultdict[tuple[str, str], int] = defaultdict(int)

    def enter(self, address: str, kind: str) -> None:
        """A connection comes; `kind` is that of its market data, "" for other sockets.

        Raises:
            SocketRefused: The address has had its share.
        """
        if not self._limit:
            return
        now_ns = self._clock.monotonic_ns()
        opened = self._opened_ns[address]
        while opened and opened[0] <= now_ns - round(NEW_PERIOD_S * 1e9):
            opened.popleft()
        if len(opened) >= self._limit or (kind and self._open[address, kind] >= PUBLIC_CONNECTIONS):
            raise SocketRefused(TOO_MANY)
        opened.append(now_ns)
        self._open[address, kind] += 1

    def leave(self, address: str, kind: str) -> None:
        """It is gone."""
        if not self._limit:
            return
        self._open[address, kind] -= 1
        if not self._open[address, kind]:
            del self._open[address, kind]
