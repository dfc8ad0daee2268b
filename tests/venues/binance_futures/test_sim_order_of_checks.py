"""In which order an order is checked: of all that is wrong with it, the first is told; and what survives a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.venues.binance_futures.simulated import MAIN, OTHER, SimulatedVenue

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.store import Store
from perpwire.venues.binance_futures.sim import MARGIN, default_specs, make_dialect


def test_of_all_that_is_wrong_the_first_is_told(clock: ManualClock) -> None:
    """One mistake after the other is put right, and each time the next one comes to light."""
    venue = SimulatedVenue(clock)
    venue.quote(quantity="20")
    venue.market(quantity="0.010")
    venue.place(price="60000", newClientOrderId="taken")
    venue.exchange.set_trading("SOLUSDT", False)
    order: dict[str, Any] = {
        "side": "UP",
        "type": "ICEBERG",
        "symbol": "NOPE",
        "timeInForce": "DAY",
        "quantity": "3.0001",
        "price": "100",
        "reduceOnly": "true",
        "newClientOrderId": "!",
        "positionSide": "LONG",
    }
    put_right: list[tuple[int, dict[str, Any]]] = [
        (-1117, {"side": "BUY"}),
        (-1116, {"type": "STOP"}),
        (-1121, {"symbol": "SOLUSDT"}),
        (-4015, {"newClientOrderId": "taken"}),
        (-4061, {"positionSide": "BOTH"}),
        (-4141, {"symbol": "BTCUSDT"}),
        (-4120, {"type": "LIMIT"}),
        (-1115, {"timeInForce": "GTC"}),
        (-1111, {"quantity": "3000"}),
        (-4013, {"price": "64000.05"}),
        (-4014, {"price": "64000"}),
        (-4005, {"quantity": "0.001"}),
        (-4116, {"newClientOrderId": "free"}),
        (-2022, {"reduceOnly": None}),
        (-4164, {"quantity": "35"}),
        (-2019, {"quantity": "0.010"}),
    ]
    for code, better in put_right:
        answer = venue.place(**order)
        assert (answer.status, answer.code) == (400, code), answer.raw
        order |= better
    assert venue.place(**order).status == 200


def test_what_was_said_is_known_after_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    def opened() -> SimulatedVenue:
        venue = SimulatedVenue(clock)
        venue.exchange = Exchange(
            clock=clock,
            seed=1,
            symbols=default_specs(),
            accounts=(MAIN, OTHER),
            margin=MARGIN,
            rate=0,
            store=Store(path, "binance"),
        )
        venue.dialect = make_dialect(venue.exchange, DialectOptions())
        return venue

    def told(venue: SimulatedVenue) -> list[Any]:
        btc: dict[str, Any] = {"symbol": "BTCUSDT"}
        asked: list[tuple[str, dict[str, Any]]] = [
            ("/fapi/v1/openOrders", {}),
            ("/fapi/v1/allOrders", btc),
            ("/fapi/v1/userTrades", btc),
            ("/fapi/v1/income", {}),
            ("/fapi/v1/openAlgoOrders", {}),
            ("/fapi/v1/symbolConfig", {}),
            ("/fapi/v1/feeBurn", {}),
            ("/fapi/v1/orderAmendment", btc | {"origClientOrderId": "kept"}),
            ("/fapi/v1/positionMargin/history", btc),
            ("/fapi/v3/positionRisk", {}),
            ("/fapi/v3/balance", {}),
        ]
        return [venue.signed("GET", path, **params).json for path, params in asked]

    first = opened()
    first.quote()
    first.signed("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    first.signed("POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=7)
    first.signed("POST", "/fapi/v1/feeBurn", feeBurn="false")
    first.market(quantity="0.100")
    first.signed("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="12.5", type=1)
    first.place(price=None, priceMatch="QUEUE", newClientOrderId="kept")
    change: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "origClientOrderId": "kept",
        "quantity": "0.020",
        "price": "60000",
    }
    assert first.signed("PUT", "/fapi/v1/order", **change, modifyId=3).status == 200
    stop: dict[str, Any] = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.010",
    }
    assert first.signed("POST", "/fapi/v1/algoOrder", **stop, triggerPrice="60000").status == 200
    before = told(first)
    assert all(before)
    made = first.place(price="59000").json["clientOrderId"]
    first.close()

    clock.advance(1)
    second = opened()
    second.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=made)
    after = told(second)
    moments = {"updateTime", "time"}
    for earlier, later in zip(before, after, strict=True):
        if earlier == later:
            continue
        rows = [[{key: row[key] for key in row if key not in moments} for row in some] for some in (earlier, later)]
        assert [row for row in rows[1] if row.get("clientOrderId") != made] == rows[0]
    assert second.place(price="59000").json["clientOrderId"] != made
    second.close()
