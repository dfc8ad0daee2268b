"""How one request travels, and how its answer finds it: by HTTP here, by the trading socket in trade_route.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from perpwire.credentials import Credentials
from perpwire.errors import NotOffered
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import HttpTransport
from perpwire.venues.base import Endpoint, Hosts, Params, Venue


class Route(Protocol):
    """It encodes and signs as the last thing before it writes."""

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """The signed bytes, ready to go.

        Raises:
            BadInput: They can't be written.
            NotSent: The route is closed.
        """
        ...

    def address(self, endpoint: Endpoint) -> str:
        """Where it leads to."""
        ...


class Prepared(Protocol):
    """One signed request."""

    @property
    def where(self) -> str:
        """Where it goes to, for errors."""
        ...

    def exchange(self, timeout_s: float, again: Callable[[], int]) -> Awaitable[HttpReply]:
        """Write it at once; what is given back is to be awaited for the answer.

        Args:
            again: Asked where it could not be written at once after all: gives the venue's time for a fresh signature,
                or raises NotSent.

        Raises:
            TransportFailed: No answer, or, right away, nothing could be written; also where it is awaited.
            NotSent: As `again` raised it.
        """
        ...

    def abandon(self) -> None:
        """Nobody waits for its answer any more."""
        ...


class SocketRoute(Route, Protocol):
    """A route over the venue's trading socket."""

    @property
    def is_live(self) -> bool:
        """Requests can be written now."""
        ...

    def open(self) -> None:
        """Begin to connect, if that was not begun; returns at once and never fails."""
        ...


class HttpRoute:
    """By HTTP to the hosts of one environment."""

    def __init__(self, venue: Venue, transport: HttpTransport, hosts: Hosts) -> None:
        self._venue = venue
        self._transport = transport
        self._hosts = hosts

    def address(self, endpoint: Endpoint) -> str:
        return self._hosts.base(endpoint) or self._hosts.rest

    def prepare(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int
    ) -> _HttpPrepared:
        base = self._hosts.base(endpoint)
        if base is None:
            raise NotOffered(
                f"the environment {self._hosts.env} has no such service",
                venue=self._venue.name, call=endpoint.name, code="NOT_IN_ENVIRONMENT",
            )  # fmt: skip
        request = self._venue.encode(endpoint, params, credentials, venue_ms)
        return _HttpPrepared(base, self._transport, self._venue, endpoint, params, credentials, request)


class _HttpPrepared(NamedTuple):
    where: str
    transport: HttpTransport
    venue: Venue
    endpoint: Endpoint
    params: Params
    credentials: Credentials | None
    request: HttpRequest

    def exchange(self, timeout_s: float, again: Callable[[], int]) -> Awaitable[HttpReply]:
        def renew() -> HttpRequest:
            return self.venue.encode(self.endpoint, self.params, self.credentials, again())

        signed = self.request
        request = HttpRequest(
            method=signed.method, target=signed.target, headers=signed.headers, body=signed.body, renew=renew
        )
        return self.transport.exchange(self.where, request, timeout_s)

    def abandon(self) -> None:
        """The transport has seen to it."""
