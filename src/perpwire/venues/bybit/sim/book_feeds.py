"""orderbook.{depth}.{symbol}: the books, at the venue's intervals.

Source: docs/v5/websocket/public/orderbook and /rpi-orderbook, as of 2026-07-24. Of the venue's depths 500 is gone since
2025-09-11, and orderbook.full is not released for linear contracts: both are unknown topics here too.
"""

from __future__ import annotations

from typing import Any, Literal

from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import FeedParts, SteppedFeed, encode
from perpwire.venues.bybit.sim.hub import Subscriber
from perpwire.venues.bybit.sim.ladder import Ladder, SideText, Window, side_text

BOOK_INTERVALS_S = {1: 0.010, 50: 0.020, 200: 0.100, 1000: 0.200}

RPI_DEPTH = 50
RPI_INTERVAL_S = 0.100

REPEAT_S = 3.0
"""orderbook.1 is sent again, with the same u, when nothing changes for so long."""

FIRST_UPDATE = 18_000_000
RESTARTED_UPDATE = 1
"""A snapshot with this u says that the service was restarted and counts anew."""

EVERYTHING = 1 << 30


class BookFeed(SteppedFeed):
    """orderbook.50, .200, .1000: a snapshot, then deltas whose u grows by one."""

    def __init__(self, symbol: str, depth: int, ladder: Ladder, parts: FeedParts) -> None:
        self._prepare(f"orderbook.{depth}.{symbol}", symbol, depth, BOOK_INTERVALS_S[depth], ladder, parts)

    def _prepare(
        self,
        topic: str,
        symbol: str,
        depth: int,
        interval_s: float,
        ladder: Ladder,
        parts: FeedParts,
    ) -> None:
        super().__init__(topic, interval_s, parts)
        self.symbol = symbol
        self.depth = depth
        self.update_id = FIRST_UPDATE
        self.changed_ms = 0
        self.seq = 0
        self._ladder = ladder
        self._bids, self._asks = self._windows = (Window(ladder.bids, depth), Window(ladder.asks, depth))

    # --- following the book -------------------------------------------------------------------------------------------

    def wake(self) -> None:
        if not self._ladder.is_followed:
            self._load()
        self._ladder.follow(self._windows)
        self._catch_up()

    def sleep(self) -> None:
        self._ladder.leave(self._windows)

    def _load(self) -> None:
        bids, asks, _, _ = self._exchange.book(self.symbol, EVERYTHING)
        self._ladder.load(bids, asks)

    def _catch_up(self) -> None:
        if self._bids.advance_fully() | self._asks.advance_fully():
            self._count()

    def _count(self) -> None:
        self.update_id += 1
        self.changed_ms = self._exchange.book(self.symbol, 1)[3]
        self.seq = self._exchange.seq(self.symbol)

    # --- publishing ---------------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """What is shown comes up to now, listened to or not, and the listeners are told of the change."""
        if not self.is_awake:
            if not self._ladder.is_followed:
                self._load()
            self._catch_up()
            return
        bids, asks = self._advance()
        if bids or asks:
            self._count()
            self._hub.publish(self.topic, lambda: self._frame("delta", bids, asks))

    def _advance(self) -> tuple[SideText, SideText]:
        return self._bids.advance(), self._asks.advance()

    def restart(self) -> None:
        """The service begins anew: the book is sent whole, with u 1."""
        if self.is_awake and self._advance() != ((), ()):
            self._count()
        self.update_id = RESTARTED_UPDATE
        self._hub.publish(self.topic, self.snapshot)

    def welcome(self, subscriber: Subscriber) -> None:
        subscriber.push(self.snapshot(), self.topic)

    def levels(self, limit: int) -> tuple[SideText, SideText]:
        """What is shown under the present update_id, best first."""
        return self._bids.whole()[:limit], self._asks.whole()[:limit]

    def snapshot(self) -> bytes:
        """The book as it was published last: what later deltas build on."""
        return self._frame("snapshot", self._bids.whole(), self._asks.whole())

    def _frame(self, kind: Literal["snapshot", "delta"], bids: SideText, asks: SideText) -> bytes:
        now_ms = self._exchange.now_ms()
        return encode(
            wire_streams.BookFrame(
                topic=self.topic,
                type=kind,
                ts=now_ms,
                data=self._data(bids, asks),
                cts=min(now_ms, self.changed_ms),  # a clock that was put back must not make it the later one
            )
        )

    def _data(self, bids: SideText, asks: SideText) -> Any:
        return wire_streams.BookData(self.symbol, bids, asks, self.update_id, self.seq)


class RpiBookFeed(BookFeed):
    """orderbook.rpi: rows of price, quantity of normal orders, quantity of RPI orders. Nobody here may place the latter
    (error 110119), so that quantity is always 0."""

    def __init__(self, symbol: str, ladder: Ladder, parts: FeedParts) -> None:
        self._prepare(f"orderbook.rpi.{symbol}", symbol, RPI_DEPTH, RPI_INTERVAL_S, ladder, parts)

    def _data(self, bids: SideText, asks: SideText) -> Any:
        return wire_streams.RpiBookData(self.symbol, _with_rpi(bids), _with_rpi(asks), self.update_id, self.seq)


def _with_rpi(levels: SideText) -> tuple[tuple[str, str, str], ...]:
    return tuple([(price, size, "0") for price, size in levels])


class TopFeed(SteppedFeed):
    """orderbook.1: every frame is whole; repeated when nothing changes."""

    def __init__(self, symbol: str, parts: FeedParts) -> None:
        super().__init__(f"orderbook.1.{symbol}", BOOK_INTERVALS_S[1], parts)
        self.symbol = symbol
        self._instrument = self._exchange.spec(symbol).instrument
        self._update_id = FIRST_UPDATE
        self._levels: tuple[SideText, SideText] = ((), ())
        self._raw: Any = None
        self._changed_ms = 0
        self._seq = 0
        self._sent_ns = 0
        self._is_watched = False

    def wake(self) -> None:
        self._advance()
        self._sent_ns = self._exchange.clock.monotonic_ns()
        self._watch(REPEAT_S)

    def publish(self) -> None:
        if self._advance():
            self._send()

    def _advance(self) -> bool:
        bids, asks, _, changed_ms = self._exchange.book(self.symbol, 1)
        if (bids, asks) == self._raw:
            return False
        self._raw = (bids, asks)
        self._levels = (side_text(bids, self._instrument), side_text(asks, self._instrument))
        self._update_id += 1
        self._changed_ms = changed_ms
        self._seq = self._exchange.seq(self.symbol)
        return True

    def _send(self) -> None:
        self._sent_ns = self._exchange.clock.monotonic_ns()
        self._hub.publish(self.topic, self.snapshot)

    def _watch(self, seconds: float) -> None:
        """Look again after so long whether anything was sent."""
        if not self._is_watched:
            self._is_watched = True
            self._timers.later(seconds, self._repeat)

    def _repeat(self) -> None:
        self._is_watched = False
        if not self.is_awake:
            return
        quiet_s = (self._exchange.clock.monotonic_ns() - self._sent_ns) / 1e9
        if quiet_s >= REPEAT_S:
            self._send()
            quiet_s = 0.0
        self._watch(REPEAT_S - quiet_s)

    def restart(self) -> None:
        """The service begins anew: u counts from 1."""
        self._advance()
        self._update_id = RESTARTED_UPDATE
        if self.is_awake:
            self._send()

    def welcome(self, subscriber: Subscriber) -> None:
        subscriber.push(self.snapshot(), self.topic)

    def snapshot(self) -> bytes:
        now_ms = self._exchange.now_ms()
        bids, asks = self._levels
        data = wire_streams.BookData(self.symbol, bids, asks, self._update_id, self._seq)
        return encode(
            wire_streams.SentTopFrame(
                topic=self.topic, ts=now_ms, type="snapshot", data=data, cts=min(now_ms, self._changed_ms)
            )
        )
