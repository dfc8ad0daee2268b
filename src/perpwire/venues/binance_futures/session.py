"""One stream socket's conversation: subscriptions out, replies and events in.

Source: usds-margined-futures/websocket-market-streams/Live-Subscribing-Unsubscribing-to-streams, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perpwire.credentials import Credentials
from perpwire.venues.base import Control, ControlKind, Session
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.streams import FrameDecoder

NAMES_PER_FRAME = 200

_decode_reply = msgspec.json.Decoder(wire_streams.ControlReply).decode
_decode_event_name = msgspec.json.Decoder(wire_streams.EventName).decode
_decode_envelope = msgspec.json.Decoder(wire_streams.Envelope).decode


class BinanceSession(FrameDecoder, Session):
    """Neither login nor text pings: a listen key stands in the private socket's address, and WebSocket ping frames
    are used. The venue acknowledges any name, also one that it will never serve on this route."""

    def __init__(self) -> None:
        super().__init__()
        self._last_id = 0
        # Frames that wait for their reply: id -> what it was and which topics it was for.
        self._asked: dict[int, tuple[ControlKind, tuple[str, ...]]] = {}

    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        return None

    def subscribe(self, topics: Sequence[str]) -> list[bytes]:
        return self._ask("SUBSCRIBE", "subscribed", topics)

    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]:
        return self._ask("UNSUBSCRIBE", "unsubscribed", topics)

    def _ask(self, method: str, kind: ControlKind, topics: Sequence[str]) -> list[bytes]:
        frames = []
        for start in range(0, len(topics), NAMES_PER_FRAME):
            names = tuple(topics[start : start + NAMES_PER_FRAME])
            self._last_id += 1
            self._asked[self._last_id] = (kind, names)
            frames.append(msgspec.json.encode({"method": method, "params": names, "id": self._last_id}))
        return frames

    def ping(self) -> bytes | None:
        return None

    def question(self) -> bytes:
        self._last_id += 1
        self._asked[self._last_id] = ("pong", ())
        return msgspec.json.encode({"method": "LIST_SUBSCRIPTIONS", "id": self._last_id})

    def on_control(self, frame: bytes) -> Control:
        payload = frame
        try:
            payload = bytes(_decode_envelope(frame).data)
        except msgspec.ValidationError:
            pass  # bare
        match _decode_event_name(payload).event:
            case "listenKeyExpired":
                return Control("token_expired", (), "the listen key has run out")
            case "serverShutdown":
                return Control("closing", (), "the venue is about to restart this service")
        reply = _decode_reply(payload)
        error = reply.error
        if isinstance(reply.code, int) and isinstance(error, msgspec.UnsetType):
            error = wire_streams.ControlError(reply.code, reply.msg if isinstance(reply.msg, str) else "")
        kind, topics = self._answered(reply.id, failed=isinstance(error, wire_streams.ControlError))
        if kind == "pong":
            return Control(kind)  # an answer it is, also one that says no
        if isinstance(error, wire_streams.ControlError):
            return Control("refused", topics, f"{error.msg} [{error.code}]")
        return Control(kind, topics)

    def _answered(self, reply_id: object, *, failed: bool) -> tuple[ControlKind, tuple[str, ...]]:
        """What a reply answers. An error without an id answers the oldest question: replies come in order."""
        if isinstance(reply_id, int) and reply_id in self._asked:
            return self._asked.pop(reply_id)
        if failed and self._asked:
            return self._asked.pop(next(iter(self._asked)))
        return "other", ()


class BinancePrivateSession(BinanceSession):
    """The account's events. What a trigger has made comes as the ordinary order that it is for the venue: whose it is
    knows the connector (data_processor/order_tracker.py)."""

    def topic_of(self, frame: bytes) -> str:
        return ""  # named by its listen key
