"""Public sockets: that of linear contracts, and those of what is not traded here.

Real clients open the others too; they are answered in each one's own form, and know no topic.
"""

from __future__ import annotations

from collections.abc import Callable

from perpwire.simulator.dialect import Peer
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_control
from perpwire.venues.bybit.session import ARGS_CHARACTERS
from perpwire.venues.bybit.sim.hub import Subscriber
from perpwire.venues.bybit.sim.sockets import Incoming, StreamSocket, echo

SPOT_ARGS = 10
"""Topics that one request of a spot stream may have."""

NO_LOGIN = "error:auth is not needed on a public stream"


class Topics:
    """The topics of one kind of public socket."""

    def knows(self, topic: str) -> bool:
        """Can it be subscribed?"""
        return False

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Somebody subscribed to a topic that is known."""

    def remove(self, topic: str, subscriber: Subscriber) -> None:
        """And left it."""


class PublicSocket(StreamSocket):
    """/v5/public/linear, /inverse and /misc/status."""

    def __init__(self, peer: Peer, exchange: Exchange, number: int, streams: Topics) -> None:
        super().__init__(peer, exchange, number)
        self._streams = streams

    def answer(
        self,
        success: bool,
        words: str,
        command: Incoming,
        *,
        taken: list[str] | None = None,
        failed: list[str] | None = None,
    ) -> None:
        self.send(wire_control.PublicAck(success, words, self.conn_id, echo(command.req_id, ""), command.name))

    def pong(self, command: Incoming) -> None:
        self.answer(True, "pong", command)

    def log_in(self, command: Incoming) -> None:
        self.answer(False, NO_LOGIN, command)

    def refusal(self, topics: list[str]) -> str:
        for topic in topics:
            if not self._streams.knows(topic):
                return f"error:handler not found,topic:{topic}"
        if sum(len(topic) + 3 for topic in (*self.topics, *topics)) > ARGS_CHARACTERS:
            return f"error:args length exceeds {ARGS_CHARACTERS}"
        return self.repeated(topics)

    def add(self, topic: str) -> None:
        self._streams.add(topic, self)

    def remove(self, topic: str) -> None:
        self._streams.remove(topic, self)


class SpotSocket(PublicSocket):
    """/v5/public/spot."""

    def answer(
        self,
        success: bool,
        words: str,
        command: Incoming,
        *,
        taken: list[str] | None = None,
        failed: list[str] | None = None,
    ) -> None:
        if success and taken is not None:
            words = command.name
        self.send(
            wire_control.SpotAck(
                success=success, ret_msg=words, conn_id=self.conn_id, req_id=echo(command.req_id), op=command.name
            )
        )

    def refusal(self, topics: list[str]) -> str:
        if len(topics) > SPOT_ARGS:
            return f"args size >{SPOT_ARGS}"
        return super().refusal(topics)


class OptionSocket(PublicSocket):
    """/v5/public/option and /spread: each topic is taken or not by itself."""

    def answer(
        self,
        success: bool,
        words: str,
        command: Incoming,
        *,
        taken: list[str] | None = None,
        failed: list[str] | None = None,
    ) -> None:
        lists = wire_control.TopicLists(failTopics=failed or [], successTopics=taken or [])
        self.send(wire_control.OptionAck(success, self.conn_id, lists))

    def pong(self, command: Incoming) -> None:
        self.send(wire_control.OptionPong([str(self._exchange.now_ms())]))


PublicKind = Callable[[Peer, Exchange, int, Topics], PublicSocket]
KINDS: dict[str, PublicKind] = {
    "linear": PublicSocket,
    "inverse": PublicSocket,
    "spot": SpotSocket,
    "option": OptionSocket,
    "spread": OptionSocket,
    "misc/status": PublicSocket,
}
"""What stands after /v5/public/."""
