"""One stream's conversation: log in, subscribe, acknowledgements, ping. Frames in, frames out.

Source: docs/v5/ws/connect, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import StreamRefused
from perpwire.venues.base import Control, Session
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.streams import PRIVATE, StreamDecoder
from perpwire.venues.bybit.wire_control import Command, ControlReply

LOGIN_VALID_MS = 10_000
"""How far in the future a login's expiry lies: enough for a slow link."""

ARGS_CHARACTERS = 21_000
"""Most characters that the arguments of one public connection's subscriptions may have."""

ALREADY = "already subscribed"
ALREADY_LOGGED_IN = 20001

PING = b'{"op":"ping"}'

_read = msgspec.json.Decoder(ControlReply).decode


class BybitSession(StreamDecoder, Session):
    """See Session. Each topic is subscribed by a request of its own: an acknowledgement names no topic, only the
    request, and one bad topic would make a whole request fail."""

    def __init__(self, route: str) -> None:
        super().__init__()
        self.needs_login = route == PRIVATE
        self._numbers = count(1)
        self._asked: dict[str, tuple[str, str]] = {}
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
        return [self._command("subscribe", topic) for topic in topics]

    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]:
        self._args_characters -= sum(map(_characters, topics))
        return [self._command("unsubscribe", topic) for topic in topics]

    def _command(self, op: str, topic: str) -> bytes:
        number = str(next(self._numbers))
        self._asked[number] = (op, topic)
        return msgspec.json.encode(Command(op=op, args=[topic], req_id=number))

    def ping(self) -> bytes | None:
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
        asked = self._asked.pop(str(reply.req_id), None)
        topics = () if asked is None else (asked[1],)
        if reply.op == "subscribe":
            if succeeded or ALREADY in text:
                return Control("subscribed", topics, text)
            return Control("refused", topics, text)
        if reply.op == "unsubscribe":
            return Control("unsubscribed", topics, text)
        return Control("other", topics, text)


def _characters(topic: str) -> int:
    return len(topic) + 3  # two quotes and a comma
