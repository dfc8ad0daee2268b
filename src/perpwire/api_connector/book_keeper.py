"""Local books of one connector: feeds each BookSync from the stream, and fetches what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.data_processor.book_sync import BookSync
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import APIError, BookNotInSync
from perpwire.model.incident import BookGap, BookRecovered, Incident
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import Hosts, SnapshotSource, Topic, Venue

SNAPSHOT_DEPTH = 1000
"""Levels a side that a book starts with where it is not said otherwise: the most there are."""

IN_SYNC_WITHIN_S = 30.0
PAUSE_S = 0.5
"""Before a snapshot is asked for again; doubles up to 10 s, so that a bad hour does not eat the budget."""


class _Kept:
    """One symbol's book and the state of fetching for it."""

    def __init__(self, sync: BookSync, topic: Topic, depth: int) -> None:
        self.sync = sync
        self.depth = depth
        self.topic = topic
        self.fetching: asyncio.Task[None] | None = None
        self.tries = 0
        self.is_mute = False
        self.became_in_sync = asyncio.Event()
        self.offs: list[Callable[[], None]] = []


class BookKeeper:
    """See module docstring."""

    def __init__(
        self,
        venue: Venue,
        hosts: Hosts,
        streams: WebSocketManager,
        requests: RequestPath,
        clock: Clock,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._hosts = hosts
        self._streams = streams
        self._requests = requests
        self._clock = clock
        self._on_incident = on_incident
        self._books: dict[str, _Kept] = {}
        streams.on_topic(self._on_topic)

    async def open(self, symbol: str, on_state: Callable[[str, bool], None], depth: int = SNAPSHOT_DEPTH) -> LocalBook:
        kept = self._books.get(symbol)
        if kept is None:
            kept = self._keep(symbol, depth)
            try:
                await self._streams.subscribe(self._venue, self._hosts, [kept.topic], on_state=on_state)
            except BaseException:
                self._let_go(kept)
                raise
            kept.sync.start()
        try:
            async with asyncio.timeout(IN_SYNC_WITHIN_S):
                await kept.became_in_sync.wait()
        except TimeoutError:
            if not kept.sync.book.was_in_sync:
                await self._give_up(kept)
            raise BookNotInSync(f"the book of {symbol} did not come in sync within {IN_SYNC_WITHIN_S:g} s") from None
        return kept.sync.book

    def _let_go(self, kept: _Kept) -> None:
        """Feed it and fetch for it no more."""
        self._stop_fetching(kept)
        for off in kept.offs:
            off()
        self._books.pop(kept.sync.book.symbol, None)

    async def _give_up(self, kept: _Kept) -> None:
        """A book that never came in sync is nobody's."""
        self._let_go(kept)
        await self._streams.unsubscribe(self._venue, [kept.topic])

    def on_state(self, connection: str, live: bool) -> None:
        """A public connection became live or was lost."""
        for kept in self._books.values():
            carrying = self._streams.carrying(self._venue, kept.topic)
            if carrying is None or carrying.name != connection:
                continue
            kept.is_mute = False
            if live:
                kept.sync.start()
            else:
                self._stop_fetching(kept)
                kept.sync.lost("the connection was lost")

    def _on_topic(self, venue: str, topic: str, state: TopicState) -> None:
        """A book's stream is mute, or speaks again, while others on its socket go on."""
        if venue != self._venue.name:
            return
        for kept in self._books.values():
            if kept.topic.name == topic:
                if state is not TopicState.LIVE:
                    kept.is_mute = True
                    self._stop_fetching(kept)
                    kept.sync.lost("its stream is mute")
                elif kept.is_mute:
                    kept.is_mute = False
                    kept.sync.start()

    async def close(self) -> None:
        for kept in tuple(self._books.values()):
            self._let_go(kept)
            kept.sync.lost("closed")

    def _keep(self, symbol: str, depth: int) -> _Kept:
        def changed(in_sync: bool, why: str) -> None:
            if in_sync:
                kept.tries = 0
                kept.became_in_sync.set()
            else:
                kept.became_in_sync.clear()
            if in_sync and not kept.sync.book.rebuilds:
                return  # the first time is no recovery
            kind = BookRecovered if in_sync else BookGap
            self._on_incident(
                kind(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail=f"book of {symbol}: {why}",
                    symbol=symbol,
                )
            )

        def renew() -> None:
            self._stop_fetching(kept)
            kept.fetching = asyncio.get_running_loop().create_task(self._renew(kept), name=f"perpwire book {symbol}")

        rule = self._venue.book_rule
        kept = _Kept(
            BookSync(symbol, rule, renew=renew, changed=changed, depth=rule.depth, limit=depth),
            self._venue.topic(BookDelta, symbol),
            depth,
        )
        self._books[symbol] = kept
        kept.offs.append(self._streams.on(BookDelta, kept.sync.on_delta, symbol))
        if rule.source is SnapshotSource.STREAM:
            kept.offs.append(self._streams.on(BookSnapshot, kept.sync.on_snapshot, symbol))
        return kept

    async def _renew(self, kept: _Kept) -> None:
        """Bring what the book asked for; tries until it has it, or is told to stop."""
        symbol = kept.sync.book.symbol
        while True:
            if kept.tries:
                await self._clock.sleep(min(10.0, PAUSE_S * 2.0 ** (kept.tries - 1)))
            kept.tries += 1
            try:
                if self._venue.book_rule.source is SnapshotSource.REST:
                    snapshot = await self._requests.run(self._venue.book_snapshot(symbol, kept.depth))
                    kept.fetching = None
                    kept.sync.on_snapshot(snapshot)
                else:
                    carrying = self._streams.carrying(self._venue, kept.topic)
                    if carrying is not None:
                        await carrying.resubscribe(kept.topic.name)
                    kept.fetching = None
                    kept.sync.renewed()
                return
            except (APIError, TimeoutError) as error:
                self._on_incident(
                    BookGap(
                        venue=self._venue.name,
                        time_ns=self._clock.time_ns(),
                        detail=f"book of {symbol} can't be built yet: {error}",
                        symbol=symbol,
                    )
                )

    def _stop_fetching(self, kept: _Kept) -> None:
        if kept.fetching is not None:
            kept.fetching.cancel()
            kept.fetching = None
