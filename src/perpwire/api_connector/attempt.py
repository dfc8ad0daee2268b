"""One try of a call: let through, signed, written, answered, decoded; and what the answer says of limits and times.

Nothing is repeated here: whether it may be, and when, request_path.py knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.api_connector.admission import Admission
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.doors import at_door
from perpwire.api_connector.ledger import RateLedger, Receipt
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.routes import Route, SocketRoute
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, NotSent, OutcomeUnknown, RateLimited
from perpwire.http_message import HttpReply
from perpwire.model.incident import Incident, RateLimitHit, UnknownCode
from perpwire.transport.base import TransportFailed
from perpwire.venues.base import Costs, Endpoint, Hosts, Lane, Params, Road, Venue

_WEBSOCKET = Road.WEBSOCKET

LONGEST_STOP_S = 3 * 86400.0
"""No venue bans for longer; what says so is mistaken."""

BeforeSend = Callable[[int], None]
"""Called right before each try of a call is signed and written, with the venue's time (Unix ms). What it raises ends
the try with nothing sent."""


class Attempt:
    """What is to be sent, and what came of it.

    Attributes:
        road: By REST or the trading socket; None: as the connector is set.
        deadline_ns: Of our monotonic clock: what is not written by then never is.
        sent_ns, received_ns: When it was signed, and answered; monotonic.
        reply: The answer, where there was one.
    """

    __slots__ = (
        "before_send", "costs", "deadline_ns", "endpoint", "lane", "params", "receipt", "received_ns", "reply", "road",
        "route", "sender", "sent_ns",
    )  # fmt: skip
    costs: Costs
    lane: Lane
    route: Route
    receipt: Receipt | None

    def __init__(
        self,
        sender: Sender,
        endpoint: Endpoint,
        params: Params,
        road: Road | None = None,
        deadline_ns: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> None:
        self.sender = sender
        self.endpoint = endpoint
        self.params = params
        self.road = road
        self.deadline_ns = deadline_ns
        self.before_send = before_send
        self.sent_ns = self.received_ns = 0
        self.reply: HttpReply | None = None

    def stamp(self) -> int:
        """The venue's time, for the signature of what is written next."""
        sender = self.sender
        venue_ms = sender.venue_ms()
        if self.before_send is not None:
            self.before_send(venue_ms)
            venue_ms = sender.venue_ms()
        self.sent_ns = sender.monotonic_ns()
        return venue_ms

    def stamp_again(self) -> int:
        """The same, where it had to wait for a connection.

        Raises:
            NotSent: It may not be sent any more.
        """
        sender = self.sender
        if sender.is_closed:
            raise sender.not_sent(self.endpoint, "CLOSED", "the connector was closed")
        if self.deadline_ns is not None and sender.monotonic_ns() >= self.deadline_ns:
            raise sender.not_sent(self.endpoint, "DEADLINE", "there was no connection by its deadline")
        return self.stamp()


class Sender:
    """Sends what is to be sent, once. REST and the trading socket differ only in `route`."""

    def __init__(
        self,
        venue: Venue,
        http: Route,
        *,
        hosts: Hosts,
        road: Road,
        timeout_s: float,
        longest_hold_s: float,
        credentials: Credentials | None,
        clock: Clock,
        clock_sync: ClockSync,
        ledger: RateLedger,
        metrics: APIMetrics,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._http = http
        self._hosts = hosts
        self.socket: SocketRoute | None = None
        """The trading socket, where the venue has one."""
        self._road = road
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._clock = clock
        self.monotonic_ns = clock.monotonic_ns
        self.venue_ms = clock_sync.venue_ms
        self._ledger = ledger
        self._metrics = metrics
        self._on_incident = on_incident
        self.admission = Admission(ledger, clock, longest_hold_s=longest_hold_s, venue=venue.name)
        self.is_closed = False

    def close(self) -> None:
        """Nothing more is sent; what waits for its turn ends in NotSent."""
        self.is_closed = True
        self.admission.close()

    def not_sent(self, endpoint: Endpoint, code: str, reason: str) -> NotSent:
        return NotSent(reason, venue=self._venue.name, call=endpoint.name, code=code)

    async def send(self, attempt: Attempt) -> Any:
        """The wire reply.

        Raises:
            APIError: See errors.py.
        """
        if not self._admitted_now(attempt):
            await self._admitted(attempt)
        endpoint = attempt.endpoint
        try:
            # From here to the first write nothing waits: the time stamp is as fresh as it can be.
            request = attempt.route.prepare(endpoint, attempt.params, self._credentials, attempt.stamp())
        except BaseException:
            self._refund(attempt)  # what can't be written costs nothing
            raise
        try:
            reply = await request.exchange(self._timeout_s, attempt.stamp_again)
            decoded = self._read(attempt, reply)
        except BaseException as error:
            request.abandon()
            failure: BaseException = error
            if isinstance(error, TransportFailed):
                failure = self._lost(endpoint, request.where, error)
            if isinstance(failure, APIError):
                self._look_at(failure, attempt)
            self._settle(attempt, failure)
            if failure is error:
                raise
            raise failure from error
        self._settle(attempt, None)
        return decoded

    # --- its turn ---------------------------------------------------------------------------------------------------

    def _route(self, endpoint: Endpoint, road: Road | None) -> Route:
        """The trading socket where it is wished, serves the call and is live; REST otherwise. Decided when a request is
        about to be signed, for each try anew; and only what surely never left is tried again. What it may use depends
        on it, so that it is looked at before the budget, too."""
        socket = self.socket
        if (
            socket is not None
            and endpoint.socket_op is not None
            and (self._road if road is None else road) is _WEBSOCKET
        ):
            if socket.is_live:
                return socket
            socket.open()
        return self._http

    def _admitted_now(self, attempt: Attempt) -> bool:
        """The way of nearly every call: it may go at once. False: it has to wait for its turn."""
        endpoint, params = attempt.endpoint, attempt.params
        attempt.lane = lane = endpoint.lane_of(params)
        attempt.route = route = self._route(endpoint, attempt.road)
        costs = endpoint.costs_of(params)
        attempt.costs = costs if route is self._http else self._ledger.on_socket(costs)
        deadline_ns = attempt.deadline_ns
        if deadline_ns is not None and self.monotonic_ns() >= deadline_ns:
            return False
        attempt.receipt = self.admission.admit_now(attempt.costs, lane)
        return attempt.receipt is not None

    async def _admitted(self, attempt: Attempt) -> None:
        """Wait until it may go.

        Raises:
            NotSent, RateLimited: See Admission.admit.
        """
        while True:
            attempt.receipt = await self.admission.admit(
                attempt.endpoint.name, attempt.costs, attempt.lane, attempt.deadline_ns
            )
            if self._route(attempt.endpoint, attempt.road) is attempt.route:
                return
            self._refund(attempt)  # the socket came or went while it waited
            if self._admitted_now(attempt):
                return

    def _refund(self, attempt: Attempt) -> None:
        assert attempt.receipt is not None
        self.admission.refund(attempt.receipt)

    def _settle(self, attempt: Attempt, failure: BaseException | None) -> None:
        """It is over: what it used is booked, and how long it took."""
        assert attempt.receipt is not None
        if isinstance(failure, NotSent):
            self.admission.refund(attempt.receipt)
        else:
            self.admission.settle(attempt.receipt)
        seconds = (self.monotonic_ns() - attempt.sent_ns) / 1e9
        self._metrics.record_sent(attempt.endpoint.name, seconds, None if failure is None else type(failure).__name__)

    # --- its answer -------------------------------------------------------------------------------------------------

    def _read(self, attempt: Attempt, reply: HttpReply) -> Any:
        """Decode the answer, and correct the ledger by what it says.

        Raises:
            APIError: It is a refusal, or can't be read.
        """
        venue, endpoint, ledger = self._venue, attempt.endpoint, self._ledger
        attempt.received_ns = now_ns = self.monotonic_ns()
        attempt.reply = reply
        assert attempt.receipt is not None
        used = reply.usage
        if used is None:
            ledger.reported_limits(venue.reported_limits(endpoint, reply.headers))
            used = venue.reported_usage(endpoint, reply.headers)
        ledger.reported(used, attempt.receipt, now_ns)
        decoded = venue.decode(endpoint, reply)
        ledger.reported_limits(venue.stated_limits(decoded))
        return decoded

    def _lost(self, endpoint: Endpoint, where: str, failure: TransportFailed) -> APIError:
        kind = OutcomeUnknown if failure.may_have_been_sent else NotSent
        return kind(f"{where}: {failure.reason}", venue=self._venue.name, call=endpoint.name, code="TRANSPORT")

    def _look_at(self, error: APIError, attempt: Attempt) -> None:
        """What a failure says to all calls, and to the user."""
        if self._credentials is not None:
            error.redact(self._credentials.redact)
        if isinstance(error, AuthenticationFailed):
            at_door(error, self._hosts, attempt.route.address(attempt.endpoint))
        if isinstance(error, RateLimited):
            self._stop(error, attempt.costs)
        if not error.is_listed:
            self._tell_unlisted(error)

    def _stop(self, error: RateLimited, costs: Costs) -> None:
        """Hold calls back for as long as the venue said, those that are queued already too."""
        now_ns = self.monotonic_ns()
        if error.until_ms is not None:
            # A socket's answer bears no date: what is left of a ban that is told by its end, our own clock says.
            left_s = min((error.until_ms - self.venue_ms()) / 1000, LONGEST_STOP_S)
            error.retry_after_s = max(error.retry_after_s, left_s)
        until_ms = error.until_ms or self.venue_ms() + round(error.retry_after_s * 1000)
        is_news = self._ledger.stop(
            error.holds, now_ns + round(error.retry_after_s * 1e9), now_ns, costs=costs, venue_until_ms=until_ms
        )
        self.admission.changed()
        if is_news:
            self._on_incident(
                RateLimitHit(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    why=error.reason,
                    retry_after_s=error.retry_after_s,
                    call=error.call,
                )
            )

    def _tell_unlisted(self, error: APIError) -> None:
        code = error.code if error.code is not None else ""
        self._metrics.record_unknown_code(code)
        self._on_incident(
            UnknownCode(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=error.reason,
                call=error.call,
                code=code,
            )
        )
