"""What a connection shall have subscribed: asked for on its sockets, and what the venue answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from perpwire.api_connector.stream_socket import StreamSocket
from perpwire.errors import NotSent, StreamRefused
from perpwire.raised import RAISED, is_our_end
from perpwire.transport.base import TransportFailed
from perpwire.venues.base import Feed, Topic, Venue


class Subscriptions:
    """See module docstring. A topic that the venue refuses and never accepted is a mistake, and forgotten. One that was
    accepted once is asked for again at each heartbeat: the venue has a bad moment, or the contract is gone, and then it
    stays refused.

    Args:
        name: Of the connection.
        was_there: Whether a topic was acknowledged once.
        on_refused: Called with a topic and why, each time.
        on_given_up: Called with a topic that is not asked for any more.

    Attributes:
        wanted: In order of asking; kept over reconnects.
    """

    def __init__(
        self,
        venue: Venue,
        route: str,
        name: str,
        was_there: Callable[[str], bool],
        on_refused: Callable[[str, str], None],
        on_given_up: Callable[[str], object] | None,
    ) -> None:
        self.wanted: dict[str, None] = {}
        self._venue = venue
        self._route = route
        self._name = name
        self._was_there = was_there
        self._on_refused = on_refused
        self._on_given_up = on_given_up
        self._refused: dict[str, str] = {}
        self._asking: dict[str, asyncio.Future[None]] = {}
        """Topics that are being asked for on sockets that are live -> done when they are answered."""
        self._askers: set[asyncio.Task[None]] = set()

    def feed(self, topic: str) -> Feed:
        """How it speaks."""
        return self._venue.feed(Topic(self._route, topic))

    # --- what is wanted -------------------------------------------------------------------------------------------

    def want(self, topics: Iterable[str]) -> list[str]:
        """Gives those that are new."""
        new = [topic for topic in topics if topic not in self.wanted]
        self.wanted.update(dict.fromkeys(new))
        for topic in new:
            self._refused.pop(topic, None)
        return new

    def drop(self, topics: Iterable[str]) -> list[str]:
        """Gives those that were wanted."""
        gone = [topic for topic in topics if topic in self.wanted]
        for topic in gone:
            del self.wanted[topic]
            self._refused.pop(topic, None)
        return gone

    def ask(self, topics: Sequence[str], sockets: Sequence[StreamSocket]) -> None:
        """On each of them. It belongs to the connection: whoever wants the same waits for the same."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.update(dict.fromkeys(topics, answer))

        async def ask() -> None:
            try:
                await asyncio.gather(*(self.add_to(socket, topics) for socket in sockets))
                answer.set_result(None)
            except RAISED as error:
                if is_our_end(error):
                    raise
                answer.set_exception(error)
            finally:
                for topic in topics:
                    if self._asking.get(topic) is answer:
                        del self._asking[topic]
                self.end_unanswered(answer)

        task = asyncio.create_task(ask(), name=f"perpwire {self._name} more")
        self._askers.add(task)
        task.add_done_callback(self._askers.discard)

    async def answered(self, topics: Sequence[str]) -> None:
        """Returns when those that are just being asked for are answered.

        Raises:
            StreamRefused: See raise_refusals.
            NotSent: The connection was closed.
        """
        answers = {self._asking[topic] for topic in topics if topic in self._asking}
        await asyncio.gather(*(asyncio.shield(answer) for answer in answers))
        self.raise_refusals(topics)

    def raise_refusals(self, topics: Iterable[str]) -> None:
        """
        Raises:
            StreamRefused: Some of these were refused; the others stand.
        """
        refused = [f"{topic} ({self._refused[topic]})" for topic in topics if topic in self._refused]
        if refused:
            raise StreamRefused(
                f"{self._name} refused {', '.join(refused)}", venue=self._venue.name, call="subscribe", code="REFUSED"
            )

    def end_asking(self) -> list[asyncio.Task[None]]:
        """The connection is closed. Gives what has yet to end."""
        askers = list(self._askers)
        for asker in askers:
            asker.cancel()
        return askers

    def end_unanswered(self, answer: asyncio.Future[None]) -> None:
        """It was closed: whoever waits is told so."""
        if not answer.done():
            answer.set_exception(self.closed())
        if not answer.cancelled():
            answer.exception()  # nobody may be waiting

    def closed(self) -> NotSent:
        return NotSent("the stream was closed", venue=self._venue.name, call=self._route, code="CLOSED")

    # --- on one socket --------------------------------------------------------------------------------------------

    async def furnish(self, socket: StreamSocket) -> None:
        """Subscribe all that is wanted on a new socket.

        Raises:
            StreamRefused: Nothing of it was accepted.
            TransportFailed, TimeoutError: See StreamSocket.subscribe.
        """
        wanted = list(self.wanted)
        tried: set[str] = set()
        # More may be asked for while the first are on their way.
        while missing := [topic for topic in self.wanted if topic not in socket.confirmed and topic not in tried]:
            tried.update(missing)
            await self._subscribe(socket, missing)
        if wanted and not socket.confirmed:
            self.raise_refusals(wanted)
        await self._bring_canary(socket)

    async def put_right(self, socket: StreamSocket) -> None:
        """Subscribe what is missing on a socket, and unsubscribe what is too much."""
        if missing := [topic for topic in self.wanted if topic not in socket.confirmed]:
            await self._subscribe(socket, missing)
        if gone := [topic for topic in socket.confirmed if topic not in self.wanted and topic != socket.canary]:
            await socket.unsubscribe(gone)  # dropped while it was being subscribed
        await self._bring_canary(socket)

    async def add_to(self, socket: StreamSocket, topics: Sequence[str]) -> None:
        """Subscribe these on one that is live; where it is lost meanwhile, they are subscribed with the rest."""
        try:
            if socket.canary in topics:
                await self._dismiss_canary(socket)
            await self._subscribe(socket, topics)
        except TransportFailed:
            pass
        except TimeoutError:
            socket.end("a subscription was not answered")

    async def _subscribe(self, socket: StreamSocket, topics: Sequence[str]) -> None:
        """Subscribe and wait for each answer; refused topics are told of and forgotten."""
        refused = await socket.subscribe(topics)
        for topic in topics:
            if topic in refused:
                self._refuse(topic, refused[topic])
            else:
                self._refused.pop(topic, None)

    def _refuse(self, topic: str, why: str) -> None:
        self._refused[topic] = why
        self._on_refused(topic, why)
        if not self._was_there(topic) and topic in self.wanted:
            del self.wanted[topic]
            if self._on_given_up is not None:
                self._on_given_up(topic)

    async def _bring_canary(self, socket: StreamSocket) -> None:
        """So that its silence says something, a socket carries at least one topic that always speaks."""
        canary = self._venue.canary(self._route)
        if canary is None or socket.canary is not None or not socket.confirmed:
            return
        if canary.name in socket.confirmed or any(self.feed(topic).every_s is not None for topic in socket.confirmed):
            return
        socket.canary = canary.name
        socket.session.ignore(canary.name)
        await socket.subscribe([canary.name])  # where it is refused, there is none

    async def _dismiss_canary(self, socket: StreamSocket) -> None:
        """It is wanted for itself now."""
        canary, socket.canary = socket.canary, None
        if canary is not None:
            await socket.unsubscribe([canary])
            socket.session.heed(canary)
