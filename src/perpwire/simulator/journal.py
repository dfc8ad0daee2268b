"""The journal: what the venue really did, in order. A test holds what a client delivered against it.

Requests and replies stand in it as lines without keys, signatures and listen keys; stream messages stand as they were
sent. Old entries are dropped once there are too many, and counted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal

import msgspec

from perpwire.simulator.events import RecordedFrame, SimEvent

Kind = Literal["sent", "event", "request", "reply", "opened", "closed", "fault"]

_SECRETS = re.compile(r"(?i)\b(signature|listenkey|apikey|api_key)=[^&]*")
_LISTEN_KEY_IN_PATH = re.compile(r"[A-Za-z0-9]{32,}")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        n: Its number, from 1, without gaps.
        time_ns: The venue's own clock: Unix nanoseconds.
        kind: "sent": a frame to a client; "event": a change of state; "request", "reply": HTTP; "opened", "closed":
            sockets; "fault": injected trouble.
        connection: The socket's number; 0 where none is concerned.
        request: The HTTP request's number; 0 where none is concerned.
        topic: The stream's name for "sent" ("" for control messages); the event's type name for "event".
        account: Whose it is; "" for public ones.
        text: The frame, the event as JSON, the HTTP line, the socket's path, or what the fault did.
        is_lost: A fault kept it from the client.
    """

    n: int
    time_ns: int
    kind: Kind
    venue: str
    connection: int = 0
    request: int = 0
    topic: str = ""
    account: str = ""
    text: str = ""
    is_lost: bool = False


class _Raw:
    """An entry as it is kept: turned into text only when somebody reads it."""

    __slots__ = ("account", "connection", "content", "is_lost", "kind", "n", "request", "time_ns", "topic")

    def __init__(
        self,
        n: int,
        time_ns: int,
        kind: Kind,
        content: bytes | str | SimEvent,
        connection: int,
        request: int,
        topic: str,
        account: str,
        is_lost: bool,
    ) -> None:
        self.n = n
        self.time_ns = time_ns
        self.kind = kind
        self.content = content
        self.connection = connection
        self.request = request
        self.topic = topic
        self.account = account
        self.is_lost = is_lost


class Journal:
    """One venue's journal.

    Attributes:
        last: Number of the newest entry; 0 before the first.
        dropped: How many entries were let go for want of room.
    """

    def __init__(self, venue: str, time_ns: Callable[[], int], capacity: int = 200_000) -> None:
        self.venue = venue
        self.last = 0
        self.dropped = 0
        self._time_ns = time_ns
        self._capacity = capacity
        self._entries: deque[_Raw] = deque()

    def write(
        self,
        kind: Kind,
        content: bytes | str | SimEvent,
        *,
        connection: int = 0,
        request: int = 0,
        topic: str = "",
        account: str = "",
        is_lost: bool = False,
    ) -> None:
        self.last += 1
        self._entries.append(
            _Raw(self.last, self._time_ns(), kind, content, connection, request, topic, account, is_lost)
        )
        if len(self._entries) > self._capacity:
            self._entries.popleft()
            self.dropped += 1

    def event(self, event: SimEvent) -> None:
        """A change of state. Recorded frames are none: they stand as sent, where somebody subscribed."""
        if not isinstance(event, RecordedFrame):
            self.write("event", event, topic=type(event).__name__, account=getattr(event, "account", ""))

    def line(self, kind: Kind, text: str, *, connection: int = 0, request: int = 0) -> None:
        """A line with what is secret in it blanked out."""
        self.write(kind, without_secrets(text), connection=connection, request=request)

    def entries(
        self, *, after: int = 0, topic: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Entries with a number above `after`, oldest first, of one topic and kind where asked for."""
        chosen = (
            self._entry(raw) for raw in self._since(after) if topic in (None, raw.topic) and kind in (None, raw.kind)
        )
        return list(islice(chosen, limit))

    def _since(self, after: int) -> Iterator[_Raw]:
        return islice(self._entries, max(0, after - self.dropped), None)

    def _entry(self, raw: _Raw) -> Entry:
        content = raw.content
        if isinstance(content, bytes):
            text = content.decode("utf-8", "replace")
        elif isinstance(content, str):
            text = content
        else:
            text = msgspec.json.encode(content).decode()
        return Entry(
            n=raw.n,
            time_ns=raw.time_ns,
            kind=raw.kind,
            venue=self.venue,
            connection=raw.connection,
            request=raw.request,
            topic=raw.topic,
            account=raw.account,
            text=text,
            is_lost=raw.is_lost,
        )


def without_secrets(text: str) -> str:
    """A request line with keys and signatures blanked out."""
    return _LISTEN_KEY_IN_PATH.sub("***", _SECRETS.sub(r"\1=***", text))
