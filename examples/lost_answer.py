"""An order whose answer is lost on its way back: it is not sent again, and what became of it is known."""

import asyncio
from decimal import Decimal

from perpwire import BinanceFuturesConnector, Incident, NotSent, OrderDoubtful, OrderResolved, OutcomeUnknown
from perpwire.simulator.faults import LoseAnswer
from perpwire.simulator.server import running


def told(incident: Incident) -> None:
    if isinstance(incident, OrderDoubtful | OrderResolved):
        print(type(incident).__name__, incident.detail)


async def main() -> None:
    async with (
        running(venues=["binance"]) as exchange,
        BinanceFuturesConnector("sim-key", "sim-secret", url=exchange.urls["binance"]) as binance,
    ):
        binance.on_incident(told)
        exchange.faults["binance"].add(LoseAnswer(method="POST", path="/fapi/v1/order"))
        try:
            order = await binance.place_order("BTCUSDT", "BUY", "0.01")
            print("placed:", order.status, order.filled_quantity)
        except NotSent as error:
            print("surely not placed, so it may be placed again:", error.reason)
        except OutcomeUnknown as error:  # the venue could not be asked for a minute (settle_patience_s)
            print("do not repeat it; asking goes on in error.resolution:", error.client_order_id)
        (position,) = await binance.get_positions()
        assert position.quantity == Decimal("0.01")  # once


if __name__ == "__main__":
    asyncio.run(main())
