"""What the layers above need of a transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from perpwire.http_message import HttpReply, HttpRequest


class TransportFailed(Exception):
    """An exchange or a connection failed.

    Attributes:
        may_have_been_sent: False only where it is certain that no byte of the request reached the peer.
    """

    def __init__(self, reason: str, *, may_have_been_sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_have_been_sent = may_have_been_sent


class HttpTransport(Protocol):
    """A pooled HTTP client."""

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        """Send the request as its bytes stand and return the whole answer.

        Raises:
            TransportFailed: No whole answer came.
        """
        ...

    async def close(self) -> None: ...


class Socket(Protocol):
    """One open WebSocket, the client's end."""

    def send(self, text: bytes) -> bool:
        """Send one text frame. False: the socket is closed, and surely nothing was sent."""
        ...

    def ping(self) -> None:
        """Send a WebSocket ping frame."""
        ...

    def close(self) -> None:
        """Close it; `on_closed` is called once, soon."""
        ...

    def abort(self) -> None:
        """Drop it at once, without a closing handshake."""
        ...


class SocketListener(Protocol):
    """What happens on a socket. Called from the read callback: must not block, must not raise."""

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        """Whole messages that were read together, in their order; at least one.

        Args:
            received_ns: When they were there to be read, Unix nanoseconds.
        """
        ...

    def on_pong(self) -> None: ...

    def on_closed(self, reason: str) -> None:
        """Called exactly once."""
        ...


class SocketTransport(Protocol):
    """Opens WebSockets."""

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        """
        Raises:
            TransportFailed: No connection; the reason carries the HTTP status where there was one.
        """
        ...

    async def close(self) -> None:
        """Drop what is still open."""
        ...


TransportFactory = Callable[[], tuple[HttpTransport, SocketTransport]]
