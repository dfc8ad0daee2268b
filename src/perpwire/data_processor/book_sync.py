"""Snapshot plus buffered deltas -> a book, by the venue's rule; and a book that can be read only while proven."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from perpwire.data_processor.order_book import OrderBook
from perpwire.errors import BookNotInSync
from perpwire.model.market import BookDelta, BookSnapshot, Level
from perpwire.venues.base import BookRule, SnapshotSource, Verdict

BUFFER = 20_000
"""Deltas kept while a snapshot is under way; beyond it, the oldest go and the snapshot will be found too old."""


class LocalBook:
    """A symbol's order book, kept in step with the venue. Every read raises BookNotInSync while that is not proven.

    Attributes:
        symbol: The venue's symbol.
        update_id: The venue's counter of the last applied update.
        venue_time_ms: Of the last applied update: Unix milliseconds, the venue's clock.
        deltas_applied: Since it was last built.
        rebuilds: How often it had to be built again.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.update_id = 0
        self.venue_time_ms = 0
        self.deltas_applied = 0
        self.rebuilds = 0
        self._book = OrderBook()
        self._why_not: str | None = "no snapshot yet"

    @property
    def is_in_sync(self) -> bool:
        return self._why_not is None

    @property
    def was_in_sync(self) -> bool:
        """It has been in sync at least once."""
        return self.is_in_sync or self.rebuilds > 0

    def _proven(self) -> OrderBook:
        if self._why_not is not None:
            raise BookNotInSync(f"the book of {self.symbol} is not in sync: {self._why_not}")
        return self._book

    @property
    def best_bid(self) -> Level | None:
        """(price, quantity), or None for an empty side."""
        return self._proven().best_bid

    @property
    def best_ask(self) -> Level | None:
        return self._proven().best_ask

    def bids(self, depth: int | None = None) -> list[Level]:
        """The best `depth` levels (all where None), best first."""
        return self._proven().bids(depth)

    def asks(self, depth: int | None = None) -> list[Level]:
        return self._proven().asks(depth)

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels are known."""
        return self._proven().levels


class BookSync:
    """Feeds one LocalBook. Pure: it says what it needs through `renew`, and is told everything by its owner.

    Args:
        renew: Called when a fresh snapshot is needed: fetch one over REST, or subscribe anew, as rule.source says.
            Not called again before that snapshot (or a connection loss) has been told.
        changed: Called with (in sync?, why) whenever that turns.
        depth: Levels a side that the feed covers, None for no bound.
    """

    def __init__(
        self,
        symbol: str,
        rule: BookRule,
        *,
        renew: Callable[[], None],
        changed: Callable[[bool, str], None],
        depth: int | None = None,
    ) -> None:
        self.book = LocalBook(symbol)
        self._rule = rule
        self._renew = renew
        self._changed = changed
        self._depth = depth
        self._buffer: deque[BookDelta] = deque(maxlen=BUFFER)
        self._snapshot: BookSnapshot | None = None
        self._asked = False

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

    def on_delta(self, delta: BookDelta) -> None:
        if self.book.is_in_sync:
            match self._rule.follows(delta, self.book.update_id):
                case Verdict.APPLY:
                    self._apply(delta)
                case Verdict.GAP:
                    self._start_over(f"update {delta.update_id} does not follow {self.book.update_id}", delta)
                case Verdict.DROP:
                    pass
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
            self._load(snapshot)
            self._in_sync()
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
                continue
            self._snapshot = None
            if verdict is Verdict.GAP:
                # The snapshot is older than all we have. The buffer stays: it fits a newer one.
                self._asked = True
                self._renew()
                return
            self._load(snapshot)
            waiting = list(self._buffer)
            self._buffer.clear()
            self._in_sync()
            self._apply(waiting[0])
            for later in waiting[1:]:
                self.on_delta(later)
            return

    def _load(self, snapshot: BookSnapshot) -> None:
        book = self.book
        book._book.load(snapshot.bids, snapshot.asks)
        book.update_id = snapshot.update_id
        book.venue_time_ms = snapshot.venue_time_ms
        book.deltas_applied = 0

    def _apply(self, delta: BookDelta) -> None:
        book = self.book
        book._book.apply(delta.bids, delta.asks)
        if self._depth is not None:
            book._book.trim(self._depth)
        book.update_id = delta.update_id
        book.venue_time_ms = delta.venue_time_ms
        book.deltas_applied += 1
        if book._book.is_crossed:
            self._start_over(f"crossed after update {delta.update_id}", None)

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
