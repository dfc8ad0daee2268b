"""The account's stream: opens it with a key that is kept alive, and has the account watched over (account_watch.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress

from perpwire.api_connector.account_watch import AccountWatch
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.lifecycle import State, TopicState
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.stream_token import TokenKeeper
from perpwire.api_connector.topic_uses import ACCOUNT, Use
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.data_processor.account_state import AccountState
from perpwire.errors import APIError, AuthenticationFailed, NotSent
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.incident import Incident, StreamStale
from perpwire.model.market import Event
from perpwire.model.order import Fill, Order
from perpwire.raised import is_our_end
from perpwire.transport.base import TransportFailed
from perpwire.venues.base import Hosts, Topic, Venue

CLOCK_WITHIN_S = 2.0
"""The venue's clock is measured again before a login within so long, or not at all."""

_HEARD: tuple[type[Event], ...] = (Position, Balance, Fill)
"""What the account's state is made of, beside orders, which it is shown before any handler."""

_NOTED: tuple[type[Event], ...] = (*_HEARD, Order, AccountEvent)

_ACKNOWLEDGED = (TopicState.ACKNOWLEDGED, TopicState.LIVE)


class PrivateStream:
    """One per connector; see module docstring."""

    def __init__(
        self,
        venue: Venue,
        hosts: Hosts,
        streams: WebSocketManager,
        requests: RequestPath,
        clock: Clock,
        sync: ClockSync,
        state: AccountState,
        credentials: Credentials | None,
        fills: FillKeeper,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._hosts = hosts
        self._streams = streams
        self._requests = requests
        self._clock = clock
        self._sync = sync
        self._state = state
        self._credentials = credentials
        self._fills = fills
        fills.on_left_out = streams.unknown.see_words
        self._on_incident = on_incident
        self._watch = self._new_watch()
        token = venue.stream_token()
        self._token = None if token is None else TokenKeeper(token, requests, clock, self._replace, self._keep_up)
        self._opening: asyncio.Task[None] | None = None
        self._connection: StreamConnection | None = None
        self._offs: list[Callable[[], None]] = []
        self._opened = False
        self._was_live = False
        self._fills_at_start = 0

    def _new_watch(self) -> AccountWatch:
        return AccountWatch(
            self._venue, self._requests, self._streams.frames, self._state, self._sync, self._clock, self._fills,
            self._on_mute, self._replace, self._on_incident,
        )  # fmt: skip

    async def _keep_up(self, work: Callable[[], Awaitable[None]]) -> None:
        await kept_up(work, "the keeping of the stream's key", self._venue.name, self._clock, self._on_incident)

    async def open(self) -> None:
        """Returns once it is live and what was missed is read. A caller that is cancelled meanwhile does not end it.

        Raises:
            NotSent: It can't be opened, or the connector was closed meanwhile.
            AuthenticationFailed: There is no key, or the venue refuses it.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open(), name="perpwire account stream")
            self._opening.add_done_callback(self._opening_ended)
        try:
            await asyncio.shield(self._opening)
        except asyncio.CancelledError as error:
            if is_our_end(error):
                raise
            raise NotSent(
                "the connector was closed", venue=self._venue.name, call="open_account_stream", code="CLOSED"
            ) from None

    def _opening_ended(self, opening: asyncio.Task[None]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            self._opening = None  # the next call tries anew

    async def _open(self) -> None:
        if self._credentials is None:
            raise AuthenticationFailed(
                "the account stream needs an API key", venue=self._venue.name, call="open_account_stream",
                code="NO_CREDENTIALS",
            )  # fmt: skip
        self._opened = True
        self._was_live = False
        self._watch = self._new_watch()  # nothing of an opening that failed lives on
        self._fills.begin()
        self._state.follow()
        offs = [self._streams.frames.gate(Order, self._watch.hear)]
        offs += [self._streams.on(kind, self._state.on_event) for kind in _HEARD]
        offs += [self._streams.on(kind, self._watch.note) for kind in _NOTED]
        offs.append(self._streams.on_state(self._on_state))
        try:
            self._connection = await self._streams.open(
                self._venue,
                self._hosts,
                self._venue.private_route,
                [Use(ACCOUNT, topic) for topic in self._venue.private_topics()],
                address=self._address,
                credentials=self._credentials,
                venue_ms=self._sync.venue_ms,
            )
        except BaseException:
            self._opened = self._state.follows = False
            for off in offs:
                off()
            await self._watch.close()
            raise
        self._offs = offs
        if not self._was_live:
            # It has stayed, by a stream's name, since an opening that failed, and has told then that it is live.
            self._was_live = True
            if self._connection.state is not State.LIVE:
                self._watch.lost()
        if self._token is not None:
            self._token.keep()
        try:
            self._fills_at_start = await self._watch.begin()
        except APIError:
            await self._give_up(self._connection)
            raise

    async def _give_up(self, connection: StreamConnection) -> None:
        """Nothing goes on: the next call of `open` begins anew."""
        self._opened = self._state.follows = False
        self._connection = None
        await self._end()
        await self._streams.close_opened(connection, [Use(ACCOUNT, topic) for topic in self._venue.private_topics()])

    async def watch_countdown(self) -> None:
        """Open the stream and subscribe what the venue's dead man's switch goes by, if it goes by the stream.

        Raises:
            As open.
        """
        if topics := self._venue.countdown_topics():
            await self.open()
            await self._add(topics)

    async def watch_fast_fills(self, holder: Hashable) -> None:
        """Open the stream and subscribe what brings fast fills, where that is a topic of its own, for a holder.

        Raises:
            As open.
        """
        await self.open()
        await self._add(self._venue.fast_fill_topics(), holder)

    def release_fast_fills(self, holder: Hashable) -> None:
        """A holder needs them no more; with the last one the topic ends."""
        self._streams.release(self._venue, [Use(holder, topic) for topic in self._venue.fast_fill_topics()])

    async def _add(self, topics: Sequence[Topic], holder: Hashable = ACCOUNT) -> None:
        if self._connection is not None and topics:
            await self._streams.add(self._connection, [Use(holder, topic) for topic in topics])

    async def ask(self, patience_s: float) -> float | None:
        """Seconds until the venue's service has answered a harmless question over the stream; None: it has not."""
        if self._connection is None:
            return None
        asked_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(patience_s):
                await self._connection.ask()
        except (TransportFailed, TimeoutError):
            return None
        return (self._clock.monotonic_ns() - asked_ns) / 1e9

    def read_again(self) -> None:
        """A consumer has lost events: what the account is now is delivered anew."""
        if self._opened:
            self._watch.retelling.owe()

    async def close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        await self._end()
        self._fills.close()

    async def _end(self) -> None:
        """Keep and watch nothing any more."""
        if self._token is not None:
            await self._token.close()
        await self._watch.close()
        for off in self._offs:
            off()
        self._offs.clear()

    @property
    def is_open(self) -> bool:
        return self._opened

    @property
    def is_live(self) -> bool:
        """It is there, logged in and subscribed, nothing is known that it has not told of, and the account is read."""
        return self._carries_all and self._watch.is_proven

    @property
    def _carries_all(self) -> bool:
        """It is there, and the venue has acknowledged all that tells of the account."""
        connection = self._connection
        if connection is None or connection.state is not State.LIVE:
            return False
        return all(connection.topic_state(topic.name) in _ACKNOWLEDGED for topic in self._venue.private_topics())

    @property
    def why_not_live(self) -> str:
        """Why it is not, where it is wanted; "" where it is live, or nobody has opened it."""
        if self.is_live or not self._opened:
            return ""
        connection = self._connection
        if connection is None:
            return "the stream is being opened"
        if connection.state is not State.LIVE:
            return f"the stream is {connection.state.value}" + (f": {connection.trouble}" if connection.trouble else "")
        if not self._carries_all:
            return "not all that tells of the account is subscribed"
        return self._watch.why_not

    @property
    def fills_at_start(self) -> int:
        """How many fills of the time before it was opened have been read and delivered."""
        return self._fills_at_start

    def on_garbled(self, connection: str) -> None:
        """A frame could not be read. On our stream it may have told of anything, so all is read back."""
        if self._connection is not None and connection == self._connection.name:
            self._watch.missed()

    async def _address(self) -> str:
        key: str | None = None
        if self._token is not None:
            key = await self._token.create()
        elif self._was_live:
            # A login is refused for a clock that has moved. A ban of HTTP calls, or their outage, does not concern
            # sockets: what is known of the clock does, while it lasts.
            with suppress(APIError, TimeoutError):
                await in_time(self._requests.measure_clock(), CLOCK_WITHIN_S, self._clock)
        return self._venue.stream_url(self._hosts, self._venue.private_route, key)

    def _on_state(self, connection: str, live: bool) -> None:
        if connection != f"{self._venue.name}/{self._venue.private_route}":
            return
        if live and self._was_live:
            self._watch.back()
        elif not live and self._was_live:
            self._watch.lost()
        self._was_live = self._was_live or live

    def _on_mute(self, reason: str, silent_s: float, pause_s: float) -> None:
        """It is proven that the stream does not tell what happens."""
        connection = self._connection
        if connection is None or connection.state is not State.LIVE:
            return
        later = f"; replacing it did not help, and is tried again in {pause_s:.0f} s" if pause_s else ""
        self._on_incident(
            StreamStale(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=reason + later,
                connection=connection.name,
                topics=tuple(connection.topics),
                silent_s=silent_s,
            )
        )

    def _replace(self, reason: str) -> None:
        """It stays mute without ending; also where the key that it goes by is gone."""
        if self._connection is not None:
            self._connection.restart(reason)
