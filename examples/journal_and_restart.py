"""A program that ends while an order is in doubt; the next one learns from the journal what became of it."""

import asyncio
import tempfile
from pathlib import Path

from perpwire import BybitConnector
from perpwire.simulator.faults import LoseAnswer
from perpwire.simulator.server import running


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "orders.db"
        async with running(venues=["bybit"]) as exchange:
            url, faults = exchange.urls["bybit"], exchange.faults["bybit"]

            async with BybitConnector("sim-key", "sim-secret", url=url, journal=journal) as bybit:
                faults.add(LoseAnswer(path="/v5/order/*", count=None))  # nothing about orders is answered any more
                try:
                    async with asyncio.timeout(1):
                        await bybit.place_order("BTCUSDT", "Buy", "0.01")
                except TimeoutError:  # so does Ctrl-C end it; a kill leaves the same journal
                    print("in doubt:", [one.client_order_id for one in bybit.unresolved_orders])
            faults.clear()

            async with BybitConnector("sim-key", "sim-secret", url=url, journal=journal) as bybit:
                report = bybit.start_up_report  # all is settled, as far as it can be, before the first line in here
                for order in report.found:
                    print("it was placed:", order.client_order_id, order.status, order.filled_quantity)
                print("not placed:", report.not_placed, "still unknown:", report.unknown)


if __name__ == "__main__":
    asyncio.run(main())
