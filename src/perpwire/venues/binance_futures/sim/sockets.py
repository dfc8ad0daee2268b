"""The server's side of one stream socket: its address, its control messages, and what is sent on it."""

from __future__ import annotations

from collections import deque
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.errors import BadInput
from perpwire.simulator.dialect import Peer, SocketRefused
from perpwire.venues.binance_futures.sim.hub import StreamHub
from perpwire.venues.binance_futures.sim.users import UserStreams
from perpwire.venues.binance_futures.stream_names import MARKET, PRIVATE, PUBLIC, read_name

MAX_STREAMS = 1024
MESSAGES_PER_S = 10
LIFETIME_S = 24 * 3600.0

ATTEMPTS_WINDOW_S = 300

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What a socket's URL says.

    Attributes:
        route: None for the legacy addresses without one.
        is_combined: Messages come in an envelope that names their stream.
        names: Streams, or listen keys.
        keys: Listen keys of the query, each with the events that are wanted of it (None: all).
    """

    route: str | None
    is_combined: bool
    names: tuple[str, ...] = ()
    keys: tuple[tuple[str, frozenset[str] | None], ...] = ()


def read_address(path: str, query: str) -> Address:
    """
    Raises:
        SocketRefused: No stream socket is opened here.
    """
    parts = [unquote(part) for part in path.split("/") if part]
    route = parts.pop(0) if parts and parts[0] in (PUBLIC, MARKET, PRIVATE) else None
    if not parts or parts[0] not in ("ws", "stream") or (parts[0] == "stream" and len(parts) > 1):
        raise SocketRefused(404)
    names = parts[1:]
    keys: list[tuple[str, frozenset[str] | None]] = []
    for name, value in parse_qsl(query):
        if name == "streams":
            names += [one for one in value.split("/") if one]
        elif name == "listenKey":
            keys.append((value, None))
        elif name == "events" and keys:
            keys[-1] = (keys[-1][0], frozenset(value.split("/")))
    if len(names) + len(keys) > MAX_STREAMS:
        raise SocketRefused(400)
    return Address(route=route, is_combined=parts[0] == "stream", names=tuple(names), keys=tuple(keys))


CONNECTIONS_PER_5_MINUTES = 300
"""As on the venue's spot page: that of futures is silent."""


class ConnectionAttempts:
    """How often each client address has tried to open a socket within five minutes; 0 for no limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._attempts_ns: dict[str, deque[int]] = {}

    def admit(self, client: str, now_ns: int) -> None:
        """
        Raises:
            SocketRefused: Too often.
        """
        recent = self._attempts_ns.setdefault(client, deque())
        while recent and now_ns - recent[0] >= ATTEMPTS_WINDOW_S * 1_000_000_000:
            recent.popleft()
        if self._limit and len(recent) >= self._limit:
            raise SocketRefused(429, b'{"code":-1003,"msg":"Too many connection attempts."}')
        recent.append(now_ns)


class _Command(msgspec.Struct):
    """What a client says; judged field by field, as the venue does."""

    method: Any = msgspec.UNSET
    params: Any = msgspec.UNSET
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_command = msgspec.json.Decoder(_Command).decode


class _Invalid(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StreamSocket:
    """See dialect.ServerSession. Any name is acknowledged; those of another route stay silent."""

    def __init__(
        self,
        peer: Peer,
        address: Address,
        *,
        clock: Clock,
        hub: StreamHub,
        users: UserStreams,
        lenient_routes: bool,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        self._peer = peer
        self._route = address.route
        self.is_combined = address.is_combined
        self._clock = clock
        self._hub = hub
        self._users = users
        self._lenient = lenient_routes
        self._is_open = True
        self._names: dict[str, None] = {}
        self._url_keys = {key for key, _ in address.keys} | set(address.names)
        self._messages_ns: deque[int] = deque()
        self._lifetime: Timer = clock.call_later(lifetime_s, lambda: self._end(1001, "24 hours are over"))
        for name in address.names:
            self._subscribe(name)
        for key, events in address.keys:
            self._subscribe(key, events)

    # --- out ------------------------------------------------------------------------------------------------------

    def deliver(self, frame: bytes, name: str, account: str = "", event: str = "") -> None:
        """Send one frame of the stream `name`. A private one goes into the journal by its kind, not by its key."""
        if self._is_open:
            self._peer.send(frame, topic=event or name, account=account)

    def key_closed(self, key: str) -> None:
        """See UserListener."""
        self._names.pop(key, None)
        if not self._names and key in self._url_keys:
            self._end(1000, "")

    def _end(self, code: int, reason: str) -> None:
        if self._is_open:
            self.on_closed()
            self._peer.close(code, reason)

    # --- in -------------------------------------------------------------------------------------------------------

    def on_closed(self) -> None:
        """See dialect.ServerSession."""
        if not self._is_open:
            return
        self._is_open = False
        self._lifetime.cancel()
        for name in tuple(self._names):
            self._unsubscribe(name)

    def on_ping(self) -> None:
        """A client's ping or pong frame counts as a message."""
        if self._is_open and self._is_too_fast():
            self._end(1008, "Too many requests")

    on_pong = on_ping

    def on_text(self, text: bytes) -> None:
        """See dialect.ServerSession."""
        if not self._is_open:
            return
        if self._is_too_fast():
            self._end(1008, "Too many requests")
            return
        reply_id = b"null"
        try:
            command = _read_command(text)
            reply_id = _id_of(command)
            result = msgspec.json.encode(self._obey(command))
        except _Invalid as invalid:
            error = msgspec.json.encode({"code": invalid.code, "msg": invalid.message})
            self._peer.send(b'{"error":' + error + b',"id":' + reply_id + b"}")
            if invalid.code == 4:
                self._end(1008, "Invalid request")
            return
        self._peer.send(b'{"result":' + result + b',"id":' + reply_id + b"}")

    def _is_too_fast(self) -> bool:
        """More than ten messages within a second."""
        now_ns = self._clock.monotonic_ns()
        recent = self._messages_ns
        while recent and now_ns - recent[0] >= 1_000_000_000:
            recent.popleft()
        recent.append(now_ns)
        return len(recent) > MESSAGES_PER_S

    def _obey(self, command: _Command) -> Any:
        """The result of a command."""
        match command.method:
            case "SUBSCRIBE":
                names = _names(command.params)
                new = [name for name in dict.fromkeys(names) if name not in self._names]
                if len(self._names) + len(new) > MAX_STREAMS:
                    raise _Invalid(4, "Too many subscriptions")
                for name in new:
                    self._subscribe(name)
                return None
            case "UNSUBSCRIBE":
                for name in _names(command.params):
                    self._unsubscribe(name)
                return None
            case "LIST_SUBSCRIPTIONS":
                return list(self._names)
            case "SET_PROPERTY":
                value = _property(command.params, 2)[1]
                if not isinstance(value, bool):
                    raise _Invalid(1, "Invalid value type: expected Boolean")
                self.is_combined = value
                return None
            case "GET_PROPERTY":
                _property(command.params, 1)
                return self.is_combined
            case msgspec.UNSET:
                raise _Invalid(2, "Invalid request: missing field `method`")
            case other:
                expected = ", ".join(f"`{one}`" for one in _METHODS)
                raise _Invalid(2, f"Invalid request: unknown variant `{other}`, expected one of {expected}")

    # --- subscriptions --------------------------------------------------------------------------------------------

    def _subscribe(self, name: str, events: frozenset[str] | None = None) -> None:
        self._names[name] = None
        if self._lenient or self._route == PRIVATE:
            self._users.subscribe(name, self, events)
        if self._is_served(name):
            self._hub.subscribe(name, self)

    def _unsubscribe(self, name: str) -> None:
        self._names.pop(name, None)
        self._users.unsubscribe(name, self)
        self._hub.unsubscribe(name, self)

    def _is_served(self, name: str) -> bool:
        """Does this stream come on this socket's route? Without a route only the public ones do."""
        try:
            stream = read_name(name)
        except BadInput:
            return False
        # Sources differ on where the undocumented trade stream belongs: it comes on both.
        routes = (PUBLIC, MARKET) if stream.kind == "trade" else (stream.route,)
        return self._lenient or (self._route or PUBLIC) in routes


def _read_command(text: bytes) -> _Command:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Invalid(3, f"Invalid JSON: {error}") from None
    try:
        return _decode_command(text)
    except msgspec.ValidationError:
        raise _Invalid(2, "Invalid request: expected a JSON object") from None


def _id_of(command: _Command) -> bytes:
    """As JSON, to be given back as it came. Documented is an unsigned integer; clients send texts too."""
    content = b"" if isinstance(command.id, msgspec.UnsetType) else bytes(command.id).strip()
    if not (content.isdigit() or content.startswith(b'"') or content == b"null"):
        raise _Invalid(2, "Invalid request: request ID must be an unsigned integer")
    return content


def _names(params: Any) -> list[str]:
    if not isinstance(params, list) or not all(isinstance(one, str) for one in params):
        raise _Invalid(2, "Invalid request: params must be a list of stream names")
    return params


def _property(params: Any, count: int) -> list[Any]:
    """The parameters of a property's command: its name, and its value where there is one."""
    if not isinstance(params, list) or not params or not isinstance(params[0], str):
        raise _Invalid(2, "Invalid request: property name must be a string")
    if len(params) > count:
        raise _Invalid(2, "Invalid request: too many parameters")
    if params[0] != "combined":
        raise _Invalid(0, "Unknown property")
    if len(params) < count:
        raise _Invalid(1, "Invalid value type: expected Boolean")
    return params
