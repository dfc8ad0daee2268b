"""Fanout: writes what connectors hear into Redis Streams. docs/fanout.md says how the entries look."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from perpwire.api_connector.handlers import Handlers
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.retry import reconnect_pause_s
from perpwire.api_connector.stream_methods import OF_THE_ACCOUNT
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, SystemClock
from perpwire.entropy import system_random
from perpwire.errors import BadInput
from perpwire.fanout.backlog import Backlog, Source
from perpwire.fanout.link import Entry, Link, RedisFailed
from perpwire.fanout.staleness import Staleness
from perpwire.logs import IncidentLog
from perpwire.model.incident import FanoutFailing, FanoutRecovered, Incident
from perpwire.model.market import (
    AdlWarning,
    AssetIndex,
    BookDelta,
    BookSnapshot,
    BookTicker,
    CompositeIndex,
    ContinuousKline,
    ContractChanged,
    Event,
    Gap,
    InsuranceFund,
    Kline,
    Liquidation,
    MarkPrice,
    MiniTicker,
    OpenInterest,
    PriceLimits,
    RpiBook,
    SystemNotice,
    Ticker,
    Trade,
    TradingSession,
)
from perpwire.model.written import Told
from perpwire.monitoring.snapshot import FanoutSnapshot

log = logging.getLogger("perpwire.fanout")

BOOKS: tuple[type[Event], ...] = (BookSnapshot, BookDelta, RpiBook)
STREAMS: tuple[type[Event], ...] = (
    Trade, BookTicker, MarkPrice, Kline, ContinuousKline, Ticker, MiniTicker, Liquidation, OpenInterest, PriceLimits,
    AdlWarning, InsuranceFund, CompositeIndex, AssetIndex, TradingSession, ContractChanged, SystemNotice,
)  # fmt: skip
SENDS: dict[str, tuple[type[Told], ...]] = {
    "streams": STREAMS,
    "books": BOOKS,
    "account": OF_THE_ACCOUNT,
    "incidents": (Incident,),
}
"""The words by which settings call what is sent."""

LANES: dict[type[Told], str] = {Incident: "incidents", **dict.fromkeys(OF_THE_ACCOUNT, "account")}
"""Kind -> lane; "market" for all else. A flood of incidents must not cost fills."""

INCIDENTS = 1000
"""That wait."""

BATCH = 256
"""Entries that are sent at once, about."""

LINGER_S = 0.005
"""The first of a batch waits so long for others: to send one by one costs thirty times as much."""

CALM_S = 30.0
"""So that what comes and goes is told once."""

MOST_PAUSE_S = 5.0
REFUSED_PAUSE_S = 30.0


class Fanout:
    """Usable as `async with Fanout(...) as fanout`. What is heard of before `start` waits for it.

    Args:
        url: redis://, rediss:// or unix://, with user and password in it where there are some.
        prefix: Of all keys. Two programs with one prefix both write: who reads hears each event twice.
        most_kept: Entries that a stream of Redis keeps, about.
        market, account: Most events that wait here, while Redis does not take them: of market data; and of orders,
            fills, positions and balances.

    Raises:
        BadInput: No URL, a mistaken figure, or the client of Redis is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "perpwire",
        most_kept: int = 10_000,
        market: int = 20_000,
        account: int = 10_000,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if min(most_kept, market, account) < 1 or not prefix or any(one.isspace() for one in prefix):
            raise BadInput("prefix must be a word, and every figure 1 or more", code="BAD_FANOUT")
        self._link = Link(url, prefix)
        self._prefix = prefix
        self._most_kept = most_kept
        self._clock = clock or SystemClock()
        self._rng = rng or system_random()
        self._backlog = Backlog({"account": account, "incidents": INCIDENTS, "market": market})
        self._names: set[str] = set()
        self._offs: list[Callable[[], None]] = []
        self._on_incident: Handlers[[Incident]] = Handlers("incidents", IncidentLog())
        self.producer = f"{self._clock.time_ns() // 1_000_000}-{self._rng.getrandbits(32):08x}"
        """This life of this program: its start (Unix milliseconds) and a random number."""
        self._batch = 0
        self._sending = 0
        self._sent = 0
        self._refused = 0
        self._calm_from_ns = 0
        """What was refused, or too much, is no trouble any more when there was no more of it until then."""
        self._dropped_told = 0
        self._dropped_well = 0
        """When it was well for the last time."""
        self._trouble = ""
        self._since_ns = self._clock.monotonic_ns()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def redact(self, text: str) -> str:
        """For logs: `text` without the server's password."""
        return self._link.redact(text)

    def __repr__(self) -> str:
        return f"<Fanout to {self._link.address}, {self._sent} sent, {self._waiting} waiting>"

    # --- what is sent -----------------------------------------------------------------------------------------------

    def add(
        self, connector: VenueConnector, name: str = "", *, sends: Iterable[str] = ("streams", "account", "incidents")
    ) -> Callable[[], None]:
        """Send what a connector hears, started or not; it is subscribed by whoever wants it. Returns a function that
        ends it.

        Args:
            name: In its keys; the venue's name where none is given.
            sends: Words of SENDS.

        Raises:
            BadInput: No such word, or there is one of that name.
        """
        name = name or connector.venue.name
        words = tuple(sends)
        if unknown := [word for word in words if word not in SENDS]:
            raise BadInput(f"{unknown[0]!r} can't be sent; there are {', '.join(SENDS)}", code="BAD_FANOUT")
        if name in self._names or ":" in name:
            raise BadInput(f"{name!r} is sent already, or is no name", code="NAME_TAKEN")
        self._names.add(name)
        sources = {kind: Source(f"{self._prefix}:{name}", kind) for word in words for kind in SENDS[word]}
        puts: dict[type[Told], Callable[[Told], None]] = {
            kind: self._backlog.putter(LANES.get(kind, "market"), source) for kind, source in sources.items()
        }

        def on_gap(gap: Gap) -> None:
            for kind, source in sources.items():
                if gap.kind in source.names:
                    puts[kind](gap)

        def on_state(kind: type[Event], told: Event) -> None:
            for one, put in puts.items():
                if issubclass(kind, one):
                    put(told)

        staleness = Staleness(connector, self._clock, on_state)
        offs = [connector.on(kind, puts[kind]) for kind in sources if issubclass(kind, Event)]
        offs += [connector.on(Gap, on_gap), staleness.end]
        is_on = True

        def take(incident: Incident) -> None:
            if is_on:
                if Incident in puts:
                    puts[Incident](incident)
                staleness.on_incident(incident)

        connector.on_incident(take)

        def off() -> None:
            nonlocal is_on
            if is_on:
                is_on = False
                self._names.discard(name)
                for one in offs:
                    one()

        self._offs.append(off)
        return off

    def on_incident(self, handler: Callable[[Incident], None]) -> None:
        """Call `handler` with FanoutFailing, FanoutRecovered, and TaskFailed."""
        self._on_incident.add(handler)

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to send. Returns at once: Redis need not be there."""
        work = kept_up(self._run, "the fan-out", "", self._clock, self._tell)
        self._task = asyncio.get_running_loop().create_task(work, name="perpwire fanout")

    async def close(self, within_s: float = 0.5) -> None:
        """Hear nothing more, send what waits if that can be done in so many seconds, and end."""
        for off in self._offs:
            off()
        self._closing = True
        self._backlog.wake()
        if self._task is not None:
            _, late = await asyncio.wait((self._task,), timeout=within_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=within_s)
        if self._waiting:
            log.warning("%d events were not sent to %s", self._waiting, self._link.address)
        await self._link.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- sending ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._closing:
                await self._backlog.wait()
                await self._clock.sleep(LINGER_S)
            entries = self._backlog.take(BATCH)
            if entries:
                self._sending = len(entries)
                await self._send(entries)
                self._sending = 0
                self._judge()
            elif self._closing:
                return

    async def _send(self, entries: list[Entry]) -> None:
        """Until Redis has them."""
        self._batch += 1
        failures = refusals = 0
        while True:
            try:
                refused = await self._link.append(self.producer, self._batch, entries, self._most_kept)
            except RedisFailed as failure:
                refusals = refusals + 1 if failure.is_refusal else 0
                failures += 1
                if failures == 1 and not failure.is_slow:
                    continue  # a connection that stood idle may have been closed: that is no trouble
                self._is_failing(str(failure))
                pause_s = reconnect_pause_s(failures - 1, self._rng, refusals)
                await self._clock.sleep(min(REFUSED_PAUSE_S if refusals > 1 else MOST_PAUSE_S, pause_s))
                continue
            self._sent += len(entries) - len(refused)
            if refused:
                self._refused += len(refused)
                self._is_uneasy(refused[-1])
            elif failures and self._trouble:
                self._trouble = "it is there again, and what waited is on its way"
                self._dropped_told = self._backlog.dropped
            return

    def _judge(self) -> None:
        """Whether Redis takes as much as comes."""
        dropped = self._backlog.dropped
        if dropped > self._dropped_told:
            self._dropped_told = dropped
            self._is_uneasy(f"{self._link.address} takes less than comes")
        elif self._trouble and not self._backlog.is_half_full and self._clock.monotonic_ns() >= self._calm_from_ns:
            self._is_well()

    def _is_uneasy(self, reason: str) -> None:
        """It goes on, and not all arrives."""
        self._calm_from_ns = self._clock.monotonic_ns() + round(CALM_S * 1e9)
        self._is_failing(reason)

    def _is_failing(self, reason: str) -> None:
        if self._trouble:
            self._trouble = reason
            return
        self._trouble = reason
        self._since_ns = self._clock.monotonic_ns()
        waiting = self._waiting
        self._tell(FanoutFailing(venue="", time_ns=self._clock.time_ns(), reason=reason, waiting=waiting))

    def _is_well(self) -> None:
        now_ns = self._clock.monotonic_ns()
        failed_s = (now_ns - self._since_ns) / 1e9
        dropped, self._dropped_well = self._backlog.dropped - self._dropped_well, self._backlog.dropped
        self._trouble, self._since_ns = "", now_ns
        self._tell(FanoutRecovered(venue="", time_ns=self._clock.time_ns(), failed_s=failed_s, dropped=dropped))

    def _tell(self, incident: Incident) -> None:
        self._on_incident.tell(incident)

    # --- what is so -------------------------------------------------------------------------------------------------

    @property
    def _waiting(self) -> int:
        return self._backlog.waiting + self._sending

    def snapshot(self) -> FanoutSnapshot:
        backlog = self._backlog
        return FanoutSnapshot(
            is_up=not self._trouble,
            why_not=self._trouble,
            since_s=(self._clock.monotonic_ns() - self._since_ns) / 1e9,
            sent=self._sent,
            dropped={name: lane.dropped for name, lane in backlog.lanes.items()},
            refused=self._refused,
            waiting=self._waiting,
            room=sum(lane.limit for lane in backlog.lanes.values()),
        )
