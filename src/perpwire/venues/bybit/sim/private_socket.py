"""/v5/private: an account's own streams. Nothing can be subscribed before the login."""

from __future__ import annotations

from perpwire.simulator.dialect import Peer
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_control
from perpwire.venues.bybit.sim.login import check_login
from perpwire.venues.bybit.sim.private import CATEGORIES, CATEGORISED, TOPICS, PrivateStreams
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.sockets import Incoming, StreamSocket, echo


class PrivateSocket(StreamSocket):
    def __init__(self, peer: Peer, exchange: Exchange, number: int, idle_s: float, streams: PrivateStreams) -> None:
        super().__init__(peer, exchange, number, idle_s)
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
        self.send(
            wire_control.PrivateAck(
                req_id=echo(command.req_id), success=success, ret_msg=words, op=command.name, conn_id=self.conn_id
            )
        )

    def pong(self, command: Incoming) -> None:
        self._streams.on_ping(self.account, self.topics)
        self.send(
            wire_control.PrivatePong(
                req_id=echo(command.req_id), args=[str(self._exchange.now_ms())], conn_id=self.conn_id
            )
        )

    def log_in(self, command: Incoming) -> None:
        if self.account:
            # One login a connection: its subscriptions are the first account's, and stay so.
            self.answer(False, "error:already authenticated", command)
            return
        try:
            self.account = check_login(self._exchange, command.args).name
        except CallRefused as refused:
            self.answer(False, refused.words, command)  # the socket stays, and another login may be tried
            return
        self.answer(True, "", command)

    def refusal(self, topics: list[str]) -> str:
        if not self.account:
            return "Request not authorized"
        for topic in topics:
            if topic not in TOPICS:
                return f"error:handler not found,topic:{topic}"
        for family in CATEGORISED:
            if family in topics and any(f"{family}.{category}" in topics for category in CATEGORIES):
                return f"error:{family} and its categories in one request"
        return self.repeated(topics)

    def add(self, topic: str) -> None:
        self._streams.add(self.account, topic, self)

    def remove(self, topic: str) -> None:
        self._streams.remove(self.account, topic, self)
