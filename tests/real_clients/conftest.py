"""Exchanges for the real clients: on real sockets, in a thread of their own."""

from __future__ import annotations

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


WAITING = (
    "bybit-fetch_funding_rate_history",
    "-fetch_ledger",
    "bybit-fetch_ohlcv",
    "bybit-fetch_open_interest",
    "bybit-fetch_trades",
    "bybit-fetch_trading_fees",
    "test_candles_end_with_the_present_one_and_go_back[bybit]",
    "test_trades_and_funding[bybit]",
    "test_the_margin_mode_is_set_and_read_back[bybit]",
    "test_hedge_mode_holds_a_long_and_a_short[bybit]",
    "test_the_ledger_tells_of_fees_and_profits[bybit]",
    "test_a_conditional_order",
    "test_a_stop_loss",
    "test_candles_as_they_form[busy_bybit]",
)
"""Checks of what the exchange does not do yet."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real_clients" in item.path.parts and any(words in item.nodeid for words in WAITING):
            item.add_marker(pytest.mark.xfail(reason="the exchange does not do it yet", strict=False))
