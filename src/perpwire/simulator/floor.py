"""What the parts of the exchange share: accounts, markets, the book of rules, and time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext
from random import Random

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.model.order import TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.candles import Candles
from perpwire.simulator.events import SimEvent
from perpwire.simulator.execution import Execution
from perpwire.simulator.feed import SyntheticFeed
from perpwire.simulator.funding import DEFAULT_FUNDING_INTERVAL_S, FundingPast
from perpwire.simulator.house import House
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.liquidation import Liquidator
from perpwire.simulator.margin import MarginModel
from perpwire.simulator.market import Market
from perpwire.simulator.outbox import Outbox
from perpwire.simulator.past_trades import past_trades
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.risk import Risk
from perpwire.simulator.specs import PRECISION, AccountSpec, SymbolSpec
from perpwire.simulator.statistics import Statistics
from perpwire.simulator.store import Store
from perpwire.simulator.triggers import Triggers
from perpwire.simulator.vocabulary import ZERO


class Floor(ABC):
    """The trading floor, on which the desks (order_desk.py and its neighbours) stand.

    Attributes:
        clock: Makes every time stamp and timer.
        failure: Why the state could not be saved. From then on every step fails so: what is in memory and what is in
            the file are no longer the same.
        on_failure: Told of it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int,
        symbols: Sequence[SymbolSpec],
        accounts: Sequence[AccountSpec],
        margin: MarginModel,
        rate: float,
        replay: ReplayFeed | None,
        store: Store | None,
    ) -> None:
        digits = getcontext().prec
        if digits < PRECISION:
            if store is not None:
                store.close()
            raise ValueError(
                f"decimal.getcontext().prec is {digits} here; an exchange counts with {PRECISION} digits: "
                "have fewer in a decimal.localcontext() of your own"
            )
        self.clock = clock
        self._began_ms = self.now_ms()
        self._outbox = Outbox()
        self._emit: Callable[[SimEvent], None] = self._outbox.emit
        self._store = store
        self.failure: OSError | None = None
        self.on_failure: Callable[[OSError], None] = lambda error: None
        start_prices = store.prices() if store is not None else {}
        if replay is not None and replay.start_price is not None:
            start_prices[replay.symbol] = replay.start_price
        self._specs = {
            spec.instrument.symbol: _starting_at(spec, start_prices.get(spec.instrument.symbol)) for spec in symbols
        }
        self._accounts = {spec.name: Account(spec, self._specs, margin) for spec in accounts}
        self._by_key = {spec.api_key: spec for spec in accounts}
        self._house = House()
        if store is not None:
            self._house.state = store.house() or self._house.state
            self._house.skip_trade_ids()
        self._execution = Execution(self._accounts, self._house, self._emit)
        self._risk = Risk(self._specs, margin, self.mark_price, self._accounts)
        self._markets: dict[str, Market] = {}
        self._statistics: dict[str, Statistics] = {}
        self._funding_past: dict[str, FundingPast] = {}
        self._seed = seed
        self._triggers = Triggers(
            self._accounts,
            self._markets,
            self._emit,
            place=self._place,
            check=self.check,
            new_id=self._house.next_order_id,
            now_ms=self.now_ms,
        )
        self._liquidator = Liquidator(
            self._accounts, self._markets, self._execution, self._triggers, self._risk, self._house, self._emit
        )
        self._execution.on_finished = self._triggers.on_finished
        self._execution.on_flat = self._triggers.on_position_closed
        self._outbox.settle = self._triggers.on_step
        self._timers: set[Timer] = set()
        self._feeds: list[SyntheticFeed] = []
        self._replay = replay
        for symbol, spec in self._specs.items():
            candles = Candles(spec, seed, self.now_ms, self._house.first_trade_id(symbol))
            market = Market(spec, clock, Random(f"{seed}/{symbol}/mark"), self._outbox, candles)
            self._markets[symbol] = market
            self._statistics[symbol] = Statistics(spec, seed, candles, self.now_ms)
            interval_s = spec.instrument.funding_interval_s or DEFAULT_FUNDING_INTERVAL_S
            past = FundingPast(candles, interval_s, spec.funding_cap, spec.funding_floor, self.now_ms())
            self._funding_past[symbol] = past
            settled = past.rates(limit=1)
            market.price.warm(*past.premium_so_far(), settled_rate=settled[-1].rate if settled else ZERO)
            if replay is not None and symbol == replay.symbol:
                replay.load(market, self._execution, clock)
            elif rate > 0:
                rng = Random(f"{seed}/{symbol}/past")
                first_id = self._house.first_trade_id(symbol)
                market.tape.extend(
                    past_trades(
                        spec, candles, rng, start_ms=self.now_ms(), first_trade_id=first_id, first_seq=market.seq
                    )
                )
                feed = SyntheticFeed(market, self._execution, clock, Random(f"{seed}/{symbol}/flow"), rate)
                self._feeds.append(feed)
        if store is not None:
            self._outbox.commit = self._save
            try:
                store.restore(self._accounts, self._take_back, self._triggers.wait)
            except BaseException:
                store.close()
                raise

    def _save(self, events: Sequence[SimEvent]) -> None:
        """A step, before it is told of.

        Raises:
            OSError: It could not be, or an earlier one could not.
        """
        assert self._store is not None  # it is this that saves
        if self.failure is not None:
            raise self.failure
        try:
            self._store.commit(events, self._accounts, self._house)
        except OSError as error:
            self.failure = error
            self.on_failure(error)
            raise

    def _take_back(self, order: SimOrder) -> None:
        """An open order from before a restart goes back into the book, or trades where the market has come to it,
        unless its date has come meanwhile, or it may not take."""
        market = self._markets[order.symbol]
        with market.step:
            if order.expire_ms and order.expire_ms <= self.now_ms():
                self._execution.end(market, order, "expired", "gtd")
            elif order.price is not None and not market.book.would_take(order.side, order.price):
                self._execution.rest(market, order)
            elif order.time_in_force is TimeInForce.POST_ONLY:
                self._execution.end(market, order, "canceled", "post_only")
            else:
                self._execution.enter(market, order)
            market.book.take_changes()

    # --- what the desks provide ---------------------------------------------------------------------------------------

    @abstractmethod
    def check(self, account: str, intent: OrderIntent) -> None: ...

    @abstractmethod
    def _place(self, account: str, intent: OrderIntent, order_id: int | None) -> SimOrder: ...

    # --- small --------------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Unix milliseconds by the exchange's clock."""
        return self.clock.time_ns() // 1_000_000

    def mark_price(self, symbol: str) -> Decimal:
        return self._market(symbol).price.mark

    def subscribe(self, listener: Callable[[SimEvent], None]) -> Callable[[], None]:
        """Hear every event from now on. Call the result to hear no more."""
        return self._outbox.subscribe(listener)

    def _market(self, symbol: str) -> Market:
        market = self._markets.get(symbol)
        if market is None:
            raise Refused(Why.UNKNOWN_SYMBOL, symbol)
        return market

    def _later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """A timer of the exchange; what it does is one step."""

        def fire() -> None:
            self._timers.discard(timer)
            with self._outbox:
                callback()

        timer = self.clock.call_later(max(0.0, seconds), fire)
        self._timers.add(timer)
        return timer

    def _stop(self, timer: Timer | None) -> None:
        if timer is not None:
            timer.cancel()
            self._timers.discard(timer)


def _starting_at(spec: SymbolSpec, price: Decimal | None) -> SymbolSpec:
    if price is None:
        return spec
    return msgspec.structs.replace(spec, start_price=spec.instrument.round_price(price, "nearest"))
