"""A contract that the venue does not list any more: what can't be read of it hides nothing of the others."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.playing import play

from perpwire.errors import UnknownSymbol
from perpwire.model.order import Fill
from perpwire.simulator.faults import Answer, Cut, FillOrder, Refuse
from perpwire.testing import World

REFUSALS = {
    "binance": Answer(
        method="GET",
        contains="symbol=ETHUSDT",
        status=400,
        body=json.dumps({"code": -1121, "msg": "Invalid symbol."}),
        count=None,
    ),
    "bybit": Answer(
        method="GET",
        contains="symbol=ETHUSDT",
        status=200,
        body=json.dumps({"retCode": 10001, "retMsg": "params error: symbol invalid ETHUSDT", "result": {}}),
        count=None,
    ),
}
"""As the venues word it."""


@pytest.mark.parametrize("venue", REFUSALS)
def test_what_happens_in_other_contracts_is_read_back_and_what_was_open_in_it_is_let_go_of(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector, host = world.connectors[venue], world.simulation.hosts[venue]
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.open_account_stream()
        await connector.place_order("ETHUSDT", "BUY", "0.1")
        for symbol in ("BTCUSDT", "ETHUSDT"):
            price = host.exchange.mark_price(symbol) * Decimal("0.97")
            await connector.place_order(
                symbol, "BUY", "0.1", order_type="LIMIT", price=price, round="nearest", client_order_id=symbol
            )
        await world.clock.sleep(30)
        host.faults.add(REFUSALS[venue])
        with pytest.raises(UnknownSymbol, match=r"ETHUSDT|Invalid symbol"):
            await connector.get_order("ETHUSDT", client_order_id="ETHUSDT")
        host.faults.add(Refuse(seconds=5.0))
        host.faults.add(Cut())
        await world.clock.sleep(1)
        host.faults.add(FillOrder(symbol="BTCUSDT"))
        await world.clock.sleep(60)
        assert [fill.symbol for fill in fills] == ["ETHUSDT", "BTCUSDT"]
        assert connector.is_account_stream_live
        await world.clock.sleep(600)
        assert connector.is_account_stream_live
        assert not connector.account_state.open_orders

    play(venue, scenario, rate=0.3)
