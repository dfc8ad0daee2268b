"""One supervised stream: connect, log in, subscribe, live; lost, wait, again, without an end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable

from perpwire.api_connector.doors import origin, refused_login
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.lifecycle import NEXT, Change, State
from perpwire.api_connector.retry import is_refused_key, reconnect_pause_s
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, NotSent, StreamRefused
from perpwire.model.incident import (
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    Incident,
    LoginRefused,
    SubscriptionRefused,
)
from perpwire.transport.base import Socket, SocketTransport, TransportFailed
from perpwire.venues.base import Control, Hosts, Session, Venue

log = logging.getLogger("perpwire.api_connector")

ANSWER_TIMEOUT_S = 10.0
"""For a login or a subscription to be answered."""

CONNECT_TIMEOUT_S = 10.0


class StreamConnection:
    """Keeps one socket of one venue's route alive, with what was subscribed on it.

    Args:
        address: Gives the URL; asked anew before each connection, as a private one carries a key that may expire.
        credentials: For routes with a login.
        venue_ms: The venue's time, for the login's expiry.
        on_state: Called with True each time the stream becomes live, with False each time it is lost.
    """

    def __init__(
        self,
        *,
        venue: Venue,
        hosts: Hosts,
        route: str,
        address: Callable[[], Awaitable[str]],
        transport: SocketTransport,
        frames: FramePath,
        clock: Clock,
        rng: random.Random,
        credentials: Credentials | None,
        venue_ms: Callable[[], int],
        on_incident: Callable[[Incident], None],
        on_state: Callable[[bool], None] | None = None,
        heartbeat_s: float | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or f"{venue.name}/{route}"
        self._venue = venue
        self._hosts = hosts
        self._route = route
        self._at = ""
        self._address = address
        self._transport = transport
        self._frames = frames
        self._clock = clock
        self._rng = rng
        self._credentials = credentials
        self._venue_ms = venue_ms
        self._on_incident = on_incident
        self._on_state = on_state
        self._heartbeat_s = heartbeat_s if heartbeat_s is not None else venue.heartbeat_s
        self.state = State.IDLE
        self.topics: dict[str, None] = {}
        """What shall be subscribed, in order of asking; kept over reconnects."""
        self.reconnects = 0
        self._session: Session | None = None
        self._socket: Socket | None = None
        self._ear: _Ear | None = None
        self._task: asyncio.Task[None] | None = None
        self._confirmed: set[str] = set()
        self._ever_confirmed: set[str] = set()
        self._refused: dict[str, str] = {}
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._logged_in: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[str] | None = None
        self._heard_ns = 0
        self._sending = asyncio.Lock()
        self._sent_ns: int | None = None
        self._lost_since_ns: int | None = None
        self._attempts = 0
        self._first_outcome: asyncio.Future[None] | None = None

    # --- for the owner --------------------------------------------------------------------------------------------

    async def start(self, topics: Iterable[str]) -> None:
        """Connect and subscribe; returns once live, and from then on it stays so by itself.

        Raises:
            NotSent: The first attempt to connect failed; nothing goes on in the background.
            StreamRefused: The login, or every topic, was refused.
        """
        self.topics.update(dict.fromkeys(topics))
        self._first_outcome = asyncio.get_running_loop().create_future()
        # At once, so that whoever asks for more topics in the meantime joins this start.
        self._change(Change.START)
        self._task = asyncio.create_task(self._run(), name=f"perpwire {self.name}")
        try:
            await asyncio.shield(self._first_outcome)
        except BaseException:
            await self.close()
            raise

    async def add(self, topics: Iterable[str]) -> None:
        """Subscribe more. Returns once the venue has acknowledged them, or, while a lost socket is being replaced, at
        once: they are subscribed with the rest.

        Raises:
            NotSent: This connection is just being made for the first time, and that failed.
            StreamRefused: The venue refused a topic; it is forgotten, the others stand.
        """
        new = [topic for topic in topics if topic not in self.topics]
        self.topics.update(dict.fromkeys(new))
        for topic in new:
            self._refused.pop(topic, None)
        if self._first_outcome is not None and not self._first_outcome.done():
            await asyncio.shield(self._first_outcome)
        elif new and self.state is State.LIVE:
            try:
                await self._subscribe(new)
            except TransportFailed:
                return  # the socket was lost meanwhile: they are subscribed with the rest
            except TimeoutError:
                return self.restart("a subscription was not answered")
        self._raise_refusals(new)

    def _raise_refusals(self, topics: Iterable[str]) -> None:
        refused = [f"{topic} ({self._refused[topic]})" for topic in topics if topic in self._refused]
        if refused:
            raise StreamRefused(
                f"{self.name} refused {', '.join(refused)}", venue=self._venue.name, call="subscribe", code="REFUSED"
            )

    async def drop(self, topics: Iterable[str]) -> None:
        """Unsubscribe; unknown topics are ignored."""
        gone = [topic for topic in topics if topic in self.topics]
        for topic in gone:
            del self.topics[topic]
            self._confirmed.discard(topic)
        if gone and self.state is State.LIVE and self._session is not None:
            await self._send_paced(self._session.unsubscribe(gone))

    async def resubscribe(self, topic: str) -> None:
        """Unsubscribe and subscribe one topic, so that the venue sends its snapshot anew."""
        if topic in self.topics:
            await self.drop([topic])
            await self.add([topic])

    def restart(self, reason: str) -> None:
        """Give up the present socket; it is replaced at once."""
        if self._socket is not None:
            self._socket.abort()
        self._mark_lost(reason)

    async def close(self) -> None:
        """End it for good; returns when its task and socket are gone."""
        self._change(Change.CLOSE)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._fail_answers("closed")
        if self._first_outcome is not None and not self._first_outcome.done():
            self._first_outcome.set_exception(
                NotSent("the stream was closed", venue=self._venue.name, call=self._route, code="CLOSED")
            )
            self._first_outcome.exception()  # nobody may be waiting

    # --- what the present socket says; called from the read callback ------------------------------------------------

    def _on_frame(self, frame: bytes, received_ns: int) -> None:
        session = self._session
        if session is None:
            return
        self._heard_ns = self._clock.monotonic_ns()
        if not self._frames.on_frame(session, self.name, frame, received_ns):
            try:
                control = session.on_control(frame)
            except Exception as error:
                # As for data: no frame may end the stream by being unreadable.
                self._frames.garbled(self.name, error)
            else:
                self._on_control(control)

    def _on_pong(self) -> None:
        self._heard_ns = self._clock.monotonic_ns()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _change(self, change: Change) -> None:
        self.state = NEXT[self.state, change]

    def _mark_lost(self, reason: str) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)
        self._fail_answers(reason)

    def _fail_answers(self, reason: str) -> None:
        for waiting in [*self._answers.values(), self._logged_in]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(TransportFailed(reason, may_have_been_sent=True))
                waiting.exception()  # nobody may be waiting any more; that is no error
        self._answers.clear()

    def _on_control(self, control: Control) -> None:
        match control.kind:
            case "logged_in":
                if self._logged_in is not None and not self._logged_in.done():
                    self._logged_in.set_result(None)
            case "login_refused":
                if self._logged_in is not None and not self._logged_in.done() and self._credentials is not None:
                    self._logged_in.set_exception(
                        refused_login(control, self.name, self._venue, self._hosts, self._at, self._credentials)
                    )
            case "subscribed":
                for topic in control.topics:
                    self._answer(topic, None)
            case "refused":
                for topic in control.topics:
                    self._answer(
                        topic, StreamRefused(control.text, venue=self._venue.name, call="subscribe", code=topic)
                    )
            case "token_expired" | "closing":
                self.restart(control.text or control.kind)
            case _:
                pass

    def _answer(self, topic: str, refusal: StreamRefused | None) -> None:
        waiting = self._answers.pop(topic, None)
        if waiting is None or waiting.done():
            return
        if refusal is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(refusal)

    async def _run(self) -> None:
        failures = refusals = 0
        while True:
            try:
                reason = await self._one_life()
                failures = refusals = 0
            except (TransportFailed, APIError, TimeoutError) as error:
                refused = is_refused_key(error)
                reason = str(error) if refused else getattr(error, "reason", "") or "no answer in time"
                failures += 1
                refusals = refusals + 1 if refused else 0
                if self._first_outcome is not None and not self._first_outcome.done():
                    self._first_outcome.set_exception(self._first_failure(error, reason))
                    return
                self._on_incident(
                    (LoginRefused if refused else ConnectionFailing)(
                        venue=self._venue.name,
                        time_ns=self._clock.time_ns(),
                        detail=f"{self.name} can't be kept: {reason}",
                        connection=self.name,
                        attempts=failures,
                    )
                )
            self._change(Change.LOST)
            if self._lost_since_ns is None:
                self._lost_since_ns = self._clock.monotonic_ns()
                self._attempts = 0
                self._on_incident(
                    ConnectionLost(
                        venue=self._venue.name,
                        time_ns=self._clock.time_ns(),
                        detail=f"{self.name} was lost: {reason}",
                        connection=self.name,
                    )
                )
                if self._on_state is not None:
                    self._on_state(False)
            await self._clock.sleep(reconnect_pause_s(failures, self._rng, refusals))
            self._change(Change.RETRY)

    def _first_failure(self, error: Exception, reason: str) -> Exception:
        if isinstance(error, TransportFailed | TimeoutError):
            return NotSent(
                f"the stream can't be opened: {reason}", venue=self._venue.name, call=self._route, code="TRANSPORT"
            )
        return error

    async def _one_life(self) -> str:
        """From connecting to the loss of a socket that was live; returns why it was lost."""
        loop = asyncio.get_running_loop()
        self._attempts += 1
        self._lost = loop.create_future()
        self._session = self._venue.session(self._route)
        self._confirmed.clear()
        self._heard_ns = self._clock.monotonic_ns()
        self._ear = ear = _Ear(self)
        address = await self._address()
        self._at = origin(address)
        socket = await self._transport.connect(address, ear, CONNECT_TIMEOUT_S)
        self._socket = socket
        try:
            self._change(Change.OPENED)
            await self._log_in()
            self._change(Change.LOGGED_IN)
            await self._subscribe_all()
            self._change(Change.SUBSCRIBED)
            self._tell_live()
            return await self._watch_over(socket, self._lost)
        finally:
            self._ear = self._socket = self._session = None
            socket.abort()

    async def _log_in(self) -> None:
        assert self._session is not None
        if not self._session.needs_login:
            return
        if self._credentials is None:
            raise AuthenticationFailed(
                f"{self.name} needs an API key", venue=self._venue.name, call="log in", code="NO_CREDENTIALS"
            )
        frame = self._session.login(self._credentials, self._venue_ms())
        if frame is None:
            return
        self._logged_in = asyncio.get_running_loop().create_future()
        await self._ask([frame])
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._logged_in

    async def _subscribe_all(self) -> None:
        wanted = list(self.topics)
        tried: set[str] = set()
        # More may be asked for while the first are on their way.
        while missing := [topic for topic in self.topics if topic not in self._confirmed and topic not in tried]:
            tried.update(missing)
            await self._subscribe(missing)
        if wanted and not self._confirmed:
            self._raise_refusals(wanted)

    async def _subscribe(self, topics: list[str]) -> None:
        """Subscribe and wait for each answer; refused topics are told of and forgotten."""
        if not topics or self._session is None:
            return
        loop = asyncio.get_running_loop()
        waiting = {topic: self._answers.setdefault(topic, loop.create_future()) for topic in topics}
        await self._ask(self._session.subscribe(topics))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            for topic, answer in waiting.items():
                try:
                    await asyncio.shield(answer)
                    self._confirmed.add(topic)
                    self._ever_confirmed.add(topic)
                except StreamRefused as refusal:
                    self._on_refusal(topic, refusal.reason)

    def _on_refusal(self, topic: str, why: str) -> None:
        """A topic that never was accepted is a mistake, and forgotten. One that was is asked for again at each
        heartbeat: the venue has a bad moment, or the contract is gone, and then it stays refused and told of."""
        if topic not in self._ever_confirmed:
            self.topics.pop(topic, None)
        self._refused[topic] = why
        self._on_incident(
            SubscriptionRefused(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                detail=f"{self.name} refused {topic}: {why}",
                connection=self.name,
                topic=topic,
            )
        )

    def _tell_live(self) -> None:
        if self._first_outcome is not None and not self._first_outcome.done():
            self._first_outcome.set_result(None)
        if self._lost_since_ns is not None:
            outage_s = (self._clock.monotonic_ns() - self._lost_since_ns) / 1e9
            self._lost_since_ns = None
            self.reconnects += 1
            self._on_incident(
                ConnectionRecovered(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail=f"{self.name} is live again after {outage_s:.2f} s",
                    connection=self.name,
                    outage_s=outage_s,
                    attempts=self._attempts,
                )
            )
        if self._on_state is not None:
            self._on_state(True)

    async def _watch_over(self, socket: Socket, lost: asyncio.Future[str]) -> str:
        """Ping at the heartbeat's pace; a socket that says nothing at all for two beats is given up."""
        while True:
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    return await asyncio.shield(lost)
            except TimeoutError:
                pass
            silent_s = (self._clock.monotonic_ns() - self._heard_ns) / 1e9
            if silent_s > 2 * self._heartbeat_s:
                return f"silent for {silent_s:.0f} s, pings unanswered"
            if refused := [one for one in self.topics if one not in self._confirmed and one not in self._answers]:
                await self._subscribe(refused)
            frame = self._session.ping() if self._session is not None else None
            if frame is None:
                socket.ping()
            else:
                await self._send_paced([frame])

    async def _ask(self, frames: Iterable[bytes]) -> None:
        """Send what is to be answered. On a socket that was lost before anybody waited, the wait ends here."""
        await self._send_paced(frames)
        if self._lost is not None and self._lost.done():
            self._fail_answers(self._lost.result())

    async def _send_paced(self, frames: Iterable[bytes]) -> None:
        """Send, no faster than the venue takes messages on one socket."""
        interval_ns = round(self._venue.command_interval_s * 1e9)
        socket = self._socket
        async with self._sending:
            for frame in frames:
                if self._sent_ns is not None:
                    early_ns = self._sent_ns + interval_ns - self._clock.monotonic_ns()
                    if early_ns > 0:
                        await self._clock.sleep(early_ns / 1e9)
                if socket is None or self._socket is not socket:
                    return  # it was lost meanwhile; its successor is told everything anew
                socket.send(frame)
                self._sent_ns = self._clock.monotonic_ns()


class _Ear:
    """Hears one socket, for as long as it is the present one: what a predecessor still says concerns nobody."""

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection

    def on_frame(self, frame: bytes, received_ns: int) -> None:
        if self._connection._ear is self:
            self._connection._on_frame(frame, received_ns)

    def on_pong(self) -> None:
        if self._connection._ear is self:
            self._connection._on_pong()

    def on_closed(self, reason: str) -> None:
        if self._connection._ear is self:
            self._connection._mark_lost(reason)
