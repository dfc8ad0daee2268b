"""The venue's margin arithmetic, against figures worked out by hand from its formulas."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from tests.simulator.making import intent

from perpwire.clock import ManualClock
from perpwire.model.order import PositionSide, Side
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.records import SimPosition
from perpwire.simulator.specs import SymbolSpec, tiers
from perpwire.venues.binance_futures.sim.margin import MARGIN
from perpwire.venues.binance_futures.sim.specs import default_specs
from perpwire.venues.binance_futures.sim.words import break_even_price

D = Decimal
BTC = default_specs()[0]
ONE_BRACKET = msgspec.structs.replace(BTC, tiers=tiers(("1000000000", "125", "0.004")))


def position(quantity: str, entry: str, leverage: str = "20", side: PositionSide = PositionSide.BOTH) -> SimPosition:
    return SimPosition(
        symbol="BTCUSDT",
        side=side,
        quantity=D(quantity),
        entry_value=abs(D(quantity)) * D(entry),
        leverage=D(leverage),
    )


def liquidation(spec: SymbolSpec, held: SimPosition, cash: str, mark: str, *others: SimPosition) -> Decimal | None:
    return MARGIN.liquidation_price(spec, held, [held, *others], D(mark), D(cash))


def test_the_reference_liquidation_price() -> None:
    # WB 1000, long 1 at 64000, 0.4 %, cum 0: 63253.0120, where equity is 253.012, the maintenance margin.
    price = liquidation(ONE_BRACKET, position("1", "64000"), "1000", "64000")
    assert price is not None
    assert price.quantize(D("0.0001")) == D("63253.0120")
    assert (1000 + price - 64000).quantize(D("0.001")) == D("253.012") == (price * D("0.004")).quantize(D("0.001"))


def test_the_liquidation_price_of_a_short_lies_above() -> None:
    price = liquidation(ONE_BRACKET, position("-1", "64000"), "1000", "64000")
    assert price is not None
    assert abs((1000 + 64000 - price) - price * D("0.004")) < D("1e-20")


def test_the_bracket_is_the_one_at_the_liquidation_price() -> None:
    # 10 BTC are worth 640,000 (second bracket) now and stay in it: 0.5 % less 300.
    held = position("10", "64000")
    price = liquidation(BTC, held, "60000", "64000")
    assert price is not None
    assert 300_000 < 10 * price < 800_000
    assert abs(60000 + 10 * (price - 64000) - (10 * price * D("0.005") - 300)) < D("1e-15")
    # With more behind it the price lies in the first bracket, and its figures count.
    price = liquidation(BTC, held, "400000", "64000")
    assert price is not None
    assert 10 * price < 300_000
    assert abs(400000 + 10 * (price - 64000) - 10 * price * D("0.004")) < D("1e-15")


def test_nothing_liquidates_a_long_that_is_paid_for() -> None:
    assert liquidation(ONE_BRACKET, position("1", "64000"), "70000", "64000") is None


def test_hedged_legs_count_together() -> None:
    long = position("2", "64000", side=PositionSide.LONG)
    short = position("-1", "66000", side=PositionSide.SHORT)
    price = liquidation(ONE_BRACKET, long, "1000", "64000", short)
    assert price is not None
    equity = 1000 + 2 * (price - 64000) + (66000 - price)
    assert abs(equity - 3 * price * D("0.004")) < D("1e-15")
    assert price == liquidation(ONE_BRACKET, short, "1000", "64000", long)


def test_cum_keeps_the_maintenance_margin_continuous() -> None:
    assert [tier.deduction for tier in BTC.tiers[:3]] == [0, 300, 1500]
    for lower, higher in zip(BTC.tiers, BTC.tiers[1:], strict=False):
        assert higher.floor == lower.cap
        edge = lower.cap
        assert edge * lower.maintenance_rate - lower.deduction == edge * higher.maintenance_rate - higher.deduction


def test_initial_and_maintenance_margin_are_by_mark_price() -> None:
    held = position("0.5", "60000", "10")
    assert MARGIN.initial(BTC, held, D(64000)) == D("3200")
    assert MARGIN.maintenance(BTC, held, D(64000)) == D("128.000")
    assert MARGIN.maintenance(BTC, position("10", "60000"), D(64000)) == D(640000) * D("0.005") - 300


@pytest.mark.parametrize(
    ("held", "buys", "sells", "reserved"),
    [
        ("0", [("63000", "1")], [], "3150"),
        ("0", [("63000", "1")], [("65000", "1")], "3250"),  # the larger side
        ("1", [], [("65000", "1")], "0"),  # it only closes
        ("1", [], [("65000", "2")], "100"),  # |64000 - 130000| is 2000 more than 64000
        ("1", [("63000", "1")], [], "3150"),
        ("-1", [("63000", "2")], [], "0"),  # |-64000 + 126000| = 62000 is less than 64000
    ],
)
def test_what_open_orders_hold_back(
    held: str, buys: list[tuple[str, str]], sells: list[tuple[str, str]], reserved: str
) -> None:
    bids, asks = ([(D(price), D(quantity)) for price, quantity in side] for side in (buys, sells))
    assert MARGIN.order_margin(BTC, D(held), bids, asks, D(64000), D(20)) == D(reserved)


def test_the_open_loss_of_orders_worse_than_the_mark() -> None:
    assert MARGIN.open_loss(Side.BUY, D(65000), D(2), D(64000)) == 2000
    assert MARGIN.open_loss(Side.BUY, D(63000), D(2), D(64000)) == 0
    assert MARGIN.open_loss(Side.SELL, D(63000), D(2), D(64000)) == 2000


def test_the_break_even_price_as_captured() -> None:
    """A fresh long at 1.1359 with a taker fee of 0.05 %."""
    held = position("4.9", "1.1359")
    assert break_even_price(held, D("0.0005")) == D("1.13646795")
    short = position("-4.9", "1.1359")
    assert break_even_price(short, D("0.0005")) == D("1.13533205")


def test_realised_profit_commission_and_funding_as_in_the_reference(clock: ManualClock) -> None:
    """rp = side x closed x (fill - entry); commission = fill x qty x rate; funding = -Q M rate."""
    accounts = (AccountSpec(name="a"), AccountSpec(name="b", api_key="b"))
    venue = Exchange(clock=clock, seed=7, symbols=[BTC], accounts=accounts, margin=MARGIN, rate=0)
    for price, quantity in (("64000.10", "0.010"), ("64100.10", "0.030")):
        venue.place("b", intent(Side.SELL, quantity, price))
        venue.place("a", intent(Side.BUY, quantity, price))
    first = venue.fills("a", "BTCUSDT")[0][1]
    assert first.fee == D("64000.10") * D("0.010") * D("0.0005") == D("0.3200005")
    assert venue.position("a", "BTCUSDT").entry_price == D("64075.10")
    venue.place("b", intent(Side.BUY, "0.020", "64275.10"))
    venue.place("a", intent(Side.SELL, "0.020", "64275.10"))
    assert venue.fills("a", "BTCUSDT")[-1][1].realized_pnl == D("0.020") * 200
    assert venue.position("a", "BTCUSDT").entry_price == D("64075.10")  # reducing leaves it
    venue.place("b", intent(Side.BUY, "0.050", "64075.10"))
    venue.place("a", intent(Side.SELL, "0.050", "64075.10"))
    flipped = venue.position("a", "BTCUSDT")
    assert (flipped.quantity, flipped.entry_price) == (D("-0.030"), D("64075.10"))  # the rest is at the fill's price
