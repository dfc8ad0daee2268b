"""Exchanges for the real clients: on real sockets, in a thread of their own."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from tests.real_clients.clients import STILL

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import VenueDoor


@pytest.fixture
def binance(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    """Binance with a market that stands still."""
    with perpwire_exchange_factory(venues=["binance"], seed=11, latency_s=0.001, rate=STILL) as exchange:
        yield exchange.binance


@pytest.fixture
def bybit(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    with perpwire_exchange_factory(venues=["bybit"], seed=11, latency_s=0.001, rate=STILL) as exchange:
        yield exchange.bybit


@pytest.fixture
def busy_binance(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    """Binance with a busy market."""
    with perpwire_exchange_factory(venues=["binance"], seed=12, latency_s=0.005, rate=150) as exchange:
        yield exchange.binance


@pytest.fixture
def busy_bybit(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    with perpwire_exchange_factory(venues=["bybit"], seed=12, latency_s=0.005, rate=150) as exchange:
        yield exchange.bybit


@pytest.fixture
def patient_bybit(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    """Bybit for pybit, which notes a subscription after it has sent it: answers on sockets take some 40 ms."""
    with perpwire_exchange_factory(
        venues=["bybit"], seed=11, latency_s=0.002, socket_latency_s=0.04, rate=60
    ) as exchange:
        yield exchange.bybit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some clients leave sockets to the garbage collector, which finds them in whatever test runs then."""
    for item in items:
        if "real_clients" in item.path.parts:
            for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_for_others() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
