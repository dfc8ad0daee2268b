"""The sockets of a connection, and what has to be done while more than one of them says the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from perpwire.api_connector.stream_socket import StreamSocket
from perpwire.data_processor.seam import Seam, Sieve, Source
from perpwire.model.market import Event

HOLD_S = 5.0
"""What a new socket says waits for the others at most so long."""

ALONE_S = 10.0
"""A socket that has become the only one is still compared with what others said, for so long."""


class Chorus:
    """See module docstring. While there is one socket, its frames pass as if this did not exist.

    Args:
        deliver: Takes events that have waited.
        now_s: Our own time.
    """

    def __init__(self, deliver: Callable[[Event], None], now_s: Callable[[], float]) -> None:
        self._deliver = deliver
        self._now_s = now_s
        self._sources: dict[StreamSocket, Source] = {}
        self._seam: Seam | None = None
        self._alone_since_s = 0.0

    def __iter__(self) -> Iterator[StreamSocket]:
        """Oldest first."""
        return iter(tuple(self._sources))

    def enter(self, socket: StreamSocket, *, is_alone: bool) -> None:
        """A socket is about to be opened; `is_alone`: no other one carries anything."""
        source = self._sources[socket] = Source(has_joined=is_alone)
        if self._seam is None and not is_alone:
            self._seam = Seam()
            for other, others in self._sources.items():
                if other is not socket:
                    self._sift(other, others, self._seam)
        if self._seam is not None:
            self._sift(socket, source, self._seam)

    @staticmethod
    def _sift(socket: StreamSocket, source: Source, seam: Seam) -> None:
        seam.enter(source)
        socket.decoder = Sieve(socket.session, seam, source)

    def leave(self, socket: StreamSocket) -> None:
        """It says nothing any more."""
        source = self._sources.pop(socket, None)
        self._alone_since_s = self._now_s()
        if self._seam is not None and source is not None:
            self._seam.leave(source)

    def release(self, socket: StreamSocket) -> None:
        """What it says waits for no other any longer."""
        source = self._sources.get(socket)
        if self._seam is not None and source is not None:
            for event in self._seam.release(source):
                self._deliver(event)

    def waits(self, socket: StreamSocket, beside: Collection[str]) -> bool:
        """Whether something that it said still waits, of other topics than these."""
        return self._seam is not None and self._seam.waits(self._sources[socket], beside)

    def renew(self, socket: StreamSocket, topic: str) -> None:
        """A topic is subscribed anew on it, while others carry it on."""
        if self._seam is not None:
            self._seam.renew(self._sources[socket], topic)

    def tend(self, *, stays_alone: bool) -> None:
        """Once a second. Who has been there for a while waits for nobody; who stays alone needs no comparing."""
        if self._seam is None:
            return
        now_s = self._now_s()
        for socket, source in tuple(self._sources.items()):
            if socket.is_live and not source.has_joined and now_s - socket.live_s >= HOLD_S:
                self.release(socket)
        if stays_alone and len(self._sources) == 1 and now_s - self._alone_since_s >= ALONE_S:
            (socket,) = self._sources
            self.release(socket)
            self._seam = None
            socket.decoder = socket.session
