"""The account's stream: opens it, keeps its key alive, and re-reads the account after each loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from itertools import chain, repeat

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.fill_keeper import AUDIT_S, FillKeeper
from perpwire.api_connector.recovery import reread_account, subject
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.data_processor.account_state import AccountState
from perpwire.errors import APIError, AuthenticationFailed, Busy, RateLimited, VenueRefused
from perpwire.model.account import Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import Fill, Order
from perpwire.venues.base import Hosts, StreamToken, Venue

log = logging.getLogger("perpwire.api_connector")

LATE_S = (2.5, 5.5)
"""Pauses before the account is read again; the fills are at about the same times."""

SETTLING_S = 3.0
"""What the stream has told of so lately, such a later reading may not show yet."""

STATE_EVENTS: tuple[type[Event], ...] = (Order, Position, Balance)
_HEARD: tuple[type[Event], ...] = (*STATE_EVENTS, Fill)
"""What the account's state is made of."""


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
        self._told_ns: dict[Hashable, int] = {}
        """What the stream has told of -> when, the last time; orders only while the account is read."""
        self._readings = 0
        """That are under way."""
        self._opening: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._rereading: asyncio.Task[None] | None = None
        self._connection: StreamConnection | None = None
        self._offs: list[Callable[[], None]] = []
        self._opened = False
        self._was_live = False

    async def open(self) -> None:
        """Returns once it is live and what was missed is read. A caller that is cancelled meanwhile does not end it."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open(), name="perpwire account stream")
            self._opening.add_done_callback(self._opening_ended)
        await asyncio.shield(self._opening)

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
        self._fills.begin()
        self._state.follow()
        offs = [self._streams.on(kind, self._state.on_event) for kind in _HEARD]
        offs += [self._streams.on(kind, self._note) for kind in STATE_EVENTS]
        try:
            self._connection = await self._streams.open(
                self._venue,
                self._hosts,
                self._venue.private_route,
                [topic.name for topic in self._venue.private_topics()],
                address=self._address,
                credentials=self._credentials,
                venue_ms=self._sync.venue_ms,
                on_state=self._on_state,
            )
        except BaseException:
            self._opened = self._state.follows = False
            for off in offs:
                off()
            raise
        self._offs = offs
        # What the account holds now; the stream says only what changes.
        await self._reread(self._state.on_event, self._clock.monotonic_ns())
        if self._rereading is None:
            self._follow(at_once=False)
        await self._fills.opened()
        token = self._venue.stream_token()
        if token is not None:
            self._keeping = asyncio.create_task(self._keep_alive(token), name="perpwire stream token")

    async def watch_countdown(self) -> None:
        """Open the stream and subscribe what the venue's dead man's switch goes by, if it goes by the stream.

        Raises:
            As open.
        """
        topics = [topic.name for topic in self._venue.countdown_topics()]
        if topics:
            await self.open()
            if self._connection is not None:
                await self._connection.add(topics)

    async def close(self) -> None:
        running = [task for task in (self._opening, self._keeping, self._rereading) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._opening = self._keeping = self._rereading = None
        await self._fills.close()
        for off in self._offs:
            off()
        self._offs.clear()

    @property
    def is_open(self) -> bool:
        return self._opened

    @property
    def fills_at_start(self) -> int:
        """How many fills of the time before it was opened have been read and delivered; see FillKeeper."""
        return self._fills.recovered_at_start

    def on_garbled(self, connection: str) -> None:
        """A frame could not be read. On our stream it may have told of anything, so all is read back."""
        if self._connection is not None and connection == self._connection.name:
            self._begin_reread()

    async def _address(self) -> str:
        if self._was_live:
            # A login is refused for a clock that has moved, and so is the call for a key.
            await self._requests.measure_clock()
        token = self._venue.stream_token()
        key: str | None = None
        if token is not None:
            key = await self._requests.run(token.create)
        return self._venue.stream_url(self._hosts, self._venue.private_route, key)

    async def _keep_alive(self, token: StreamToken) -> None:
        """Refresh the stream's key for as long as it runs."""
        while True:
            await self._clock.sleep(token.every_s)
            try:
                await self._requests.run(token.keep_alive)
            except VenueRefused as refusal:
                if isinstance(refusal, Busy | RateLimited):
                    log.warning("the private stream's key could not be kept alive: %s", refusal)
                elif self._connection is not None:
                    # The key is gone, and the socket that goes by it stays mute without ending.
                    self._connection.restart(f"the stream's key was refused: {refusal.reason}")
            except APIError as error:
                # The next connection fetches a fresh key; the venue tells us when this one ends.
                log.warning("the private stream's key could not be kept alive: %s", error)

    def _on_state(self, _connection: str, live: bool) -> None:
        if live and self._was_live:
            self._begin_reread()
        self._was_live = self._was_live or live

    def _begin_reread(self) -> None:
        self._follow(at_once=True)
        self._fills.catch_up()

    def _follow(self, *, at_once: bool) -> None:
        """Read the account, and again while the venue's lists may be late: what they call open, or do not know, may
        have ended. After that now and then, as a socket can be mute and still answer pings."""
        if self._rereading is not None:
            self._rereading.cancel()
        began_ns = self._clock.monotonic_ns()

        async def readings() -> None:
            if at_once:
                await self._reread(self._streams.frames.deliver, began_ns)
            for n, pause_s in enumerate(chain(LATE_S, repeat(AUDIT_S))):
                await self._clock.sleep(pause_s)
                since_ns = self._clock.monotonic_ns() - round(SETTLING_S * 1e9)
                await self._reread(self._deliver_news, since_ns, only_known=n < len(LATE_S))

        self._rereading = asyncio.get_running_loop().create_task(readings(), name="perpwire re-read account")

    def _deliver_news(self, event: Event) -> None:
        if self._state.is_news(event):
            self._streams.frames.deliver(event)

    def _note(self, event: Event) -> None:
        # What we have read ourselves bears no time of arrival.
        if event.received_ns and (self._readings or not isinstance(event, Order)):
            self._told_ns[subject(event)] = self._clock.monotonic_ns()

    async def _reread(self, deliver: Callable[[Event], None], since_ns: int, *, only_known: bool = False) -> None:
        """Read the account and deliver what the stream has not said since `since_ns` (monotonic): that is newer than
        what we read, or is followed by what is newer. Tries until it succeeds."""
        self._readings += 1
        try:
            while True:
                try:
                    events = await reread_account(self._requests, self._venue, self._state, only_known=only_known)
                    break
                except APIError as error:
                    log.warning("the account can't be read back yet: %s", error)
                    await self._clock.sleep(1.0)
        finally:
            self._readings -= 1
        told_ns, self._told_ns = self._told_ns, {}
        for event in events:
            if told_ns.get(subject(event), -1) < since_ns:
                deliver(event)
