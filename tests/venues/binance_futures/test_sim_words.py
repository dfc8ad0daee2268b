"""How numbers and orders of the exchange are written in the venue's way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.records import SimOrder, SimPosition
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import Origin
from perpwire.venues.binance_futures.sim import default_specs
from perpwire.venues.binance_futures.sim.words import (
    REFUSALS,
    Refusal,
    SymbolWords,
    acknowledged,
    as_refusal,
    break_even_price,
    expiry_reason,
    money,
    queried,
    stripped,
)

WORDS = SymbolWords(default_specs()[0])


def order(**changes: object) -> SimOrder:
    values: dict[str, object] = {
        "account": "main",
        "symbol": "BTCUSDT",
        "order_id": 8_389_765_739_000_123_456,
        "client_order_id": "me",
        "side": Side.SELL,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "price": Decimal(64000),
        "quantity": Decimal("0.01"),
        "reduce_only": False,
        "position_side": PositionSide.BOTH,
        "status": OrderStatus.NEW,
        "created_ms": 1_790_000_000_000,
        "updated_ms": 1_790_000_000_123,
    }
    return SimOrder(**(values | changes))  # type: ignore[arg-type]


def test_the_break_even_price_pays_for_the_fee_of_opening() -> None:
    # As seen on a real account: 4.9 DOT at 1.1359 with 0.05 % break even at 1.13646795.
    long = SimPosition(symbol="DOTUSDT", quantity=Decimal("4.9"), entry_value=Decimal("4.9") * Decimal("1.1359"))
    assert break_even_price(long, Decimal("0.0005")) == Decimal("1.13646795")
    short = SimPosition(symbol="DOTUSDT", quantity=Decimal(-5), entry_value=Decimal(5))
    assert break_even_price(short, Decimal("0.0005")) == Decimal("0.9995")
    assert break_even_price(SimPosition(symbol="DOTUSDT"), Decimal("0.0005")) == 0


def test_zeros_are_kept_on_rest_and_stripped_on_streams() -> None:
    assert (money(Decimal("1.5")), stripped(Decimal("1.500")), stripped(Decimal("0E-8"))) == ("1.50000000", "1.5", "0")
    assert (WORDS.price(Decimal("64000.1")), WORDS.quantity(Decimal(1))) == ("64000.10", "1.000")
    assert stripped(Decimal("1E+3")) == "1000"
    assert (money(Decimal("-0.000000001")), stripped(Decimal("-0.0"))) == ("0.00000000", "0")


def test_acknowledgements_tell_no_prices_and_queries_do() -> None:
    filled = order(filled_quantity=Decimal("0.01"), filled_value=Decimal("640.5"), status=OrderStatus.FILLED)
    told, read = acknowledged(filled, WORDS), queried(filled, WORDS)
    assert (told.executed_qty, told.cum_qty) == ("0.010", "0.010")
    assert (read.avg_price, read.cum_quote, read.time) == ("64050.00000", "640.50000", 1_790_000_000_000)


@pytest.mark.parametrize(
    ("origin", "client_id"),
    [
        ("user", "me"),
        ("trigger", "me"),
        ("liquidation", "autoclose-1790000000000"),
        ("takeover", "autoclose-1790000000000"),
        ("adl", "adl_autoclose"),
    ],
)
def test_orders_of_the_venue_itself_are_known_by_their_client_ids(origin: Origin, client_id: str) -> None:
    assert str(acknowledged(order(origin=origin), WORDS).client_order_id).startswith(client_id)


@pytest.mark.parametrize(
    ("reason", "time_in_force", "word"),
    [
        ("", TimeInForce.GTC, "0"),
        ("user", TimeInForce.GTC, "0"),
        ("stp", TimeInForce.GTC, "1"),
        ("ioc", TimeInForce.IOC, "2"),
        ("stp", TimeInForce.IOC, "3"),
        ("reduce_only", TimeInForce.GTC, "4"),
        ("liquidation", TimeInForce.GTC, "5"),
        ("position_closed", TimeInForce.GTC, "6"),
        ("market", TimeInForce.GTC, "9"),
    ],
)
def test_why_an_order_expired(reason: str, time_in_force: TimeInForce, word: str) -> None:
    assert expiry_reason(order(reason=reason, time_in_force=time_in_force)) == word


def test_every_reason_of_the_exchange_has_a_code() -> None:
    for why in Why:
        refusal = as_refusal(Refused(why))
        assert isinstance(refusal, Refusal)
        assert refusal.code < -1000
        assert refusal.status == 400
        assert REFUSALS[why] == (refusal.code, refusal.message)
