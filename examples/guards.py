"""Limits of your own, checked before an order leaves; and the kill switch."""

import asyncio
from decimal import Decimal

from perpwire import BinanceFuturesConnector, GuardRefused, Guards, GuardTripped, Incident
from perpwire.simulator.server import running

GUARDS = Guards(
    max_order_notional=Decimal(5_000),
    max_position_notional=Decimal(8_000),
    price_collar=Decimal("0.02"),
    max_orders=10,
)


def told(incident: Incident) -> None:
    if isinstance(incident, GuardTripped):
        print("guard:", incident.detail)


async def main() -> None:
    async with running(venues=["binance"]) as exchange:
        url = exchange.urls["binance"]
        async with BinanceFuturesConnector("sim-key", "sim-secret", url=url, guards=GUARDS) as binance:
            binance.on_incident(told)
            await binance.place_order("ETHUSDT", "BUY", "0.5")
            await binance.place_order("ETHUSDT", "BUY", "0.1", "LIMIT", price="1000")
            try:
                await binance.place_order("ETHUSDT", "BUY", "50")  # a slipped finger
            except GuardRefused as error:
                print("not sent:", error.code)
            print(len(await binance.kill("the day's loss is reached")), "order cancelled")
            await binance.close_position("ETHUSDT")  # what only closes still passes
            print("open positions:", await binance.get_positions())


if __name__ == "__main__":
    asyncio.run(main())
