"""MINN: what is refused here is what the venue would refuse, and nothing else; what closes is not held back by a least
notional."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from perpwire.api_connector.order_form import OrderForm, OrderOptions
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, VenueRefused
from perpwire.model.instrument import Instrument
from perpwire.model.order import OrderRequest, OrderType, Side, TimeInForce
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CASES = 2500
"""On each venue."""

FILTERS = {
    "binance": {-4001, -4002, -4003, -4004, -4005, -4013, -4014, -4023, -4164, -1111, -1013},
    "bybit": {10001, 110003, 110094},
}
"""Codes of the filters that a contract's rules state. A price too far from the mark price is another matter."""

BEFORE_FILTERS = {110118, 110017, -2022}
"""Nothing to trade with, nothing to close: looked at before the filters are."""

UNDECIDED = "undecided"

OF_NOTIONAL = {-4164, 110094}

RICH = AccountSpec(cash=Decimal(10) ** 12)


class Case(NamedTuple):
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None
    reduce_only: bool


def at_the_bounds(chance: random.Random, instrument: Instrument, mark: Decimal, reduces: bool) -> Iterator[Case]:
    """One step below each bound, on it, and one above; prices on and off the tick."""
    step, tick = instrument.quantity_step, instrument.tick_size
    near = instrument.round_price(mark * Decimal(chance.choice(("0.99", "0.995"))), "down")
    kind = chance.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET))
    greatest = instrument.max_market_quantity if kind is OrderType.MARKET else instrument.max_quantity
    bounds = [instrument.min_quantity, greatest or instrument.min_quantity]
    if kind is OrderType.LIMIT and instrument.min_notional is not None:
        bounds.append(instrument.round_quantity(instrument.min_notional / near, "up"))
    bound = chance.choice(bounds)
    # More than is held is cut to it before anything else is looked at.
    whole = reduces and bound == greatest
    off = chance.choice((Decimal(0), Decimal(0), Decimal(0), Decimal(0) if whole else step / 2))
    price = near + chance.choice((Decimal(0), Decimal(0), tick, tick / 2))
    for quantity in (bound - step + off, bound + off, bound + step + off):
        yield Case(
            Side.SELL if reduces else Side.BUY,
            kind,
            quantity,
            None if kind is OrderType.MARKET else price,
            reduces,
        )


async def verdict_here(form: OrderForm, instrument: Instrument, case: Case) -> str | None:
    options = OrderOptions(price=case.price, reduce_only=case.reduce_only)
    try:
        form.request(
            instrument,
            case.side,
            case.quantity,
            case.type,
            {},
            "c",
            **options,
        )
    except BadInput as refused:
        return str(refused.code)
    return None


async def verdict_there(world: World, name: str, instrument: Instrument, case: Case, number: int) -> int | str | None:
    """The filter by which the venue refuses it, or None."""
    connector = world.connectors[name]
    request = OrderRequest(
        symbol=instrument.symbol, side=case.side, type=case.type, quantity=case.quantity, price=case.price,
        time_in_force=None if case.price is None else TimeInForce.GTC, reduce_only=case.reduce_only,
        client_order_id=f"c-{number}",
    )  # fmt: skip
    try:
        await connector._path.run(connector.venue.place_order(request))
    except VenueRefused as refused:
        if case.type is OrderType.MARKET and refused.code in OF_NOTIONAL:
            return None  # by a price that only the venue knows
        if refused.code in BEFORE_FILTERS:
            return UNDECIDED
        return refused.code if refused.code in FILTERS[name] else None
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", VENUES)
def test_minn_1_the_verdict_here_is_the_verdict_there(name: str) -> None:
    clock, chance = ManualClock(), random.Random(f"minn {name}")
    options: Any = {
        "accounts": (RICH,),
        "rate": 5.0,
        "latency_s": 0.0,
        "order_latency_s": 0.0,
        "journal_capacity": 1000,
    }

    async def main() -> None:
        async with offline(clock=clock, venues=(name,), **options) as world:
            connector, exchange = world.connectors[name], world.simulation.hosts[name].exchange
            for symbol in SYMBOLS:
                for _ in range(3):
                    await connector.place_order(
                        symbol, "BUY", (await connector.get_instrument(symbol)).min_quantity * 90
                    )
            number, tried, refused_reduces = 0, 0, 0
            differences: list[str] = []
            while tried < CASES:
                instrument = await connector.get_instrument(chance.choice(SYMBOLS))
                reduces = chance.random() < 0.4
                for case in at_the_bounds(chance, instrument, exchange.mark_price(instrument.symbol), reduces):
                    number += 1
                    here = await verdict_here(connector._form, instrument, case)
                    there = await verdict_there(world, name, instrument, case, number)
                    if there == UNDECIDED:
                        continue
                    tried += 1
                    if (here is None) != (there is None):
                        differences.append(f"{case}: here {here}, there {there}")
                    refused_reduces += case.reduce_only and here == "NOTIONAL_TOO_SMALL"
                for symbol in SYMBOLS:
                    exchange.cancel_all("main", symbol)
            assert differences[:5] == []
            assert number < 2 * CASES
            assert refused_reduces == 0

    clock.run(main())


def test_minn_1_a_position_below_the_least_notional_can_be_closed() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=("binance",)) as world:
            connector, exchange = world.binance, world.simulation.hosts["binance"].exchange

            def held() -> Decimal:
                return sum((one.quantity for one in exchange.positions("main")), Decimal(0))

            await connector.place_order("BTCUSDT", "BUY", "0.003")
            await connector.place_order("BTCUSDT", "SELL", "0.002")
            least = (await connector.get_instrument("BTCUSDT")).min_notional
            assert least is not None
            assert 0 < held() * exchange.mark_price("BTCUSDT") < least
            price = exchange.mark_price("BTCUSDT") * Decimal("0.99")
            with pytest.raises(BadInput) as caught:
                await connector.place_order("BTCUSDT", "SELL", "0.001", "LIMIT", price=price, round="nearest")
            assert caught.value.code == "NOTIONAL_TOO_SMALL"
            await connector.place_order(
                "BTCUSDT", "SELL", "0.001", "LIMIT", price=price, round="nearest", reduce_only=True
            )
            assert held() == 0

    clock.run(main())
