"""One call, from method to result: tried as often as is safe, page after page, with the calls that follow from it.

Each try is attempt.py's: budget, sign, send, decode.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, TypeVar, cast

from perpwire.api_connector.attempt import Attempt, BeforeSend, Sender
from perpwire.api_connector.clock_sync import ClockKeeper, ClockSync, Sample
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.ledger import RateLedger
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.retry import RetryPolicy, is_safe
from perpwire.api_connector.routes import Route, SocketRoute
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, ClockSkewed, Garbled, OutcomeUnknown, UnknownOrder
from perpwire.model.incident import ClockStepped, Incident
from perpwire.venues.base import Call, Costs, Endpoint, Hosts, Lane, Params, Road, Venue

T = TypeVar("T")

FIRST_TIME_MS, LAST_TIME_MS = 1_500_000_000_000, 5_000_000_000_000
"""A venue's time before 2017 or after 2128 is none: it must not move the clock."""

READ_BACK_PAUSES_S = (0.1, 0.2, 0.4, 0.8)


class RequestPath:
    """Runs calls against one venue."""

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
        self._clock = clock
        self._sync = clock_sync
        self._retry = retry
        self._rng = rng
        self._on_incident = on_incident
        self._sender = Sender(
            venue,
            http,
            hosts=hosts,
            road=road,
            timeout_s=timeout_s,
            longest_hold_s=retry.longest_hold_s,
            credentials=credentials,
            clock=clock,
            clock_sync=clock_sync,
            ledger=ledger,
            metrics=metrics,
            on_incident=on_incident,
        )
        self.admission = self._sender.admission
        self._clock_keeper = ClockKeeper(
            clock_sync, clock, self._ask_time,
            lambda work: kept_up(work, "the keeping of the venue's time", venue.name, clock, on_incident),
        )  # fmt: skip

    def use_socket(self, socket: SocketRoute | None) -> None:
        """The trading socket, where the venue has one."""
        self._sender.socket = socket

    @property
    def is_closed(self) -> bool:
        return self._sender.is_closed

    async def start(self) -> None:
        """Measure the venue's clock, and keep it measured.

        Raises:
            APIError: The venue can't be asked.
        """
        await self._clock_keeper.measure()
        self._clock_keeper.start()

    async def close(self) -> None:
        """Nothing more is sent; what waits for its turn ends in NotSent."""
        self._sender.close()
        await self._clock_keeper.close()

    async def run(
        self,
        call: Call[T],
        *,
        road: Road | None = None,
        deadline_ns: int | None = None,
        before_send: BeforeSend | None = None,
        tries: int | None = None,
    ) -> T:
        """The call's result; pages are joined, follow-up calls made.

        Args:
            road: By REST or the trading socket; None: as the connector is set.
            deadline_ns: Of our monotonic clock: what is not written by then never is.
            before_send: For the journal; of calls without pages, and not for their follow-up calls.
            tries: At most so many, for who has a schedule of its own; of calls without pages. None: as retry.py says.

        Raises:
            NotSent: Nothing left this machine, be it for the deadline.
            APIError: See errors.py.
        """
        if call.next_page is None:
            result, _ = await self._one(call, road, deadline_ns, before_send, tries)
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
        self,
        call: Call[T],
        road: Road | None,
        deadline_ns: int | None,
        before_send: BeforeSend | None = None,
        tries: int | None = None,
    ) -> tuple[T, Call[T] | None]:
        """The result of one call or page, and the call for the next page."""
        try:
            reply = await self._reply(call.endpoint, call.params, road, deadline_ns, before_send, tries)
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
        attempt = Attempt(self._sender, call.endpoint, call.params, Road.REST)
        venue_ms = call.translate(await self._sender.send(attempt))
        if not _is_time(venue_ms):
            raise Garbled(f"{venue_ms} is no time of these days", venue=self._venue.name, call=call.endpoint.name)
        return Sample(attempt.sent_ns, attempt.received_ns, venue_ms)

    async def pay(self, name: str, costs: Costs) -> None:
        """Wait until there is budget for what is no call, such as opening a socket, and spend it."""
        receipt = self.admission.admit_now(costs, Lane.ACCOUNT)
        if receipt is None:
            receipt = await self.admission.admit(name, costs, Lane.ACCOUNT)
        self.admission.settle(receipt)

    async def _reply(
        self,
        endpoint: Endpoint,
        params: Params,
        road: Road | None,
        deadline_ns: int | None,
        before_send: BeforeSend | None,
        tries: int | None,
    ) -> Any:
        """The wire reply, tried as often as retry.py allows, and at most `tries` times."""
        tried = 0
        doubtful = False
        began_ns = self._clock.monotonic_ns()
        while True:
            attempt = Attempt(self._sender, endpoint, params, road, deadline_ns, before_send)
            try:
                return await self._sender.send(attempt)
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
                if pause_s is None or tried == tries:
                    raise
                if deadline_ns is not None and self._clock.monotonic_ns() + pause_s * 1e9 >= deadline_ns:
                    raise
                doubtful = doubtful or isinstance(error, OutcomeUnknown | Garbled)
                if isinstance(error, ClockSkewed) and not await self._resync(error, attempt.sent_ns):
                    raise  # what was refused stays refused, whatever became of the question of the time
                await self._clock.sleep(pause_s)

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
                    offset_ms=self._sync.offset_ms,
                )
            )
        return True


def _is_time(venue_ms: int) -> bool:
    return FIRST_TIME_MS < venue_ms < LAST_TIME_MS
