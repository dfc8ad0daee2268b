"""The venue's notices of maintenance and incidents: GET /v5/system/status, and the topic system.status.

Source: docs/v5/system-status and docs/v5/websocket/system/system-status, as of 2026-07-24. Nothing is down here by
itself; a test, or a fault, may announce something.
"""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.asked import Asked, choice
from perpwire.venues.bybit.sim.feeds import encode
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.public_sockets import Topics

TOPIC = "system.status"
STATES = ("scheduled", "ongoing", "completed", "canceled")


class Notice(msgspec.Struct, kw_only=True):
    """One notice, as both REST and the stream show it.

    Attributes:
        begin, end: Unix milliseconds as text.
        serviceTypes: 1 trading, 2 HTTP, 3 WebSocket, 4 private WebSocket, 5 market data.
        product: 1 futures, 2 spot, 3 option, 4 spread.
        maintainType: 1 planned, 2 temporary, 3 incident.
        env: 1 production.
    """

    id: str
    title: str
    state: str
    begin: str
    end: str
    href: str = ""
    serviceTypes: tuple[int, ...] = (1, 2, 3, 4, 5)
    product: tuple[int, ...] = (1,)
    uidSuffix: tuple[int, ...] = ()
    maintainType: int = 1
    env: int = 1


class StatusBoard(Topics):
    """The notices, newest first; a later one with the same id takes its place."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._hub = Hub()
        self._notices: dict[str, Notice] = {}

    def announce(self, notice: Notice) -> None:
        """
        Raises:
            ValueError: No state of a notice.
        """
        if notice.state not in STATES:
            raise ValueError(f"a notice's state is one of {', '.join(STATES)}, not {notice.state!r}")
        self._notices.pop(notice.id, None)
        self._notices[notice.id] = notice
        frame = wire_streams.StatusFrame(topic=TOPIC, ts=self._exchange.now_ms(), data=[notice])
        self._hub.publish(TOPIC, lambda: encode(frame))

    def answer(self, asked: Asked) -> Any:
        """/v5/system/status, by id or by state.

        Raises:
            CallRefused: No such state.
        """
        state = choice(asked, "state", STATES)
        rows = [
            one
            for one in reversed(self._notices.values())
            if asked.get("id") in (None, "", one.id) and state in (None, "", one.state)
        ]
        return {"list": rows}

    def knows(self, topic: str) -> bool:
        return topic == TOPIC

    def add(self, topic: str, subscriber: Subscriber) -> None:
        self._hub.add(topic, subscriber)

    def remove(self, topic: str, subscriber: Subscriber) -> None:
        self._hub.remove(topic, subscriber)
