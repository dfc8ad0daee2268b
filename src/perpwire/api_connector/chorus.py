"""The sockets of a connection, and what has to be done while more than one of them says the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from perpwire.api_connector.stream_socket import StreamSocket
from perpwire.data_processor.seam import Rest, Seam, Sieve, Source
from perpwire.model.market import Event

PROOF_S = 1.0
"""What another socket is heard to say so long after a new one is live, was sent after it: so nothing fell between."""

ALONE_S = 10.0
"""A socket that has become the only one is still compared with what others said, for so long."""


class Chorus:
    """See module docstring. While there is one socket, its frames pass as if this did not exist.

    A socket that is live has not joined yet: what was said before it came, others still have to bring. Only those that
    have joined keep a connection from being lost.

    Args:
        deliver: Takes events that have waited.
        on_torn: Told of a topic of which something may be missing, before what comes next is delivered: since when
            (arrival of what came last, Unix nanoseconds; 0: not known), and whether any socket has it now.
        now_s: Our own time.
    """

    def __init__(
        self,
        deliver: Callable[[Event], None],
        on_torn: Callable[[str, int, bool], None],
        now_s: Callable[[], float],
    ) -> None:
        self._deliver = deliver
        self._on_torn = on_torn
        self._now_s = now_s
        self._sources: dict[StreamSocket, Source] = {}
        self._seam: Seam | None = None
        self._told_ns: dict[str, int] = {}
        """While there is a seam: topic -> arrival of the last that was delivered of it."""
        self._alone_since_s = 0.0

    def __iter__(self) -> Iterator[StreamSocket]:
        """Oldest first."""
        return iter(tuple(self._sources))

    @property
    def joined(self) -> list[StreamSocket]:
        """Those that have, and are there or were until now."""
        return [socket for socket, source in self._sources.items() if source.has_joined]

    @property
    def carries(self) -> bool:
        """Whether any that has joined is there."""
        return any(socket.is_live for socket in self.joined)

    def enter(self, socket: StreamSocket) -> None:
        """A socket is about to be opened."""
        source = self._sources[socket] = Source()
        if self._seam is None and len(self._sources) > 1:
            self._seam = Seam(lambda topic, since_ns: self._on_torn(topic, since_ns, True))
            self._told_ns.clear()
            for other, others in self._sources.items():
                if other is not socket:
                    self._told_ns |= {topic: other.session.heard_ns(topic) for topic in other.confirmed}
                    self._sift(other, others, self._seam)
        if self._seam is not None:
            self._sift(socket, source, self._seam)

    def _sift(self, socket: StreamSocket, source: Source, seam: Seam) -> None:
        seam.enter(source)
        socket.decoder = Sieve(socket.session, seam, source, self._told_ns)

    def leave(self, socket: StreamSocket) -> None:
        """It says nothing any more."""
        source = self._sources.pop(socket, None)
        self._alone_since_s = self._now_s()
        if self._seam is not None and source is not None:
            self._go_on(self._seam.leave(source))

    def join(self, socket: StreamSocket) -> None:
        """It waits for no other any longer, and carries the connection."""
        source = self._sources[socket]
        source.has_joined = True
        if self._seam is not None:
            self._go_on(self._seam.release(source, self._now_s()))

    def waits(self, socket: StreamSocket, beside: Collection[str]) -> bool:
        """Whether something that it said still waits, of other topics than these."""
        return self._seam is not None and self._seam.waits(self._sources[socket], beside)

    def holds(self, socket: StreamSocket, topic: str) -> bool:
        """Whether anything of this topic that it said waits."""
        return self._seam is not None and self._seam.holds(self._sources[socket], topic)

    def told_ns(self, topic: str) -> int:
        """Arrival of the last that was delivered of this topic, Unix nanoseconds; what waits was not. 0: nothing, by
        sockets that are there."""
        if self._seam is not None:
            return self._told_ns.get(topic, 0)
        return max((socket.session.heard_ns(topic) for socket in self._sources), default=0)

    def forget(self, topic: str) -> None:
        """It is not subscribed on any of them: what comes of it later begins anew."""
        if self._seam is not None:
            self._seam.forget(topic)

    def tend(self, *, stays_alone: bool) -> None:
        """Once a second. Who proves to have missed nothing joins; who stays alone needs no comparing."""
        if self._seam is None:
            return
        now_s = self._now_s()
        self._go_on(self._seam.overdue(now_s))
        for socket, source in self._sources.items():
            if socket.is_live and not source.has_joined and not self._seam.waits(source):
                source.has_joined = self._is_proven(socket, now_s)
        if stays_alone and len(self._sources) == 1 and now_s - self._alone_since_s >= ALONE_S:
            (socket,) = self._sources
            self.join(socket)
            self._seam = None
            socket.decoder = socket.session

    def _is_proven(self, socket: StreamSocket, now_s: float) -> bool:
        since_s = socket.live_s + PROOF_S
        joined = [one for one in self.joined if one.is_live]
        if any(one.heard_s >= since_s for one in joined):
            return True
        if now_s >= since_s:
            for one in joined:
                one.ping_soon()
        return False

    def _go_on(self, rests: Iterable[Rest]) -> None:
        for rest in rests:
            if rest.is_torn:
                self._on_torn(rest.topic, rest.since_ns, True)
            for event in rest.events:
                self._deliver(event)
            self._told_ns[rest.topic] = rest.events[-1].received_ns
            if rest.has_ended:
                is_there = any(rest.topic in socket.confirmed for socket in self._sources)
                self._on_torn(rest.topic, self._told_ns[rest.topic], is_there)
