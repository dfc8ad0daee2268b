"""Fixtures for users' own bots, there as soon as perpwire is installed beside pytest.

    def test_my_bot(perpwire_exchange):                       # real sockets, any client, any thread
        bot = MyBot(perpwire_exchange.bybit_url, perpwire_exchange.api_key, perpwire_exchange.secret_key)
        ...

    @pytest.mark.perpwire(seed=3, venues=["binance"], rate=0)  # how it is to be
    def test_another(perpwire_exchange): ...

    def test_in_virtual_time(perpwire_virtual):               # perpwire's own connectors; an hour in seconds
        async def scenario(world):
            await world.binance.place_order("BTCUSDT", "BUY", "0.01")
            await asyncio.sleep(3600)
        perpwire_virtual(scenario)

Nothing of perpwire is imported before a test asks for one of them. `-p no:perpwire` leaves the plugin out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from perpwire.testing import World
    from perpwire.threaded import ThreadedExchange

T = TypeVar("T")


class ExchangeFactory(Protocol):
    """Starts exchanges; all that are still open are closed when the session ends."""

    def __call__(self, **options: Any) -> ThreadedExchange: ...


class VirtualRun(Protocol):
    """Runs a scenario to its end in virtual time, and returns what it returns."""

    def __call__(self, scenario: Callable[[World], Awaitable[T]]) -> T: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "perpwire(**options): how the exchange of `perpwire_exchange` and `perpwire_virtual` is to be: seed, venues, "
        "rate, latency_ms, routes, accounts, symbols, faults, replay, speed, state",
    )


@pytest.fixture(scope="session")
def perpwire_exchange_factory() -> Generator[ExchangeFactory, None, None]:
    """Exchanges as many as wanted: `perpwire_exchange_factory(seed=3)`. Each can be closed, or used by `with`."""
    started: list[ThreadedExchange] = []

    def start(**options: Any) -> ThreadedExchange:
        from perpwire.simulator.options import setup_options
        from perpwire.threaded import ThreadedExchange

        ports = options.pop("ports", None)
        started.append(ThreadedExchange(ports=ports, **setup_options(options)))
        return started[-1]

    yield start
    for exchange in started:
        exchange.close()


@pytest.fixture
def perpwire_exchange(
    request: pytest.FixtureRequest, perpwire_exchange_factory: ExchangeFactory
) -> Generator[ThreadedExchange, None, None]:
    """A fresh exchange on real sockets of 127.0.0.1, in a thread of its own."""
    with perpwire_exchange_factory(**_asked_for(request)) as exchange:
        yield exchange


@pytest.fixture
def perpwire_virtual(request: pytest.FixtureRequest) -> VirtualRun:
    """Runs a scenario with perpwire's connectors and an exchange in one process, in virtual time."""

    def run(scenario: Callable[[World], Awaitable[T]]) -> T:
        from perpwire.clock import ManualClock
        from perpwire.simulator.options import setup_options
        from perpwire.testing import offline

        clock = ManualClock()

        async def whole() -> T:
            async with offline(clock=clock, **setup_options(_asked_for(request))) as world:
                return await scenario(world)

        return clock.run(whole())

    return run


def _asked_for(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of every marker, a nearer one's over a farther one's.

    Raises:
        TypeError: Options without names.
    """
    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("perpwire"))):
        if mark.args:
            raise TypeError(f"pytest.mark.perpwire takes named options only, not {mark.args}")
        options |= mark.kwargs
    return options
