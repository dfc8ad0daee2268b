"""The venue's rule for a local book.

Source: docs/v5/websocket/public/orderbook, as of 2026-07-24. The stream begins with a snapshot; every later snapshot
replaces the book.
"""

from __future__ import annotations

from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import BookRule, SnapshotSource, Verdict


class BybitBookRule(BookRule):
    """Deltas count up by one. A delta numbered 1 says that the service restarted: its snapshot is missing."""

    source = SnapshotSource.STREAM

    def depth_of(self, stream: str) -> int | None:
        """orderbook.50.BTCUSDT: 50."""
        return int(stream.split(".", 2)[1])

    def joins(self, delta: BookDelta, snapshot: BookSnapshot) -> Verdict:
        return self.follows(delta, snapshot.update_id)

    def follows(self, delta: BookDelta, last_update_id: int) -> Verdict:
        if delta.update_id == 1:
            return Verdict.GAP
        if delta.update_id <= last_update_id:
            return Verdict.DROP
        return Verdict.APPLY if delta.update_id == last_update_id + 1 else Verdict.GAP
