"""Snapshot plus buffered deltas -> a book, by the venue's rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from perpwire.data_processor.local_book import ChangeHandler, LocalBook
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import BookRule, SnapshotSource, Verdict

UNPROVEN = "no change has come since its snapshot, which would prove it"

BUFFER = 20_000
"""Deltas kept while a snapshot is under way; beyond it, the oldest go and the snapshot will be found too old."""

CLOCKS_APART_MS = 1000
"""By so much a delta may be stamped later than a snapshot that holds it."""


class BookSync:
    """Feeds one LocalBook. Pure: it says what it needs through `renew`, and is told everything by its owner.

    Args:
        renew: Called when a fresh snapshot is needed: fetch one over REST, or subscribe anew, as rule.source says.
            Not called again before that snapshot (or a connection loss) has been told.
        changed: Called with (in sync?, why) whenever that turns.
        depth: Levels a side that the feed covers, None for no bound.
        limit: Levels a side that snapshots are asked for: where so many come, there may be more behind them.
        most: Of these there can be; each time that the price leaves those known, four times as many.
        failed: Called with (handler, what it raised) when one of the book's own handlers fails.
    """

    def __init__(
        self,
        symbol: str,
        rule: BookRule,
        *,
        renew: Callable[[], None],
        changed: Callable[[bool, str], None],
        depth: int | None = None,
        limit: int | None = None,
        most: int = 0,
        failed: Callable[[ChangeHandler, BaseException], None] | None = None,
    ) -> None:
        self.book = LocalBook(symbol, failed)
        self.limit = limit
        """Levels a side that the next snapshot is to have."""
        self._most = most
        self._rule = rule
        self._renew = renew
        self._changed = changed
        self._depth = depth
        self._buffer: deque[BookDelta] = deque(maxlen=BUFFER)
        self._snapshot: BookSnapshot | None = None
        self._asked = False

    @property
    def why_not(self) -> str:
        """Why the book is not in sync, and what it waits for."""
        return self.book.why_not if self._snapshot is None else UNPROVEN

    def start(self) -> None:
        """The stream is subscribed and live: a book that starts over REST asks for its snapshot now."""
        if self._rule.source is SnapshotSource.REST and not self._asked:
            self._asked = True
            self._renew()

    def lost(self, why: str) -> None:
        """The stream was lost: nothing of the old book can be trusted."""
        self._buffer.clear()
        self._snapshot = None
        self._asked = False
        self._out_of_sync(why)

    def close(self) -> None:
        """It is fed no more."""
        self._buffer.clear()
        self._snapshot = None
        self.book._why_not = "closed"
        self.book._closed = True
        self.book._tell()

    def on_delta(self, delta: BookDelta) -> None:
        book = self.book
        if book._why_not is None:
            verdict = self._rule.follows(delta, book.update_id)
            if verdict is Verdict.APPLY and delta.sequence >= book.sequence:
                self._apply(delta)
            elif verdict is Verdict.APPLY:
                self._start_over(f"sequence {delta.sequence} comes after {book.sequence}", delta)
            elif verdict is Verdict.GAP:
                self._start_over(f"update {delta.update_id} does not follow {book.update_id}", delta)
            elif delta.venue_time_ms > book.venue_time_ms:
                # Numbered as if it were old, and made later: the venue has begun to count anew.
                self._start_over(f"updates are numbered from {delta.update_id} again", delta)
        elif self._rule.source is SnapshotSource.REST:
            self._buffer.append(delta)
            if self._snapshot is not None:
                self._join(self._snapshot)
        elif not self._asked:
            # The snapshot that comes before every delta never came, or could not be read.
            self._asked = True
            self._renew()

    def renewed(self) -> None:
        """The stream was subscribed anew: its snapshot comes next, before any delta."""
        self._asked = False

    def on_snapshot(self, snapshot: BookSnapshot) -> None:
        """From REST or from the stream; it replaces the book."""
        self._asked = False
        if self._rule.source is SnapshotSource.STREAM:
            if self._load(snapshot):
                self._in_sync()
                self.book._tell()
        elif not self.book.is_in_sync:
            self._snapshot = snapshot
            self._join(snapshot)

    def _join(self, snapshot: BookSnapshot) -> None:
        """Look for the delta that continues the snapshot; apply it and what follows."""
        while self._buffer:
            delta = self._buffer[0]
            verdict = self._rule.joins(delta, snapshot)
            if verdict is Verdict.DROP:
                self._buffer.popleft()
                if not 0 < snapshot.venue_time_ms < delta.venue_time_ms - CLOCKS_APART_MS:
                    continue
                # Made well after the snapshot, and numbered before it: the venue counts anew, and it is an old one.
                verdict = Verdict.GAP
            self._snapshot = None
            if verdict is Verdict.GAP:
                # The snapshot is older than all we have. The buffer stays: it fits a newer one.
                self._asked = True
                self._renew()
                return
            if not self._load(snapshot):
                return
            waiting = list(self._buffer)
            self._buffer.clear()
            self._in_sync()
            self._apply(waiting[0])
            for later in waiting[1:]:
                self.on_delta(later)
            return

    def _load(self, snapshot: BookSnapshot) -> bool:
        """False: it can't be read, or is crossed; the book begins again."""
        book = self.book
        try:
            book._book.load(snapshot.bid_text, snapshot.ask_text, self.limit)
        except ValueError as error:
            self._start_over(f"a snapshot can't be read: {error}", None)
            return False
        if self._depth is not None:
            book._book.trim(self._depth)
        if book._book.is_crossed:
            self._start_over(f"crossed in snapshot {snapshot.update_id}", None)
            return False
        book.update_id = snapshot.update_id
        book.sequence = snapshot.sequence
        book.venue_time_ms = snapshot.venue_time_ms
        book.deltas_applied = 0
        return True

    def _apply(self, delta: BookDelta) -> None:
        book = self.book
        levels = book._book
        try:
            levels.apply(delta.bid_text, delta.ask_text)
        except ValueError as error:
            self._start_over(f"update {delta.update_id} can't be read: {error}", None)
            return
        if self._depth is not None:
            levels.trim(self._depth)
        book.update_id = delta.update_id
        book.sequence = delta.sequence
        book.venue_time_ms = delta.venue_time_ms
        book.deltas_applied += 1
        if levels.is_crossed:
            self._start_over(f"crossed after update {delta.update_id}", None)
        elif levels.is_out_of_sight:
            if self.limit is not None:
                self.limit = max(self.limit, min(4 * self.limit, self._most))
            self._start_over("the price has left the range that the snapshot covered", delta)
        elif book._handlers:
            book._tell()

    def _start_over(self, why: str, delta: BookDelta | None) -> None:
        self._buffer.clear()
        if delta is not None and self._rule.source is SnapshotSource.REST:
            self._buffer.append(delta)
        self._snapshot = None
        self._out_of_sync(why)
        if not self._asked:
            self._asked = True
            self._renew()

    def _in_sync(self) -> None:
        if not self.book.is_in_sync:
            self.book._why_not = None
            self._changed(True, "in sync")

    def _out_of_sync(self, why: str) -> None:
        was_in_sync, self.book._why_not = self.book.is_in_sync, why
        if was_in_sync:
            self.book.rebuilds += 1
            self._changed(False, why)
            self.book._tell()
