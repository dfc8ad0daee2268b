"""Lists of the past, to their end: the venue's pages and windows are walked while you iterate."""

import asyncio
from decimal import Decimal

from perpwire import BinanceFuturesConnector
from perpwire.simulator.server import running

HOUR_MS = 3_600_000


async def main() -> None:
    async with (
        running(venues=["binance"]) as exchange,
        BinanceFuturesConnector("sim-key", "sim-secret", url=exchange.urls["binance"]) as binance,
    ):
        for side in ("BUY", "SELL") * 4:
            await binance.place_order("BTCUSDT", side, "0.01")

        volume = Decimal(0)
        async for fill in binance.get_fills("BTCUSDT"):  # oldest first, each once
            volume += fill.price * fill.quantity
        fees = sum(row.amount for row in await binance.get_income("BTCUSDT", kind="COMMISSION").all())
        print(f"traded {volume:.2f}, fees {fees:.4f}")

        oldest = await binance.get_order_history("BTCUSDT").first(3)
        print([order.status.value for order in oldest], "and more" if oldest.truncated else "and no more")

        now_ms = await binance.get_server_time()
        candles = await binance.get_klines("BTCUSDT", "1m", now_ms - 40 * HOUR_MS, now_ms).all()  # two pages
        print(len(candles), "candles; the last one is", "closed" if candles[-1].is_closed else "still open")


if __name__ == "__main__":
    asyncio.run(main())
