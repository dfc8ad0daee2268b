"""What holds after any sequence of calls, whatever they are: price-time priority, an uncrossed book, money conserved to
the last digit, positions that are the sum of their fills."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.simulator.making import Heard, exchange, spec
from tests.sizes import size

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import OrderChanged
from perpwire.simulator.exchange import AccountSpec
from perpwire.simulator.execution import Execution
from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.market import Market
from perpwire.simulator.matching import Resting
from perpwire.simulator.records import Booking, SimFill, SimOrder
from perpwire.simulator.refusals import Refused
from perpwire.simulator.specs import SymbolSpec, tiers
from perpwire.simulator.vocabulary import SelfTrade

ACCOUNTS = tuple(AccountSpec(name=name, api_key=f"key-{name}", cash=Decimal(20_000)) for name in "abc")
SYMBOLS = ("BTCUSDT", "ETHUSDT")
TIERS = tiers(("2000", "50", "0.01"), ("10000", "20", "0.02"), ("100000", "10", "0.05"), first=1)

accounts = st.sampled_from([one.name for one in ACCOUNTS])
symbols = st.sampled_from(SYMBOLS)
sides = st.sampled_from(list(Side))
legs = st.sampled_from([PositionSide.BOTH, PositionSide.BOTH, PositionSide.LONG, PositionSide.SHORT])
prices = st.integers(900, 1100).map(lambda tenths: Decimal(tenths) / 10)
quantities = st.integers(1, 40_000).map(lambda thousandths: Decimal(thousandths) / 1000)
times = st.sampled_from(
    [TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY, TimeInForce.GTD]
)
self_trades: Any = st.sampled_from(["taker", "maker", "both", "none"])


def _spec(symbol: str) -> SymbolSpec:
    import msgspec

    plain = spec(symbol, start_price="100")
    return msgspec.structs.replace(plain, tiers=TIERS, liquidation_fee=Decimal("0.01"), leverage=Decimal(10))


class Trading(RuleBasedStateMachine):
    """Three accounts, two symbols, every kind of call."""

    rate = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.venue = exchange(
            self.clock, symbols=[_spec(symbol) for symbol in SYMBOLS], accounts=ACCOUNTS, rate=self.rate
        )
        self.heard = Heard(self.venue)
        self.paid_in = Decimal(0)
        self.venue.tick()
        self.heard.clear()
        self.start = self._worth()
        self.last: dict[int, SimOrder] = {}
        self.fills: dict[tuple[str, str, PositionSide], Decimal] = {}
        self.order_fills: dict[int, Decimal] = {}
        self.bookings: dict[str, list[Booking]] = {one.name: [] for one in ACCOUNTS}

    def teardown(self) -> None:
        self.venue.close()

    # --- calls --------------------------------------------------------------------------------------------------------

    @rule(
        account=accounts,
        symbol=symbols,
        side=sides,
        price=st.none() | prices,
        quantity=quantities,
        tif=times,
        leg=legs,
        reduce_only=st.booleans(),
        self_trade=self_trades,
        lenient=st.booleans(),
    )
    def place(
        self,
        account: str,
        symbol: str,
        side: Side,
        price: Decimal | None,
        quantity: Decimal,
        tif: TimeInForce,
        leg: PositionSide,
        reduce_only: bool,
        self_trade: SelfTrade,
        lenient: bool,
    ) -> None:
        if price is None:
            tif = TimeInForce.GTC
        intent = OrderIntent(
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            time_in_force=tif,
            quantity=quantity,
            price=price,
            client_order_id="",
            reduce_only=reduce_only and leg is PositionSide.BOTH,
            position_side=leg,
            refuse_post_only=not lenient,
            refuse_fok=not lenient,
            refuse_oversized_reduce=not lenient,
            self_trade=self_trade,
            bound=Decimal(120) if side is Side.BUY and price is None else None,
            expire_ms=self.venue.now_ms() + 3000 if tif is TimeInForce.GTD else 0,
        )
        with contextlib.suppress(Refused):
            self.venue.place(account, intent)

    @rule(account=accounts, pick=st.integers(0, 50), price=st.none() | prices, quantity=st.none() | quantities)
    def amend(self, account: str, pick: int, price: Decimal | None, quantity: Decimal | None) -> None:
        open_orders = self.venue.open_orders(account, None)
        if open_orders:
            order = open_orders[pick % len(open_orders)]
            with contextlib.suppress(Refused):
                self.venue.amend(
                    account,
                    order.symbol,
                    order_id=order.order_id,
                    client_order_id=None,
                    price=price,
                    quantity=quantity,
                    keep_priority_on_reduce=pick % 2 == 0,
                )

    @rule(account=accounts, pick=st.integers(0, 50))
    def cancel(self, account: str, pick: int) -> None:
        open_orders = self.venue.open_orders(account, None)
        if open_orders:
            order = open_orders[pick % len(open_orders)]
            self.venue.cancel(account, order.symbol, order_id=order.order_id, client_order_id=None)

    @rule(account=accounts, symbol=st.none() | symbols)
    def cancel_all(self, account: str, symbol: str | None) -> None:
        self.venue.cancel_all(account, symbol)

    @rule(
        account=accounts,
        symbol=symbols,
        side=sides,
        leg=legs,
        price=prices,
        quantity=quantities,
        rises=st.booleans(),
        by=st.sampled_from(["last", "mark"]),
        close=st.booleans(),
    )
    def place_trigger(
        self,
        account: str,
        symbol: str,
        side: Side,
        leg: PositionSide,
        price: Decimal,
        quantity: Decimal,
        rises: bool,
        by: Any,
        close: bool,
    ) -> None:
        intent = TriggerIntent(
            symbol=symbol,
            side=side,
            position_side=leg,
            kind="stop",
            direction="rises" if rises else "falls",
            type=OrderType.MARKET,
            trigger_price=price,
            trigger_by=by,
            quantity=Decimal(0) if close else quantity,
            close_position=close,
            is_bound_to_position=close,
            group="pair" if quantity > 20 else "",
        )
        with contextlib.suppress(Refused):
            self.venue.place_trigger(account, intent)

    @rule(account=accounts, symbol=symbols, leverage=st.integers(1, 50))
    def set_leverage(self, account: str, symbol: str, leverage: int) -> None:
        with contextlib.suppress(Refused):
            self.venue.set_leverage(account, symbol, Decimal(leverage))

    @rule(account=accounts, symbol=st.none() | symbols, isolated=st.booleans())
    def set_isolated(self, account: str, symbol: str | None, isolated: bool) -> None:
        with contextlib.suppress(Refused):
            self.venue.set_isolated(account, symbol, isolated)

    @rule(account=accounts, symbol=st.none() | symbols, hedge=st.booleans())
    def set_hedge(self, account: str, symbol: str | None, hedge: bool) -> None:
        with contextlib.suppress(Refused):
            self.venue.set_hedge(account, symbol, hedge)

    @rule(account=accounts, symbol=symbols, leg=legs, amount=st.integers(-500, 500))
    def add_margin(self, account: str, symbol: str, leg: PositionSide, amount: int) -> None:
        with contextlib.suppress(Refused):
            self.venue.add_margin(account, symbol, leg, Decimal(amount))

    @rule(account=accounts, amount=st.integers(-30_000, 5000))
    def deposit(self, account: str, amount: int) -> None:
        with contextlib.suppress(Refused):
            self.venue.deposit(account, "USDT", Decimal(amount))
            self.paid_in += amount

    @rule(symbol=symbols, price=prices)
    def pin_mark(self, symbol: str, price: Decimal) -> None:
        self.venue.force_mark(symbol, price)

    @rule(symbol=symbols, percent=st.integers(-25, 25))
    def shock(self, symbol: str, percent: int) -> None:
        self.venue.force_mark(symbol, None)
        self.venue.shock_price(symbol, share=Decimal(percent) / 100)

    @rule(account=accounts, symbol=st.none() | symbols)
    def fill(self, account: str, symbol: str | None) -> None:
        with contextlib.suppress(Refused):
            self.venue.force_fill(account, symbol=symbol)

    @rule(account=accounts, symbol=symbols, leg=legs, adl=st.booleans())
    def liquidate(self, account: str, symbol: str, leg: PositionSide, adl: bool) -> None:
        with contextlib.suppress(Refused):
            (self.venue.force_adl if adl else self.venue.force_liquidation)(account, symbol, leg)

    @rule(seconds=st.sampled_from([1, 2, 5, 8 * 3600]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.venue.tick()

    # --- what holds ---------------------------------------------------------------------------------------------------

    @invariant()
    def all_of_it(self) -> None:
        self.money_is_conserved()
        self.no_book_is_crossed()
        self.what_was_told_is_what_is()
        self.positions_are_the_sum_of_their_fills()
        self.what_rests_is_what_is_open()

    def _worth(self) -> Decimal:
        marks = {symbol: self.venue.mark_price(symbol) for symbol in SYMBOLS}
        total = self.venue._house.worth(marks)
        for account in ACCOUNTS:
            total += self.venue.wallet(account.name)["USDT"]
            total += sum(one.unrealized(marks[one.symbol]) for one in self.venue.positions(account.name))
        return total

    def money_is_conserved(self) -> None:
        assert self._worth() == self.start + self.paid_in

    def no_book_is_crossed(self) -> None:
        for symbol in SYMBOLS:
            bids, asks, _, _ = self.venue.book(symbol, 1)
            assert not bids or not asks or bids[0][0] < asks[0][0]

    def what_was_told_is_what_is(self) -> None:
        for event in self.heard.events:
            if isinstance(event, OrderChanged):
                self.last[event.order.order_id] = event.order
                if event.fill is not None:
                    self._count(event.order, event.fill)
            for booking in getattr(event, "bookings", ()):
                self.bookings[event.account].append(booking)  # type: ignore[union-attr]
        self.heard.clear()
        for account in ACCOUNTS:
            name = account.name
            for order in self.venue.orders(name, None):
                assert order == self.last[order.order_id]
                assert order.filled_quantity == self.order_fills.get(order.order_id, 0) <= order.quantity
                assert order.status.is_final or order.remaining > 0
            numbers = [one.number for one in self.bookings[name]]
            assert numbers == list(range(1, len(numbers) + 1))
            booked = sum((one.change for one in self.bookings[name]), Decimal(0))
            assert self.venue.wallet(name)["USDT"] == account.cash + booked

    def _count(self, order: SimOrder, fill: SimFill) -> None:
        signed = fill.quantity if order.side is Side.BUY else -fill.quantity
        key = (order.account, order.symbol, order.position_side)
        self.fills[key] = self.fills.get(key, Decimal(0)) + signed
        self.order_fills[order.order_id] = self.order_fills.get(order.order_id, Decimal(0)) + fill.quantity
        if order.limit is not None and fill.kind == "trade":
            assert fill.price <= order.limit if order.side is Side.BUY else fill.price >= order.limit

    def positions_are_the_sum_of_their_fills(self) -> None:
        for account in ACCOUNTS:
            for symbol in SYMBOLS:
                for leg in PositionSide:
                    held = self.venue.position(account.name, symbol, leg)
                    assert held.quantity == self.fills.get((account.name, symbol, leg), Decimal(0))
                    assert leg is not PositionSide.LONG or held.quantity >= 0
                    assert leg is not PositionSide.SHORT or held.quantity <= 0
                    assert held.entry_value >= 0
                    assert bool(held.entry_value) == bool(held.quantity)
                    assert held.isolated_margin == 0 or held.is_isolated

    def what_rests_is_what_is_open(self) -> None:
        resting: dict[int, Decimal] = {}
        for symbol in SYMBOLS:
            book = self.venue._markets[symbol].book
            for side in (book.bids, book.asks):
                for level in side.best_first():
                    assert level.total == sum(one.quantity for one in level.queue) > 0
                    resting.update({one.order.order_id: one.quantity for one in level.queue if one.order is not None})
        open_orders = [one for account in ACCOUNTS for one in self.venue.open_orders(account.name, None)]
        assert resting == {one.order_id: one.remaining for one in open_orders}
        assert all(one.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED) for one in open_orders)


class TradingInACrowd(Trading):
    """The same with the background market between."""

    rate = 20.0

    @rule(arrivals=st.integers(1, 20))
    def background(self, arrivals: int) -> None:
        for feed in self.venue._feeds:
            for _ in range(arrivals):
                feed.arrive()


@pytest.fixture(autouse=True)
def _no_trade_is_through_a_better_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each match the maker is the first in the queue of the best price of its side."""
    match = Execution._match

    def checked(
        self: Execution, market: Market, side: Side, maker: Resting, quantity: Decimal, taker: SimOrder | None
    ) -> None:
        if checked.strict:  # type: ignore[attr-defined]
            best = market.book.side(maker.side).best
            assert best == maker.price
            assert market.book.side(maker.side).levels[maker.price].queue[0] is maker
            assert maker.side is not side
        assert 0 < quantity <= maker.quantity
        match(self, market, side, maker, quantity, taker)

    checked.strict = True  # type: ignore[attr-defined]
    fill = Execution.fill_resting

    def filled(self: Execution, market: Market, resting: Resting, quantity: Decimal) -> None:
        checked.strict = False  # type: ignore[attr-defined]  # by hand, whatever stands before it
        try:
            fill(self, market, resting, quantity)
        finally:
            checked.strict = True  # type: ignore[attr-defined]

    monkeypatch.setattr(Execution, "_match", checked)
    monkeypatch.setattr(Execution, "fill_resting", filled)


_settings = settings(
    max_examples=size(60, 30),
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Trading, TradingInACrowd])
def test_any_sequence_of_calls(machine: type[Trading]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=_settings)
