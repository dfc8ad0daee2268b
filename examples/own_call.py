"""A call that has no name of ours, typed: it has the same budgets, signature, retries and errors as all others."""

import asyncio
from decimal import Decimal

import msgspec

from perpwire import BinanceFuturesConnector, VenueRefused
from perpwire.simulator.server import running

RATIO = "/futures/data/globalLongShortAccountRatio"


class LongShort(msgspec.Struct, rename="camel"):
    symbol: str
    long_account: Decimal
    short_account: Decimal


async def main() -> None:
    async with running(venues=["binance"]) as exchange:
        url = exchange.urls["binance"]
        async with BinanceFuturesConnector("sim-key", "sim-secret", url=url) as binance:
            wanted = {"symbol": "BTCUSDT", "period": "5m", "limit": 3}
            for row in await binance.call("GET", RATIO, wanted, reply=list[LongShort], signed=False):
                print(row.symbol, "long", row.long_account, "short", row.short_account)
            try:
                await binance.call("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 500})
            except VenueRefused as error:
                print(error.code, error.reason, "->", error.advice)


if __name__ == "__main__":
    asyncio.run(main())
