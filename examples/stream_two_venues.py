"""Quotes and trades of both venues through one WebSocketManager, by the venues' own stream names."""

import asyncio

from perpwire import BookTicker, Trade, WebSocketManager
from perpwire.simulator.server import running


async def main() -> None:
    async with running() as exchange, WebSocketManager(urls=exchange.urls) as manager:
        manager.on(Trade, lambda trade: print(trade.venue, trade.symbol, trade.quantity, "at", trade.price))
        quotes = manager.watch(BookTicker, overflow="latest")
        await manager.connect_binance_stream(["btcusdt@aggTrade", "btcusdt@bookTicker"])
        await manager.connect_bybit_stream(["publicTrade.BTCUSDT", "orderbook.1.BTCUSDT"])
        for _ in range(10):
            quote = await anext(quotes)
            print(f"{quote.venue:8} {quote.bid_price} / {quote.ask_price}")


if __name__ == "__main__":
    asyncio.run(main())
