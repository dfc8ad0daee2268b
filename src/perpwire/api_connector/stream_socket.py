"""One stream socket, from connecting to its end; it ends once, for good, and stream_connection.py makes another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from perpwire.api_connector.doors import origin, refused_login
from perpwire.api_connector.frame_path import Decoder, FramePath
from perpwire.api_connector.lifecycle import NEXT, Change, State
from perpwire.api_connector.topic_watch import TopicWatch, Verdict
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import AuthenticationFailed
from perpwire.transport.base import Socket, SocketTransport, TransportFailed
from perpwire.venues.base import Control, Hosts, Venue

ANSWER_TIMEOUT_S = 10.0
"""For a login or a subscription to be answered."""

CONNECT_TIMEOUT_S = 10.0

PONG_TIMEOUT_S = 10.0
"""Nothing at all heard for so long after a ping: the peer is gone."""

WINDOW_S = 1.05
"""The venue's second, with a little air."""


class StreamSocket:
    """See module docstring.

    Args:
        name: Of the connection that it belongs to.
        watch: Judges whether its topics speak.
        on_control: Called with what a frame means that is no data, and answers no login.
        on_garbled: Called with a frame that can't be read, and its topic, as far as that can be: "" where it can't.

    Attributes:
        decoder: Decodes its frames: the session, or a sieve in its place while another socket says the same.
        confirmed: Topics that the venue has acknowledged on it, or that have spoken instead.
        broken_off: Topics of which nothing is made until they are subscribed anew; see Session.break_off.
        ended: Done when it is over, with the reason.
        is_over: Whether it is: what it still says concerns nobody.
        opened_s: When it was opened, our own time.
        live_s: When it became live.
        heard_s: When it was heard last, or up to a beat before.
    """

    def __init__(
        self,
        *,
        venue: Venue,
        hosts: Hosts,
        route: str,
        name: str,
        transport: SocketTransport,
        frames: FramePath,
        clock: Clock,
        credentials: Credentials | None,
        venue_ms: Callable[[], int],
        heartbeat_s: float,
        watch: TopicWatch,
        on_control: Callable[[StreamSocket, Control], None],
        on_garbled: Callable[[StreamSocket, bytes, str], None],
    ) -> None:
        self.name = name
        self.route = route
        self.session = venue.session(route)
        self.decoder: Decoder = self.session
        self.watch = watch
        self.state = State.IDLE
        self.confirmed: dict[str, None] = {}
        self.broken_off: dict[str, None] = {}
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.opened_s = 0.0
        self.live_s = 0.0
        self.heard_s = 0.0
        self._beat_s = 0.0
        self.canary: str | None = None
        self._venue = venue
        self._hosts = hosts
        self._at = ""
        self._transport = transport
        self._frames = frames
        self._clock = clock
        self._credentials = credentials
        self._venue_ms = venue_ms
        self._heartbeat_s = heartbeat_s
        self._on_control = on_control
        self._on_garbled = on_garbled
        self._socket: Socket | None = None
        self._answers: dict[str, asyncio.Future[Control]] = {}
        self._logged_in: asyncio.Future[None] | None = None
        self._pong: asyncio.Future[None] | None = None
        self.is_over = False
        self._was_heard = False
        self._beats_since_ping_s = 0.0
        self._unheard_s = 0.0
        self._sending = asyncio.Lock()
        self._sent_s: deque[float] = deque(maxlen=max(1, venue.commands_per_s - 1))  # one is left for a pong

    @property
    def is_live(self) -> bool:
        return self.state is State.LIVE

    # --- its life ---------------------------------------------------------------------------------------------------

    async def open(self, url: str) -> None:
        """Connect and log in.

        Raises:
            TransportFailed, TimeoutError: No connection, or it was lost again.
            APIError: The venue refused the login; or there is no API key.
        """
        self._change(Change.START)
        self._at = origin(url)
        socket = await self._transport.connect(url, self, CONNECT_TIMEOUT_S)
        if self.ended.done():
            socket.abort()
            raise TransportFailed(self.ended.result(), may_have_been_sent=False)
        self._socket = socket
        self.opened_s = self._now_s()
        self._change(Change.OPENED)
        await self._log_in()
        self._change(Change.LOGGED_IN)

    async def _log_in(self) -> None:
        if not self.session.needs_login:
            return
        if self._credentials is None:
            raise AuthenticationFailed(
                f"{self.name} needs an API key", venue=self._venue.name, call="log in", code="NO_CREDENTIALS"
            )
        frame = self.session.login(self._credentials, self._venue_ms())
        if frame is None:
            return
        self._logged_in = asyncio.get_running_loop().create_future()
        sending = self._send([frame])
        del frame  # a traceback may show variables: this one signs
        await sending
        if not self.ended.done():
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._logged_in
        self._raise_if_ended()

    def became_live(self) -> None:
        """All that was asked for is answered."""
        if self.state is State.SUBSCRIBING:
            self._change(Change.SUBSCRIBED)
            self.live_s = self._now_s()

    def end(self, reason: str) -> None:
        """Drop it, with whatever it may still say."""
        if self._socket is not None:
            self._socket.abort()
        self._over(reason)

    def close(self) -> None:
        """End it with a closing handshake."""
        if self._socket is not None and not self.ended.done():
            self._socket.close()
        self._over("closed by us")

    def _over(self, reason: str) -> None:
        if self.ended.done():
            return
        self.is_over = True
        self.ended.set_result(reason)
        if self.state not in (State.IDLE, State.WAITING):
            self._change(Change.LOST)
        for waiting in [*self._answers.values(), self._logged_in, self._pong]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(TransportFailed(reason, may_have_been_sent=True))
                waiting.exception()  # nobody may be waiting any more; that is no error
        self._answers.clear()

    def _raise_if_ended(self) -> None:
        if self.ended.done():
            raise TransportFailed(self.ended.result(), may_have_been_sent=True)

    def _change(self, change: Change) -> None:
        self.state = NEXT[self.state, change]

    # --- topics -----------------------------------------------------------------------------------------------------

    async def subscribe(self, topics: Iterable[str]) -> dict[str, str]:
        """Subscribe, and return once all is answered: topic -> why it was refused. Where the venue refuses a whole
        request for one topic in it, that one is found.

        Raises:
            TransportFailed: The socket was lost meanwhile.
            TimeoutError: No answer.
            StreamRefused: More than fits on one socket.
        """
        refused: dict[str, str] = {}
        asked_by_others = [self._answers[topic] for topic in topics if topic in self._answers]
        requests = [[topic for topic in topics if topic not in self.confirmed and topic not in self._answers]]
        while any(requests):
            requests = await self._ask(requests, refused)
        if asked_by_others:
            await asyncio.wait(asked_by_others)
        return refused

    async def _ask(self, requests: Sequence[Sequence[str]], refused: dict[str, str]) -> list[list[str]]:
        """Subscribe by these requests; gives those that have to be asked for anew."""
        loop = asyncio.get_running_loop()
        topics = [topic for request in requests for topic in request]
        answers = {topic: loop.create_future() for topic in topics}
        self._answers |= answers
        self.watch.asked(topics, self.canary)
        try:
            await self._send([frame for request in requests for frame in self.session.subscribe(request)])
            self._raise_if_ended()
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await asyncio.wait(answers.values())
            said = {topic: answer.result() for topic, answer in answers.items()}
        finally:
            for topic in topics:
                self._answers.pop(topic, None)
                answers[topic].cancel()  # unanswered: whoever else waits for it waits no longer
        again: dict[int, list[str]] = {}
        for topic, control in said.items():
            if topic in control.again or (control.kind == "refused" and len(control.topics) > 1):
                again.setdefault(id(control), []).append(topic)
            elif control.kind == "refused":
                refused[topic] = control.text
                self.watch.refused(topic)
            else:
                self.confirmed[topic] = None
                self.watch.acknowledged(topic, self._now_s())
        anew: list[list[str]] = []
        controls = {id(control): control for control in said.values()}
        for known, names in again.items():
            # The text has named the one at fault; or else it is in one half or the other.
            middle = len(names) if controls[known].again else len(names) // 2
            anew += [half for half in (names[:middle], names[middle:]) if half]
        return anew

    async def ask(self) -> None:
        """Returns when the venue's service answers a harmless question over the socket.

        Raises:
            TransportFailed: The socket was lost meanwhile.
        """
        if self._pong is None or self._pong.done():
            self._pong = asyncio.get_running_loop().create_future()
        pong = self._pong
        await self._send([self.session.question()])
        self._raise_if_ended()
        await asyncio.shield(pong)

    async def unsubscribe(self, topics: Sequence[str]) -> None:
        gone = [topic for topic in topics if topic in self.confirmed]
        for topic in gone:
            del self.confirmed[topic]
            self.watch.forget(topic)
        if gone and not self.ended.done():
            await self._send(self.session.unsubscribe(gone))

    # --- what it says; called from the read callback ----------------------------------------------------------------

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self._was_heard = True
        if not self._answers:
            self._frames.on_frames(self, frames, received_ns)
            return
        for frame in frames:
            self._is_answered_by(frame)
            self._frames.on_frames(self, (frame,), received_ns)

    def on_unreadable(self, frame: bytes) -> None:
        """See frame_path.Speaker."""
        self._on_garbled(self, frame, self._topic_of(frame))

    def on_no_data(self, frame: bytes) -> None:
        """See frame_path.Speaker."""
        try:
            control = self.session.on_control(frame)
        except Exception as error:
            # As for data: no frame may end the stream by being unreadable.
            self._frames.garbled(self.name, error)
            self._on_garbled(self, frame, "")
        else:
            self._hear(control)

    def _is_answered_by(self, frame: bytes) -> None:
        """What speaks is subscribed, also where its acknowledgement is late or lost: what it says has to come behind
        the hole that it ends, and its loss is one."""
        topic = self._topic_of(frame)
        waiting = self._answers.get(topic)
        # What has spoken before may still be ending an earlier subscription.
        if waiting is not None and not waiting.done() and not self.session.heard_ns(topic):
            self._hear(Control("subscribed", (topic,)))

    def _topic_of(self, frame: bytes) -> str:
        try:
            return self.session.topic_of(frame)
        except Exception:
            return ""  # not even that can be read

    def on_pong(self) -> None:
        self._was_heard = True

    def on_closed(self, reason: str) -> None:
        self._over(reason)

    def _hear(self, control: Control) -> None:
        match control.kind:
            case "logged_in":
                if self._logged_in is not None and not self._logged_in.done():
                    self._logged_in.set_result(None)
            case "login_refused":
                if self._logged_in is not None and not self._logged_in.done() and self._credentials is not None:
                    self._logged_in.set_exception(
                        refused_login(control, self.name, self._venue, self._hosts, self._at, self._credentials)
                    )
            case "subscribed" | "refused":
                self._on_control(self, control)
                for topic in (*control.topics, *control.again):
                    waiting = self._answers.get(topic)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(control)
            case "pong":
                if self._pong is not None and not self._pong.done():
                    self._pong.set_result(None)
            case _:
                self._on_control(self, control)

    # --- watching over it -------------------------------------------------------------------------------------------

    async def beat(self, step_s: float) -> None:
        """Once a second: ping at the heartbeat's pace, and give a socket up that says nothing at all."""
        self._beats_since_ping_s += step_s
        if self._was_heard:
            self._was_heard, self._unheard_s = False, 0.0
            self.heard_s = self._beat_s
        else:
            self._unheard_s += step_s
        pong_s = min(PONG_TIMEOUT_S, self._heartbeat_s)
        if self._unheard_s >= pong_s + self._heartbeat_s:
            self.end(f"silent for {self._unheard_s:.0f} s, pings unanswered")
        elif self._beats_since_ping_s >= self._heartbeat_s:
            self._beats_since_ping_s = 0.0
            await self._ping()
        self._beat_s = self._now_s()

    def ping_soon(self) -> None:
        """With the next beat, so that something is heard."""
        self._beats_since_ping_s = self._heartbeat_s

    async def _ping(self) -> None:
        frame = self.session.ping()
        if frame is not None:
            await self._send([frame])
        elif self._socket is not None:
            async with self._sending:
                await self._turn()
                if not self.ended.done():
                    self._socket.ping()

    def look(self, now_s: float) -> Verdict:
        """Whether its topics speak."""
        return self.watch.look(now_s, self._clock.time_ns(), self.session.heard_ns)

    def speaks(self, topic: str) -> bool:
        return self.watch.speaks(topic, self.session.heard_ns(topic))

    # --- sending ----------------------------------------------------------------------------------------------------

    async def _send(self, frames: Iterable[bytes]) -> None:
        """Send, no faster than the venue takes messages on one socket."""
        async with self._sending:
            for frame in frames:
                await self._turn()
                if self.ended.done() or self._socket is None:
                    return
                self._socket.send(frame)

    async def _turn(self) -> None:
        if len(self._sent_s) == self._sent_s.maxlen:
            early_s = self._sent_s[0] + WINDOW_S - self._now_s()
            if early_s > 0:
                await self._clock.sleep(early_s)
        self._sent_s.append(self._now_s())

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
