"""The real clients: loaded, pointed at an exchange, and nothing else changed of them."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from perpwire.threaded import VenueDoor

KEY, SECRET = "sim-key", "sim-secret"
SYMBOL = "BTCUSDT"
UNIFIED = "BTC/USDT:USDT"

PATIENCE_S = 8.0
"""How long a test waits for what a client is to hear; it goes on as soon as it has."""

STILL = 0.001
"""Market events a second, so few that books stand as they were laid."""


def load(name: str) -> Any:
    """A client's module. Its warnings about what it itself imports are its own affair.

    Raises:
        ImportError: It is not installed. These tests are never skipped for that: the lock file has every client.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


# --- ccxt -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def ccxt_client(venue: VenueDoor, kind: str = "ccxt.async_support", **config: Any) -> AsyncIterator[Any]:
    """ccxt's class for this venue, with its markets loaded. `kind` is ccxt.async_support or ccxt.pro."""
    name = {"binance": "binanceusdm", "bybit": "bybit"}[venue.name]
    client = getattr(load(kind), name)(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,  # it would wait between calls
            "options": {"defaultType": "swap"},
            **config,
        }
    )
    client.urls["api"] = moved(client.urls["api"], venue.url)
    if venue.name == "binance":
        # ccxt finds the table of these errors by the venue's real host name.
        client.exceptions["exact"].update(client.exceptions["linear"]["exact"])
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def moved(address: Any, url: str) -> Any:
    """The same addresses with another scheme and host."""
    if isinstance(address, dict):
        return {name: moved(one, url) for name, one in address.items()}
    if not isinstance(address, str) or "://" not in address:
        return address
    scheme, _, rest = address.partition("://")
    _, slash, path = rest.partition("/")
    return url.replace("http", "ws" if scheme.startswith("ws") else "http", 1) + slash + path


# --- python-binance ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def binance_client(venue: VenueDoor, secret: str = SECRET) -> AsyncIterator[Any]:
    """python-binance's asynchronous client."""
    module = load("binance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.AsyncClient, "FUTURES_URL", f"{venue.url}/fapi")
        patch.setattr(module.AsyncClient, "FUTURES_DATA_URL", f"{venue.url}/futures/data")
        patch.setattr(module.AsyncClient, "WS_FUTURES_URL", f"{venue.ws_url}/ws-fapi/v1")
        patch.setattr(module.BinanceSocketManager, "FSTREAM_URL", f"{venue.ws_url}/")
        client = module.AsyncClient(KEY, secret)
        try:
            yield client
        finally:
            if client.ws_future.ws is not None:
                # It forgets this one, and its reader looks up only when something comes.
                closing = asyncio.create_task(client.ws_future.close())
                await asyncio.sleep(0)
                await client.ws_future.ws.close()
                await closing
            await client.close_connection()


# --- pybit ------------------------------------------------------------------------------------------------------------


@contextmanager
def pybit_at(venue: VenueDoor) -> Iterator[Any]:
    """pybit.unified_trading, while its addresses are moved."""
    with pytest.MonkeyPatch.context() as patch:
        unified = load("pybit.unified_trading")
        patch.setattr(load("pybit._http_manager"), "HTTP_URL", venue.url)
        patch.setattr(unified, "PUBLIC_WSS", f"{venue.ws_url}/v5/public/{{CHANNEL_TYPE}}")
        patch.setattr(unified, "PRIVATE_WSS", f"{venue.ws_url}/v5/private")
        patch.setattr(load("pybit._websocket_trading"), "TRADE_WSS", f"{venue.ws_url}/v5/trade")
        yield unified


# --- Binance's SDK ----------------------------------------------------------------------------------------------------


def binance_sdk(venue: VenueDoor, secret: str = SECRET) -> Any:
    """Binance's SDK for USD-M futures: REST, streams and WebSocket API in one object."""
    module = load("binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures")
    return module.DerivativesTradingUsdsFutures(
        config_rest_api=module.ConfigurationRestAPI(
            api_key=KEY, api_secret=secret, base_path=venue.url, timeout=5000, retries=0
        ),
        config_ws_api=module.ConfigurationWebSocketAPI(
            api_key=KEY, api_secret=secret, stream_url=f"{venue.ws_url}/ws-fapi/v1"
        ),
        config_ws_streams=module.ConfigurationWebSocketStreams(stream_url=venue.ws_url),
    )


# --- waiting and comparing --------------------------------------------------------------------------------------------


def until(check: Callable[[], Any]) -> Any:
    """Ask until the answer is something: what an exchange acknowledges it may do a moment later."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError("it never happened")
        time.sleep(0.01)
    return found


async def eventually(check: Callable[[], Awaitable[Any]]) -> Any:
    """The same where asking is asynchronous."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if found := await check():
                return found
            await asyncio.sleep(0.01)


def freeze(venue: VenueDoor) -> None:
    """Let no more happen of itself: the exchange's book stands still, what is on its way to clients still arrives."""
    venue.exchange.close()


def top(venue: VenueDoor, depth: int = 10) -> tuple[list[Any], list[Any]]:
    """The exchange's own best levels of BTCUSDT, as numbers that compare with a client's floats."""
    bids, asks, *_ = venue.exchange.book(SYMBOL, depth)
    return as_floats(bids), as_floats(asks)


def as_floats(levels: Any) -> list[tuple[float, float]]:
    return [(float(level[0]), float(level[1])) for level in levels]


def crosses(venue: VenueDoor, quantity: str) -> Decimal:
    """A price that a buyer of this quantity would have to pay at most, by the exchange's own book."""
    left = Decimal(quantity)
    for level in venue.exchange.book(SYMBOL, 200)[1]:
        left -= level[1]
        if left <= 0:
            return Decimal(level[0])
    raise AssertionError("the book is too thin")
