"""A group of topics of one route, kept alive by one socket, or by several copies that say the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable

from perpwire.api_connector.chorus import Chorus
from perpwire.api_connector.connect_gate import ConnectGate, Openings
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.kept_up import kept_up, tell_failed
from perpwire.api_connector.lifecycle import State, TopicState, best_of
from perpwire.api_connector.quiet_topics import OnSilent, OnTopic, QuietTopics
from perpwire.api_connector.retry import is_refused_key, is_told
from perpwire.api_connector.stream_holes import ANEW, GARBLED, LOST, TORN, TopicHoles
from perpwire.api_connector.stream_line import StreamLine
from perpwire.api_connector.stream_socket import StreamSocket
from perpwire.api_connector.subscriptions import Subscriptions
from perpwire.api_connector.topic_watch import TopicWatch, Verdict
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import NotSent
from perpwire.model.incident import (
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    Incident,
    LoginRefused,
    StreamSilent,
    StreamStale,
    SubscriptionRefused,
)
from perpwire.transport.base import SocketTransport, TransportFailed
from perpwire.venues.base import Control, Hosts, Venue

_BEST_FIRST = (State.LIVE, State.SUBSCRIBING, State.LOGGING_IN, State.CONNECTING)


class StreamConnection:
    """See module docstring. Connects, logs in, subscribes; replaces what is lost, without an end.

    Args:
        address: Gives the URL; asked anew before each connection, as a private one carries a key that may expire.
        credentials: For routes with a login.
        venue_ms: The venue's time, for the login's expiry.
        on_state: Called with True each time the group becomes live, with False each time the last socket is lost.
        on_lost: Called whenever a socket has ended and no other carries the group, after the last that it said; also
            where it had not become live.
        on_silent, on_topic: See quiet_topics.py.
        on_failed: Called when the first start was in vain: nothing goes on then, and it is of no more use.
        on_given_up: Called with a topic that is refused and never was accepted: it is not asked for any more.
        holes: What remembers its holes, given the arrival of what was delivered of a topic last.
        copies: So many sockets say the same at once; each event is delivered once.
        life_s: Replace sockets before they are so old; None: before the venue ends them.
        gate: Says when a socket may be opened.
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
        holes: Callable[[Callable[[str], int]], TopicHoles],
        on_state: Callable[[bool], None] | None = None,
        on_lost: Callable[[], None] | None = None,
        on_silent: OnSilent | None = None,
        on_topic: OnTopic | None = None,
        on_failed: Callable[[], None] | None = None,
        on_given_up: Callable[[str], object] | None = None,
        heartbeat_s: float | None = None,
        name: str | None = None,
        copies: int = 1,
        life_s: float | None = None,
        gate: ConnectGate | None = None,
    ) -> None:
        self.name = name or f"{venue.name}/{route}"
        self.venue = venue
        self.route = route
        self.heartbeat_s = heartbeat_s if heartbeat_s is not None else venue.heartbeat_s
        self.reconnects = 0
        self.trouble = ""
        """Why it was lost, or can't be kept; "" while it is live."""
        self._hosts = hosts
        self._address = address
        self._transport = transport
        self._frames = frames
        self._clock = clock
        self._rng = rng
        self._credentials = credentials
        self._venue_ms = venue_ms
        self._on_incident = on_incident
        self._on_state = on_state
        self._on_lost = on_lost
        self._on_failed = on_failed
        self._gate = gate or ConnectGate(clock, Openings(venue.connects))
        self._lines = [StreamLine(self, clock, rng, life_s or venue.socket_life_s) for _ in range(max(1, copies))]
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets = Chorus(frames.deliver, self._is_torn, self._now_s)
        self._live: dict[StreamSocket, None] = {}
        self._holes = holes(self._sockets.told_ns)
        self._subscriptions = Subscriptions(
            venue, route, self.name, self._holes.was_there,
            lambda topic, why: self._tell(SubscriptionRefused, why, topic=topic), on_given_up,
        )  # fmt: skip
        self.topics = self._subscriptions.wanted
        """What shall be subscribed, in order of asking; kept over reconnects."""
        self._quiet = QuietTopics(
            self.topics, self._holes, self._speaks, on_topic, on_silent,
            lambda topic: self._tell(StreamSilent, topic=topic, route=route),
            lambda topics, silent_s: self._tell(StreamStale, topics=topics, silent_s=silent_s),
        )  # fmt: skip
        self._anew: set[str] = set()
        """Are just being subscribed anew."""
        self._lost_since_s: float | None = None
        self._attempts = 0
        self._failing: type[ConnectionFailing] | None = None
        """What was told of the tries since it was live."""
        self._first_outcome: asyncio.Future[None] | None = None
        self._is_closed = False

    # --- for the owner --------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The best of its sockets'."""
        if self._is_closed:
            return State.CLOSED
        if self._first_outcome is None:
            return State.IDLE
        states = {socket.state for socket in self._sockets}
        for state in _BEST_FIRST:
            if state in states:
                return state
        return State.WAITING if self._tasks and self._first_outcome.done() else State.CONNECTING

    @property
    def topic_states(self) -> dict[str, TopicState]:
        """Topic -> the best that any of its sockets knows of it."""
        return {topic: self.topic_state(topic) for topic in self.topics}

    def topic_state(self, topic: str) -> TopicState:
        return best_of(socket.watch.state(topic) for socket in self._sockets)

    def has_spoken(self, topic: str) -> bool:
        """On a socket that is there now."""
        return any(socket.session.heard_ns(topic) for socket in self._live)

    @property
    def successions(self) -> int:
        """How often a socket was replaced before it was lost."""
        return sum(line.successions for line in self._lines)

    async def start(self, topics: Iterable[str]) -> None:
        """As `add`, of a new one: connect and subscribe; from then on it stays so by itself."""
        await self.add(topics)

    async def add(self, topics: Iterable[str]) -> None:
        """`want` them, and wait until that is `answered`."""
        names = list(topics)
        self.want(names)
        await self.answered(names)

    def want(self, topics: Iterable[str]) -> None:
        """Have these subscribed, too: at once, and whenever a socket is replaced. The first call connects."""
        new = self._subscriptions.want(topics)
        for topic in new:
            self._quiet.begin_anew(topic)
        if self._first_outcome is None:
            self._first_outcome = asyncio.get_running_loop().create_future()
            self._begin(self._lines[0])
        elif new and self._live:
            self._subscriptions.ask(new, tuple(self._live))

    def _begin(self, line: StreamLine) -> None:
        name = f"the sockets of {self.name}"
        whole = kept_up(lambda: self._run(line), name, self.venue.name, self._clock, self._on_incident)
        self._tasks.append(asyncio.create_task(whole, name=f"perpwire {self.name}"))

    async def _run(self, line: StreamLine) -> None:
        try:
            await line.run()
        except BaseException as error:
            if not self._is_closed:
                line.cut(f"its task ended: {type(error).__name__}")
            raise

    async def answered(self, topics: Iterable[str]) -> None:
        """Returns once the venue has acknowledged them, whoever wanted them first, or, while a lost socket is being
        replaced, at once: they are subscribed with the rest. Who stops waiting for it does not end it.

        Raises:
            NotSent: This connection is just being made for the first time, and that failed, and nothing goes on in
                the background; or it was closed.
            APIError: The login was refused.
            StreamRefused: The venue refused a topic; it is forgotten, the others stand.
        """
        names = list(topics)
        if self._first_outcome is not None:
            await asyncio.shield(self._first_outcome)
        if self._is_closed:
            raise self._subscriptions.closed()
        await self._subscriptions.answered(names)

    def raise_refusals(self, topics: Iterable[str]) -> None:
        """
        Raises:
            StreamRefused: Some of these were refused; the others stand.
        """
        self._subscriptions.raise_refusals(topics)

    async def drop(self, topics: Iterable[str]) -> None:
        """Unsubscribe; unknown topics are ignored."""
        gone = self._subscriptions.drop(topics)
        for topic in gone:
            self._holes.forget(topic)
            self._quiet.forget(topic)
        if gone:
            await asyncio.gather(*(socket.unsubscribe(gone) for socket in tuple(self._sockets)))

    async def resubscribe(self, topics: Iterable[str], since_ns: int = 0) -> None:
        """Unsubscribe and subscribe them, so that the venue sends their snapshots anew.

        Args:
            since_ns: Of the last that was right, where that is not the last that was delivered.
        """
        wanted = [topic for topic in topics if topic in self.topics]
        # Of several sockets one brings the snapshot; the others join what follows it.
        sockets = tuple(self._live) if wanted else ()
        if sockets:
            for topic in wanted:
                self._holes.away(topic, ANEW, since_ns)
                self._anew.add(topic)
        for socket in sockets:
            await socket.unsubscribe(wanted)
        for topic in wanted:
            self._sockets.forget(topic)
        for socket in sockets:
            await self._subscriptions.add_to(socket, wanted)
        self.raise_refusals(wanted)

    async def ask(self) -> None:
        """Returns when the venue's service has answered a harmless question over one of the sockets that are live.

        Raises:
            TransportFailed: None is live, or it was lost meanwhile.
        """
        socket = next(iter(self._live), None)
        if socket is None:
            raise TransportFailed(f"{self.name} is not live", may_have_been_sent=False)
        await socket.ask()

    def restart(self, reason: str) -> None:
        """Give up the present sockets; they are replaced at once."""
        for socket in tuple(self._sockets):
            socket.end(reason)

    async def close(self) -> None:
        """End it for good; returns when its tasks and sockets are gone."""
        self._is_closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._subscriptions.end_asking(), return_exceptions=True)
        await asyncio.gather(*(line.close() for line in self._lines))
        for socket in tuple(self._sockets):
            socket.close()
        self._live.clear()
        if self._first_outcome is not None:
            self._subscriptions.end_unanswered(self._first_outcome)

    # --- for its lines ------------------------------------------------------------------------------------------------

    def make(self) -> StreamSocket:
        """See stream_line.Owner."""
        socket = StreamSocket(
            venue=self.venue,
            hosts=self._hosts,
            route=self.route,
            name=self.name,
            transport=self._transport,
            frames=self._frames,
            clock=self._clock,
            credentials=self._credentials,
            venue_ms=self._venue_ms,
            heartbeat_s=self.heartbeat_s,
            watch=TopicWatch(self._subscriptions.feed, self._quiet.rhythms),
            on_control=self._on_control,
            on_garbled=self._on_garbled,
        )
        self._sockets.enter(socket)
        return socket

    async def furnish(self, socket: StreamSocket, *, again: bool) -> None:
        """See stream_line.Owner."""
        self._attempts += 1
        # The account's is one among dozens, and money hangs on it.
        await self._gate.enter(again=again, is_first=self._credentials is not None)
        await socket.open(await self._address())
        await self._subscriptions.furnish(socket)
        socket.became_live()

    async def ask_again(self, socket: StreamSocket) -> None:
        """See stream_line.Owner."""
        broken_off, socket.broken_off = socket.broken_off, {}
        await self.resubscribe(broken_off)
        await self._subscriptions.put_right(socket)

    def is_live(self, socket: StreamSocket) -> None:
        """See stream_line.Owner."""
        self._gate.came_through()
        self._failing = None
        self._live[socket] = None
        if self._first_outcome is not None and not self._first_outcome.done():
            self._first_outcome.set_result(None)
            for line in self._lines[1:]:
                self._begin(line)
        if not self._sockets.carries:
            self._is_back(socket)
            self._sockets.join(socket)

    def _is_back(self, socket: StreamSocket) -> None:
        self.trouble = ""
        for topic in socket.confirmed:  # some were acknowledged before the old socket was lost
            self._holes.back(topic)
        if self._lost_since_s is not None:
            outage_s = self._now_s() - self._lost_since_s
            self._lost_since_s = None
            self.reconnects += 1
            self._tell(ConnectionRecovered, outage_s=outage_s, attempts=self._attempts)
        if self._on_state is not None:
            self._on_state(True)

    def is_lost(self, socket: StreamSocket, reason: str) -> None:
        """See stream_line.Owner."""
        was_live = socket in self._live
        self._live.pop(socket, None)
        if self._sockets.carries:
            self.reconnects += was_live
            self._sockets.leave(socket)
            return
        for topic in self.topics:
            self._holes.away(topic, LOST)
        self.trouble = reason
        if self._lost_since_s is None:
            self._lost_since_s = self._now_s()
            self._attempts = 0
            self._tell(ConnectionLost, reason)
            if self._on_state is not None:
                self._on_state(False)
        self._leave(socket)
        # Those that were lost at the same time are yet to be told so.
        for one in self._sockets:
            if not one.ended.done():
                for topic in one.confirmed:
                    self._holes.back(topic)
        other = next((one for one in self._live if one.is_live), None)
        if other is not None:
            # It has not proved that it heard what the lost one did: what lies between is not known.
            self._is_back(other)
            self._sockets.join(other)

    def _leave(self, socket: StreamSocket) -> None:
        self._sockets.leave(socket)
        if self._on_lost is not None and not self._sockets.carries:
            self._on_lost()

    def has_failed(self, error: Exception, reason: str, failures: int) -> bool:
        """See stream_line.Owner."""
        if self._first_outcome is not None and not self._first_outcome.done():
            self._first_outcome.set_exception(self._first_failure(error, reason))
            self._first_outcome.exception()  # nobody may be waiting
            self._is_closed = True
            if self._on_failed is not None:
                self._on_failed()
            return False
        kind = LoginRefused if is_refused_key(error) else ConnectionFailing
        if is_told(failures) or kind is not self._failing:
            self._failing = kind
            self._tell(kind, reason, attempts=failures)
        return True

    def unforeseen(self, error: BaseException) -> None:
        """See stream_line.Owner."""
        tell_failed(error, f"a socket of {self.name}", self.venue.name, self._clock, self._on_incident)

    def _first_failure(self, error: Exception, reason: str) -> Exception:
        if isinstance(error, TransportFailed | TimeoutError):
            return NotSent(
                f"the stream can't be opened: {reason}", venue=self.venue.name, call=self.route, code="TRANSPORT"
            )
        return error

    def is_bad(self, socket: StreamSocket, verdict: Verdict) -> Collection[str]:
        """See stream_line.Owner."""
        return self._quiet.take(verdict)

    def stays(self, topic: str) -> None:
        """It speaks here, or elsewhere neither."""
        self._quiet.stays(topic)

    async def pause(self, seconds: float, *, may_be_cut_short: bool) -> None:
        """See stream_line.Owner."""
        await self._gate.pause(seconds, may_be_cut_short=may_be_cut_short)

    def tend(self) -> None:
        """See stream_line.Owner."""
        self._sockets.tend(stays_alone=len(self._lines) == 1)
        self._quiet.tend()

    def join(self, socket: StreamSocket) -> None:
        """See stream_line.Owner."""
        self._sockets.join(socket)

    def _is_torn(self, topic: str, since_ns: int, is_there: bool) -> None:
        """What comes next of it is not what follows."""
        if topic not in self.topics:
            return
        self._holes.away(topic, TORN, since_ns)
        if is_there:
            self._holes.back(topic)
        if self._sockets.carries:
            self._quiet.was_torn(topic)

    def waits(self, socket: StreamSocket, beside: Collection[str]) -> bool:
        """See stream_line.Owner."""
        return self._sockets.waits(socket, beside)

    def discard(self, socket: StreamSocket) -> None:
        """See stream_line.Owner."""
        self._live.pop(socket, None)
        self._leave(socket)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _on_control(self, socket: StreamSocket, control: Control) -> None:
        if control.kind == "subscribed":
            # At once: what it says comes behind this.
            for topic in control.topics:
                if topic in self.topics and topic not in control.again:
                    if not (self._sockets.carries and self._holes.was_there(topic)):
                        self._holes.acknowledged(topic)
                    if not self._live or topic in self._anew:
                        self._anew.discard(topic)
                        self._holes.back(topic)
        elif control.kind == "token_expired":
            self.restart(control.text or control.kind)
        elif control.kind == "closing":
            for line in self._lines:
                if line.socket is socket:
                    line.replace_soon(control.text or control.kind)

    def _on_garbled(self, socket: StreamSocket, frame: bytes, topic: str) -> None:
        """What a frame said is lost: of its topic, or of any where that can't be read either. Another socket may have
        said it; but if nobody can read it, its copies are no better."""
        if topic and topic == socket.canary:
            return
        # Also what is not acknowledged yet may speak.
        for name in (topic,) if topic in self.topics else tuple(self.topics):
            self._holes.torn(name, GARBLED)
            if socket.session.break_off(name, frame):
                socket.broken_off[name] = None

    def _tell(self, kind: Callable[..., Incident], why: str = "", **more: object) -> None:
        if self._is_closed:
            return  # what we end ourselves is no incident
        self._on_incident(
            kind(
                venue=self.venue.name,
                time_ns=self._clock.time_ns(),
                why=why,
                **{"connection": self.name, **more},
            )
        )

    def _speaks(self, topic: str) -> bool:
        """On a socket of which what it says is delivered."""
        return any(socket.speaks(topic) and not self._sockets.holds(socket, topic) for socket in self._live)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
