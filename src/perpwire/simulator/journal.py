"""The journal: what the venue really did, in order. A test holds what a client delivered against it.

Requests, replies and what clients say stand in it without keys, signatures and listen keys; stream messages stand as
they were sent. It is kept in memory: old entries are dropped once there are too many (Setup.journal_capacity), and
counted. A message to a hundred sockets is a hundred entries that share one text, so an entry costs about 150 bytes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Literal, get_args

import msgspec

from perpwire.simulator.events import RecordedFrame, SimEvent

Kind = Literal["sent", "received", "event", "request", "reply", "opened", "closed", "fault"]
KINDS: tuple[str, ...] = get_args(Kind)

Done = Literal["", "lost", "late", "twice", "reordered", "corrupted", "split"]
"""What a fault did to a message."""

_SECRETS = re.compile(r"(?i)\b(signature|listenkey|apikey|api_key)=[^&\s]*")
_JSON_SECRETS = re.compile(r'(?i)"(signature|listenKey|apiKey)"\s*:\s*"[^"]*"')
_LOGIN = re.compile(r'("op"\s*:\s*"auth".*?"args"\s*:\s*)\[[^\]]*\]|("args"\s*:\s*)\[[^\]]*\](.*?"op"\s*:\s*"auth")')
_LISTEN_KEY = re.compile(r"[A-Za-z0-9]{64,}")
_LISTEN_KEY_IN_PATH = re.compile(r"[A-Za-z0-9]{32,}")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        n: Its number, from 1, without gaps.
        time_ns: The venue's own clock: Unix nanoseconds.
        kind: "sent": a frame to a client; "received": one of a client; "event": a change of state; "request", "reply":
            HTTP; "opened", "closed": sockets; "fault": injected trouble.
        connection: The socket's number; 0 where none is concerned.
        request: The HTTP request's number; 0 where none is concerned.
        topic: The stream's name for "sent" ("" for control messages); the event's type name for "event".
        account: Whose it is; "" for public ones.
        text: The frame as the venue made it, the event as JSON, the HTTP line and body, the socket's path, or what the
            fault did.
        is_lost: A fault kept it from the client.
        done: What a fault did to it; "" for nothing.
        altered: What the client got in place of `text`, where that is something else.
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
    done: Done = ""
    altered: str = ""


Raw = list[Any]
"""An entry as it is kept, [time_ns, kind, content, connection, request, topic, account, done, altered]: made once for
every message sent, so it is the cheapest thing that can still be marked; turned into text when somebody reads it."""

_TIME, _KIND, _CONTENT, _CONNECTION, _REQUEST, _TOPIC, _ACCOUNT, _DONE, _ALTERED = range(9)


class Journal:
    """One venue's journal.

    Attributes:
        last: Number of the newest entry; 0 before the first.
    """

    def __init__(self, venue: str, time_ns: Callable[[], int], capacity: int = 200_000) -> None:
        self.venue = venue
        self.last = 0
        self._time_ns = time_ns
        self._entries: deque[Raw] = deque(maxlen=capacity)
        self._append = self._entries.append

    @property
    def dropped(self) -> int:
        """How many entries were let go for want of room."""
        return self.last - len(self._entries)

    def sent(self, text: bytes, connection: int, topic: str, account: str) -> Raw:
        """A frame to a client; see `mark` for what becomes of the entry."""
        self.last += 1
        raw = [self._time_ns(), "sent", text, connection, 0, topic, account, "", None]
        self._append(raw)
        return raw

    def write(
        self,
        kind: Kind,
        content: bytes | str | SimEvent,
        *,
        connection: int = 0,
        request: int = 0,
        topic: str = "",
        account: str = "",
        done: Done = "",
    ) -> Raw:
        self.last += 1
        raw = [self._time_ns(), kind, content, connection, request, topic, account, done, None]
        self._append(raw)
        return raw

    def event(self, event: SimEvent) -> None:
        """A change of state. Recorded frames are none: they stand as sent, where somebody subscribed."""
        if not isinstance(event, RecordedFrame):
            self.write("event", event, topic=type(event).__name__, account=getattr(event, "account", ""))

    def line(self, kind: Kind, text: str, *, connection: int = 0, request: int = 0) -> None:
        """A line with what is secret in it blanked out."""
        self.write(kind, without_secrets(text), connection=connection, request=request)

    def received(self, text: bytes, connection: int, done: Done = "") -> None:
        """What a client said, with what is secret in it blanked out."""
        said = without_secrets_in_message(text.decode("utf-8", "replace"))
        self.write("received", said, connection=connection, done=done)

    def entries(
        self,
        *,
        after: int = 0,
        topic: str | None = None,
        kind: Kind | Collection[str] | None = None,
        account: str | None = None,
        connection: int | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries with a number above `after`, oldest first; only those that are asked for.

        Args:
            topic: A name, or a pattern such as "btcusdt@*".
            kind: One kind, or several.
        """
        kinds = (kind,) if isinstance(kind, str) else kind
        is_pattern = topic is not None and any(sign in topic for sign in "*?[")

        def is_wanted(raw: Raw) -> bool:
            return (
                (kinds is None or raw[_KIND] in kinds)
                and (topic is None or (fnmatchcase(raw[_TOPIC], topic) if is_pattern else raw[_TOPIC] == topic))
                and account in (None, raw[_ACCOUNT])
                and connection in (None, raw[_CONNECTION])
            )

        chosen = (self._entry(n, raw) for n, raw in self._since(after) if is_wanted(raw))
        return list(islice(chosen, limit))

    def _since(self, after: int) -> Iterator[tuple[int, Raw]]:
        skipped = max(0, after - self.dropped)
        return enumerate(islice(self._entries, skipped, None), self.dropped + skipped + 1)

    def _entry(self, n: int, raw: Raw) -> Entry:
        content = raw[_CONTENT]
        if isinstance(content, bytes):
            text = content.decode("utf-8", "replace")
            if raw[_KIND] == "sent" and not raw[_TOPIC]:
                text = without_secrets_in_message(text)  # an answer may repeat the key that was logged in with
        elif isinstance(content, str):
            text = content
        else:
            text = msgspec.json.encode(content).decode()
        if raw[_ACCOUNT] and raw[_KIND] == "sent":
            text = _LISTEN_KEY.sub("***", text)  # an envelope may name the stream by its key
        altered = raw[_ALTERED]
        return Entry(
            n=n,
            time_ns=raw[_TIME],
            kind=raw[_KIND],
            venue=self.venue,
            connection=raw[_CONNECTION],
            request=raw[_REQUEST],
            topic=raw[_TOPIC],
            account=raw[_ACCOUNT],
            text=text,
            is_lost=raw[_DONE] == "lost",
            done=raw[_DONE],
            altered="" if altered is None else altered.decode("utf-8", "replace"),
        )


def mark(raw: Raw, done: Done, altered: bytes | None = None) -> None:
    """Write down what a fault did to a message that is in the journal already. Lost is the last word."""
    if raw[_DONE] != "lost":
        raw[_DONE] = done
    if altered is not None:
        raw[_ALTERED] = altered


def without_secrets(text: str) -> str:
    """A request line with keys and signatures blanked out."""
    return _LISTEN_KEY_IN_PATH.sub("***", _SECRETS.sub(r"\1=***", text))


def without_secrets_in_message(text: str) -> str:
    """A client's message, or a request's body, with keys, signatures, logins and listen keys blanked out."""
    text = _SECRETS.sub(r"\1=***", _JSON_SECRETS.sub(r'"\1":"***"', text))
    return _LISTEN_KEY.sub("***", _LOGIN.sub(r'\1\2["***"]\3', text))
