"""One stream's conversation: log in, subscribe, acknowledgements, ping. Frames in, frames out.

Source: docs/v5/ws/connect, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import StreamRefused
from perpwire.venues.base import Control, ControlKind, Session
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.streams import StreamDecoder
from perpwire.venues.bybit.topics import PRIVATE, PUBLIC_FAMILIES
from perpwire.venues.bybit.wire_control import Command, ControlReply

LOGIN_VALID_MS = 10_000
"""How far in the future a login's expiry lies: enough for a slow link."""

ARGS_CHARACTERS = 21_000
"""Most characters that the arguments of one public connection's subscriptions may have."""

TOPICS_PER_REQUEST = 200

ALREADY = "already subscribed"
ALREADY_LOGGED_IN = 20001

PING = b'{"op":"ping"}'

_read = msgspec.json.Decoder(ControlReply).decode


class BybitSession(StreamDecoder, Session):
    """See Session. An acknowledgement names no topic, only the request; and one bad topic makes a whole request fail,
    with a text that names it."""

    def __init__(self, route: str) -> None:
        super().__init__()
        self.needs_login = route == PRIVATE
        self._numbers = count(1)
        self._asked: dict[str, tuple[str, ...]] = {}
        self._args_characters = 0

    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        if not self.needs_login:
            return None
        expires_ms = now_ms + LOGIN_VALID_MS
        signature = sign_login(credentials, expires_ms)
        return msgspec.json.encode(Command(op="auth", args=[credentials.api_key, expires_ms, signature]))

    def subscribe(self, topics: Sequence[str]) -> list[bytes]:
        """
        Raises:
            StreamRefused: More than the venue takes on one connection.
        """
        characters = sum(map(_characters, topics))
        if self._args_characters + characters > ARGS_CHARACTERS:
            raise StreamRefused(
                f"the topics of one connection may have {ARGS_CHARACTERS} characters, "
                f"these make it {self._args_characters + characters}: use a further connection"
            )
        self._args_characters += characters
        return self._commands("subscribe", topics)

    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]:
        self._args_characters -= sum(map(_characters, topics))
        return self._commands("unsubscribe", topics)

    def _commands(self, op: str, topics: Sequence[str]) -> list[bytes]:
        frames = []
        for names in batched(topics):
            number = str(next(self._numbers))
            self._asked[number] = names
            frames.append(msgspec.json.encode(Command(op=op, args=list(names), req_id=number)))
        return frames

    def _refused(self, topics: tuple[str, ...], text: str) -> Control:
        """Nothing of the request was taken. What the text says of the topic that it names holds for that one alone."""
        self._args_characters -= sum(map(_characters, topics))
        kind: ControlKind = "subscribed" if ALREADY in text else "refused"
        named = text.rpartition("topic:")[2]
        if named not in topics:
            return Control(kind if len(topics) == 1 else "refused", topics, text)
        return Control(kind, (named,), text, again=tuple(topic for topic in topics if topic != named))

    def ping(self) -> bytes | None:
        return PING

    def question(self) -> bytes:
        return PING

    def on_control(self, frame: bytes) -> Control:
        reply = _read(frame)
        text = reply.ret_msg or reply.retMsg or ""
        if reply.op == "pong" or text == "pong":
            return Control("pong")
        succeeded = reply.success if reply.success is not None else reply.retCode == 0
        if reply.op == "auth":
            if succeeded or reply.retCode == ALREADY_LOGGED_IN:
                return Control("logged_in", text=text)
            return Control("login_refused", text=text, code=reply.retCode)
        topics = self._asked.pop(str(reply.req_id), ())
        if reply.op == "subscribe":
            if succeeded:
                return Control("subscribed", topics, text)
            return self._refused(topics, text)
        if reply.op == "unsubscribe":
            return Control("unsubscribed", topics, text)
        return Control("other", topics, text)


def batched(topics: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Into requests: private topics each in one of its own (some can't share one), public ones together."""
    size = (
        TOPICS_PER_REQUEST
        if all("." in topic and topic.partition(".")[0] in PUBLIC_FAMILIES for topic in topics)
        else 1
    )
    for start in range(0, len(topics), size):
        yield tuple(topics[start : start + size])


def _characters(topic: str) -> int:
    return len(topic) + 3  # two quotes and a comma
