"""Positions, cash and margin, by figures worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.simulator.making import SYMBOL, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.refusals import Refused, Why


@pytest.fixture
def venue(clock: ManualClock) -> Exchange:
    return exchange(clock, symbols=[spec(start_price="100"), spec("ETHUSDT", "10")])


def trade(venue: Exchange, price: str, quantity: str, buyer: str = "a", seller: str = "b") -> None:
    """The seller rests, the buyer takes."""
    venue.place(seller, intent(Side.SELL, quantity, price))
    venue.place(buyer, intent(Side.BUY, quantity, price))


def test_a_long_is_opened_added_to_reduced_and_flipped(venue: Exchange) -> None:
    trade(venue, "100", "1")
    trade(venue, "110", "1")
    position = venue.position("a", SYMBOL)
    assert [position.quantity, position.entry_price] == [Decimal(2), Decimal(105)]
    trade(venue, "120", "0.5", buyer="b", seller="a")
    position = venue.position("a", SYMBOL)
    assert [position.quantity, position.entry_price] == [Decimal("1.5"), Decimal(105)]
    assert position.realized_pnl == Decimal("7.5")
    trade(venue, "90", "2", buyer="b", seller="a")
    position = venue.position("a", SYMBOL)
    assert [position.quantity, position.entry_price] == [Decimal("-0.5"), Decimal(90)]
    assert position.realized_pnl == Decimal("7.5") + Decimal("1.5") * -15


def test_fees_are_of_the_traded_value_by_who_rested(venue: Exchange) -> None:
    trade(venue, "100", "2")
    assert venue.wallet("a") == {"USDT": 100000 - Decimal("0.1")}
    assert venue.wallet("b") == {"USDT": 100000 - Decimal("0.04")}
    ((_, taken),) = venue.fills("a", None)
    ((_, made),) = venue.fills("b", None)
    assert (taken.fee, taken.fee_rate, taken.is_maker) == (Decimal("0.1"), Decimal("0.0005"), False)
    assert (made.fee, made.fee_rate, made.is_maker) == (Decimal("0.04"), Decimal("0.0002"), True)
    assert taken.trade_id == made.trade_id


def test_a_third_of_a_position_closes_without_losing_a_fraction(venue: Exchange) -> None:
    trade(venue, "100", "0.003")
    trade(venue, "100.1", "0.004")
    for _ in range(7):
        trade(venue, "100.3", "0.001", buyer="b", seller="a")
    position = venue.position("a", SYMBOL)
    assert position.quantity == position.entry_value == 0
    assert position.realized_pnl == Decimal("0.007") * Decimal("100.3") - Decimal("0.3") - Decimal("0.4004")


def test_the_sums_of_an_account_go_by_the_mark_price(venue: Exchange) -> None:
    trade(venue, "100", "2")
    venue.place("a", intent(Side.BUY, "1", "90"))
    view = venue.view("a")
    assert venue.mark_price(SYMBOL) == 100
    assert view.initial_margin == 10  # 2 x 100 / 20
    assert view.order_margin == Decimal("4.5")
    assert view.maintenance_margin == 1
    assert view.unrealized_pnl == 0
    assert view.equity == view.wallet == Decimal("99999.9")
    assert view.available == view.equity - Decimal("14.5")


def test_orders_that_only_close_need_no_margin_and_the_worse_side_of_others_counts(venue: Exchange) -> None:
    trade(venue, "100", "2")
    venue.place("a", intent(Side.SELL, "1", "120"))
    assert venue.view("a").order_margin == 0
    venue.place("a", intent(Side.SELL, "3", "130"))  # 1 of them closes, 2 open a short
    assert venue.view("a").order_margin == 13
    venue.place("a", intent(Side.BUY, "1", "50"))
    assert venue.view("a").order_margin == 13


def test_an_order_beyond_the_free_margin_is_refused_and_leaves_no_trace(clock: ManualClock) -> None:
    venue = exchange(clock, symbols=[spec(start_price="100")], accounts=[AccountSpec(name="a", cash=Decimal(100))])
    with pytest.raises(Refused) as caught:
        venue.place("a", intent(Side.BUY, "20.001", "100"))
    assert caught.value.why is Why.MARGIN
    assert venue.orders("a", None) == []
    venue.place("a", intent(Side.BUY, "20", "100"))
    assert venue.view("a").available == 0
    with pytest.raises(Refused):
        venue.place("a", intent(Side.BUY, "0.001", "90"))
    # The other side of the book needs nothing while it is the smaller one.
    venue.place("a", intent(Side.SELL, "10", "110"))


def test_a_market_order_is_margined_at_what_the_book_asks(clock: ManualClock) -> None:
    accounts = [AccountSpec(name="a", api_key="a", cash=Decimal(100)), AccountSpec(name="b", api_key="b")]
    venue = exchange(clock, symbols=[spec(start_price="100")], accounts=accounts)
    venue.place("b", intent(Side.SELL, "10", "100"))
    venue.place("b", intent(Side.SELL, "10", "110"))
    with pytest.raises(Refused) as caught:
        venue.place("a", intent(Side.BUY, "20"))  # costs 2100 / 20 = 105
    assert caught.value.why is Why.MARGIN
    assert venue.place("a", intent(Side.BUY, "19")).average_price == Decimal(1990) / 19


def test_closing_is_possible_without_free_margin(clock: ManualClock) -> None:
    accounts = [AccountSpec(name="a", api_key="a", cash=Decimal(100)), AccountSpec(name="b", api_key="b")]
    venue = exchange(clock, symbols=[spec(start_price="100")], accounts=accounts)
    trade(venue, "100", "19.9")
    assert venue.view("a").available == 0
    venue.place("b", intent(Side.BUY, "19.9", "99"))
    venue.place("a", intent(Side.SELL, "19.9"))
    assert venue.position("a", SYMBOL).quantity == 0


def test_leverage_changes_what_is_needed_and_cannot_be_lowered_beyond_what_is_free(clock: ManualClock) -> None:
    accounts = [AccountSpec(name="a", api_key="a", cash=Decimal(100)), AccountSpec(name="b", api_key="b")]
    venue = exchange(clock, symbols=[spec(start_price="100")], accounts=accounts)
    trade(venue, "100", "10")
    venue.set_leverage("a", SYMBOL, Decimal(50))
    assert venue.view("a").initial_margin == 20
    venue.set_leverage("a", SYMBOL, Decimal(12))
    with pytest.raises(Refused) as caught:
        venue.set_leverage("a", SYMBOL, Decimal(10))
    assert caught.value.why is Why.MARGIN
    assert venue.leverage("a", SYMBOL) == 12


def test_symbols_share_the_wallet(venue: Exchange) -> None:
    venue.place("b", intent(Side.SELL, "5", "10", symbol="ETHUSDT"))
    venue.place("a", intent(Side.BUY, "5", "10", symbol="ETHUSDT"))
    trade(venue, "100", "1")
    assert {one.symbol for one in venue.positions("a")} == {SYMBOL, "ETHUSDT"}
    assert venue.view("a").initial_margin == 5 + Decimal("2.5")
