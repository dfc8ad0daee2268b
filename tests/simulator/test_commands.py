"""Commands that are acknowledged first and carried out later."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, Side
from perpwire.simulator.commands import AmendOrder, CancelOrder, PlaceOrder, PlaceTrigger
from perpwire.simulator.events import CommandAccepted, CommandDone, OrderChanged, Traded, TriggerChanged
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.refusals import Why

BUY, SELL = Side.BUY, Side.SELL


def test_they_are_carried_out_in_the_order_in_which_they_came(clock: ManualClock) -> None:
    async def scenario() -> None:
        venue = exchange(clock, symbols=[spec(start_price="100")])
        venue.start()
        heard = Heard(venue)
        ids = [venue.new_order_id() for _ in range(20)]
        for order_id in ids:
            venue.submit("a", PlaceOrder(intent=intent(BUY, "1", "90"), order_id=order_id), 0.002)
        assert [type(event) for event in heard.events] == [CommandAccepted] * 20
        assert venue.open_orders("a", None) == []
        await asyncio.sleep(0.003)
        assert [event.order.order_id for event in heard.of(OrderChanged)] == ids
        assert [order.order_id for order in venue.open_orders("a", None)] == ids
        assert all(event.why is None for event in heard.of(CommandDone))
        venue.close()

    clock.run(scenario())


def test_what_can_no_longer_be_done_is_told(clock: ManualClock) -> None:
    async def scenario() -> None:
        venue = exchange(clock, symbols=[spec(start_price="100")])
        venue.start()
        order = venue.place("a", intent(BUY, "1", "90"))
        heard = Heard(venue)
        venue.submit("a", CancelOrder(symbol=SYMBOL, order_id=order.order_id), 0.002)
        venue.submit("a", AmendOrder(symbol=SYMBOL, order_id=order.order_id, price=Decimal(91)), 0.002)
        rejected = venue.new_order_id()
        venue.submit("a", PlaceOrder(intent=intent(BUY, "900", "100000"), order_id=rejected), 0.002)
        await asyncio.sleep(0.003)
        assert [event.why for event in heard.of(CommandDone)] == [None, Why.ORDER_FINISHED, Why.MARGIN]
        kept = venue.find_order("a", SYMBOL, order_id=rejected, client_order_id=None)
        assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "margin")
        assert [event.what for event in heard.of(OrderChanged)] == ["canceled", "rejected"]
        venue.close()

    clock.run(scenario())


def test_all_that_one_order_trades_shares_a_sequence_number(clock: ManualClock) -> None:
    venue = exchange(clock, symbols=[spec(start_price="100")])
    for price in ("100", "101"):
        venue.place("b", intent(SELL, "1", price))
    heard = Heard(venue)
    venue.place("a", intent(BUY, "2", "101"))
    first, second = heard.of(Traded)
    assert first.seq == second.seq
    assert {fill.seq for _, fill in venue.fills("a", None)} == {first.seq}
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("a", intent(BUY, "1", "100"))
    assert heard.of(Traded)[-1].seq > first.seq


def test_a_conditional_order_that_comes_too_late_is_kept_as_rejected(clock: ManualClock) -> None:
    """Between its acknowledgement and its turn the price has gone past it."""

    async def scenario() -> None:
        venue = exchange(clock, symbols=[spec(start_price="100")])
        venue.start()
        stop = TriggerIntent(
            symbol=SYMBOL,
            side=BUY,
            kind="stop",
            direction="rises",
            type=OrderType.MARKET,
            trigger_price=Decimal(101),
            quantity=Decimal(1),
            client_id="late",
        )
        venue.submit("a", PlaceTrigger(intent=stop, trigger_id=venue.new_order_id()), 0.002)
        venue.place("b", intent(SELL, "1", "102"))
        venue.place("a", intent(BUY, "1", "102"))
        heard = Heard(venue)
        await asyncio.sleep(0.003)
        kept = venue.find_trigger("a", client_id="late")
        assert (kept.status, kept.why, kept.is_open) == ("rejected", Why.WOULD_TRIGGER, False)
        assert [event.what for event in heard.of(TriggerChanged)] == ["rejected"]
        assert venue.open_triggers("a", None) == []
        venue.close()

    clock.run(scenario())
