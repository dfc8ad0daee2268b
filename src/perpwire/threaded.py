"""An embedded exchange in a thread of its own, for programs and tests that block: ccxt's plain classes, pybit, SDKs.

    with ThreadedExchange(seed=3) as exchange:
        client = pybit.unified_trading.HTTP(api_key=exchange.api_key, ...)     # at exchange.bybit_url
        exchange.bybit.faults.add(Cut())
        exchange.bybit.journal.wait_for(lambda entry: "order/create" in entry.text)
        assert exchange.bybit.exchange.open_orders("main", None) == []

It serves real sockets on 127.0.0.1 and lives by the machine's clock. Whatever is asked of it from outside is done in
its own thread, between two steps of it, and what comes back is a copy: so any thread may ask at any time.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import msgspec

from perpwire.simulator.faults import AnyFault, read_fault
from perpwire.simulator.journal import Entry, Kind
from perpwire.simulator.profiles import PROFILES, profile
from perpwire.simulator.server import running
from perpwire.simulator.simulation import Setup, SetupOptions, Simulation
from perpwire.simulator.specs import AccountSpec

T = TypeVar("T")

START_S = 30.0
"""How long a start may take."""

CLOSE_S = 10.0
CALL_S = 30.0
LOOK_EVERY_S = 0.005


class ThreadedExchange:
    """See module docstring. Serves from construction until `close`, or while a `with` block runs.

    Attributes:
        urls: Venue -> base address, http://127.0.0.1:PORT.
        accounts: With their keys.
        seed: Everything random in it comes of it.
    """

    def __init__(self, *, ports: Mapping[str, int] | None = None, **options: Unpack[SetupOptions]) -> None:
        """
        Args:
            ports: Venue -> port; 0, or a venue left out, for a free one.
            options: Those of simulator.simulation.Setup: venues, seed, latency_s, rate, accounts, symbols ...

        Raises:
            OSError: A port is taken, or a file can't be read.
            ValueError: An option is out of bounds.
        """
        self.seed: int = options.get("seed", Setup().seed)
        self.accounts: tuple[AccountSpec, ...] = tuple(options.get("accounts", (AccountSpec(),)))
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Simulation]] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(ports or {}, options), name="perpwire-exchange", daemon=True
        )
        self._thread.start()
        self._loop, self._stopping, self._simulation = self._started.result(START_S)
        self.urls: dict[str, str] = dict(self._simulation.urls)
        self._venues = {venue: VenueDoor(self, venue, url) for venue, url in self.urls.items()}

    def _serve(self, ports: Mapping[str, int], options: SetupOptions) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._until_stopped(ports, options))

    async def _until_stopped(self, ports: Mapping[str, int], options: SetupOptions) -> None:
        try:
            async with running(ports=ports, **options) as simulation:
                stopping = asyncio.Event()
                self._started.set_result((asyncio.get_running_loop(), stopping, simulation))
                await stopping.wait()
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)  # told where it was started

    def close(self) -> None:
        """End it, with all its sockets. Once is enough; again does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(CLOSE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- where it is --------------------------------------------------------------------------------------------------

    def __getitem__(self, venue: str) -> VenueDoor:
        return self._venues[venue]

    @property
    def venues(self) -> tuple[str, ...]:
        return tuple(self._venues)

    @property
    def binance(self) -> VenueDoor:
        return self._venues["binance"]

    @property
    def bybit(self) -> VenueDoor:
        return self._venues["bybit"]

    @property
    def binance_url(self) -> str:
        return self.urls["binance"]

    @property
    def bybit_url(self) -> str:
        return self.urls["bybit"]

    @property
    def api_key(self) -> str:
        """Of the first account."""
        return self.accounts[0].api_key

    @property
    def secret_key(self) -> str:
        return self.accounts[0].secret_key

    # --- every venue at once ------------------------------------------------------------------------------------------

    @property
    def faults(self) -> FaultsDoor:
        """Faults of every venue."""
        return FaultsDoor(self, self.venues)

    @property
    def journal(self) -> Mapping[str, JournalDoor]:
        """Venue -> journal."""
        return {venue: door.journal for venue, door in self._venues.items()}

    @property
    def exchange(self) -> Mapping[str, Any]:
        """Venue -> the exchange's core; see VenueDoor.exchange."""
        return {venue: door.exchange for venue, door in self._venues.items()}

    def call(self, work: Callable[[Simulation], T]) -> T:
        """Have `work` done in the exchange's thread, and return a copy of what it returns, or raise what it raises.

        Raises:
            RuntimeError: The exchange is closed.
        """
        if threading.current_thread() is self._thread:  # from a listener of the exchange
            return work(self._simulation)
        if not self._thread.is_alive():
            raise RuntimeError("this exchange is closed")

        async def do() -> T:
            return _copied(work(self._simulation))

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(CALL_S)

    def wait(self, find: Callable[[Simulation], T | None], timeout_s: float = 5.0) -> T:
        """Look until `find` returns something other than None; return a copy of that. Call it from a thread that may
        block.

        Raises:
            TimeoutError: It did not within `timeout_s`.
        """

        async def look() -> T:
            async with asyncio.timeout(timeout_s):
                while True:
                    if (found := find(self._simulation)) is not None:
                        return _copied(found)
                    await asyncio.sleep(LOOK_EVERY_S)

        return asyncio.run_coroutine_threadsafe(look(), self._loop).result(timeout_s + CALL_S)


class VenueDoor:
    """One venue of a ThreadedExchange.

    Attributes:
        url: http://127.0.0.1:PORT, for REST; its WebSockets are at `ws_url`.
        exchange: The exchange's core (simulator.exchange.Exchange): its methods by name, done in its thread.
    """

    def __init__(self, owner: ThreadedExchange, venue: str, url: str) -> None:
        self.name = venue
        self.url = url
        self.ws_url = url.replace("http://", "ws://", 1)
        self.faults = FaultsDoor(owner, (venue,))
        self.journal = JournalDoor(owner, venue)
        self.exchange: Any = _CoreDoor(owner, venue)


class FaultsDoor:
    """Trouble on order; see simulator/faults.py."""

    def __init__(self, owner: ThreadedExchange, venues: tuple[str, ...]) -> None:
        self._owner = owner
        self._venues = venues

    def __getitem__(self, venue: str) -> FaultsDoor:
        return self._owner[venue].faults

    def add(self, fault: AnyFault | Mapping[str, Any] | str) -> None:
        """Put a fault on order: a structure, or a dictionary or JSON text of the documented form; or all those of a
        profile by its name.

        Raises:
            msgspec.DecodeError: It is none; the message says where.
        """
        if isinstance(fault, str) and fault in PROFILES:
            name, one = fault, None
        elif isinstance(fault, (str, Mapping)):
            name, one = "", read_fault(fault.encode() if isinstance(fault, str) else msgspec.json.encode(fault))
        else:
            name, one = "", fault

        def put(simulation: Simulation) -> None:
            for venue in self._venues:
                for asked in profile(name, venue, self._owner.seed) if one is None else [one]:
                    simulation.faults[venue].add(asked)

        self._owner.call(put)

    def clear(self) -> None:
        """Drop those that have not acted yet."""

        def drop(simulation: Simulation) -> None:
            for venue in self._venues:
                simulation.faults[venue].clear()

        self._owner.call(drop)

    def active(self) -> list[dict[str, Any]]:
        """Those that may still act."""
        return self._owner.call(
            lambda simulation: [one for venue in self._venues for one in simulation.faults[venue].active()]
        )


class JournalDoor:
    """What the venue really did, in order; see simulator/journal.py."""

    def __init__(self, owner: ThreadedExchange, venue: str) -> None:
        self._owner = owner
        self._venue = venue

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return self._owner.call(lambda simulation: simulation.journal[self._venue].last)

    def entries(
        self, *, after: int = 0, topic: str | None = None, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """See journal.Journal.entries."""
        return self._owner.call(
            lambda simulation: simulation.journal[self._venue].entries(after=after, topic=topic, kind=kind, limit=limit)
        )

    def wait_for(
        self,
        wanted: Callable[[Entry], bool],
        *,
        after: int = 0,
        topic: str | None = None,
        kind: Kind | None = None,
        timeout_s: float = 5.0,
    ) -> Entry:
        """The first entry above `after` that is wanted, which may be still to come.

        Raises:
            TimeoutError: None came within `timeout_s`.
        """
        seen = after

        def find(simulation: Simulation) -> Entry | None:
            nonlocal seen
            journal = simulation.journal[self._venue]
            fresh = journal.entries(after=seen, topic=topic, kind=kind)
            seen = journal.last
            return next((entry for entry in fresh if wanted(entry)), None)

        return self._owner.wait(find, timeout_s)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())


class _CoreDoor:
    """Every method and figure of a venue's Exchange, asked for in the exchange's thread."""

    def __init__(self, owner: ThreadedExchange, venue: str) -> None:
        self._owner = owner
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        def get(simulation: Simulation) -> Any:
            return getattr(simulation.exchanges[self._venue], name)

        if name.startswith("_"):
            raise AttributeError(name)
        if not callable(found := self._owner.call(get)):
            return found

        def ask(*args: Any, **options: Any) -> Any:
            return self._owner.call(lambda simulation: get(simulation)(*args, **options))

        return ask


def _copied(found: T) -> T:
    """Structures and collections are copied, as the exchange goes on changing its own."""
    return copy.deepcopy(found) if isinstance(found, (msgspec.Struct, list, tuple, dict, set)) else found


__all__ = ["FaultsDoor", "JournalDoor", "ThreadedExchange", "VenueDoor"]
