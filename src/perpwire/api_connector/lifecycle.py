"""The life of one stream socket, as a table of states. No I/O: stream_connection.py does what the states say."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class State(Enum):
    IDLE = "idle"
    CONNECTING = "connecting"
    LOGGING_IN = "logging in"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    WAITING = "waiting"  # for the next try
    CLOSED = "closed"  # by us, for good


class Change(Enum):
    START = "start"
    OPENED = "opened"
    LOGGED_IN = "logged in"
    SUBSCRIBED = "subscribed"
    LOST = "lost"
    RETRY = "retry"
    CLOSE = "close"


NEXT: dict[tuple[State, Change], State] = {
    (State.IDLE, Change.START): State.CONNECTING,
    (State.CONNECTING, Change.OPENED): State.LOGGING_IN,
    (State.LOGGING_IN, Change.LOGGED_IN): State.SUBSCRIBING,
    (State.SUBSCRIBING, Change.SUBSCRIBED): State.LIVE,
    (State.CONNECTING, Change.LOST): State.WAITING,
    (State.LOGGING_IN, Change.LOST): State.WAITING,
    (State.SUBSCRIBING, Change.LOST): State.WAITING,
    (State.LIVE, Change.LOST): State.WAITING,
    (State.WAITING, Change.RETRY): State.CONNECTING,
    (State.IDLE, Change.CLOSE): State.CLOSED,
    (State.CONNECTING, Change.CLOSE): State.CLOSED,
    (State.LOGGING_IN, Change.CLOSE): State.CLOSED,
    (State.SUBSCRIBING, Change.CLOSE): State.CLOSED,
    (State.LIVE, Change.CLOSE): State.CLOSED,
    (State.WAITING, Change.CLOSE): State.CLOSED,
    (State.CLOSED, Change.CLOSE): State.CLOSED,
}
"""Routes without a login pass LOGGING_IN at once. A missing pair is a bug with a name: KeyError says which."""


class TopicState(Enum):
    """Of one topic. Acknowledged is not live: only data is."""

    WANTED = "wanted"  # not asked for on a socket that is there
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"  # data may still come in time
    SILENT = "silent"  # acknowledged, and no data within the time in which it must come
    LIVE = "live"
    STALE = "stale"  # was live, and is silent for longer than it may be
    REFUSED = "refused"


_BEST_FIRST = (
    TopicState.LIVE, TopicState.STALE, TopicState.SILENT, TopicState.ACKNOWLEDGED, TopicState.ASKED, TopicState.REFUSED
)  # fmt: skip


def best_of(states: Iterable[TopicState]) -> TopicState:
    """Of what several sockets know of one topic, what tells most."""
    known = set(states)
    return next((state for state in _BEST_FIRST if state in known), TopicState.WANTED)
