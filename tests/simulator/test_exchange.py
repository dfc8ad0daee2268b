"""What the exchange refuses, what it tells and in which order."""

from __future__ import annotations

import gc
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, Side, TimeInForce
from perpwire.simulator.events import AccountChanged, BookChanged, MarkTick, OrderChanged, SimEvent, Traded
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import SelfTrade

BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def venue(clock: ManualClock) -> Exchange:
    return exchange(clock, symbols=[spec(start_price="100", min_notional="5"), spec("ETHUSDT", "10")])


def refused(venue: Exchange, wanted: OrderIntent, account: str = "a") -> Why:
    before = (venue.orders(account, None), venue.book(SYMBOL, 10))
    heard = Heard(venue)
    with pytest.raises(Refused) as caught:
        venue.place(account, wanted)
    assert heard.events == []
    assert (venue.orders(account, None), venue.book(SYMBOL, 10)) == before
    return caught.value.why


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (intent(BUY, "1", "100", symbol="NOSUCH"), Why.UNKNOWN_SYMBOL),
        (intent(BUY, "1", "0"), Why.PRICE_NOT_POSITIVE),
        (intent(BUY, "1", "100.05"), Why.PRICE_OFF_TICK),
        (intent(BUY, "1", "1000000.1"), Why.PRICE_TOO_HIGH),
        (intent(BUY, "0", "100"), Why.QUANTITY_NOT_POSITIVE),
        (intent(BUY, "1.0005", "100"), Why.QUANTITY_OFF_STEP),
        (intent(BUY, "1000.001", "100"), Why.QUANTITY_TOO_LARGE),
        (intent(BUY, "500.001"), Why.QUANTITY_TOO_LARGE),
        (intent(BUY, "0.049", "100"), Why.NOTIONAL_TOO_SMALL),
        (intent(BUY, "0.049"), Why.NOTIONAL_TOO_SMALL),
        (intent(SELL, "1", "100", reduce_only=True), Why.REDUCE_ONLY),
        (intent(BUY, "1000", "100000"), Why.MARGIN),
        (intent(BUY, "1"), Why.NO_LIQUIDITY),
        (intent(BUY, "1", "100", TimeInForce.FOK), Why.FOK_UNFILLED),
    ],
)
def test_a_bad_order_is_refused_by_its_first_fault_and_changes_nothing(
    venue: Exchange, wanted: OrderIntent, why: Why
) -> None:
    assert refused(venue, wanted) is why


def test_checks_go_from_price_to_quantity_to_notional_to_client_id_to_reduce_only_to_margin(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "1", "90", client_order_id="one"))
    assert refused(venue, intent(BUY, "0.0001", "0.05", client_order_id="one", reduce_only=True)) is Why.PRICE_OFF_TICK
    assert refused(venue, intent(BUY, "0.0001", "1", client_order_id="one")) is Why.QUANTITY_OFF_STEP
    assert refused(venue, intent(BUY, "0.001", "1", client_order_id="one")) is Why.NOTIONAL_TOO_SMALL
    assert refused(venue, intent(BUY, "1000", "100000", client_order_id="one")) is Why.DUPLICATE_CLIENT_ID
    assert refused(venue, intent(BUY, "1000", "100000", reduce_only=True)) is Why.REDUCE_ONLY


def test_reduce_only_orders_may_be_below_the_least_notional(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("a", intent(BUY, "1"))
    order = venue.place("a", intent(SELL, "0.001", "101", reduce_only=True))
    assert order.status is OrderStatus.NEW


def test_a_client_id_can_be_used_again_once_its_order_is_finished(venue: Exchange) -> None:
    first = venue.place("a", intent(BUY, "1", "90", client_order_id="one"))
    assert refused(venue, intent(BUY, "1", "90", client_order_id="one")) is Why.DUPLICATE_CLIENT_ID
    venue.place("b", intent(BUY, "1", "90", client_order_id="one"))  # ids are the account's own
    venue.cancel("a", SYMBOL, order_id=None, client_order_id="one")
    second = venue.place("a", intent(BUY, "1", "90", client_order_id="one"))
    found = venue.find_order("a", SYMBOL, order_id=None, client_order_id="one")
    assert found.order_id == second.order_id > first.order_id


# --- kinds of orders ------------------------------------------------------------------------------------------------


def test_a_post_only_order_that_would_take_is_refused_or_accepted_and_cancelled(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    assert refused(venue, intent(BUY, "1", "100", TimeInForce.POST_ONLY)) is Why.POST_ONLY_WOULD_TAKE
    heard = Heard(venue)
    order = venue.place("a", intent(BUY, "1", "100", TimeInForce.POST_ONLY, refuse_post_only=False))
    assert (order.status, order.reason, order.fees) == (OrderStatus.CANCELED, "post_only", Decimal(0))
    assert heard.names() == ["new", "canceled"]
    assert venue.place("a", intent(BUY, "1", "99.9", TimeInForce.POST_ONLY)).status is OrderStatus.NEW


def test_a_fok_order_is_filled_wholly_or_not_at_all(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("b", intent(SELL, "1", "101"))
    order = venue.place("a", intent(BUY, "2.001", "101", TimeInForce.FOK, refuse_fok=False))
    assert (order.status, order.reason) == (OrderStatus.CANCELED, "fok")
    assert refused(venue, intent(BUY, "2", "100.9", TimeInForce.FOK)) is Why.FOK_UNFILLED
    assert venue.place("a", intent(BUY, "2", "101", TimeInForce.FOK)).status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [(intent(BUY, "3", "100", TimeInForce.IOC), "ioc"), (intent(BUY, "3"), "market")],
)
def test_what_may_not_rest_expires(venue: Exchange, wanted: OrderIntent, reason: str) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    order = venue.place("a", wanted)
    assert (order.status, order.reason, order.filled_quantity) == (OrderStatus.EXPIRED, reason, Decimal(1))
    assert venue.open_orders("a", None) == []


def test_an_account_never_trades_with_itself(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("a", intent(SELL, "1", "100.1"))
    order = venue.place("a", intent(BUY, "3", "101"))
    assert (order.status, order.reason, order.filled_quantity) == (OrderStatus.EXPIRED, "stp", Decimal(1))
    assert [one.price for one in venue.open_orders("a", None)] == [Decimal("100.1")]


@pytest.mark.parametrize(
    ("self_trade", "filled", "ends_as", "own_left"),
    [
        ("taker", 1, OrderStatus.EXPIRED, 1),
        ("maker", 3, OrderStatus.FILLED, 0),
        ("both", 1, OrderStatus.EXPIRED, 0),
        ("none", 3, OrderStatus.FILLED, 0),
    ],
)
def test_the_taker_says_what_ends_when_it_meets_its_own_account(
    venue: Exchange, self_trade: SelfTrade, filled: int, ends_as: OrderStatus, own_left: int
) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    own = venue.place("a", intent(SELL, "1", "100.1", self_trade="taker"))
    venue.place("b", intent(SELL, "2", "100.2"))
    order = venue.place("a", intent(BUY, "3", "101", self_trade=self_trade))
    assert (order.filled_quantity, order.status, order.self_trade) == (Decimal(filled), ends_as, self_trade)
    assert len(venue.open_orders("a", None)) == own_left
    if self_trade in ("maker", "both"):
        ended = venue.find_order("a", SYMBOL, order_id=own.order_id, client_order_id=None)
        assert (ended.status, ended.reason, ended.filled_quantity) == (OrderStatus.EXPIRED, "stp", Decimal(0))
    assert venue.position("a", SYMBOL).quantity == (2 if self_trade == "none" else filled)


def test_fill_or_kill_counts_what_is_behind_its_own_orders_only_where_those_give_way(venue: Exchange) -> None:
    venue.place("a", intent(SELL, "1", "100"))
    venue.place("b", intent(SELL, "1", "101"))
    for wanted in (
        intent(BUY, "1", "101", TimeInForce.FOK),
        intent(BUY, "2", "101", TimeInForce.FOK, self_trade="maker"),
    ):
        with pytest.raises(Refused) as caught:
            venue.place("a", wanted)
        assert caught.value.why is Why.FOK_UNFILLED
    order = venue.place("a", intent(BUY, "1", "101", TimeInForce.FOK, self_trade="maker"))
    assert (order.status, order.average_price) == (OrderStatus.FILLED, Decimal(101))


def test_prices_are_shown_with_the_digits_of_the_tick(venue: Exchange) -> None:
    order = venue.place("a", intent(BUY, "1", "99"))
    bids, _, _, _ = venue.book(SYMBOL, 5)
    assert (str(order.price), str(bids[0][0])) == ("99.00", "99.00")


# --- reduce-only ----------------------------------------------------------------------------------------------------


def long(venue: Exchange, quantity: str) -> None:
    venue.place("b", intent(SELL, quantity, "100"))
    venue.place("a", intent(BUY, quantity))


def test_a_reduce_only_order_is_refused_on_the_wrong_side_and_beyond_the_position(venue: Exchange) -> None:
    long(venue, "2")
    assert refused(venue, intent(BUY, "1", "90", reduce_only=True)) is Why.REDUCE_ONLY
    assert refused(venue, intent(SELL, "2.001", "110", reduce_only=True)) is Why.REDUCE_ONLY
    cut = venue.place("a", intent(SELL, "5", "110", reduce_only=True, refuse_oversized_reduce=False))
    assert cut.quantity == 2


def test_a_reduce_only_order_can_not_be_amended_beyond_the_position(venue: Exchange) -> None:
    long(venue, "2")
    order = venue.place("a", intent(SELL, "1", "110", reduce_only=True))
    with pytest.raises(Refused) as caught:
        amend(venue, order.order_id, quantity="2.001")
    assert caught.value.why is Why.REDUCE_ONLY
    assert amend(venue, order.order_id, quantity="2") is OrderStatus.NEW


def test_resting_reduce_only_orders_fall_away_when_the_position_is_closed(venue: Exchange) -> None:
    long(venue, "2")
    venue.place("a", intent(SELL, "1", "110", reduce_only=True, client_order_id="near"))
    venue.place("a", intent(SELL, "1", "120", reduce_only=True, client_order_id="far"))
    venue.place("b", intent(BUY, "2", "99"))
    venue.place("a", intent(SELL, "1.5", "99"))
    far = venue.find_order("a", None, order_id=None, client_order_id="far")
    near = venue.find_order("a", None, order_id=None, client_order_id="near")
    assert [(one.status, one.reason) for one in (near, far)] == [(OrderStatus.EXPIRED, "reduce_only")] * 2


def test_the_better_priced_reduce_only_orders_are_the_ones_that_stay(venue: Exchange) -> None:
    long(venue, "2")
    far = venue.place("a", intent(SELL, "1", "120", reduce_only=True))
    venue.place("a", intent(SELL, "1", "110", reduce_only=True))
    nearer = venue.place("a", intent(SELL, "1", "105", reduce_only=True))
    assert [one.price for one in venue.open_orders("a", None)] == [110, 105]
    assert nearer.status is OrderStatus.NEW
    assert venue.find_order("a", None, order_id=far.order_id, client_order_id=None).reason == "reduce_only"


def test_one_sweep_can_not_take_a_reduce_only_order_past_flat(venue: Exchange) -> None:
    long(venue, "2")
    venue.place("a", intent(SELL, "1.5", "110"))
    venue.place("a", intent(SELL, "2", "111", reduce_only=True))
    order = venue.place("b", intent(BUY, "5", "120", TimeInForce.IOC))
    assert order.filled_quantity == Decimal("1.5")  # then the reduce-only one was more than was left
    assert venue.position("a", SYMBOL).quantity == Decimal("0.5")


# --- amending and cancelling ----------------------------------------------------------------------------------------


def amend(venue: Exchange, order_id: int, price: str | None = None, quantity: str | None = None) -> OrderStatus:
    order = venue.amend(
        "a",
        SYMBOL,
        order_id=order_id,
        client_order_id=None,
        price=None if price is None else Decimal(price),
        quantity=None if quantity is None else Decimal(quantity),
    )
    return order.status


def first_filled(venue: Exchange) -> str:
    """Which account the oldest bid at 99 is of."""
    heard = Heard(venue)
    venue.place("b", intent(SELL, "0.1", "99"))
    heard.stop()
    return next(event.order.client_order_id for event in heard.of(OrderChanged) if event.order.side is BUY)


def test_less_quantity_keeps_the_place_in_the_queue_and_anything_else_loses_it(venue: Exchange) -> None:
    one = venue.place("a", intent(BUY, "2", "99", client_order_id="one"))
    venue.place("a", intent(BUY, "2", "99", client_order_id="two"))
    amend(venue, one.order_id, quantity="1")
    assert first_filled(venue) == "one"
    amend(venue, one.order_id, quantity="1.5")
    assert first_filled(venue) == "two"


def test_a_venue_may_take_the_place_in_the_queue_for_less_quantity_too(venue: Exchange) -> None:
    one = venue.place("a", intent(BUY, "2", "99", client_order_id="one"))
    venue.place("a", intent(BUY, "2", "99", client_order_id="two"))
    venue.amend(
        "a",
        SYMBOL,
        order_id=one.order_id,
        client_order_id=None,
        price=None,
        quantity=Decimal(1),
        keep_priority_on_reduce=False,
    )
    assert first_filled(venue) == "two"


def test_cancelling_all_tells_of_the_books_in_the_order_of_the_orders(clock: ManualClock) -> None:
    names = [f"{letter}USDT" for letter in "QWERTZUIOP"]
    venue = exchange(clock, symbols=[spec(name, "100") for name in names])
    for name in reversed(names):
        venue.place("a", intent(BUY, "1", "90", symbol=name))
    heard = Heard(venue)
    venue.cancel_all("a", None)
    assert [event.symbol for event in heard.of(BookChanged)] == names[::-1]


def test_an_amended_price_that_crosses_trades_at_once(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    order = venue.place("a", intent(BUY, "2", "99"))
    heard = Heard(venue)
    assert amend(venue, order.order_id, price="100") is OrderStatus.PARTIALLY_FILLED
    assert heard.names() == ["amended", "Traded", "trade", "trade", "AccountChanged", "AccountChanged", "BookChanged"]
    post_only = venue.place("a", intent(BUY, "1", "98", TimeInForce.POST_ONLY))
    venue.place("b", intent(SELL, "1", "101"))
    assert amend(venue, post_only.order_id, price="101") is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("price", "quantity", "why"),
    [
        (None, None, Why.AMEND_NO_CHANGE),
        ("99", "2", Why.AMEND_NO_CHANGE),
        (None, "0.5", Why.AMEND_BELOW_FILLED),
        ("99.05", None, Why.PRICE_OFF_TICK),
        (None, "0.6005", Why.QUANTITY_OFF_STEP),
        ("100", "1000", Why.MARGIN),
    ],
)
def test_a_refused_amendment_leaves_the_order_as_it_was(
    clock: ManualClock, price: str | None, quantity: str | None, why: Why
) -> None:
    venue = exchange(clock, symbols=[spec(start_price="100")])
    order = venue.place("a", intent(BUY, "2", "99"))
    venue.place("b", intent(SELL, "0.5", "99"))
    if why is Why.MARGIN:
        venue.set_leverage("a", SYMBOL, Decimal(1))
        quantity = "1000"
        price = "999"
    with pytest.raises(Refused) as caught:
        amend(venue, order.order_id, price, quantity)
    assert caught.value.why is why
    (kept,) = venue.open_orders("a", None)
    assert (kept.price, kept.quantity, kept.filled_quantity) == (Decimal(99), Decimal(2), Decimal("0.5"))
    assert venue.book(SYMBOL, 1)[0] == [(Decimal(99), Decimal("1.5"))]


def test_a_finished_or_unknown_order_can_not_be_cancelled(venue: Exchange) -> None:
    order = venue.place("a", intent(BUY, "1", "99"))
    assert venue.cancel("a", SYMBOL, order_id=order.order_id, client_order_id=None).reason == "user"
    for account, order_id, why in (
        ("a", order.order_id, Why.ORDER_FINISHED),
        ("a", 1, Why.UNKNOWN_ORDER),
        ("b", order.order_id, Why.UNKNOWN_ORDER),
    ):
        with pytest.raises(Refused) as caught:
            venue.cancel(account, SYMBOL, order_id=order_id, client_order_id=None)
        assert caught.value.why is why
    with pytest.raises(Refused):
        venue.cancel("a", "ETHUSDT", order_id=order.order_id, client_order_id=None)


def test_cancel_all_takes_one_symbols_orders_or_every_one(venue: Exchange) -> None:
    venue.place("a", intent(BUY, "1", "99"))
    venue.place("a", intent(BUY, "1", "9", symbol="ETHUSDT"))
    venue.place("b", intent(BUY, "1", "98"))
    assert [one.symbol for one in venue.cancel_all("a", SYMBOL)] == [SYMBOL]
    assert [one.symbol for one in venue.cancel_all("a", None)] == ["ETHUSDT"]
    assert len(venue.open_orders("b", None)) == 1


# --- events ---------------------------------------------------------------------------------------------------------


def test_a_match_tells_the_trade_then_both_orders_then_both_accounts_then_the_book(venue: Exchange) -> None:
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("b", intent(SELL, "1", "101"))
    heard = Heard(venue)
    order = venue.place("a", intent(BUY, "3", "101", TimeInForce.IOC))
    match = ["Traded", "trade", "trade", "AccountChanged", "AccountChanged"]
    assert heard.names() == ["new", *match, *match, "expired", "BookChanged"]
    told = heard.of(OrderChanged)
    assert [event.account for event in told] == ["a", "a", "b", "a", "b", "a"]
    assert [event.order.filled_quantity for event in told if event.account == "a"] == [0, 1, 2, 2]
    first, second = heard.of(Traded)
    assert [first.price, second.price] == [Decimal(100), Decimal(101)]
    assert first.trade_id < second.trade_id
    assert not first.buyer_is_maker
    assert heard.of(AccountChanged)[0].positions[0].quantity == 1
    assert heard.of(AccountChanged)[2].wallets == (("USDT", venue.wallet("a")["USDT"], Decimal(0)),)
    (change,) = heard.of(BookChanged)
    assert change.asks == ((Decimal(100), Decimal(0)), (Decimal(101), Decimal(0)))
    assert order.average_price == Decimal("100.5")


def test_what_a_listener_causes_is_told_after_its_cause(venue: Exchange) -> None:
    def on_event(event: SimEvent) -> None:
        if isinstance(event, OrderChanged) and event.what == "new" and event.account == "a":
            venue.place("b", intent(SELL, "1", "105"))

    heard = Heard(venue)
    venue.subscribe(on_event)
    late = Heard(venue)
    venue.place("a", intent(BUY, "1", "99"))
    assert heard.events == late.events
    assert [event.account for event in heard.of(OrderChanged)] == ["a", "b"]


def test_copies_given_out_do_not_change_later(venue: Exchange) -> None:
    order = venue.place("a", intent(BUY, "1", "99"))
    venue.place("b", intent(SELL, "1", "99"))
    assert order.status is OrderStatus.NEW
    assert venue.find_order("a", None, order_id=order.order_id, client_order_id=None).status is OrderStatus.FILLED


def test_ids_of_orders_and_trades_grow(venue: Exchange) -> None:
    orders = [venue.place("a", intent(BUY, "1", "99")).order_id for _ in range(3)]
    orders += [venue.place("b", intent(SELL, "1", "99")).order_id for _ in range(3)]
    assert orders == sorted(set(orders))
    trades = [fill.trade_id for _, fill in venue.fills("a", None)]
    assert trades == sorted(set(trades))
    assert len(trades) == 3


def test_the_mark_price_ticks_every_second_and_tells_the_next_funding(clock: ManualClock) -> None:
    async def main() -> tuple[list[MarkTick], int]:
        venue = exchange(clock)
        heard = Heard(venue)
        began_ms = venue.now_ms()
        venue.start()
        await clock.sleep(10.5)
        venue.close()
        await clock.sleep(5)
        return heard.of(MarkTick), began_ms

    ticks, began_ms = clock.run(main())
    assert [tick.time_ms - began_ms for tick in ticks] == [1000 * n for n in range(1, 11)]
    eight_hours = 8 * 3600 * 1000
    for tick in ticks:
        assert tick.next_funding_ms % eight_hours == 0
        assert 0 < tick.next_funding_ms - tick.time_ms <= eight_hours
        assert tick.mark_price % Decimal("0.1") == 0


def test_the_mark_follows_the_middle_in_small_steps(clock: ManualClock) -> None:
    async def main() -> list[Decimal]:
        venue = exchange(clock, symbols=[spec(start_price="1000")])
        venue.place("a", intent(BUY, "1", "1099"))
        venue.place("b", intent(SELL, "1", "1101"))
        heard = Heard(venue)
        venue.start()
        await clock.sleep(400)
        venue.close()
        return [tick.mark_price for tick in heard.of(MarkTick)]

    marks = clock.run(main())
    assert marks[0] < 1001
    assert all(0 <= after - before <= 1 for before, after in pairwise(marks))
    assert marks[-1] == 1100


def test_history_is_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    monkeypatch.setattr("perpwire.simulator.accounts.HISTORY", 5)
    venue = exchange(clock)
    for number in range(8):
        venue.place("a", intent(BUY, "1", "99", client_order_id=f"id{number}"))
        venue.cancel_all("a", None)
    assert [order.client_order_id for order in venue.orders("a", None)] == [f"id{n}" for n in range(3, 8)]
    with pytest.raises(Refused):
        venue.find_order("a", None, order_id=None, client_order_id="id0")


# --- ids --------------------------------------------------------------------------------------------------------------


def test_ids_fit_a_double_except_those_of_the_symbol_whose_real_ones_do_not(venue: Exchange) -> None:
    bitcoin = venue.place("a", intent(BUY, "1", "90")).order_id
    ether = venue.place("a", intent(BUY, "1", "9", symbol="ETHUSDT")).order_id
    later = venue.place("a", intent(BUY, "1", "90")).order_id

    assert int(float(bitcoin)) == bitcoin < later == int(float(later))
    assert int(float(ether)) != ether


def test_an_accounts_sums_walk_its_orders_once_however_many_symbols_have_some(clock: ManualClock) -> None:
    walks: list[int] = []

    class Counted(dict[int, SimOrder]):
        def values(self) -> Any:
            walks.append(len(self))
            return super().values()

    venue = exchange(clock, symbols=[spec(f"S{number}USDT") for number in range(20)])
    for number in range(20):
        venue.place("a", intent(Side.BUY, "0.001", "100", symbol=f"S{number}USDT"))
    before = venue.view("a")
    account = venue._accounts["a"]
    account.open = Counted(account.open)
    assert venue.view("a") == before
    assert walks == [20]


def test_what_is_remembered_in_great_numbers_is_not_the_garbage_collectors(venue: Exchange) -> None:
    heard = Heard(venue)
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("a", intent(BUY, "1", "100"))
    ((order, fill),) = venue.fills("a", None)
    for one in (order, fill, *venue.orders("a", None), *venue.bookings("a"), *heard.of(Traded)):
        assert not gc.is_tracked(one), type(one)


def test_numbers_too_short_to_be_exact_are_not_counted_with(clock: ManualClock) -> None:
    """A bot may have lowered the precision of its own numbers."""
    with localcontext(prec=9):
        assert AccountSpec(cash=Decimal("123456.78901234")).cash == Decimal("123456.78901234")
        with pytest.raises(ValueError, match="more than eight decimals"):
            AccountSpec(cash=Decimal("0.123456789"))
        with pytest.raises(ValueError, match=r"getcontext\(\).prec is 9 here"):
            exchange(clock)
