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
    """The delivered fills of one account.

    Remembers the newest `keep` fills, and as many more as are not older than the time from which they are read next.

    Attributes:
        known_ms: Every delivered fill of this venue's time or later (Unix milliseconds) is remembered: nothing older
            may be read, as it could not be told whether it was delivered.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self.known_ms = 0
        self._read_ms = 0
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
        while len(self._order) > self._keep and self._order[0][1] < self._read_ms:
            oldest, oldest_ms = self._order.popleft()
            self._known.discard(oldest)
            self.known_ms = max(self.known_ms, oldest_ms + 1)
        return True

    def has(self, fill: Fill) -> bool:
        return key_of(fill) in self._known

    def read_from(self, venue_ms: int) -> None:
        """What is read next begins there; where the venue's clock was put back, that is earlier than before."""
        self._read_ms = venue_ms
