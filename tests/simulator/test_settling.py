"""Hedge and one-way mode, cross and isolated margin, leverage and tiers, funding, and what is booked."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, PositionSide, Side, TimeInForce
from perpwire.simulator.events import AccountChanged, FundingSettled, SettingsChanged
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import tiers

BUY, SELL = Side.BUY, Side.SELL
LONG, SHORT, BOTH = PositionSide.LONG, PositionSide.SHORT, PositionSide.BOTH
D = Decimal


@pytest.fixture
def venue(clock: ManualClock) -> Exchange:
    made = msgspec.structs.replace(
        spec(start_price="100"), tiers=tiers(("10000", "50", "0.01"), ("100000", "20", "0.02")), leverage=D(10)
    )
    venue = exchange(clock, symbols=[made, spec("ETHUSDT", "100")])
    venue.place("b", intent(BUY, "500", "99"))
    venue.place("b", intent(SELL, "500", "101"))
    return venue


def leg(side: Side, quantity: str, which: PositionSide, price: str | None = None) -> OrderIntent:
    return msgspec.structs.replace(intent(side, quantity, price), position_side=which)


def why(call: object, *args: object, **options: object) -> Why:
    with pytest.raises(Refused) as refused:
        call(*args, **options)  # type: ignore[operator]
    return refused.value.why


# --- position mode ----------------------------------------------------------------------------------------------------


def test_hedge_mode_keeps_a_long_and_a_short(venue: Exchange) -> None:
    assert why(venue.place, "a", leg(BUY, "1", LONG)) is Why.POSITION_SIDE
    venue.set_hedge("a", None, True)
    assert why(venue.place, "a", intent(BUY, "1")) is Why.POSITION_SIDE
    venue.place("a", leg(BUY, "3", LONG))
    venue.place("a", leg(SELL, "2", SHORT))
    assert [(one.side, one.quantity) for one in venue.positions("a")] == [(LONG, D(3)), (SHORT, D(-2))]
    assert [view.position.side for view in venue.position_views("a", SYMBOL)] == [LONG, SHORT]
    assert why(venue.place, "a", leg(SELL, "4", LONG)) is Why.REDUCE_ONLY
    venue.place("a", leg(SELL, "3", LONG))
    venue.place("a", leg(BUY, "2", SHORT))
    assert venue.positions("a") == []


def test_a_closing_order_of_a_leg_ends_when_the_leg_is_gone(venue: Exchange) -> None:
    venue.set_hedge("a", None, True)
    venue.place("a", leg(BUY, "3", LONG))
    resting = venue.place("a", leg(SELL, "3", LONG, "105"))
    venue.place("a", leg(SELL, "3", LONG))
    ended = venue.find_order("a", SYMBOL, order_id=resting.order_id, client_order_id=None)
    assert (ended.status, ended.reason) == (OrderStatus.EXPIRED, "reduce_only")


def test_the_mode_changes_only_where_nothing_is_open(venue: Exchange) -> None:
    assert why(venue.set_hedge, "a", None, False) is Why.UNCHANGED
    venue.place("a", intent(BUY, "1", "90"))
    assert why(venue.set_hedge, "a", None, True) is Why.HAS_ORDERS
    assert why(venue.set_hedge, "a", SYMBOL, True) is Why.HAS_ORDERS
    venue.set_hedge("a", "ETHUSDT", True)
    assert (venue.is_hedge("a", SYMBOL), venue.is_hedge("a", "ETHUSDT")) == (False, True)
    venue.cancel_all("a", None)
    venue.place("a", intent(BUY, "1"))
    assert why(venue.set_hedge, "a", None, True) is Why.HAS_POSITION
    venue.place("a", intent(SELL, "1"))
    venue.set_leverage("a", SYMBOL, D(7))
    venue.set_hedge("a", None, True)
    assert venue.leverage("a", SYMBOL, LONG) == venue.leverage("a", SYMBOL, SHORT) == 7


# --- leverage and tiers -----------------------------------------------------------------------------------------------


def test_leverage_is_bounded_by_contract_and_position(venue: Exchange) -> None:
    assert why(venue.set_leverage, "a", SYMBOL, D(51)) is Why.LEVERAGE
    assert why(venue.set_leverage, "a", SYMBOL, D("0.5")) is Why.LEVERAGE
    venue.set_leverage("a", SYMBOL, D(20))
    venue.place("a", intent(BUY, "200"))
    assert why(venue.set_leverage, "a", SYMBOL, D(50)) is Why.LEVERAGE_CAP  # 20,000 is above the 10,000 of 50 times
    heard = Heard(venue)
    venue.set_leverage("a", SYMBOL, D(5))
    assert [event.what for event in heard.of(SettingsChanged)] == ["leverage"]


def test_position_and_orders_together_stay_within_the_tier(venue: Exchange) -> None:
    venue.set_leverage("a", SYMBOL, D(50))
    venue.place("a", intent(BUY, "60", "101"))
    venue.place("a", intent(BUY, "39", "90"))
    assert why(venue.place, "a", intent(BUY, "2", "90")) is Why.LEVERAGE_CAP
    venue.place("a", intent(SELL, "150", "105"))  # 60 close, 90 open
    assert why(venue.place, "a", intent(SELL, "11", "105")) is Why.LEVERAGE_CAP


def test_a_lower_leverage_must_be_affordable(venue: Exchange) -> None:
    venue.deposit("a", "USDT", D(-98_000))
    venue.place("a", intent(BUY, "150"))
    assert why(venue.set_leverage, "a", SYMBOL, D(5)) is Why.MARGIN
    assert venue.leverage("a", SYMBOL) == 10


# --- margin mode ------------------------------------------------------------------------------------------------------


def test_isolated_margin_is_set_aside_and_given_back_in_proportion(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10"))
    assert venue.position("a", SYMBOL).isolated_margin == 101
    venue.place("a", intent(SELL, "4"))
    position = venue.position("a", SYMBOL)
    assert position.isolated_margin == D("60.6")
    view = venue.view("a")
    assert view.cross_wallet == view.wallet - D("60.6")
    assert view.wallet == 100_000 - 8 - 10 * 101 * D("0.0005") - 4 * 99 * D("0.0005")
    venue.place("a", intent(SELL, "8"))  # through zero: six closed, two opened
    assert venue.position("a", SYMBOL).isolated_margin == 2 * 99 / D(10)
    venue.place("a", intent(BUY, "2"))
    assert venue.view("a").cross_wallet == venue.view("a").wallet


def test_margin_is_added_and_taken_out_of_isolated_positions_only(venue: Exchange) -> None:
    assert why(venue.add_margin, "a", SYMBOL, BOTH, D(1)) is Why.NOT_ISOLATED
    venue.set_isolated("a", SYMBOL, True)
    assert why(venue.add_margin, "a", SYMBOL, BOTH, D(1)) is Why.NO_POSITION
    assert why(venue.add_margin, "a", SYMBOL, LONG, D(1)) is Why.POSITION_SIDE
    venue.place("a", intent(BUY, "10"))
    before = venue.position_view("a", SYMBOL).liquidation_price
    assert venue.add_margin("a", SYMBOL, BOTH, D(50)).isolated_margin == 151
    after = venue.position_view("a", SYMBOL).liquidation_price
    assert before is not None
    assert after is not None
    assert after < before
    assert why(venue.add_margin, "a", SYMBOL, BOTH, D(200_000)) is Why.MARGIN
    assert why(venue.add_margin, "a", SYMBOL, BOTH, D(-60)) is Why.MARGIN_TOO_MUCH
    assert venue.add_margin("a", SYMBOL, BOTH, D(-40)).extra_margin == 10


def test_a_position_goes_along_when_the_margin_mode_changes(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "10"))
    venue.set_isolated("a", None, True)
    assert venue.position("a", SYMBOL).isolated_margin == 101
    venue.set_isolated("a", None, False)
    assert venue.position("a", SYMBOL).isolated_margin == 0
    venue.place("a", intent(BUY, "400", "98.9"))
    venue.deposit("a", "USDT", -venue.view("a").available)
    venue.place("b", intent(BUY, "1", "100"))
    venue.force_mark(SYMBOL, D(120))
    # Its profit counts as cross, not once it is isolated: what the resting order holds back is no longer covered.
    venue.deposit("a", "USDT", -venue.view("a").available)
    assert why(venue.set_isolated, "a", SYMBOL, True) is Why.MARGIN
    assert venue.is_isolated("a", SYMBOL) is False


# --- funding ----------------------------------------------------------------------------------------------------------


def test_longs_pay_shorts_at_the_funding_instant(venue: Exchange, clock: ManualClock) -> None:
    venue.place("a", intent(BUY, "10"))
    venue.tick()
    _, due_ms = venue.funding(SYMBOL)
    clock.advance((due_ms - venue.now_ms()) / 1000)
    rate = venue.funding(SYMBOL)[0]
    heard = Heard(venue)
    venue.tick()
    (settled, _) = heard.of(FundingSettled)
    assert (settled.rate, settled.time_ms) == (rate, due_ms)
    paid = {event.account: event for event in heard.of(AccountChanged) if event.reason == "funding"}
    amount = (10 * settled.mark_price * settled.rate).quantize(D("1e-8"))
    for name, sign in (("a", -1), ("b", 1)):
        (booking,) = paid[name].bookings
        assert (booking.kind, booking.funding, booking.change) == ("funding", sign * amount, sign * amount)
        assert (booking.quantity, booking.price, booking.fee_rate) == (D(10), settled.mark_price, rate)
    assert venue.position("a", SYMBOL).current_realized == -(10 * 101 * D("0.0005")) - amount
    assert venue.funding_history(SYMBOL)[-1] == settled
    clock.advance(1)
    heard.clear()
    venue.tick()
    assert heard.of(FundingSettled) == []


def test_an_isolated_position_pays_from_its_own_margin(venue: Exchange, clock: ManualClock) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10"))
    venue.tick()
    clock.advance((venue.funding(SYMBOL)[1] - venue.now_ms()) / 1000)
    venue.tick()
    booking = venue.bookings("a")[-1]
    position = venue.position("a", SYMBOL)
    assert position.isolated_margin == 101 + booking.change
    assert position.extra_margin == booking.change


# --- what is booked ---------------------------------------------------------------------------------------------------


def test_every_fill_is_booked_with_all_that_it_did(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "10"))
    venue.place("a", intent(SELL, "4"))
    opened, closed = venue.bookings("a")
    assert (opened.kind, opened.fee, opened.cash_flow, opened.position_quantity) == ("trade", D("0.505"), D(0), D(10))
    assert (closed.cash_flow, closed.fee, closed.position_quantity) == (D(-8), D("0.198"), D(6))
    assert closed.change == closed.cash_flow - closed.fee
    assert closed.balance == 100_000 + opened.change + closed.change == venue.wallet("a")["USDT"]
    _, fill = venue.fills("a", SYMBOL)[-1]
    # Profit of the closed part less its own fee and four tenths of the fee of opening.
    assert fill.closed_pnl == -8 - D("0.198") - D("0.202")
    assert (fill.leaves, fill.position_quantity, fill.balance) == (D(0), D(6), closed.balance)
    position = venue.position("a", SYMBOL)
    assert position.open_fees == D("0.303")
    assert position.current_realized == position.total_realized == -8 - D("0.505") - D("0.198")


def test_a_date_ends_an_order(venue: Exchange, clock: ManualClock) -> None:
    dated = msgspec.structs.replace(intent(BUY, "1", "90", TimeInForce.GTD), expire_ms=venue.now_ms() + 1500)
    order = venue.place("a", dated)
    clock.advance(1)
    venue.tick()
    assert len(venue.open_orders("a", None)) == 1
    clock.advance(1)
    venue.tick()
    ended = venue.find_order("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    assert (ended.status, ended.reason) == (OrderStatus.EXPIRED, "gtd")
    assert why(venue.place, "a", dated) is Why.EXPIRY


def test_a_market_order_goes_no_further_than_its_bound(venue: Exchange) -> None:
    venue.cancel_all("b", SYMBOL)
    venue.place("b", intent(SELL, "3", "101"))
    venue.place("b", intent(SELL, "5", "110"))
    order = venue.place("a", msgspec.structs.replace(intent(BUY, "5"), bound=D(105)))
    assert (order.filled_quantity, order.status, order.reason) == (D(3), OrderStatus.EXPIRED, "market")
    assert why(venue.place, "a", msgspec.structs.replace(intent(BUY, "1"), bound=D(105))) is Why.NO_LIQUIDITY


def test_money_is_paid_in_and_out(venue: Exchange) -> None:
    heard = Heard(venue)
    venue.deposit("a", "USDT", D(50))
    (event,) = heard.of(AccountChanged)
    assert (event.reason, event.wallets) == ("deposit", (("USDT", D(100_050), D(50)),))
    assert why(venue.deposit, "a", "USDT", D(-100_051)) is Why.MARGIN_TOO_MUCH
    venue.deposit("a", "BNB", D(2))
    assert venue.wallet("a") == {"USDT": 100_050, "BNB": 2}


def test_the_markets_open_interest_counts_the_accounts(venue: Exchange) -> None:
    before = venue.open_interest(SYMBOL)
    venue.place("a", intent(BUY, "10"))
    assert venue.open_interest(SYMBOL) == before + 10


def test_profit_after_fees_adds_up_over_the_life_of_a_position(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "7"))
    venue.place("a", intent(SELL, "2"))
    venue.place("a", intent(BUY, "4"))
    venue.place("a", intent(SELL, "12"))  # nine closed, three opened the other way
    fills = [fill for _, fill in venue.fills("a", SYMBOL)]
    position = venue.position("a", SYMBOL)
    opening_fee = fills[-1].fee - (fills[-1].fee * 9 / 12)
    assert sum(fill.closed_pnl for fill in fills) == sum(fill.realized_pnl - fill.fee for fill in fills) + opening_fee
    assert position.open_fees == opening_fee == -position.current_realized
    assert position.total_realized == sum(fill.realized_pnl - fill.fee for fill in fills)
    assert venue.orders("a", SYMBOL)[-1].closed_pnl == fills[-1].closed_pnl


def test_margin_added_by_hand_is_not_remembered_past_the_position(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10"))
    venue.add_margin("a", SYMBOL, BOTH, D(50))
    venue.place("a", intent(SELL, "5"))
    assert venue.position("a", SYMBOL).extra_margin == 25
    venue.place("a", intent(SELL, "5"))
    assert venue.position("a", SYMBOL).extra_margin == venue.position("a", SYMBOL).isolated_margin == 0


def test_an_amended_order_counts_once_against_the_tier(venue: Exchange) -> None:
    venue.set_leverage("a", SYMBOL, D(50))
    order = venue.place("a", intent(BUY, "60", "90"))
    amended = venue.amend("a", SYMBOL, order_id=order.order_id, client_order_id=None, price=None, quantity=D(99))
    assert amended.quantity == 99
    assert (
        why(venue.amend, "a", SYMBOL, order_id=order.order_id, client_order_id=None, price=None, quantity=D(101))
        is Why.LEVERAGE_CAP
    )


def test_margin_that_a_loss_needs_stays_in(venue: Exchange) -> None:
    venue.set_isolated("a", SYMBOL, True)
    venue.place("a", intent(BUY, "10"))
    venue.add_margin("a", SYMBOL, BOTH, D(50))
    venue.force_mark(SYMBOL, D(96))  # 50 lost
    assert why(venue.add_margin, "a", SYMBOL, BOTH, D(-40)) is Why.MARGIN_TOO_MUCH
    venue.force_mark(SYMBOL, D(101))
    venue.add_margin("a", SYMBOL, BOTH, D(-40))


def test_an_order_must_be_worth_what_it_loses_at_once(clock: ManualClock) -> None:
    from perpwire.simulator.exchange import AccountSpec
    from perpwire.venues.binance_futures.sim.margin import MARGIN

    accounts = (AccountSpec(name="a", cash=D(1000)), AccountSpec(name="b", api_key="key-b"))
    venue = Exchange(clock=clock, seed=7, symbols=[spec(start_price="100")], accounts=accounts, margin=MARGIN, rate=0)
    # 20 times leverage: 100 units at 110 need 550, and lose 1000 against the mark of 100.
    assert why(venue.place, "a", intent(BUY, "100", "110")) is Why.MARGIN
    venue.place("a", intent(BUY, "100", "100"))


def test_what_is_finer_than_cash_is_the_exchanges_and_not_lost(clock: ManualClock) -> None:
    """A contract whose smallest value, tick times step, is 1e-10: cash knows 1e-8."""
    fine = spec("PEPEUSDT", start_price="0.0001234")
    fine = msgspec.structs.replace(
        fine, instrument=msgspec.structs.replace(fine.instrument, tick_size=D("1E-7"), min_price=D("1E-7"))
    )
    venue = exchange(clock, symbols=[fine])

    def worth() -> Decimal:
        mark = venue.mark_price("PEPEUSDT")
        held = sum((one.unrealized(mark) for name in "ab" for one in venue.positions(name)), D(0))
        cash = sum((venue.wallet(name)["USDT"] for name in "ab"), D(0))
        return held + cash + venue._house.worth({"PEPEUSDT": mark})

    before = worth()
    for maker, taker, price in (("a", "b", "0.0001233"), ("b", "a", "0.0001236")):
        venue.place(maker, intent(SELL, "10.007", price, symbol="PEPEUSDT"))
        venue.place(taker, intent(BUY, "10.007", price, symbol="PEPEUSDT"))
    profits = [fill.realized_pnl for name in "ab" for _, fill in venue.fills(name, None)]
    assert sorted(profits) == [D("-0.00000300"), 0, 0, D("0.00000300")]  # exactly 0.0000030021
    venue.place("a", intent(SELL, "10.007", "0.0001236", symbol="PEPEUSDT"))  # and against the background
    venue.force_fill("a")
    venue.place("a", intent(BUY, "10.007", "0.0001231", symbol="PEPEUSDT"))
    venue.force_fill("a")
    assert venue.fills("a", None)[-1][1].rounded_off == D("3.5E-9")
    assert worth() == before
