"""One call, from method to wire and back: budget, encode, sign, send, decode, and again where that is safe."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from perpwire.api_connector.admission import Admission
from perpwire.api_connector.clock_sync import ClockKeeper, ClockSync, Sample
from perpwire.api_connector.doors import at_door
from perpwire.api_connector.ledger import RateLedger, Receipt
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.retry import RetryPolicy, is_safe
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    ClockSkewed,
    Garbled,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    UnknownOrder,
)
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import ClockStepped, Incident, RateLimitHit, UnknownCode
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.venues.base import Call, Costs, Endpoint, Hosts, Lane, Params, Road, Venue

T = TypeVar("T")

BeforeSend = Callable[[int], None]
"""Called right before each try of a call is signed and written, with the venue's time (Unix ms). What it raises ends
the try with nothing sent."""

LONGEST_STOP_S = 3 * 86400.0
"""No venue bans for longer; what says so is mistaken."""

FIRST_TIME_MS, LAST_TIME_MS = 1_500_000_000_000, 5_000_000_000_000
"""A venue's time before 2017 or after 2128 is none: it must not move the clock."""

READ_BACK_PAUSES_S = (0.1, 0.2, 0.4, 0.8)


class Route(Protocol):
    """How one request travels and its answer finds it. It encodes and signs as the last thing before it writes."""

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """The signed bytes, ready to go.

        Raises:
            BadInput: They can't be written.
        """
        ...

    def address(self, endpoint: Endpoint) -> str:
        """Where it leads to."""
        ...


class Prepared(Protocol):
    """One signed request."""

    async def exchange(self, timeout_s: float, again: Callable[[], int]) -> HttpReply:
        """Write it at once, and wait for the answer.

        Args:
            again: Asked where it could not be written at once after all: gives the venue's time for a fresh signature,
                or raises NotSent.

        Raises:
            NotSent, OutcomeUnknown: No answer.
        """
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
        return _HttpPrepared(self._venue, self._transport, base, endpoint, params, credentials, request)


class _HttpPrepared(NamedTuple):
    venue: Venue
    transport: HttpTransport
    base_url: str
    endpoint: Endpoint
    params: Params
    credentials: Credentials | None
    request: HttpRequest

    async def exchange(self, timeout_s: float, again: Callable[[], int]) -> HttpReply:
        def renew() -> HttpRequest:
            return self.venue.encode(self.endpoint, self.params, self.credentials, again())

        signed = self.request
        request = HttpRequest(
            method=signed.method, target=signed.target, headers=signed.headers, body=signed.body, renew=renew
        )
        try:
            return await self.transport.exchange(self.base_url, request, timeout_s)
        except TransportFailed as failure:
            kind = OutcomeUnknown if failure.may_have_been_sent else NotSent
            raise kind(
                f"{self.base_url}: {failure.reason}", venue=self.venue.name, call=self.endpoint.name, code="TRANSPORT"
            ) from failure


class RequestPath:
    """Runs calls against one venue. Everything a call needs is here once; REST and sockets differ only in `route`."""

    def __init__(
        self,
        venue: Venue,
        http: Route,
        *,
        hosts: Hosts,
        road: Road = Road.REST,
        timeout_s: float = 10.0,
        credentials: Credentials | None,
        clock: Clock,
        clock_sync: ClockSync,
        ledger: RateLedger,
        metrics: APIMetrics,
        retry: RetryPolicy,
        rng: random.Random,
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
        self._sync = clock_sync
        self._ledger = ledger
        self._metrics = metrics
        self._retry = retry
        self._rng = rng
        self._on_incident = on_incident
        self.admission = Admission(ledger, clock, longest_hold_s=retry.longest_hold_s, venue=venue.name)
        self._clock_keeper = ClockKeeper(clock_sync, clock, self._ask_time)
        self.is_closed = False

    async def start(self) -> None:
        """Measure the venue's clock, and keep it measured.

        Raises:
            APIError: The venue can't be asked.
        """
        await self._clock_keeper.measure()
        self._clock_keeper.start()

    async def close(self) -> None:
        """Nothing more is sent; what waits for its turn ends in NotSent."""
        self.is_closed = True
        self.admission.close()
        await self._clock_keeper.close()

    async def run(
        self,
        call: Call[T],
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
        before_send: BeforeSend | None = None,
    ) -> T:
        """The call's result; pages are joined, follow-up calls made.

        Args:
            road: By REST or the trading socket; None: as the connector is set.
            deadline_ns: Of our monotonic clock: what is not written by then never is.
            before_send: For the journal; of calls without pages, and not for their follow-up calls.

        Raises:
            NotSent: Nothing left this machine, be it for the deadline.
            APIError: See errors.py.
        """
        if call.next_page is None:
            result, _ = await self._one(call, road, deadline_ns, before_send)
            return result
        rows: list[Any] = []
        async for page in self._pages(cast(Call[tuple[Any, ...]], call), road, deadline_ns):
            rows += page
        # Only calls that give tuples have pages.
        return cast(T, tuple(rows))

    async def pages(self, call: Call[tuple[T, ...]]) -> AsyncIterator[tuple[T, ...]]:
        """The call's pages one by one, each asked for when the one before has been taken; no row comes twice.

        Raises:
            APIError: A page could not be had; the pages before it stand.
        """
        async for page in self._pages(call, None, None):
            yield page

    async def _pages(
        self, call: Call[tuple[Any, ...]], road: Road | None, deadline_ns: int | None
    ) -> AsyncIterator[tuple[Any, ...]]:
        seen: set[Hashable] = set()
        following: Call[tuple[Any, ...]] | None = call
        while following is not None:
            key = following.row_key
            page, following = await self._one(following, road, deadline_ns)
            if key is not None:
                fresh = []
                for row in page:
                    of_row = key(row)
                    if of_row not in seen:
                        seen.add(of_row)
                        fresh.append(row)
                page = tuple(fresh)
            yield page

    async def _one(
        self, call: Call[T], road: Road | None, deadline_ns: int | None, before_send: BeforeSend | None = None
    ) -> tuple[T, Call[T] | None]:
        """The result of one call or page, and the call for the next page."""
        try:
            reply = await self._reply(call.endpoint, call.params, road, deadline_ns, before_send)
            if call.then is not None:
                return await self._read_back(call.endpoint, call.then(reply), deadline_ns), None
            result = call.translate(reply)
        except UnknownOrder as unknown:
            if call.otherwise is None:
                raise
            try:
                return await self._one(call.otherwise, road, deadline_ns)
            except UnknownOrder as last:
                last.after_doubt = last.after_doubt or unknown.after_doubt
                raise
        if call.follow is not None and (further := call.follow(result)) is not None:
            return await self._one(further, road, deadline_ns)
        return result, (call.next_page(reply) if call.next_page is not None else None)

    async def _read_back(self, done: Endpoint, following: Call[T], deadline_ns: int | None) -> T:
        """The order after an acknowledged amend or cancel. The venue's lists lag behind its acknowledgements, so
        "unknown" is asked again for a while; it must not look as if the order had never been."""
        for pause_s in READ_BACK_PAUSES_S:
            try:
                return await self.run(following)
            except UnknownOrder:
                await self._clock.sleep(pause_s)
            except APIError:
                break
        try:
            return await self.run(following)
        except APIError as error:
            raise OutcomeUnknown(
                f"{done.name} was acknowledged, but the order can't be read back ({error.reason})",
                venue=self._venue.name,
                call=done.name,
                code=error.code,
                advice="The venue took the request. Read the order again, or watch the order stream.",
            ) from error

    async def measure_clock(self) -> None:
        """Measure the venue's time anew.

        Raises:
            APIError: The venue can't be asked.
        """
        await self._clock_keeper.measure()

    async def _ask_time(self) -> Sample:
        call = self._venue.server_time()
        attempt = _Try()
        venue_ms = call.translate(await self._once(call.endpoint, call.params, Road.REST, None, attempt))
        if not _is_time(venue_ms):
            raise Garbled(f"{venue_ms} is no time of these days", venue=self._venue.name, call=call.endpoint.name)
        return Sample(attempt.sent_ns, attempt.received_ns, venue_ms)

    async def pay(self, name: str, costs: Costs) -> None:
        """Wait until there is budget for what is no call, such as opening a socket, and spend it."""
        receipt = self.admission.admit_now(costs, Lane.ACCOUNT)
        if receipt is None:
            receipt = await self.admission.admit(name, costs, Lane.ACCOUNT)
        self.admission.settle(receipt)

    def _route(self, endpoint: Endpoint, road: Road | None) -> Route:
        """The trading socket where it is wished, serves the call and is live; REST otherwise. Decided when a request is
        about to be signed, for each try anew; and only what surely never left is tried again. What it may use depends
        on it, so that it is looked at before the budget, too."""
        socket = self.socket
        if (
            socket is not None
            and endpoint.socket_op is not None
            and (self._road if road is None else road) is Road.WEBSOCKET
        ):
            if socket.is_live:
                return socket
            socket.open()
        return self._http

    async def _reply(
        self,
        endpoint: Endpoint,
        params: Params,
        road: Road | None,
        deadline_ns: int | None,
        before_send: BeforeSend | None,
    ) -> Any:
        """The wire reply, tried as often as retry.py allows."""
        tried = 0
        doubtful = False
        began_ns = self._clock.monotonic_ns()
        while True:
            attempt = _Try()
            try:
                return await self._once(endpoint, params, road, deadline_ns, attempt, before_send)
            except APIError as error:
                tried += 1
                error.after_doubt = doubtful
                error.attempts = tried
                error.elapsed_ms = (self._clock.monotonic_ns() - began_ns) / 1e6
                error.safe_to_retry = is_safe(error, endpoint)
                if attempt.reply is not None:
                    error.http_status = attempt.reply.status
                    error.request_id = attempt.reply.headers.get(self._venue.request_id_header, "")
                lane = endpoint.lane_of(params)
                pause_s = None if self.is_closed else self._retry.pause_s(error, endpoint, tried, self._rng, lane)
                if pause_s is None:
                    raise
                if deadline_ns is not None and self._clock.monotonic_ns() + pause_s * 1e9 >= deadline_ns:
                    raise
                doubtful = doubtful or isinstance(error, OutcomeUnknown | Garbled)
                if isinstance(error, ClockSkewed) and not await self._resync(error, attempt.sent_ns):
                    raise  # what was refused stays refused, whatever became of the question of the time
                await self._clock.sleep(pause_s)

    async def _once(
        self,
        endpoint: Endpoint,
        params: Params,
        road: Road | None,
        deadline_ns: int | None,
        attempt: _Try,
        before_send: BeforeSend | None = None,
    ) -> Any:
        lane = endpoint.lane_of(params)
        while True:
            costs = endpoint.costs_of(params)
            route = self._route(endpoint, road)
            if route is not self._http:
                costs = self._ledger.on_socket(costs)
            receipt: Receipt | None = None
            if deadline_ns is None or self._clock.monotonic_ns() < deadline_ns:
                receipt = self.admission.admit_now(costs, lane)
            if receipt is None:
                receipt = await self.admission.admit(endpoint.name, costs, lane, deadline_ns)
                if self._route(endpoint, road) is not route:  # the socket came or went while it waited
                    self.admission.refund(receipt)
                    continue
            break

        def sending() -> int:
            """The venue's time, for the signature of what is written next."""
            venue_ms = self._sync.venue_ms()
            if before_send is not None:
                before_send(venue_ms)
                venue_ms = self._sync.venue_ms()
            attempt.sent_ns = self._clock.monotonic_ns()
            return venue_ms

        def sending_late() -> int:
            if self.is_closed:
                raise NotSent("the connector was closed", venue=self._venue.name, call=endpoint.name, code="CLOSED")
            if deadline_ns is not None and self._clock.monotonic_ns() >= deadline_ns:
                raise NotSent(
                    "there was no connection by its deadline",
                    venue=self._venue.name,
                    call=endpoint.name,
                    code="DEADLINE",
                )
            return sending()

        try:
            # From here to the first write nothing waits: the time stamp is as fresh as it can be.
            request = route.prepare(endpoint, params, self._credentials, sending())
        except BaseException:
            self.admission.refund(receipt)  # what can't be written costs nothing
            raise
        failure: BaseException | None = None
        try:
            reply = await request.exchange(self._timeout_s, sending_late)
            attempt.received_ns = self._clock.monotonic_ns()
            attempt.reply = reply
            self._heed(endpoint, reply, receipt)
            decoded = self._venue.decode(endpoint, reply)
            self._ledger.reported_limits(self._venue.stated_limits(decoded))
            return decoded
        except APIError as error:
            failure = error
            if self._credentials is not None:
                error.redact(self._credentials.redact)
            if isinstance(error, AuthenticationFailed):
                at_door(error, self._hosts, route.address(endpoint))
            if isinstance(error, RateLimited):
                self._stop(error, costs)
            if not error.is_listed:
                self._tell_unlisted(error)
            raise
        except BaseException as error:
            failure = error
            raise
        finally:
            if isinstance(failure, NotSent):
                self.admission.refund(receipt)
            else:
                self.admission.settle(receipt)
            seconds = (self._clock.monotonic_ns() - attempt.sent_ns) / 1e9
            self._metrics.record_request(seconds, failure is None)
            self._metrics.record_call(endpoint.name, seconds, None if failure is None else type(failure).__name__)

    def _heed(self, endpoint: Endpoint, reply: HttpReply, receipt: Receipt) -> None:
        """Correct the ledger by what the reply's headers say."""
        now_ns = self._clock.monotonic_ns()
        self._ledger.reported_limits(self._venue.reported_limits(endpoint, reply.headers))
        self._ledger.reported(self._venue.reported_usage(endpoint, reply.headers), receipt, now_ns)

    def _stop(self, error: RateLimited, costs: Costs) -> None:
        """Hold calls back for as long as the venue said, those that are queued already too."""
        now_ns = self._clock.monotonic_ns()
        if error.until_ms is not None:
            # A socket's answer bears no date: what is left of a ban that is told by its end, our own clock says.
            left_s = min((error.until_ms - self._sync.venue_ms()) / 1000, LONGEST_STOP_S)
            error.retry_after_s = max(error.retry_after_s, left_s)
        until_ms = error.until_ms or self._sync.venue_ms() + round(error.retry_after_s * 1000)
        is_news = self._ledger.stop(
            error.holds, now_ns + round(error.retry_after_s * 1e9), now_ns, costs=costs, venue_until_ms=until_ms
        )
        self.admission.changed()
        if is_news:
            self._on_incident(
                RateLimitHit(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail=f"{error.call} was refused: {error.reason}",
                    retry_after_s=error.retry_after_s,
                )
            )

    def _tell_unlisted(self, error: APIError) -> None:
        code = error.code if error.code is not None else ""
        self._metrics.record_unknown_code(code)
        self._on_incident(
            UnknownCode(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                detail=f"{error.call} was answered with a code that is not in our table: {error.reason}",
                call=error.call,
                code=code,
            )
        )

    async def _resync(self, refusal: ClockSkewed, sent_ns: int) -> bool:
        """Set the clock right, once for all calls that were refused for it at about the same time. False: the venue's
        time could not be had."""
        stated_ms = self._venue.server_clock_ms(refusal)
        stated = None
        if stated_ms is not None and _is_time(stated_ms):
            stated = Sample(sent_ns, self._clock.monotonic_ns(), stated_ms)
        try:
            is_measured = await self._clock_keeper.resync(sent_ns, stated)
        except APIError:
            return False
        if is_measured:
            self._on_incident(
                ClockStepped(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail="the venue refused our time stamp; its time was measured again",
                    offset_ms=self._sync.offset_ms,
                )
            )
        return True


def _is_time(venue_ms: int) -> bool:
    return FIRST_TIME_MS < venue_ms < LAST_TIME_MS


class _Try:
    """One try of a call: when its request was sent, and its answer."""

    __slots__ = ("received_ns", "reply", "sent_ns")

    def __init__(self) -> None:
        self.sent_ns = self.received_ns = 0
        self.reply: HttpReply | None = None
