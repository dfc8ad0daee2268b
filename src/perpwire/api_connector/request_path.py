"""One call, from method to wire and back: budget, encode, sign, send, decode, and again where that is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.ledger import Moment, RateLedger
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.retry import RetryPolicy
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, ClockSkewed, Garbled, NotSent, OutcomeUnknown, RateLimited, UnknownOrder
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import ClockStepped, Incident, RateLimitHit
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.venues.base import Call, Endpoint, Params, Road, Venue

T = TypeVar("T")

READ_BACK_PAUSES_S = (0.1, 0.2, 0.4, 0.8)


class Route(Protocol):
    """How one request travels and its answer finds it. It encodes and signs as the last thing before it writes."""

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """The signed bytes, ready to go.

        Raises:
            BadInput: They can't be written.
        """
        ...


class Prepared(Protocol):
    """One signed request."""

    async def exchange(self, timeout_s: float) -> HttpReply:
        """Write it at once, and wait for the answer.

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


class HttpRoute:
    """By HTTP to one base URL."""

    def __init__(self, venue: Venue, transport: HttpTransport, base_url: str) -> None:
        self._venue = venue
        self._transport = transport
        self._base_url = base_url

    def prepare(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int
    ) -> _HttpPrepared:
        return _HttpPrepared(self, endpoint.name, self._venue.encode(endpoint, params, credentials, venue_ms))

    async def exchange(self, call: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        try:
            return await self._transport.exchange(self._base_url, request, timeout_s)
        except TransportFailed as failure:
            kind = OutcomeUnknown if failure.may_have_been_sent else NotSent
            raise kind(
                f"{self._base_url}: {failure.reason}", venue=self._venue.name, call=call, code="TRANSPORT"
            ) from failure


class _HttpPrepared(NamedTuple):
    route: HttpRoute
    call: str
    request: HttpRequest

    async def exchange(self, timeout_s: float) -> HttpReply:
        return await self.route.exchange(self.call, self.request, timeout_s)


class RequestPath:
    """Runs calls against one venue. Everything a call needs is here once; REST and sockets differ only in `route`."""

    def __init__(
        self,
        venue: Venue,
        http: Route,
        *,
        socket: SocketRoute | None = None,
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
        self._socket = socket
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
        self._measuring = asyncio.Lock()
        self._measured_ns = 0
        self.is_closed = False

    def close(self) -> None:
        """Nothing more is sent; what waits for its turn ends in NotSent."""
        self.is_closed = True

    async def run(self, call: Call[T], *, road: Road | None = None, deadline_ns: int | None = None) -> T:
        """The call's result; pages are joined, follow-up calls made.

        Args:
            road: By REST or the trading socket; None: as the connector is set.
            deadline_ns: Of our monotonic clock: what is not written by then never is.

        Raises:
            NotSent: Nothing left this machine, be it for the deadline.
            APIError: See errors.py.
        """
        if call.next_page is None:
            result, _ = await self._one(call, road, deadline_ns)
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

    async def _one(self, call: Call[T], road: Road | None, deadline_ns: int | None) -> tuple[T, Call[T] | None]:
        """The result of one call or page, and the call for the next page."""
        try:
            reply = await self._reply(call.endpoint, call.params, road, deadline_ns)
            if call.then is not None:
                return await self._read_back(call.endpoint, call.then(reply), deadline_ns), None
            result = call.translate(reply)
        except UnknownOrder:
            if call.otherwise is None:
                raise
            return await self._one(call.otherwise, road, deadline_ns)
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
        """Measure the venue's time anew; see ClockSync.measure for what is raised."""
        time_call = self._venue.server_time()

        async def ask_ms() -> int:
            return time_call.translate(await self._once(time_call.endpoint, time_call.params, self._http, None))

        await self._sync.measure(ask_ms)
        self._measured_ns = self._clock.monotonic_ns()

    def _route(self, endpoint: Endpoint, road: Road | None) -> Route:
        """The trading socket where it is wished, serves the call and is live; REST otherwise. Decided before each try,
        and only what surely never left is tried again."""
        if (
            self._socket is not None
            and endpoint.socket_op is not None
            and (self._road if road is None else road) is Road.WEBSOCKET
            and self._socket.is_live
        ):
            return self._socket
        return self._http

    async def _reply(self, endpoint: Endpoint, params: Params, road: Road | None, deadline_ns: int | None) -> Any:
        """The wire reply, tried as often as retry.py allows."""
        tried = 0
        doubtful = False
        while True:
            started_ns = self._clock.monotonic_ns()
            try:
                return await self._once(endpoint, params, self._route(endpoint, road), deadline_ns)
            except APIError as error:
                tried += 1
                error.after_doubt = doubtful
                self._learn_from(error, endpoint, params)
                pause_s = None if self.is_closed else self._retry.pause_s(error, endpoint, tried, self._rng)
                if pause_s is None:
                    raise
                doubtful = doubtful or isinstance(error, OutcomeUnknown | Garbled)
                if isinstance(error, ClockSkewed):
                    await self._resync(started_ns)
                await self._clock.sleep(pause_s)

    async def _once(self, endpoint: Endpoint, params: Params, route: Route, deadline_ns: int | None) -> Any:
        costs = endpoint.costs_of(params)
        while wait_s := self._ledger.wait_s(costs, endpoint.lane_of(params), self._now()):
            self._check_hold(endpoint, wait_s)
            self._check_deadline(endpoint, wait_s, deadline_ns)
            await self._clock.sleep(wait_s)
        if self.is_closed:
            raise NotSent("the connector was closed", venue=self._venue.name, call=endpoint.name, code="CLOSED")
        # Encoded and signed before it is spent: what can't be written costs nothing.
        request = route.prepare(endpoint, params, self._credentials, self._sync.venue_ms())
        sent = self._now()
        self._ledger.spend(costs, sent)
        started_ns = self._clock.monotonic_ns()
        failure: BaseException | None = None
        try:
            reply = await request.exchange(self._timeout_s)
            self._ledger.reported(self._venue.reported_usage(endpoint, reply.headers), sent, self._now())
            return self._venue.decode(endpoint, reply)
        except APIError as error:
            failure = error
            if self._credentials is not None:
                error.redact(self._credentials.redact)
            raise
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = (self._clock.monotonic_ns() - started_ns) / 1e9
            self._metrics.record_request(seconds, failure is None)
            self._metrics.record_call(endpoint.name, seconds, None if failure is None else type(failure).__name__)

    def _now(self) -> Moment:
        return Moment(self._sync.venue_s(), self._clock.monotonic_ns() / 1e9)

    def _check_hold(self, endpoint: Endpoint, wait_s: float) -> None:
        """A call that would be held back for longer than a window lasts is the caller's to decide on."""
        if wait_s > self._retry.longest_hold_s:
            raise RateLimited(
                f"the venue takes no such call for {wait_s:.0f} s",
                venue=self._venue.name,
                call=endpoint.name,
                code="HELD_BACK",
                retry_after_s=wait_s,
                advice="Nothing was sent. Wait retry_after_s.",
            )

    def _check_deadline(self, endpoint: Endpoint, wait_s: float, deadline_ns: int | None) -> None:
        if deadline_ns is not None and self._clock.monotonic_ns() + wait_s * 1e9 > deadline_ns:
            raise NotSent(
                f"it could not be sent by its deadline: there is no budget for {wait_s:.1f} s",
                venue=self._venue.name,
                call=endpoint.name,
                code="DEADLINE",
            )

    def _learn_from(self, error: APIError, endpoint: Endpoint, params: Params) -> None:
        if isinstance(error, RateLimited) and error.code != "HELD_BACK":
            if error.holds_all:
                self._ledger.stop(error.retry_after_s, self._now())
            else:
                self._ledger.stop_like(endpoint.costs_of(params), error.retry_after_s, self._now())
            self._on_incident(
                RateLimitHit(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail=f"{error.call} was refused: {error.reason}",
                    retry_after_s=error.retry_after_s,
                )
            )

    async def _resync(self, refused_ns: int) -> None:
        """Measure the clock, once for all calls that were refused for it at about the same time."""
        async with self._measuring:
            if self._measured_ns > refused_ns:
                return
            await self.measure_clock()
        self._on_incident(
            ClockStepped(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                detail="the venue refused our time stamp; its time was measured again",
                offset_ms=self._sync.offset_ms,
            )
        )
