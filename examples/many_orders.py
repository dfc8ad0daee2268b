"""Orders in batches, with an answer for each of them, and all of them cancelled."""

import asyncio

from perpwire import APIError, BybitConnector, NewOrder
from perpwire.simulator.server import running


async def main() -> None:
    async with (
        running(venues=["bybit"]) as exchange,
        BybitConnector("sim-key", "sim-secret", url=exchange.urls["bybit"]) as bybit,
    ):
        bid = (await bybit.get_order_book("BTCUSDT")).bids[0][0]
        orders = [
            NewOrder(symbol="BTCUSDT", side="BUY", quantity=size, order_type="LIMIT", price=bid - below)
            for size, below in (("0.01", 10), ("0.02", 20), ("0.00001", 30), ("0.01", 40), ("0.02", 50))
        ]
        for order, result in zip(orders, await bybit.place_orders(orders), strict=True):
            if isinstance(result, APIError):  # of this order alone: the others are placed
                print(order["quantity"], type(result).__name__, result.code, result.reason)
            else:
                print(result.quantity, "at", result.price, result.status)

        first, second, *_ = await bybit.get_open_orders("BTCUSDT")
        for ended in await bybit.cancel_orders([first, second]):
            print(ended if isinstance(ended, APIError) else f"{ended.order_id} {ended.status}")
        print(len(await bybit.cancel_all()), "more cancelled,", len(await bybit.get_open_orders()), "left")


if __name__ == "__main__":
    asyncio.run(main())
