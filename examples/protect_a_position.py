"""A position with a stop-loss and a take-profit, each one order with one id for its whole life; the stop is moved."""

import asyncio
from decimal import Decimal

from perpwire import BinanceFuturesConnector, BybitConnector, Order, VenueConnector
from perpwire.simulator.server import running


async def protect(venue: VenueConnector, symbol: str, size: str) -> None:
    opened = await venue.place_order(symbol, "BUY", size, wait="accepted")
    mark = (await venue.get_mark_price(symbol)).mark_price

    async def exit_at(kind: str, share: str) -> Order:
        at = mark * Decimal(share)
        return await venue.place_order(
            symbol, "SELL", size, kind, trigger_price=at, trigger_by="MARK", reduce_only=True, round="nearest"
        )

    stop = await exit_at("STOP_MARKET", "0.98")
    profit = await exit_at("TAKE_PROFIT_MARKET", "1.03")
    print(opened.venue, opened.status, "- stop", stop.trigger_price, "- profit", profit.trigger_price)

    # The new stop comes first and the old one goes afterwards, so that the position is never without one.
    moved = await exit_at("STOP_MARKET", "0.99")
    if (await venue.cancel_order(symbol, stop.order_id)).status == "FILLED":
        await venue.cancel_order(symbol, moved.order_id)  # too late: the old one has closed the position
    for order in await venue.get_open_orders(symbol):
        print(" ", order.order_id, order.type, order.status, order.trigger_price)


async def main() -> None:
    async with running() as exchange:
        for kind, name in ((BinanceFuturesConnector, "binance"), (BybitConnector, "bybit")):
            async with kind("sim-key", "sim-secret", url=exchange.urls[name]) as venue:
                await protect(venue, "BTCUSDT", "0.01")


if __name__ == "__main__":
    asyncio.run(main())
