"""Local books of one connector: feeds each BookSync from the stream, and fetches what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator

from perpwire.api_connector.kept_up import kept_up, stack_of
from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told
from perpwire.api_connector.topic_uses import BY_NAME, TopicUses, Use
from perpwire.api_connector.turns import Pace, Turns
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.data_processor.book_sync import BookSync
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import APIError, BadInput, BookNotInSync
from perpwire.model.incident import BookGap, BookRecovered, HandlerFailed, Incident
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import Hosts, SnapshotSource, StreamOptions, Topic, Venue

SNAPSHOT_LEVELS = 1000
"""Levels a side that a book starts with where it is not said otherwise: the most there are."""

SNAPSHOTS_AT_ONCE = 6
"""So many are asked for at the same time; a book that was lost goes before those that are new."""

NEW_BOOKS_PERCENT = 55
"""Of each of the venue's limits that the snapshots of new books may use; the rest is for everything else."""

IN_SYNC_WITHIN_S = 30.0
PAUSE_S = 0.5
"""From one try to bring a book in sync to the next; doubles up to 10 s, so that a bad hour does not eat the budget."""

STEADY_S = 2.0
"""A book that goes out of sync sooner after it came in has not been mended: the next try has its pause, too."""


class _Kept:
    """One symbol's book and the state of fetching for it.

    Attributes:
        subscribed: Brings its stream; None until it is begun.
        tries: To bring it in sync, since it was for STEADY_S.
        tried_ns: When that was tried last; monotonic.
        waits: It waits for its turn, or for the budget, to ask for a snapshot.
        asked_ns: When it was asked for, or the stream; monotonic.
        in_sync_ns: When it came in sync; monotonic.
    """

    def __init__(self, sync: BookSync, topic: Topic) -> None:
        self.sync = sync
        self.topic = topic
        self.use = Use(self, topic)
        self.subscribed: asyncio.Task[None] | None = None
        self.fetching: asyncio.Task[None] | None = None
        self.tries = 0
        self.tried_ns = 0
        self.is_mute = False
        self.waits = False
        self.asked_ns = 0
        self.in_sync_ns = 0
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
        self._by_topic: dict[str, _Kept] = {}
        self._uses = TopicUses()
        """Who has which book open, by its topic."""
        self._turns = Turns(SNAPSHOTS_AT_ONCE)
        self._paces = {
            limit.name: Pace(clock, limit.limit * NEW_BOOKS_PERCENT // 100, limit.period_s) for limit in venue.limits
        }
        self._offs = [
            streams.on_state(self._on_state),
            streams.on_lost(self._on_lost),
            streams.on_topic(self._on_topic),
        ]

    async def open(self, symbols: Iterable[str], options: StreamOptions, holder: Hashable = BY_NAME) -> list[LocalBook]:
        """Books of all symbols, in their order, once all are in sync. Each is kept until `holder`, and everybody else
        who has opened it, has given it back; what fails here, or is cancelled, is not held by it."""
        names = list(symbols)
        for name in names:
            self._check_deep_enough(name, options)
        books = {name: self._books.get(name) or self._keep(name, options) for name in dict.fromkeys(names)}
        claim = self._uses.claim(self._venue.name, [Use(holder, kept.topic) for kept in books.values()])
        failed = [kept.topic for kept in books.values()]
        try:
            self._subscribe([kept for kept in books.values() if kept.subscribed is None])
            ends = await asyncio.gather(*map(self._in_sync, books.values()), return_exceptions=True)
            failed = [kept.topic for kept, end in zip(books.values(), ends, strict=True) if end is not None]
        finally:
            self._release(self._ended(self._uses.settle(claim, failed)))
        for end in ends:
            if end is not None:
                raise end
        return [books[name].sync.book for name in names]

    def _check_deep_enough(self, symbol: str, options: StreamOptions) -> None:
        """
        Raises:
            BadInput: The book is open with fewer levels than are asked for.
        """
        kept = self._books.get(symbol)
        if kept is None or options.levels is None:
            return
        levels = kept.sync.limit or self._venue.book_rule.depth_of(kept.topic.name)
        if levels is not None and levels < options.levels:
            raise BadInput(
                f"the book of {symbol} is open with {levels} levels, not {options.levels}", venue=self._venue.name,
                call="open_book", code="BOOK_OF_FEWER_LEVELS",
                advice="Whoever opens it first decides: open it with the most that anybody needs, or close it first.",
            )  # fmt: skip

    def _subscribe(self, new: list[_Kept]) -> None:
        """It goes on when who began it is cancelled, as others may have come to wait for it."""
        if not new:
            return

        async def subscribe() -> None:
            await self._streams.subscribe(self._venue, self._hosts, [kept.use for kept in new])
            for kept in new:
                if not kept.sync.book.is_closed:
                    kept.asked_ns = self._clock.monotonic_ns()
                    kept.sync.start()

        task = asyncio.get_running_loop().create_task(subscribe(), name="perpwire books")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        for kept in new:
            kept.subscribed = task

    @property
    def books(self) -> tuple[LocalBook, ...]:
        """Those that are kept now."""
        return tuple(kept.sync.book for kept in self._books.values())

    async def close_book(self, symbol: str) -> None:
        """What the user has opened by name; it is kept for as long as anybody else has it open."""
        ended = self._given_back(symbol, BY_NAME)
        if ended:
            await self._streams.unsubscribe(self._venue, [kept.use for kept in ended])

    def release(self, symbol: str, holder: Hashable) -> None:
        """Give it back; its stream is ended a moment later, where that was the last."""
        self._release(self._given_back(symbol, holder))

    def _given_back(self, symbol: str, holder: Hashable) -> list[_Kept]:
        kept = self._books.get(symbol)
        return [] if kept is None else self._ended(self._uses.give_back(self._venue.name, [Use(holder, kept.topic)]))

    def _ended(self, unwanted: Iterable[Topic]) -> list[_Kept]:
        """Those are read by nobody any more."""
        ended = [self._by_topic[topic.name] for topic in unwanted if topic.name in self._by_topic]
        for kept in ended:
            self._let_go(kept)
        return ended

    def _release(self, ended: list[_Kept]) -> None:
        self._streams.release(self._venue, [kept.use for kept in ended])

    async def _in_sync(self, kept: _Kept) -> None:
        """Wait for it; only the time counts in which it was the venue's turn."""
        book = kept.sync.book
        if kept.subscribed is not None:
            await asyncio.shield(kept.subscribed)
        while not book.is_in_sync:
            if book.is_closed:
                raise BookNotInSync(f"the book of {book.symbol} was closed while it was being opened")
            passed_s = 0.0 if kept.waits else (self._clock.monotonic_ns() - kept.asked_ns) / 1e9
            if passed_s >= IN_SYNC_WITHIN_S:
                why = kept.sync.why_not
                raise BookNotInSync(
                    f"the book of {book.symbol} did not come in sync within {IN_SYNC_WITHIN_S:g} s: {why}"
                )
            try:
                async with asyncio.timeout(IN_SYNC_WITHIN_S - passed_s):
                    await kept.became_in_sync.wait()
            except TimeoutError:
                pass  # it may have waited for its turn meanwhile

    def _let_go(self, kept: _Kept) -> None:
        """Feed it and fetch for it no more; it can't be read any more."""
        self._stop_fetching(kept)
        for off in kept.offs:
            off()
        self._books.pop(kept.sync.book.symbol, None)
        self._by_topic.pop(kept.topic.name, None)
        kept.sync.close()
        kept.became_in_sync.set()

    def _on_state(self, connection: str, live: bool) -> None:
        for kept in self._carried_by(connection) if live else ():
            kept.is_mute = False
            kept.sync.start()

    def _on_lost(self, connection: str) -> None:
        for kept in self._carried_by(connection):
            kept.is_mute = False
            self._stop_fetching(kept)
            kept.sync.lost("the connection was lost")

    def _carried_by(self, connection: str) -> Iterator[_Kept]:
        for kept in tuple(self._books.values()):
            carrying = self._streams.carrying(self._venue, kept.topic)
            if carrying is not None and carrying.name == connection:
                yield kept

    def _on_topic(self, venue: str, topic: str, state: TopicState) -> None:
        """A book's stream is mute, or speaks again, while others on its socket go on."""
        kept = self._by_topic.get(topic)
        if kept is None or venue != self._venue.name:
            return
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
        self._uses.clear()
        for off in self._offs:
            off()

    def _keep(self, symbol: str, options: StreamOptions) -> _Kept:
        rule = self._venue.book_rule
        topic = self._venue.topic(BookDelta, symbol, options)
        is_rest = rule.source is SnapshotSource.REST
        levels = SNAPSHOT_LEVELS if options.levels is None else options.levels
        if is_rest:
            self._venue.book_snapshot(symbol, levels)  # so that what it can't have is refused now

        def changed(in_sync: bool, why: str) -> None:
            if in_sync:
                kept.in_sync_ns = self._clock.monotonic_ns()
                kept.became_in_sync.set()
            else:
                kept.asked_ns = self._clock.monotonic_ns()
                if kept.asked_ns - kept.in_sync_ns >= STEADY_S * 1e9:
                    kept.tries = 0
                kept.became_in_sync.clear()
            if in_sync and not kept.sync.book.rebuilds:
                return  # the first time is no recovery
            self._tell(BookRecovered if in_sync else BookGap, symbol, "" if in_sync else why)

        def renew() -> None:
            self._stop_fetching(kept)
            name = f"the rebuilding of the book of {symbol}"
            whole = kept_up(lambda: self._renew(kept), name, self._venue.name, self._clock, self._on_incident)
            kept.fetching = asyncio.get_running_loop().create_task(whole, name=f"perpwire book {symbol}")

        def failed(handler: Callable[[LocalBook], None], error: BaseException) -> None:
            name = getattr(handler, "__qualname__", type(handler).__name__)
            self._on_incident(
                HandlerFailed(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    handler=name,
                    raised=type(error).__name__,
                    on=f"LocalBook {symbol}",
                    stack=stack_of(error),
                )
            )

        # A user may have subscribed another depth or speed of the same book.
        def on_delta(delta: BookDelta) -> None:
            if delta.stream == topic.name or not delta.stream:
                sync.on_delta(delta)

        def on_snapshot(snapshot: BookSnapshot) -> None:
            if snapshot.stream == topic.name or not snapshot.stream:
                sync.on_snapshot(snapshot)

        sync = BookSync(
            symbol,
            rule,
            renew=renew,
            changed=changed,
            depth=rule.depth_of(topic.name),
            limit=levels if is_rest else None,
            most=SNAPSHOT_LEVELS,
            failed=failed,
        )
        kept = _Kept(sync, topic)
        kept.asked_ns = self._clock.monotonic_ns()
        self._books[symbol] = self._by_topic[topic.name] = kept
        kept.offs.append(self._streams.on(BookDelta, on_delta, symbol))
        if not is_rest:
            kept.offs.append(self._streams.on(BookSnapshot, on_snapshot, symbol))
        return kept

    async def _renew(self, kept: _Kept) -> None:
        """Bring what the book asked for; tries until it has it, or is told to stop."""
        symbol = kept.sync.book.symbol
        while True:
            if kept.tries:
                pause_s = min(10.0, PAUSE_S * 2.0 ** (kept.tries - 1))
                # Since it was tried, not from now: a line that is lost more often would leave it untried for ever.
                await self._clock.sleep(max(0.0, pause_s - (self._clock.monotonic_ns() - kept.tried_ns) / 1e9))
            kept.tries += 1
            kept.tried_ns = self._clock.monotonic_ns()
            try:
                if self._venue.book_rule.source is SnapshotSource.REST:
                    snapshot = await self._snapshot(kept)
                    kept.fetching = None
                    kept.sync.on_snapshot(snapshot)
                else:
                    carrying = self._streams.carrying(self._venue, kept.topic)
                    if carrying is not None:
                        await carrying.resubscribe([kept.topic.name], kept.sync.book.venue_time_ms * 1_000_000)
                    kept.fetching = None
                    kept.sync.renewed()
                return
            except (APIError, TimeoutError) as error:
                if is_told(kept.tries):
                    self._tell(BookGap, symbol, f"it can't be built yet: {error}")

    async def _snapshot(self, kept: _Kept) -> BookSnapshot:
        """In its turn, and when the budget has room for it."""

        def goes(_: int) -> None:
            kept.waits = False
            kept.asked_ns = self._clock.monotonic_ns()

        book = kept.sync.book
        call = self._venue.book_snapshot(book.symbol, kept.sync.limit or SNAPSHOT_LEVELS)
        is_lost = book.was_in_sync
        kept.waits = True
        try:
            async with self._turns.turn(0 if is_lost else 1):
                if not is_lost:
                    for name, cost in call.endpoint.costs_of(call.params).items():
                        if name in self._paces:
                            await self._paces[name].spend(cost)
                return await self._requests.run(call, before_send=goes)
        finally:
            kept.waits = False

    def _tell(self, kind: type[BookGap | BookRecovered], symbol: str, why: str) -> None:
        self._on_incident(
            kind(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=why,
                symbol=symbol,
            )
        )

    def _stop_fetching(self, kept: _Kept) -> None:
        if kept.fetching is not None:
            kept.fetching.cancel()
            kept.fetching = None
