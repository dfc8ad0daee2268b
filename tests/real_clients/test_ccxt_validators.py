"""ccxt's own checks of the structures that each unified method gives, as ccxt ships and runs them against real venues.

`ccxt.test.exchange.async` calls a method and looks at every key, type and relation of the answer. Here the account has
an open order, a cancelled one, fills and a position, so that there is something to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.real_clients.clients import UNIFIED, ccxt_client, load

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import ThreadedExchange

pytestmark = pytest.mark.slow

METHODS = {
    # The validator: on which venues.
    "features": "binance bybit",
    "fetch_balance": "binance bybit",
    "fetch_closed_orders": "binance bybit",
    "fetch_currencies": "binance bybit",
    "fetch_funding_rate_history": "binance bybit",
    "fetch_l2_order_book": "binance bybit",
    "fetch_last_prices": "binance",
    "fetch_ledger": "binance bybit",
    "fetch_leverage_tiers": "binance bybit",
    "fetch_margin_mode": "binance bybit",
    "fetch_market_leverage_tiers": "binance bybit",
    "fetch_my_trades": "binance bybit",
    "fetch_ohlcv": "binance bybit",
    "fetch_open_interest_history": "binance bybit",
    "fetch_open_orders": "binance bybit",
    "fetch_order_book": "binance bybit",
    "fetch_orders": "binance",
    "fetch_positions": "binance bybit",
    "fetch_status": "binance bybit",
    "fetch_ticker": "binance bybit",
    "fetch_tickers": "binance bybit",
    "fetch_trades": "binance bybit",
    "fetch_trading_fee": "binance bybit",
    "fetch_trading_fees": "binance bybit",
}
"""Left out: what is not of contracts (spot, borrowing, deposits, withdrawals, transfers), and three validators that
fail as shipped at any venue: fetchMarkets takes the list for a dictionary, fetchMarginModes the dictionary for a list,
and createOrder adds numbers to text. Markets, modes and orders are checked one by one."""

SKIPS: dict[tuple[str, str], dict[str, Any]] = {
    # Buys of different orders within one millisecond: the later one may well pay less.
    ("binance", "fetch_trades"): {"sideSequence": True},
    ("bybit", "fetch_trades"): {"sideSequence": True},
    # As at the venues: one account, which has no name; in Binance's income no balances; a type that ccxt passes on.
    ("binance", "fetch_ledger"): dict.fromkeys(("account", "before", "after", "status", "fee", "type"), True),
    ("bybit", "fetch_ledger"): {"account": True},
    # As at the venue: position risk v3 has no leverage field.
    ("binance", "fetch_positions"): {"leverage": True},
    # As at the venue: unified accounts have one margin mode, that of the account, and cross positions no balance.
    ("bybit", "fetch_positions"): {"collateral": True, "marginMode": True},
}

CASES = [(venue, method) for method, venues in METHODS.items() for venue in venues.split()]


@pytest.fixture(scope="module")
def exchange(perpwire_exchange_factory: ExchangeFactory) -> Iterator[ThreadedExchange]:
    # Little cash, so that the position has a price at which it is liquidated.
    accounts = [{"cash": "1500"}]
    with perpwire_exchange_factory(seed=3, latency_s=0.001, rate=30, accounts=accounts) as exchange:
        yield exchange


async def traded(client: Any) -> None:
    """Give the account something to show, once: fills, a position, an open and a cancelled order."""
    if await client.fetch_open_orders(UNIFIED):
        return
    await client.create_order(UNIFIED, "market", "buy", 0.05)
    cancelled = await client.create_order(UNIFIED, "limit", "buy", 0.01, 63500)
    await client.cancel_order(cancelled["id"], UNIFIED)
    await client.create_order(UNIFIED, "limit", "buy", 0.01, 63400)


@pytest.mark.parametrize(("venue", "method"), CASES, ids=[f"{venue}-{method}" for venue, method in CASES])
async def test_the_structure_passes_ccxts_own_validator(exchange: ThreadedExchange, venue: str, method: str) -> None:
    name = f"test_{method}"
    validate = getattr(load(f"ccxt.test.exchange.async.{name}"), name)
    skips = SKIPS.get((venue, method), {})
    async with ccxt_client(exchange[venue]) as client:
        await traded(client)
        match method:
            case "features" | "fetch_currencies" | "fetch_status" | "fetch_balance" | "fetch_trading_fees":
                await validate(client, skips)
            case "fetch_ledger":
                await validate(client, skips, "USDT")
            case _:
                await validate(client, skips, UNIFIED)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_every_market_passes_ccxts_own_validator(exchange: ThreadedExchange, venue: str) -> None:
    validate = load("ccxt.test.exchange.base.test_market").test_market
    async with ccxt_client(exchange[venue]) as client:
        assert set(client.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"}
        for market in client.markets.values():
            validate(client, {}, "loadMarkets", market)


@pytest.mark.parametrize(
    ("venue", "method", "validator"),
    [
        ("binance", "fetch_funding_rate", None),
        ("bybit", "fetch_funding_rate", None),
        ("binance", "fetch_open_interest", "open_interest"),
        ("bybit", "fetch_open_interest", "open_interest"),
        ("binance", "fetch_margin_modes", "margin_mode"),
        ("binance", "fetch_order", "order"),
        ("bybit", "fetch_open_order", "order"),
        ("bybit", "fetch_position", "position"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_one_structure_passes_ccxts_own_validator(
    exchange: ThreadedExchange, venue: str, method: str, validator: str | None
) -> None:
    async with ccxt_client(exchange[venue]) as client:
        await traded(client)
        arguments: list[Any] = [[UNIFIED]] if method == "fetch_margin_modes" else [UNIFIED]
        if method in ("fetch_order", "fetch_open_order"):
            (order,) = await client.fetch_open_orders(UNIFIED)
            arguments.insert(0, order["id"])
        entry = await getattr(client, method)(*arguments)
        if method == "fetch_margin_modes":
            entry = entry[UNIFIED]
        now = client.milliseconds()
        skips = SKIPS.get((venue, "fetch_positions"), {})
        match validator:
            case None:
                assert entry["symbol"] == UNIFIED
                assert abs(entry["fundingRate"]) < 0.02
                assert entry["fundingTimestamp"] > now
            case "open_interest":
                load("ccxt.test.exchange.base.test_open_interest").test_open_interest(client, {}, method, entry)
            case "margin_mode":
                load("ccxt.test.exchange.base.test_margin_mode").test_margin_mode(client, {}, method, entry)
            case "order":
                load("ccxt.test.exchange.base.test_order").test_order(client, {}, method, entry, UNIFIED, now)
            case "position":
                load("ccxt.test.exchange.base.test_position").test_position(client, skips, method, entry, UNIFIED, now)
