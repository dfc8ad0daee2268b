"""A running simulation: one exchange and one host for each venue. server.py and in_process.py make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TypedDict

import msgspec

from perpwire.clock import Clock
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.faulting import Faults
from perpwire.simulator.faults import AnyFault
from perpwire.simulator.host import Host
from perpwire.simulator.journal import Journal
from perpwire.simulator.latency import latency
from perpwire.simulator.listing import Listing, listed
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.store import Store
from perpwire.simulator.venue_clock import SkewedClock
from perpwire.venues import VENUES

SMALLEST_RATE, LARGEST_RATE = 1e-6, 100_000.0
"""Of a background market that is not off, events a second."""


class Simulation:
    """What a test or a command holds of a running simulation.

    Attributes:
        urls: Venue -> base address, such as http://127.0.0.1:54321 (a WebSocket's begins with ws:// instead).
        hosts: Venue -> Host.
    """

    def __init__(self, hosts: Mapping[str, Host], urls: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.urls = dict(urls)

    @property
    def exchanges(self) -> dict[str, Exchange]:
        return {venue: host.exchange for venue, host in self.hosts.items()}

    @property
    def faults(self) -> dict[str, Faults]:
        return {venue: host.faults for venue, host in self.hosts.items()}

    @property
    def journal(self) -> dict[str, Journal]:
        return {venue: host.journal for venue, host in self.hosts.items()}


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulation is to be.

    Attributes:
        seed: Everything random comes of it.
        latency_s: Mean seconds that HTTP calls take to be acted on; each differs, see latency.py.
        socket_latency_s: The same of what clients say on sockets; None: four times that of calls.
        order_latency_s: The same of order entry, over HTTP or sockets; None: likewise.
        replay: A recording (replay.py) to play instead of the background market of its symbol.
        speed: How many times its own pace the recording plays at.
        rate: Background events a second for each symbol, up to LARGEST_RATE; 0 for empty books.
        accounts: The same for every venue.
        symbols: More contracts than the venues' own, or other ones of the same names.
        faults: By venue.
        state: A file (SQLite) in which accounts and orders outlive the process; None to begin anew each time.
    """

    venues: Sequence[str] = ("binance", "bybit")
    seed: int = 7
    latency_s: float = 0.005
    socket_latency_s: float | None = None
    order_latency_s: float | None = None
    replay: Path | str | None = None
    speed: float = 1.0
    options: DialectOptions = DialectOptions()
    accounts: Sequence[AccountSpec] = (AccountSpec(),)
    symbols: Sequence[Listing] = ()
    rate: float = 30.0
    faults: Mapping[str, Sequence[AnyFault]] = {}
    journal_capacity: int = 200_000
    state: Path | str | None = None


class SetupOptions(TypedDict, total=False):
    """Setup's fields as keyword arguments, each of which may be left out."""

    venues: Sequence[str]
    seed: int
    latency_s: float
    socket_latency_s: float | None
    order_latency_s: float | None
    replay: Path | str | None
    speed: float
    options: DialectOptions
    accounts: Sequence[AccountSpec]
    symbols: Sequence[Listing]
    rate: float
    faults: Mapping[str, Sequence[AnyFault]]
    journal_capacity: int
    state: Path | str | None


def build_hosts(setup: Setup, clock: Clock) -> dict[str, Host]:
    """Hosts with their exchanges and dialects, not started.

    Raises:
        KeyError: A venue that perpwire does not know.
        OSError: The recording or the state can't be read, or another exchange has the state open.
        ValueError: Nor by its contents; or rate, speed or latency are out of bounds.
    """
    rate = setup.rate
    if rate and not SMALLEST_RATE <= rate <= LARGEST_RATE:
        raise ValueError(f"rate {rate:g} must be 0, or from {SMALLEST_RATE:g} to {LARGEST_RATE:g} events a second")
    hosts: dict[str, Host] = {}
    try:
        for venue in setup.venues:
            hosts[venue] = _build_host(venue, setup, clock)
    except BaseException:
        for host in hosts.values():
            host.close()
        raise
    return hosts


def start(hosts: Mapping[str, Host], setup: Setup) -> None:
    """Begin trading, and put the faults on order. Needs a running loop."""
    for venue, host in hosts.items():
        host.start()
        for fault in setup.faults.get(venue, ()):
            host.faults.add(fault)


def _build_host(venue: str, setup: Setup, clock: Clock) -> Host:
    module = import_module(f"{VENUES[venue]}.sim")
    venue_clock = SkewedClock(clock)
    exchange = Exchange(
        clock=venue_clock,
        seed=setup.seed,
        symbols=listed(module.default_specs(), setup.symbols, venue),
        accounts=setup.accounts,
        rate=setup.rate,
        margin=module.MARGIN,
        replay=None if setup.replay is None else ReplayFeed(setup.replay, setup.speed),
        store=None if setup.state is None else Store(setup.state, venue),
    )
    return Host(
        venue=venue,
        exchange=exchange,
        dialect=module.make_dialect(exchange, setup.options),
        clock=clock,
        venue_clock=venue_clock,
        seed=setup.seed,
        latency=latency(setup.latency_s, setup.socket_latency_s, setup.order_latency_s),
        journal_capacity=setup.journal_capacity,
    )
