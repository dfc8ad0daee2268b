"""Conditional orders: when they trigger, what they become, and what ends them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import OrderChanged, TriggerChanged
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.refusals import Refused, Why

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


@pytest.fixture
def venue(clock: ManualClock) -> Exchange:
    """Quotes of account b at 99 and 101; the last price is 100."""
    venue = exchange(clock, symbols=[spec(start_price="100")])
    venue.place("b", intent(BUY, "50", "99"))
    venue.place("b", intent(SELL, "50", "101"))
    return venue


def stop(side: Side, at: str | None, quantity: str = "1", **more: Any) -> TriggerIntent:
    rises = more.pop("rises", side is BUY)
    return TriggerIntent(
        symbol=SYMBOL,
        side=side,
        kind=more.pop("kind", "stop"),
        direction="rises" if rises else "falls",
        type=more.pop("type", OrderType.MARKET),
        trigger_price=None if at is None else D(at),
        quantity=D(quantity),
        **more,
    )


def trade_at(venue: Exchange, price: str) -> None:
    """Account b trades with itself, so that this is the last price."""
    venue.place("b", intent(SELL, "0.001", price, self_trade="none"))
    venue.place("b", intent(BUY, "0.001", price, TimeInForce.IOC, self_trade="none"))


def steps(heard: Heard) -> list[str]:
    names = []
    for event in heard.events:
        if isinstance(event, TriggerChanged):
            names.append(f"trigger {event.what}")
        elif isinstance(event, OrderChanged) and event.account == "a":
            names.append(f"order {event.what}")
    return names


def test_a_stop_becomes_a_market_order_when_the_last_price_gets_there(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", client_id="stop-1"))
    heard = Heard(venue)
    trade_at(venue, "100.4")
    assert venue.open_triggers("a", SYMBOL) == [placed]
    assert steps(heard) == []
    trade_at(venue, "100.5")
    assert steps(heard) == [
        "trigger triggering",
        "trigger triggered",
        "order new",
        "order trade",
        "trigger finished",
    ]
    trigger = venue.find_trigger("a", client_id="stop-1")
    assert (trigger.status, trigger.reason, trigger.triggered_ms) == ("finished", "", venue.now_ms())
    order = venue.find_order("a", SYMBOL, order_id=trigger.order_id, client_order_id=None)
    assert (order.status, order.average_price, order.client_order_id) == (OrderStatus.FILLED, D(101), "stop-1")
    assert (order.origin, order.trigger_id) == ("trigger", trigger.trigger_id)
    assert venue.open_triggers("a", None) == []


def test_a_limit_order_rests_after_it_has_triggered(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(SELL, "99.5", type=OrderType.LIMIT, price=D("100.9")))
    trade_at(venue, "99.5")
    (order,) = venue.open_orders("a", SYMBOL)
    assert (order.price, order.remaining, order.order_id != placed.trigger_id) == (D("100.9"), D(1), True)
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).status == "triggered"
    venue.cancel("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    ended = venue.find_trigger("a", trigger_id=placed.trigger_id)
    assert (ended.status, ended.reason) == ("finished", "user")


def test_one_that_keeps_its_id_is_the_order_it_becomes(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", keeps_id=True))
    trade_at(venue, "100.5")
    assert venue.find_order("a", SYMBOL, order_id=placed.trigger_id, client_order_id=None).filled_quantity == 1


@pytest.mark.parametrize(
    ("side", "rises", "price", "why"),
    [
        (BUY, True, "100", Why.WOULD_TRIGGER),
        (BUY, False, "100.1", Why.WOULD_TRIGGER),
        (SELL, False, "100", Why.WOULD_TRIGGER),
        (SELL, False, "99.95", Why.PRICE_OFF_TICK),
        (SELL, False, "0", Why.PRICE_NOT_POSITIVE),
    ],
)
def test_what_would_trigger_at_once_is_refused(venue: Exchange, side: Side, rises: bool, price: str, why: Why) -> None:
    heard = Heard(venue)
    with pytest.raises(Refused) as refused:
        venue.place_trigger("a", stop(side, price, rises=rises))
    assert refused.value.why is why
    assert heard.events == []


def test_mark_and_index_price_trigger_what_goes_by_them(venue: Exchange) -> None:
    by_mark = venue.place_trigger("a", stop(BUY, "105", trigger_by="mark"))
    venue.place_trigger("a", stop(BUY, "105"))
    trade_at(venue, "100.9")
    venue.force_mark(SYMBOL, D("104.9"))
    assert len(venue.open_triggers("a", None)) == 2
    venue.force_mark(SYMBOL, D("105"))
    assert venue.find_trigger("a", trigger_id=by_mark.trigger_id).status == "finished"
    assert len(venue.open_triggers("a", None)) == 1


def test_a_protected_one_waits_until_mark_and_last_price_are_near(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", price_protect=D("0.02")))
    venue.force_mark(SYMBOL, D(90))
    trade_at(venue, "100.6")
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).is_open
    venue.force_mark(SYMBOL, D(100))
    trade_at(venue, "100.6")
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).status == "finished"


def test_a_trailing_stop_follows_the_price_and_triggers_on_the_way_back(venue: Exchange) -> None:
    trailing = stop(SELL, None, kind="trailing", callback_rate=D("0.003"), activation_price=D("100.5"))
    placed = venue.place_trigger("a", trailing)
    assert (placed.is_activated, placed.stop_price) == (False, None)
    heard = Heard(venue)
    trade_at(venue, "100.4")
    trade_at(venue, "99.5")  # not active yet: it may fall as it likes
    trade_at(venue, "100.6")
    assert steps(heard) == ["trigger activated"]
    trade_at(venue, "100.9")
    now = venue.find_trigger("a", trigger_id=placed.trigger_id)
    assert (now.extreme, now.stop_price) == (D("100.9"), D("100.9") * D("0.997"))
    trade_at(venue, "100.6")  # 100.5973 is where it triggers
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).is_open
    trade_at(venue, "100.5")
    assert steps(heard)[1:] == [
        "trigger followed",
        "trigger triggering",
        "trigger triggered",
        "order new",
        "order trade",
        "trigger finished",
    ]
    assert venue.position("a", SYMBOL).entry_price == 99


def test_a_trailing_stop_by_distance_for_a_short(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, None, kind="trailing", callback_distance=D("0.5")))
    assert placed.extreme == 100
    trade_at(venue, "99.5")
    trade_at(venue, "99.9")
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).is_open
    trade_at(venue, "100")
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).status == "finished"


def test_an_activation_price_on_the_wrong_side_is_refused(venue: Exchange) -> None:
    for side, price in ((SELL, "100"), (BUY, "100")):
        with pytest.raises(Refused) as refused:
            venue.place_trigger(
                "a", stop(side, None, kind="trailing", callback_rate=D("0.01"), activation_price=D(price))
            )
        assert refused.value.why is Why.BAD_ACTIVATION


def test_every_price_of_a_sweep_counts(venue: Exchange) -> None:
    """One order trades from 101 up to 103: what lies between triggers, though the last of its prices is what stays."""
    venue.place("b", intent(SELL, "1", "103"))
    placed = venue.place_trigger("a", stop(BUY, "102.5"))
    venue.place("b", intent(BUY, "51", "103", self_trade="none"))
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).status in ("finished", "rejected")


def test_one_that_cannot_be_paid_for_is_rejected(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", quantity="499"))
    venue.deposit("a", "USDT", D(-99_900))
    heard = Heard(venue)
    trade_at(venue, "100.5")
    rejected = venue.find_trigger("a", trigger_id=placed.trigger_id)
    assert (rejected.status, rejected.why, rejected.order_id) == ("rejected", Why.MARGIN, 0)
    assert steps(heard) == ["trigger triggering", "trigger rejected"]


def test_close_position_closes_what_there_is_then(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "3"))
    placed = venue.place_trigger("a", stop(SELL, "99.5", quantity="0", close_position=True))
    venue.place("a", intent(BUY, "2"))
    trade_at(venue, "99.5")
    assert venue.position("a", SYMBOL).quantity == 0
    order = venue.find_order(
        "a",
        SYMBOL,
        order_id=venue.find_trigger("a", trigger_id=placed.trigger_id).order_id,
        client_order_id=None,
    )
    assert (order.quantity, order.reduce_only, order.close_position) == (D(5), True, True)


def test_close_position_without_a_position_expires(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(SELL, "99.5", quantity="0", close_position=True))
    trade_at(venue, "99.5")
    ended = venue.find_trigger("a", trigger_id=placed.trigger_id)
    assert (ended.status, ended.reason) == ("expired", "no_position")


def test_one_bound_to_a_position_ends_with_it(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "3"))
    trade_at(venue, "100")
    bound = venue.place_trigger("a", stop(SELL, "99.5", is_bound_to_position=True))
    free = venue.place_trigger("a", stop(SELL, "99.4"))
    venue.place("a", intent(SELL, "2", "99.7"))
    venue.place("b", intent(BUY, "2", "99.7"))
    assert venue.find_trigger("a", trigger_id=bound.trigger_id).is_open
    venue.place("a", intent(SELL, "1", "99.7"))
    venue.place("b", intent(BUY, "1", "99.7"))
    ended = venue.find_trigger("a", trigger_id=bound.trigger_id)
    assert (ended.status, ended.reason) == ("expired", "position_closed")
    assert venue.find_trigger("a", trigger_id=free.trigger_id).is_open


def test_one_of_a_pair_ends_the_other(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "3"))
    trade_at(venue, "100")
    profit = stop(SELL, "100.7", "3", kind="take_profit", rises=True, group="tp/sl")
    loss = stop(SELL, "99.5", "3", group="tp/sl")
    first, second = venue.place_trigger("a", profit), venue.place_trigger("a", loss)
    trade_at(venue, "100.7")
    assert venue.find_trigger("a", trigger_id=first.trigger_id).status == "finished"
    ended = venue.find_trigger("a", trigger_id=second.trigger_id)
    assert (ended.status, ended.reason) == ("canceled", "oco")
    assert venue.position("a", SYMBOL).quantity == 0


def test_amending_and_cancelling(venue: Exchange) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", client_id="mine"))
    with pytest.raises(Refused) as refused:
        venue.place_trigger("a", stop(BUY, "100.6", client_id="mine"))
    assert refused.value.why is Why.DUPLICATE_CLIENT_ID
    amended = venue.amend_trigger("a", placed.trigger_id, trigger_price=D("100.7"), quantity=D(2))
    assert (amended.intent.trigger_price, amended.intent.quantity) == (D("100.7"), D(2))
    for change, why in (
        ({}, Why.AMEND_NO_CHANGE),
        ({"trigger_price": D("99.9")}, Why.WOULD_TRIGGER),
        ({"quantity": D("0.0001")}, Why.QUANTITY_OFF_STEP),
    ):
        with pytest.raises(Refused) as refused:
            venue.amend_trigger("a", placed.trigger_id, **change)  # type: ignore[arg-type]
        assert refused.value.why is why
    trade_at(venue, "100.6")
    assert venue.cancel_trigger("a", client_id="mine").status == "canceled"
    with pytest.raises(Refused) as refused:
        venue.cancel_trigger("a", trigger_id=placed.trigger_id)
    assert refused.value.why is Why.TRIGGER_FINISHED
    with pytest.raises(Refused) as refused:
        venue.cancel_trigger("b", trigger_id=placed.trigger_id)  # accounts do not see each other
    assert refused.value.why is Why.UNKNOWN_TRIGGER
    trade_at(venue, "100.9")
    assert venue.orders("a", None) == []


def test_a_date_ends_one(venue: Exchange, clock: ManualClock) -> None:
    placed = venue.place_trigger("a", stop(BUY, "100.5", expire_ms=venue.now_ms() + 2000))
    clock.advance(1)
    venue.tick()
    assert venue.find_trigger("a", trigger_id=placed.trigger_id).is_open
    clock.advance(1)
    venue.tick()
    ended = venue.find_trigger("a", trigger_id=placed.trigger_id)
    assert (ended.status, ended.reason) == ("expired", "gtd")


def test_hedge_legs_have_their_own(venue: Exchange) -> None:
    venue.set_hedge("a", None, True)
    with pytest.raises(Refused) as refused:
        venue.place_trigger("a", stop(SELL, "99.5"))
    assert refused.value.why is Why.POSITION_SIDE
    venue.place("a", _leg(BUY, "2", PositionSide.LONG))
    venue.place("a", _leg(SELL, "1", PositionSide.SHORT))
    trade_at(venue, "100")
    venue.place_trigger("a", stop(SELL, "99.5", quantity="0", close_position=True, position_side=PositionSide.LONG))
    trade_at(venue, "99.5")
    assert venue.position("a", SYMBOL, PositionSide.LONG).quantity == 0
    assert venue.position("a", SYMBOL, PositionSide.SHORT).quantity == -1


def _leg(side: Side, quantity: str, leg: PositionSide) -> Any:
    import msgspec

    return msgspec.structs.replace(intent(side, quantity), position_side=leg)


def test_one_that_triggers_another(venue: Exchange) -> None:
    """The first one's trade moves the price to where the second one waits."""
    venue.place("b", intent(SELL, "5", "102"))
    first = venue.place_trigger("a", stop(BUY, "100.5", "51"))
    second = venue.place_trigger("a", stop(BUY, "102", "1"))
    trade_at(venue, "100.5")
    assert venue.find_trigger("a", trigger_id=first.trigger_id).status == "finished"
    assert venue.find_trigger("a", trigger_id=second.trigger_id).status == "finished"
    assert venue.position("a", SYMBOL).quantity == 52


def test_one_of_a_pair_ends_no_others(venue: Exchange) -> None:
    single = venue.place_trigger("a", stop(SELL, "98"))
    venue.place_trigger("a", stop(BUY, "100.5", group="pair"))
    trade_at(venue, "100.5")
    assert venue.find_trigger("a", trigger_id=single.trigger_id).is_open


def test_a_reduce_only_one_is_cut_to_the_position(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "3"))
    trade_at(venue, "100")
    venue.place_trigger("a", stop(SELL, "99.5", "5", reduce_only=True))
    trade_at(venue, "99.5")
    assert venue.position("a", SYMBOL).quantity == 0
    assert venue.orders("a", None)[-1].quantity == 3


def test_one_bound_to_a_position_closes_its_own_part_of_it(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "3"))
    trade_at(venue, "100")
    venue.place_trigger("a", stop(SELL, "99.5", "2", reduce_only=True, is_bound_to_position=True))
    trade_at(venue, "99.5")
    assert venue.position("a", SYMBOL).quantity == 1
