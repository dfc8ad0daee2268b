"""Trade on an embedded exchange: no keys, no network."""

import asyncio

from perpwire import BinanceFuturesConnector, Fill
from perpwire.simulator.server import running


async def main() -> None:
    async with (
        running(venues=["binance"]) as exchange,
        BinanceFuturesConnector("sim-key", "sim-secret", url=exchange.urls["binance"]) as binance,
    ):
        binance.on(Fill, lambda fill: print("filled", fill.quantity, "at", fill.price, "fee", fill.fee))
        await binance.open_account_stream()
        book = await binance.open_book("BTCUSDT")
        print("best", book.best_bid, book.best_ask)
        order = await binance.place_order("BTCUSDT", "BUY", "0.01")
        print(order.status, [(p.symbol, p.quantity, p.entry_price) for p in await binance.get_positions()])


if __name__ == "__main__":
    asyncio.run(main())
