"""The life of a stream, in virtual time, against a small scripted server."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Coroutine, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.lifecycle import NEXT, Change, State, TopicState
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.stream_holes import LOST, TopicHoles
from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import AuthenticationFailed, NotSent, StreamRefused
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import (
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    Incident,
    LoginRefused,
    SubscriptionRefused,
)
from perpwire.model.market import Event, Unknown
from perpwire.transport.base import TransportFailed
from perpwire.transport.memory import MemoryNetwork, MemoryPeer
from perpwire.venues.base import Control, Feed, Hosts, Session, Topic, Venue

BATCH = [1]
"""Topics that one request asks for."""


class TinySession(Session):
    """A protocol just large enough: {"login"}, {"sub": [...]}, {"unsub": [...]}; each is answered in kind."""

    def __init__(self, needs_login: bool) -> None:
        self.needs_login = needs_login
        self.heard: dict[str, int] = {}
        self.ignored: set[str] = set()

    def heard_ns(self, topic: str) -> int:
        return self.heard.get(topic, 0)

    def ignore(self, topic: str) -> None:
        self.ignored.add(topic)

    def heed(self, topic: str) -> None:
        self.ignored.discard(topic)

    def topic_of(self, frame: bytes) -> str:
        return str(json.loads(frame)["data"])

    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        return json.dumps({"login": credentials.api_key}).encode()

    def subscribe(self, topics: Sequence[str]) -> list[bytes]:
        size = max(1, BATCH[0])
        return [json.dumps({"sub": topics[at : at + size]}).encode() for at in range(0, len(topics), size)]

    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]:
        return [json.dumps({"unsub": list(topics)}).encode()]

    def ping(self) -> bytes | None:
        return None

    def question(self) -> bytes:
        return b'{"question": 1}'

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        message = json.loads(frame)
        if "data" not in message:
            return None
        self.heard[message["data"]] = received_ns
        if message["data"] in self.ignored:
            return ()
        return (Event(symbol=message["data"], venue_time_ms=message.get("n", 0), received_ns=received_ns),)

    def on_control(self, frame: bytes) -> Control:
        message = json.loads(frame)
        return Control(message["control"], tuple(message.get("topics", ())), message.get("text", ""))


HOSTS = Hosts(rest="http://venue", streams="ws://venue", env="tiny")


class Server:
    """Answers as told; remembers each connection and what came on it."""

    def __init__(self) -> None:
        self.peers: list[MemoryPeer] = []
        self.received: list[list[Any]] = []
        self.refuse_connections = 0
        self.refuse_topics: set[str] = set()
        self.refuse_login = False
        self.mute = False

    async def http(self, request: HttpRequest) -> HttpReply:
        raise NotImplementedError

    async def accept(self, target: str, peer: MemoryPeer) -> Ear:
        if self.refuse_connections:
            self.refuse_connections -= 1
            raise TransportFailed("HTTP 503", may_have_been_sent=False)
        self.peers.append(peer)
        self.received.append([])
        return Ear(self, peer, self.received[-1])

    def say(self, data: str, to: int = -1, number: int = 0) -> None:
        self.peers[to].send(json.dumps({"data": data, "n": number}).encode())

    @property
    def alive(self) -> list[MemoryPeer]:
        return [peer for peer in self.peers if peer.is_open]


class Ear:
    def __init__(self, server: Server, peer: MemoryPeer, received: list[Any]) -> None:
        self._server, self._peer, self._received = server, peer, received

    def on_ping(self) -> None: ...

    def on_text(self, text: bytes) -> None:
        message = json.loads(text)
        self._received.append(message)
        if self._server.mute:
            return
        if "login" in message:
            kind = "login_refused" if self._server.refuse_login else "logged_in"
            self._answer({"control": kind, "text": "no such login"})
        asked = message.get("sub", ())
        if len(asked) > 1 and self._server.refuse_topics.intersection(asked):
            self._answer({"control": "refused", "topics": asked, "text": "no such topic"})  # not saying which
            return
        for topic in asked:
            kind = "refused" if topic in self._server.refuse_topics else "subscribed"
            self._answer({"control": kind, "topics": [topic], "text": "no such topic"})

    def _answer(self, message: dict[str, Any]) -> None:
        self._peer.send(json.dumps(message).encode())

    def on_closed(self) -> None:
        pass


STEADY = Feed(kind="steady", routes=("public",), first_s=4.0, every_s=7.0, is_clockwork=True)
FEEDS: dict[str, Feed] = {"steady": STEADY, "steady2": STEADY, "canary": STEADY}
"""Of topics that speak by a rule."""

CANARY: list[Topic] = []


class Scene:
    def __init__(self, clock: ManualClock, *, needs_login: bool = False, **options: Any) -> None:
        self.clock = clock
        self.topics: list[tuple[str, TopicState]] = []
        self.server = Server()
        self.incidents: list[Incident] = []
        self.states: list[bool] = []
        self.events: list[str] = []
        self.unknown: list[Unknown] = []
        self.stamps: list[int] = []
        """Arrivals of what was delivered."""
        self.holes: list[tuple[str, int, str]] = []
        """Of topics that are back: since when they were away, and why."""
        network = MemoryNetwork(clock)
        network.serve("venue", self.server)
        frames = FramePath(clock, self.incidents.append)
        frames.on(Event, self._hear)
        venue = SimpleNamespace(
            name="tiny",
            heartbeat_s=20.0,
            commands_per_s=4,
            connects=(300, 300.0),
            socket_life_s=None,
            feed=lambda topic: FEEDS.get(topic.name, Feed(kind=topic.name, routes=("public",))),
            canary=lambda route: CANARY[0] if CANARY else None,
            session=lambda route: TinySession(needs_login),
            login_refusal=lambda code, text: AuthenticationFailed(text, venue="tiny", call="log in", code=code),
        )

        async def address() -> str:
            return "ws://venue/stream"

        self.connection = StreamConnection(
            venue=cast(Venue, venue), hosts=HOSTS, route="public", address=address, transport=network, frames=frames,
            clock=clock, rng=random.Random(1), credentials=Credentials("key", "secret"), venue_ms=lambda: 0,
            on_incident=self.incidents.append, holes=self._holes, on_state=self.states.append,
            on_topic=lambda topic, state: self.topics.append((topic, state)), **options,
        )  # fmt: skip

    def _holes(self, told_ns: Callable[[str], int]) -> TopicHoles:
        return TopicHoles(
            self.clock,
            told_ns,
            lambda topic: None,
            lambda topic, since_ns, why: self.holes.append((topic, since_ns, why)),
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, Unknown):
            self.unknown.append(event)
        else:
            self.events.append(event.symbol)
            self.stamps.append(event.received_ns)

    @property
    def is_live(self) -> bool:
        return self.connection.state is State.LIVE

    def kinds(self) -> list[str]:
        return [type(incident).__name__ for incident in self.incidents]

    async def later(self, seconds: float = 1.0) -> None:
        await self.clock.sleep(seconds)


def play(scenario: Callable[[Scene], Coroutine[Any, Any, None]], **options: Any) -> Scene:
    clock = ManualClock()
    scenes: list[Scene] = []

    async def main() -> None:
        scene = Scene(clock, **options)
        scenes.append(scene)
        try:
            await scenario(scene)
        finally:
            await scene.connection.close()

    clock.run(main())
    return scenes[0]


def test_a_cut_stream_comes_back_at_once_with_its_topics_and_says_so() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a", "b"])
        scene.server.say("before")
        await scene.later(2)
        scene.server.peers[-1].close()
        await scene.later(2)
        assert scene.is_live
        scene.server.say("after")
        await scene.later(2)

    scene = play(scenario)
    assert scene.events == ["before", "after"]
    assert scene.server.received == [[{"sub": ["a"]}, {"sub": ["b"]}]] * 2
    assert scene.kinds() == ["ConnectionLost", "ConnectionRecovered"]
    recovered = scene.incidents[1]
    assert isinstance(recovered, ConnectionRecovered)
    assert recovered.outage_s < 0.5
    assert scene.states == [True, False, True]
    assert scene.connection.reconnects == 1


def test_it_goes_on_trying_for_a_day_and_the_count_starts_anew_after_a_success() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.refuse_connections = 10_000
        scene.server.peers[-1].close()
        await scene.later(86_400)
        assert not scene.is_live
        scene.server.refuse_connections = 0
        await scene.later(31)
        assert scene.is_live
        scene.incidents.clear()
        scene.server.peers[-1].close()
        await scene.later(0.5)
        assert scene.is_live

    scene = play(scenario)
    assert scene.kinds() == ["ConnectionLost", "ConnectionRecovered"]


def test_pauses_between_tries_grow_to_thirty_seconds() -> None:
    tries: list[float] = []

    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.refuse_connections = 100
        scene.server.peers[-1].close()
        started_ns = scene.clock.monotonic_ns()
        while len(tries) < 8:
            await scene.later(0.01)
            if 100 - scene.server.refuse_connections > len(tries):
                tries.append((scene.clock.monotonic_ns() - started_ns) / 1e9)
        await scene.later(1)

    scene = play(scenario)
    # What goes on failing is told ever more rarely.
    assert [one.attempts for one in scene.incidents if isinstance(one, ConnectionFailing)] == [1, 2, 5]
    pauses = [round(b - a, 1) for a, b in itertools.pairwise(tries)]
    for pause, longest in zip(pauses, (2, 4, 8, 16, 30, 30, 30), strict=True):
        assert 0.8 * longest - 0.1 <= pause <= longest + 0.1


def test_a_half_open_socket_is_noticed_within_three_heartbeats_and_replaced() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.peers[-1].silent = True
        await scene.later(62)
        assert scene.is_live
        assert len(scene.server.peers) == 2

    scene = play(scenario)
    lost = scene.incidents[0]
    assert isinstance(lost, ConnectionLost)
    assert "silent" in lost.detail


def test_a_quiet_but_living_socket_is_left_alone() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        await scene.later(3600)

    scene = play(scenario)
    assert (scene.kinds(), len(scene.server.peers)) == ([], 1)


def test_one_bad_topic_is_refused_alone_and_not_asked_for_again() -> None:
    async def scenario(scene: Scene) -> None:
        scene.server.refuse_topics = {"bad"}
        with pytest.raises(StreamRefused, match="bad"):
            await scene.connection.start(["a", "bad", "b"])
        scene.server.peers[-1].close()
        await scene.later(2)

    scene = play(scenario)
    assert scene.kinds() == ["SubscriptionRefused", "ConnectionLost", "ConnectionRecovered"]
    assert isinstance(scene.incidents[0], SubscriptionRefused)
    assert scene.server.received[1] == [{"sub": ["a"]}, {"sub": ["b"]}]


def test_adding_a_refused_topic_raises_and_leaves_the_stream_as_it_was() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.refuse_topics = {"bad"}
        with pytest.raises(StreamRefused, match="no such topic"):
            await scene.connection.add(["bad"])
        assert scene.is_live
        assert list(scene.connection.topics) == ["a"]

    play(scenario)


def test_topics_added_while_away_are_subscribed_on_return() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.peers[-1].close()
        await scene.later(0)
        await scene.later(0)
        await scene.connection.add(["b"])
        await scene.later(2)

    scene = play(scenario)
    assert scene.server.received[1] == [{"sub": ["a"]}, {"sub": ["b"]}]


def test_the_first_failure_is_the_callers_and_leaves_nothing_behind() -> None:
    async def scenario(scene: Scene) -> None:
        scene.server.refuse_connections = 1
        with pytest.raises(NotSent, match="HTTP 503"):
            await scene.connection.start(["a"])
        assert scene.connection.state is State.CLOSED

    assert play(scenario).incidents == []


def test_a_refused_login_is_raised_and_a_silent_server_times_out() -> None:
    async def refused(scene: Scene) -> None:
        scene.server.refuse_login = True
        with pytest.raises(AuthenticationFailed, match="refused the login: no such login"):
            await scene.connection.start(["a"])

    async def silent(scene: Scene) -> None:
        scene.server.mute = True
        with pytest.raises(NotSent, match="no answer in time"):
            await scene.connection.start(["a"])

    play(refused, needs_login=True)
    play(silent, needs_login=True)


def test_a_login_that_is_refused_later_is_told_with_its_door_and_tried_ever_more_seldom() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.refuse_login = True
        scene.server.peers[-1].close()
        await scene.later(3600)
        assert 7 <= len(scene.server.peers) - 1 <= 14  # at once, 2, 30, 60, 120, 240, 480, 600, 600 ... seconds
        told = [one for one in scene.incidents if isinstance(one, LoginRefused)]
        assert [one.attempts for one in told] == [n for n in (1, 2, 5, 10) if n < len(scene.server.peers)]
        assert "no such login" in told[0].detail
        assert "environment 'tiny' at ws://venue." in told[0].detail
        scene.server.refuse_login = False
        await scene.later(601)
        assert scene.is_live
        scene.server.peers[-1].close()
        await scene.later(1)
        assert scene.is_live  # what was refused before is forgotten

    play(scenario, needs_login=True)


def test_login_comes_before_every_subscription() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.peers[-1].close()
        await scene.later(2)

    scene = play(scenario, needs_login=True)
    assert scene.server.received == [[{"login": "key"}, {"sub": ["a"]}]] * 2


def test_a_garbled_frame_is_counted_told_and_does_not_end_the_stream() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.peers[-1].send(b'{"data":')
        scene.server.say("next")
        await scene.later()

    scene = play(scenario)
    assert scene.events == ["next"]
    assert scene.kinds() == ["FrameGarbled"]
    assert [unknown.raw for unknown in scene.unknown] == ['{"data":']


def test_the_venues_message_rate_is_kept() -> None:
    times: list[float] = []

    async def scenario(scene: Scene) -> None:
        began = scene.clock.monotonic_ns()
        await scene.connection.start([f"t{number}" for number in range(20)])
        times.append((scene.clock.monotonic_ns() - began) / 1e9)

    play(scenario)
    assert 20 / 4 <= times[0] < 20 / 3 + 0.5


def test_every_open_state_can_be_lost_and_closed() -> None:
    for state in State:
        assert (state, Change.CLOSE) in NEXT
    for state in (State.CONNECTING, State.LOGGING_IN, State.SUBSCRIBING, State.LIVE):
        assert NEXT[state, Change.LOST] is State.WAITING


def test_topics_asked_for_by_several_at_once_share_one_connection_and_all_come() -> None:
    async def scenario(scene: Scene) -> None:
        first = asyncio.create_task(scene.connection.start(["a", "b"]))
        for topic in ("c", "d", "e"):
            await scene.later(0.05)
            await scene.connection.add([topic])
        await first
        assert len(scene.server.peers) == 1
        assert sorted(message["sub"][0] for message in scene.server.received[0]) == ["a", "b", "c", "d", "e"]

    play(scenario)


def test_a_failed_start_is_told_to_everybody_who_joined_it() -> None:
    async def scenario(scene: Scene) -> None:
        scene.server.mute = True
        first = asyncio.create_task(scene.connection.start(["a"]))
        await scene.later(1)
        with pytest.raises(NotSent):
            await scene.connection.add(["b"])
        with pytest.raises(NotSent):
            await first

    play(scenario)


def test_what_a_replaced_socket_still_says_concerns_nobody() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        old = scene.server.peers[-1]._listener
        scene.connection.restart("moved")
        await scene.later(2)
        old.on_frames([b'{"data":"old"}'], 1)
        old.on_closed("late")
        scene.server.say("new")
        await scene.later(2)

    scene = play(scenario)
    assert (scene.events, len(scene.server.peers)) == (["new"], 2)


def test_an_unreadable_control_message_is_counted_and_does_not_end_the_stream() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        scene.server.peers[-1].send(b'{"nonsense":1}')
        scene.server.say("next")
        await scene.later()

    scene = play(scenario)
    assert scene.events == ["next"]
    assert scene.kinds() == ["FrameGarbled"]


def test_a_socket_that_is_lost_as_soon_as_it_is_open_is_not_waited_on() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        accept = scene.server.accept

        async def accept_and_close(target: str, peer: MemoryPeer) -> Ear:
            scene.server.accept = accept  # type: ignore[method-assign]
            ear = await accept(target, peer)
            peer._listener.on_closed("gone at once")
            peer.is_open = False
            return ear

        scene.server.accept = accept_and_close  # type: ignore[method-assign]
        scene.server.peers[-1].close()
        await scene.later(4)
        assert scene.is_live

    play(scenario)


# --- sockets that answer, and say nothing ---------------------------------------------------------------------------


async def speak(scene: Scene, seconds: int, *topics: str, to: int | None = None) -> None:
    """Each second, on every socket that is open, or on one."""
    for _ in range(seconds):
        for peer in scene.server.alive if to is None else [scene.server.peers[to]]:
            for topic in topics:
                peer.send(json.dumps({"data": topic}).encode())
        await scene.later(1)


def test_a_socket_that_has_gone_mute_is_lost_at_once_and_replaced() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady", "other"])
        await speak(scene, 20, "steady", "other")
        assert scene.connection.topic_state("steady") is TopicState.LIVE
        await scene.later(9)
        assert len(scene.server.peers) == 2
        assert scene.connection.topic_state("steady") is TopicState.ACKNOWLEDGED
        await speak(scene, 3, "steady", "other")
        assert scene.connection.topic_state("steady") is TopicState.LIVE

    scene = play(scenario)
    assert scene.kinds() == ["StreamStale", "ConnectionLost", "ConnectionRecovered"]
    assert scene.states == [True, False, True]
    assert scene.topics == [("steady", TopicState.STALE), ("steady", TopicState.LIVE)]
    assert scene.connection.reconnects == 1


def test_one_mute_topic_gets_a_successor_beside_the_socket_and_the_others_lose_and_double_nothing() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady", "steady2"])
        await speak(scene, 20, "steady", "steady2")
        for _ in range(14):  # the first socket is mute on one topic, further ones are not
            for number, peer in enumerate(scene.server.peers):
                if peer.is_open:
                    for topic in ("steady",) if number == 0 else ("steady", "steady2"):
                        peer.send(json.dumps({"data": topic}).encode())
            await scene.later(1)
        assert (len(scene.server.peers), len(scene.server.alive)) == (2, 1)
        assert scene.is_live

    scene = play(scenario)
    assert scene.kinds() == ["StreamStale"]
    assert scene.states == [True]
    assert scene.connection.successions == 1
    assert scene.topics == [("steady2", TopicState.STALE), ("steady2", TopicState.LIVE)]
    assert scene.events.count("steady") == 34


def test_a_successor_that_is_as_mute_is_given_up_and_the_next_one_comes_later_and_later() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady", "steady2"])
        await speak(scene, 20, "steady", "steady2")
        await speak(scene, 3600, "steady")
        assert 5 <= len(scene.server.peers) <= 25
        assert scene.is_live

    scene = play(scenario)
    assert scene.states == [True]
    assert scene.connection.reconnects == 0


def test_a_socket_without_any_topic_that_must_speak_carries_a_canary_of_which_nothing_is_delivered() -> None:
    async def scenario(scene: Scene) -> None:
        CANARY.append(Topic("public", "canary"))
        try:
            await scene.connection.start(["other"])
            assert scene.server.received[0] == [{"sub": ["other"]}, {"sub": ["canary"]}]
            await speak(scene, 2, "canary", "other")
            await speak(scene, 3600, "canary")
            assert scene.kinds() == []
            await scene.later(12)
            assert scene.kinds()[:2] == ["StreamStale", "ConnectionLost"]
            await scene.connection.add(["canary"])
            await speak(scene, 3, "canary")
        finally:
            CANARY.clear()

    scene = play(scenario)
    assert scene.events == ["other"] * 2 + ["canary"] * 3


def test_a_refusal_that_does_not_say_which_topic_is_at_fault_is_looked_into_by_halves() -> None:
    async def scenario(scene: Scene) -> None:
        BATCH[0] = 100
        try:
            names = [f"t{number}" for number in range(100)]
            scene.server.refuse_topics = {"t37"}
            with pytest.raises(StreamRefused, match="t37"):
                await scene.connection.start(names)
            assert list(scene.connection.topics) == [name for name in names if name != "t37"]
            assert len(scene.server.received[0]) <= 15
            with pytest.raises(StreamRefused, match=r"t37 \(no such topic\)"):
                scene.connection.raise_refusals(names)
        finally:
            BATCH[0] = 1

    assert play(scenario).kinds() == ["SubscriptionRefused"]


# --- copies, and sockets that grow old --------------------------------------------------------------------------------


def test_of_two_copies_either_may_be_lost_and_nothing_is_lost_or_doubled() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady"])
        await scene.later(3)
        assert len(scene.server.alive) == 2
        for round_ in range(6):
            for number in range(10):
                if number == 4:
                    scene.server.alive[round_ % 2].close()
                for peer in scene.server.alive:
                    peer.send(json.dumps({"data": "steady", "n": 10 * round_ + number}).encode())
                await scene.later(1)
        assert scene.is_live

    scene = play(scenario, copies=2)
    assert scene.events == ["steady"] * 60
    assert scene.states == [True]
    assert scene.connection.reconnects == 6
    assert "ConnectionLost" not in scene.kinds()


def test_two_copies_that_are_cut_at_once_are_one_loss_with_one_hole_a_topic() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        await scene.later(5)
        scene.server.say("a", 0)
        await scene.later(1)
        for peer in scene.server.alive:
            peer.close()
        await scene.later(5)
        assert scene.is_live

    scene = play(scenario, copies=2)
    assert scene.kinds() == ["ConnectionLost", "ConnectionRecovered"]
    assert scene.states == [True, False, True]
    assert scene.holes == [("a", scene.stamps[0], LOST)]


def test_what_waits_on_a_copy_when_all_are_cut_has_the_hole_before_it() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        await scene.later(5)
        for number, copies in ((1, (0, 1)), (2, (0,)), (3, (1,))):  # the second copy has missed the second
            for copy in copies:
                scene.server.say("a", copy, number)
            await scene.later(0.1)
        assert len(scene.events) == 2
        for peer in scene.server.alive:
            peer.close()
        await scene.later(5)

    scene = play(scenario, copies=2)
    _, second_ns, third_ns = scene.stamps
    assert scene.holes == [("a", second_ns, LOST), ("a", third_ns, LOST)]


def test_what_a_copy_said_before_it_was_answered_ends_the_hole_before_it() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["a"])
        await scene.later(5)
        scene.server.say("a", 0, 1)
        await scene.later(1)
        scene.server.mute = True
        for peer in scene.server.alive:
            peer.close()
        await scene.later(1)
        scene.server.say("a", -1, 2)
        await scene.later(1)
        for peer in scene.server.alive:
            peer.close()
        scene.server.mute = False
        await scene.later(10)
        assert scene.is_live

    scene = play(scenario, copies=2)
    first_ns, second_ns = scene.stamps
    assert scene.holes == [("a", first_ns, LOST), ("a", second_ns, LOST)]


def test_a_mute_topic_that_one_copy_has_just_said_again_has_one_hole() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady", "b"])
        await scene.later(2)
        for copy in (0, 1):
            scene.server.say("steady", copy, 1)
        while not scene.topics:  # what else is there speaks
            scene.server.say("b", 0, scene.clock.time_ns())
            scene.server.say("b", 1, scene.clock.time_ns())
            await scene.later(0.1)
        scene.server.say("steady", 1, 2)
        await scene.later(3)

    scene = play(scenario, copies=2)
    assert [one[0] for one in scene.holes] == ["steady"]


def test_a_socket_is_replaced_before_the_venue_ends_it_without_a_gap() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady"])
        await speak(scene, 980, "steady")
        assert (len(scene.server.peers), len(scene.server.alive)) == (2, 1)

    scene = play(scenario, life_s=1000.0)
    assert (scene.kinds(), scene.states, scene.connection.successions) == ([], [True], 1)
    assert len(scene.events) == 980


def test_when_the_venue_says_that_a_socket_will_end_another_one_is_ready_before_it_does() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady"])
        await speak(scene, 5, "steady")
        scene.server.peers[0].send(json.dumps({"control": "closing", "text": "restart"}).encode())
        await speak(scene, 8, "steady")
        assert (len(scene.server.peers), len(scene.server.alive)) == (2, 1)

    scene = play(scenario)
    assert (scene.kinds(), scene.states) == ([], [True])
    assert len(scene.events) == 13


def test_a_successor_that_cannot_be_made_costs_nothing_and_is_tried_again() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady"])
        await speak(scene, 5, "steady")
        scene.server.refuse_connections = 3
        scene.server.peers[0].send(json.dumps({"control": "closing", "text": "restart"}).encode())
        await speak(scene, 5, "steady")
        assert (len(scene.server.peers), scene.is_live) == (1, True)

    assert play(scenario).states == [True]


def test_the_old_socket_may_end_while_its_successor_is_being_made() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connection.start(["steady"])
        await speak(scene, 5, "steady")
        scene.server.peers[0].send(json.dumps({"control": "closing", "text": "restart"}).encode())
        await scene.later(1.5)
        scene.server.peers[0].close()
        await speak(scene, 5, "steady")
        assert (len(scene.server.peers), scene.is_live) == (2, True)

    assert play(scenario).states in ([True], [True, False, True])
