"""Which fills have been delivered, so that each is delivered once, however often and on whatever way it comes."""

from __future__ import annotations

from collections import deque

from perpwire.model.order import Fill, Side

FillKey = tuple[str, str, Side]
"""Symbol, trade id, side: trade ids are one symbol's own at some venues, and a trade with ourselves is two fills."""

KEEP = 10_000


def key_of(fill: Fill) -> FillKey:
    return fill.symbol, fill.trade_id, fill.side


class FillLog:
    """The delivered fills of one account, and the point before which every one has been delivered.

    Remembers the newest `keep` fills, and as many more as are not older than the point: what is read back over REST
    begins there, so nothing older can come from it.

    Attributes:
        read_ms: Every fill before this venue's time (Unix milliseconds) has been delivered, or was before our time.
    """

    def __init__(self, read_ms: int, keep: int = KEEP) -> None:
        self.read_ms = read_ms
        self._keep = keep
        self._known: set[FillKey] = set()
        self._order: deque[tuple[FillKey, int]] = deque()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: FillKey, venue_time_ms: int) -> bool:
        """Note a fill; False where it is known."""
        if key in self._known:
            return False
        self._known.add(key)
        self._order.append((key, venue_time_ms))
        while len(self._order) > self._keep and self._order[0][1] < self.read_ms:
            self._known.discard(self._order.popleft()[0])
        return True

    def has(self, fill: Fill) -> bool:
        return key_of(fill) in self._known

    def read_until(self, venue_ms: int) -> None:
        """Everything before `venue_ms` has been delivered. The point never moves back."""
        self.read_ms = max(self.read_ms, venue_ms)
