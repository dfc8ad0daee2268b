"""The venue's rule for a local book.

Source: usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly, as of 2026-10-23; the
quoted steps are that page's.
"""

from __future__ import annotations

from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import BookRule, SnapshotSource, Verdict


class DiffDepthRule(BookRule):
    """Events continue each other by `pu`; `U` is no guide, as ids are shared by all symbols."""

    source = SnapshotSource.REST

    def joins(self, delta: BookDelta, snapshot: BookSnapshot) -> Verdict:
        last = snapshot.update_id
        # Step 4: an event with u < lastUpdateId is dropped.
        if delta.update_id < last:
            return Verdict.DROP
        # Step 5: the first event applied has U <= lastUpdateId and u >= lastUpdateId. One that says itself that the
        # event before it ended with the snapshot's last update continues it no less surely.
        if delta.first_update_id <= last or delta.previous_update_id == last:
            return Verdict.APPLY
        return Verdict.GAP

    def follows(self, delta: BookDelta, last_update_id: int) -> Verdict:
        # Step 6: pu equals the u of the event before, or else the book starts anew.
        if delta.previous_update_id == last_update_id:
            return Verdict.APPLY
        if delta.update_id <= last_update_id:
            return Verdict.DROP  # a second copy, as from a duplicate connection
        return Verdict.GAP
