"""What happens to positions whose margin is used up, and to those closed against them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side
from perpwire.simulator.events import AccountChanged, Liquidated, MarginCalled, OrderChanged
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.margin import PlainMargin
from perpwire.simulator.records import SimOrder
from perpwire.simulator.specs import SymbolSpec, tiers

BUY, SELL = Side.BUY, Side.SELL
D = Decimal
FEE = D("0.0005")


def contract(symbol: str = SYMBOL, **changes: Any) -> SymbolSpec:
    return msgspec.structs.replace(
        spec(symbol, start_price="100"),
        tiers=tiers(("10000", "50", "0.01"), ("1000000", "20", "0.02")),
        leverage=D(10),
        liquidation_fee=D("0.01"),
        taker_fee=FEE,
        maker_fee=D(0),
        **changes,
    )


ACCOUNTS = tuple(AccountSpec(name=name, api_key=f"key-{name}", cash=D(1000)) for name in "abc")


@pytest.fixture
def venue(clock: ManualClock) -> Exchange:
    """c is rich and quotes at 99 and 101."""
    venue = exchange(clock, symbols=[contract(), contract("ETHUSDT")], accounts=ACCOUNTS)
    venue.deposit("c", "USDT", D(10_000_000))
    for symbol in (SYMBOL, "ETHUSDT"):
        venue.place("c", intent(BUY, "900", "99", symbol=symbol))
        venue.place("c", intent(SELL, "900", "101", symbol=symbol))
    return venue


def last_order(venue: Exchange, account: str, symbol: str = SYMBOL) -> SimOrder:
    return venue.orders(account, symbol)[-1]


def test_a_cross_position_is_liquidated_when_equity_is_down_to_the_maintenance_margin(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "50", "101"))
    wallet = D(1000) - 50 * 101 * FEE
    assert venue.wallet("a")["USDT"] == wallet
    # wallet + 50 (P - 101) = 50 P 0.01
    price = venue.position_view("a", SYMBOL).liquidation_price
    assert price is not None
    assert abs(wallet + 50 * (price - 101) - 50 * price * D("0.01")) < D("1e-12")
    venue.force_mark(SYMBOL, (price + D("0.1")).quantize(D("0.1")))
    assert venue.position("a", SYMBOL).quantity == 50
    heard = Heard(venue)
    venue.cancel_all("c", SYMBOL)
    venue.place("c", intent(BUY, "900", "83"))
    heard.clear()
    venue.force_mark(SYMBOL, (price - D("0.1")).quantize(D("0.1")))
    assert venue.position("a", SYMBOL).quantity == 0
    order = last_order(venue, "a")
    assert (order.origin, order.status, order.side, order.average_price) == (
        "liquidation",
        OrderStatus.FILLED,
        SELL,
        D(83),
    )
    (public,) = heard.of(Liquidated)
    assert (public.side, public.filled_quantity, public.average_price) == (SELL, D(50), D(83))
    assert public.price == order.price
    assert public.price < price  # the bankruptcy price lies below
    kinds = [(one.kind, one.change) for one in venue.bookings("a")[-2:]]
    assert kinds[1] == ("liquidation_fee", -(50 * 83 * D("0.01")))
    assert venue.wallet("a")["USDT"] > 0


def test_orders_and_conditional_orders_go_first(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "50", "101"))
    venue.place("a", intent(BUY, "1", "95"))
    venue.place("a", intent(BUY, "1", "95", symbol="ETHUSDT"))
    trigger = venue.place_trigger(
        "a",
        TriggerIntent(
            symbol=SYMBOL,
            side=SELL,
            kind="stop",
            direction="falls",
            type=OrderType.MARKET,
            trigger_price=D(90),
            trigger_by="mark",
            quantity=D(1),
        ),
    )
    heard = Heard(venue)
    venue.force_liquidation("a", SYMBOL)
    assert venue.open_orders("a", None) == []
    assert venue.find_trigger("a", trigger_id=trigger.trigger_id).reason == "liquidation"
    own = [event for event in heard.of(OrderChanged) if event.account == "a"]
    assert [event.what for event in own[:3]] == ["canceled", "canceled", "new"]
    assert all(event.order.reason == "liquidation" for event in own[:2])


def test_an_isolated_position_loses_its_own_margin_and_nothing_else(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10", "101"))
    venue.place("a", intent(BUY, "1", "101", symbol="ETHUSDT"))
    position = venue.position("a", SYMBOL)
    assert (position.is_isolated, position.isolated_margin) == (True, D(101))
    view = venue.view("a")
    assert view.cross_wallet == view.wallet - 101
    price = venue.position_view("a", SYMBOL).liquidation_price
    assert price is not None
    assert abs(101 + 10 * (price - 101) - 10 * price * D("0.01")) < D("1e-12")
    venue.cancel_all("c", SYMBOL)
    before = venue.wallet("a")["USDT"]
    venue.force_mark(SYMBOL, price.quantize(D("0.1")) - D("0.1"))  # nobody is there to buy: the fund takes over
    assert venue.position("a", SYMBOL).quantity == 0
    assert venue.position("a", "ETHUSDT").quantity == 1
    order = last_order(venue, "a")
    assert (order.origin, order.average_price) == ("takeover", D("90.9"))  # 101 - 10.1: where the margin is gone
    assert venue.wallet("a")["USDT"] == before - 101
    assert [fill.kind for _, fill in venue.fills("a", SYMBOL)] == ["trade", "takeover"]


def test_the_insurance_fund_gains_or_loses_by_what_it_takes_over(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10", "101"))
    venue.cancel_all("c", SYMBOL)
    before = venue._house.state.insurance
    venue.force_mark(SYMBOL, D("91.5"))
    assert venue._house.state.insurance - before == 10 * (D("91.5") - D("90.9"))
    venue.place("a", intent(BUY, "1", "105"))
    venue.place("c", intent(SELL, "1", "105"))
    before = venue._house.state.insurance
    venue.force_mark(SYMBOL, D("80"))  # past its bankruptcy price of 94.5: the fund pays
    assert venue._house.state.insurance - before == D("80") - D("94.5")


def test_what_the_fund_cannot_bear_is_closed_against_the_most_profitable(venue: Exchange) -> None:
    venue._house.state.insurance = D(1)
    venue.set_isolated("a", SYMBOL, True)
    venue.set_leverage("b", SYMBOL, D(50))
    venue.place("b", intent(SELL, "4", "100.9"))
    venue.place("a", intent(BUY, "10", "101"))  # four of b's, six of c's
    venue.cancel_all("c", SYMBOL)
    heard = Heard(venue)
    venue.force_mark(SYMBOL, D(80))
    assert venue.position("a", SYMBOL).quantity == 0
    # b has the higher leverage and goes first; c gives the rest.
    adl = [event for event in heard.of(AccountChanged) if event.reason == "adl"]
    assert [(event.account, event.bookings[0].quantity) for event in adl] == [("b", D(4)), ("c", D(6))]
    fills = [fill for who in "bc" for _, fill in venue.fills(who, SYMBOL) if fill.kind == "adl"]
    assert {(fill.price, fill.fee) for fill in fills} == {(venue.fills("a", SYMBOL)[-1][1].price, D(0))}
    assert last_order(venue, "a").origin == "takeover"
    assert venue._house.state.insurance == 1


def test_adl_cancels_the_orders_of_its_symbol(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "4", "99"))
    venue.place("b", intent(BUY, "1", "90"))
    venue.force_adl("b", SYMBOL, quantity=D(3))
    assert venue.position("b", SYMBOL).quantity == -1
    assert [order.reason for order in venue.orders("b", SYMBOL)] == ["", "adl", ""]
    assert last_order(venue, "b").origin == "adl"


def test_a_large_position_goes_down_a_tier_at_a_time(venue: Exchange) -> None:
    venue.deposit("a", "USDT", D(19_000))
    venue.place("a", intent(BUY, "400", "101"))  # 40,400: second tier, 2 %
    heard = Heard(venue)
    venue.force_liquidation("a", SYMBOL)
    # It stays above what would be liquidated: one step, down to the first tier's 10,000 at the mark price.
    left = venue.position("a", SYMBOL).quantity
    mark = venue.mark_price(SYMBOL)
    assert left * mark <= 10_000 < (left + D("0.001")) * mark
    assert len(heard.of(Liquidated)) == 1


def test_a_venue_may_take_small_positions_over_at_once(clock: ManualClock) -> None:
    class AtOnce(PlainMargin):
        takes_over_at_once = True

    venue = Exchange(clock=clock, seed=7, symbols=[contract()], accounts=ACCOUNTS, margin=AtOnce(), rate=0)
    venue.deposit("c", "USDT", D(100_000))
    venue.place("c", intent(SELL, "10", "101"))
    venue.place("a", intent(BUY, "10", "101"))
    venue.place("c", intent(BUY, "10", "100"))
    venue.force_mark(SYMBOL, D(1))
    assert venue.position("a", SYMBOL).quantity == 0
    assert last_order(venue, "a").origin == "takeover"  # though somebody would have bought at 100
    assert 0 <= venue.wallet("a")["USDT"] < 1


def test_an_account_that_has_lost_more_than_all_it_had_is_set_to_nothing(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "90", "101"))
    venue.cancel_all("c", SYMBOL)
    venue.force_mark(SYMBOL, D(50))
    assert venue.position("a", SYMBOL).quantity == 0
    assert 0 <= venue.wallet("a")["USDT"] < 10


def test_auto_add_margin_keeps_an_isolated_position(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10", "101"))
    venue.set_auto_add_margin("a", SYMBOL, PositionSide.BOTH, True)
    heard = Heard(venue)
    venue.force_mark(SYMBOL, D(90))
    position = venue.position("a", SYMBOL)
    assert position.quantity == 10
    assert position.isolated_margin > 101
    assert [event.reason for event in heard.of(AccountChanged)] == ["margin"]


def test_a_warning_comes_before_it_and_only_once(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "50", "101"))
    price = venue.position_view("a", SYMBOL).liquidation_price
    assert price is not None
    heard = Heard(venue)
    venue.force_mark(SYMBOL, (price + D("0.15")).quantize(D("0.1")))
    venue.tick()
    assert [(event.account, event.symbol) for event in heard.of(MarginCalled)] == [("a", "")]
    venue.force_mark(SYMBOL, D(100))
    venue.force_mark(SYMBOL, (price + D("0.15")).quantize(D("0.1")))
    assert len(heard.of(MarginCalled)) == 2


@pytest.mark.parametrize(
    ("side", "price", "exact", "rounded"), [(BUY, "101", "90.89", "90.9"), (SELL, "99", "108.91", "108.9")]
)
def test_the_bankruptcy_price_is_rounded_in_the_accounts_favour(
    venue: Exchange, side: Side, price: str, exact: str, rounded: str
) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(side, "10", price))
    venue.add_margin("a", SYMBOL, PositionSide.BOTH, D("0.1"))
    assert venue.position_view("a", SYMBOL).bankruptcy_price == D(exact)
    venue.force_liquidation("a", SYMBOL)
    assert last_order(venue, "a").price == D(rounded)


def test_the_fund_pays_what_an_account_has_lost_beyond_all_it_had(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "90", "101"))
    venue.cancel_all("c", SYMBOL)
    venue.force_mark("ETHUSDT", D(100))
    account = venue._owner("a")
    account.book("transfer", "USDT", 0, D(-930), cash_flow=D(-930))  # a loss elsewhere, past its margin
    venue.force_mark(SYMBOL, D(95))
    assert venue.position("a", SYMBOL).quantity == 0
    assert venue.wallet("a")["USDT"] >= 0


def test_a_flip_ends_what_was_bound_to_the_position(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "2", "101"))
    bound = venue.place_trigger(
        "a",
        TriggerIntent(
            symbol=SYMBOL,
            side=SELL,
            kind="stop",
            direction="falls",
            type=OrderType.MARKET,
            trigger_price=D(50),
            quantity=D(1),
            is_bound_to_position=True,
        ),
    )
    venue.place("a", intent(SELL, "3", "99"))
    assert venue.position("a", SYMBOL).quantity == -1
    assert venue.find_trigger("a", trigger_id=bound.trigger_id).reason == "position_closed"


@pytest.mark.parametrize("mark", ["98", "101", "104"])
def test_a_cross_position_is_bankrupt_where_all_of_the_accounts_money_is_gone(venue: Exchange, mark: str) -> None:
    """Wherever the mark price stands now, and with what the account's other position is worth."""
    venue.place("a", intent(BUY, "50", "101"))
    venue.place("a", intent(BUY, "2", "101", symbol="ETHUSDT"))
    venue.force_mark("ETHUSDT", D(103))
    venue.force_mark(SYMBOL, D(mark))
    money = venue.wallet("a")["USDT"] + 2 * (103 - 101)
    assert venue.position_view("a", SYMBOL).bankruptcy_price == 101 - money / 50
