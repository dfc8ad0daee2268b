"""What the public sees, and what moves by the exchange's clock: marks, fundings, liquidations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Unpack

import msgspec

from perpwire.clock import Timer
from perpwire.model.market import Level
from perpwire.simulator.account_desk import AccountDesk
from perpwire.simulator.accounts import Account
from perpwire.simulator.candles import Candle, Day, Kind
from perpwire.simulator.events import ContractChanged, FundingSettled, Liquidated, MarkTick, SimEvent, Traded
from perpwire.simulator.house import INSURANCE_FUND
from perpwire.simulator.intervals import Interval, Span
from perpwire.simulator.margin import CASH_STEP
from perpwire.simulator.market import Market
from perpwire.simulator.market_price import impact_prices
from perpwire.simulator.records import SimPosition
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.statistics import Statistics, insurance_fund
from perpwire.simulator.vocabulary import ZERO

IMPACT_MARGIN = 200
"""The premium index is measured at the prices of an order worth this (quote) times the greatest leverage,"""
IMPACT_LEVELS = 50
"""as far as so many levels of the book go."""

KEPT = 2000
"""Settled fundings and liquidations that are remembered of each kind."""


class MarketDesk(AccountDesk):
    _mark_timer: Timer | None
    _next_mark_ns: int
    _funding_due: dict[str, int]
    _fundings: deque[FundingSettled]
    _liquidations: deque[Liquidated]
    _behind_ms: int = 0

    # --- reference data -----------------------------------------------------------------------------------------------

    def spec(self, symbol: str) -> SymbolSpec:
        """
        Raises:
            Refused: UNKNOWN_SYMBOL.
        """
        return self._market(symbol).spec

    def specs(self) -> Sequence[SymbolSpec]:
        return tuple(self._specs.values())

    def set_trading(self, symbol: str, is_trading: bool) -> None:
        """Open or close a contract. A closed one takes no orders that open; whether any, is the venue's to say."""
        market = self._market(symbol)
        instrument = msgspec.structs.replace(market.spec.instrument, is_trading=is_trading)
        market.spec = self._specs[symbol] = msgspec.structs.replace(market.spec, instrument=instrument)
        self._emit(ContractChanged(symbol=symbol, is_trading=is_trading, time_ms=self.now_ms()))

    # --- prices -------------------------------------------------------------------------------------------------------

    def index_price(self, symbol: str) -> Decimal:
        return self._market(symbol).price.index

    def funding(self, symbol: str) -> tuple[Decimal, int]:
        """Rate of the coming funding, and its time in Unix milliseconds."""
        price = self._market(symbol).price
        return price.funding_rate, price.next_funding_ms(self.now_ms())

    def last_price(self, symbol: str) -> Decimal:
        return self._market(symbol).last_price

    @contextmanager
    def lists_behind(self, behind_ms: int) -> Iterator[None]:
        """What is asked meanwhile of trades, and of candles of the last price, is answered as it was so long ago."""
        self._behind_ms = behind_ms
        try:
            yield
        finally:
            self._behind_ms = 0

    @property
    def lists_ms(self) -> int:
        """Up to when lists tell."""
        return self.now_ms() - self._behind_ms

    def recent_trades(self, symbol: str, limit: int) -> list[Traded]:
        """Newest last."""
        trades = list(self._market(symbol).tape)
        if self._behind_ms:
            trades = [one for one in trades if one.time_ms <= self.lists_ms]
        return trades[-limit:] if limit > 0 else []

    def book(self, symbol: str, depth: int) -> tuple[list[Level], list[Level], int, int]:
        """Bids and asks best first, the update id, and when it last changed (Unix ms).

        While a recording plays it is the recorded book with the recording's own ids, without the users' orders.
        """
        market = self._market(symbol)
        bids, asks = market.depth(depth)
        return bids, asks, market.update_id, market.changed_ms

    def seq(self, symbol: str) -> int:
        """The matching engine's sequence number: grows with every change of the book and every trade."""
        return self._market(symbol).seq

    def liquidations(self, symbol: str | None = None) -> list[Liquidated]:
        """Those that are remembered, oldest first."""
        return [one for one in self._liquidations if symbol in (None, one.symbol)]

    def insurance_fund(self) -> Decimal:
        """What the venue would publish: what was put in, as the liquidations here have changed it."""
        return insurance_fund(self._seed, self.now_ms()) + self._house.state.insurance - INSURANCE_FUND

    def funding_history(
        self, symbol: str, *, start_ms: int = 0, end_ms: int | None = None, limit: int = KEPT
    ) -> list[FundingSettled]:
        """Settled fundings from `start_ms` to `end_ms` (both included), oldest first: the newest `limit` of them. Those
        from before the exchange began are made up."""
        self._market(symbol)
        until_ms = self.now_ms() if end_ms is None else end_ms
        settled = [one for one in self._fundings if one.symbol == symbol]
        begun_ms = settled[0].time_ms if settled else until_ms + 1
        past = [
            FundingSettled(symbol=symbol, rate=one.rate, mark_price=one.mark_price, time_ms=one.time_ms)
            for one in self._funding_past[symbol].rates(
                start_ms=start_ms, end_ms=min(until_ms, begun_ms - 1), limit=limit
            )
        ]
        return [*past, *(one for one in settled if start_ms <= one.time_ms <= until_ms)][-limit:]

    # --- candles and figures ------------------------------------------------------------------------------------------

    def candles(self, symbol: str, kind: Kind, interval: Interval | str, **span: Unpack[Span]) -> list[Candle]:
        """Candles by the time they open, in order of time."""
        market = self._market(symbol)
        if self._behind_ms and kind == "last":
            return market.candles.range_as_of(self.lists_ms, market.tape, interval, **span)
        return market.candles.range(kind, interval, **span)

    def candle(self, symbol: str, kind: Kind, interval: Interval | str) -> Candle:
        """The one that is open."""
        return self._market(symbol).candles.current(kind, interval)

    def listed_ms(self, symbol: str) -> int:
        """When the first candle of all opened (Unix ms)."""
        return self._market(symbol).candles.listed_ms

    def day(self, symbol: str) -> Day:
        """Figures of the last 24 hours."""
        return self._market(symbol).candles.day()

    def statistics(self, symbol: str) -> Statistics:
        """What is published of the crowd."""
        self._market(symbol)
        return self._statistics[symbol]

    def open_interest(self, symbol: str) -> Decimal:
        """Of one side, in base: the accounts' long positions and what all others hold."""
        longs = sum(
            (
                one.quantity
                for account in self._accounts.values()
                for one in account.all_positions()
                if one.symbol == symbol and one.quantity > 0
            ),
            ZERO,
        )
        return longs + self.statistics(symbol).background_interest()

    # --- the clock ----------------------------------------------------------------------------------------------------

    def _schedule_marks(self) -> None:
        self._next_mark_ns += 1_000_000_000
        wait_s = max(0.0, (self._next_mark_ns - self.clock.monotonic_ns()) / 1e9)
        self._mark_timer = self._later(wait_s, self._on_second)

    def _on_second(self) -> None:
        self._schedule_marks()
        self.tick()

    def tick(self) -> None:
        """A second has passed: new mark prices, and all that follows from them. The exchange's own timer calls it."""
        now_ms = self.now_ms()
        with self._outbox:
            for market in self._markets.values():
                self._tick(market, now_ms)
            self._settle_after_marks(now_ms)

    def _tick(self, market: Market, now_ms: int) -> None:
        price = market.price
        due_ms = self._funding_due.get(market.symbol, 0)
        is_due = 0 < due_ms <= now_ms
        rate = price.funding_rate if is_due else ZERO
        impact = impact_prices(*market.depth(IMPACT_LEVELS), notional=IMPACT_MARGIN * market.spec.max_leverage)
        price.tick(market.middle, market.last_price, now_ms, impact)
        pinned = self._pinned.get(market.symbol)
        if pinned is not None:
            price.mark = pinned
        next_ms = price.next_funding_ms(now_ms)
        self._funding_due[market.symbol] = next_ms
        tick = MarkTick(
            symbol=market.symbol,
            mark_price=price.mark,
            index_price=price.index,
            funding_rate=price.funding_rate,
            next_funding_ms=next_ms,
            time_ms=now_ms,
        )
        market.candles.on_mark(tick, price.premium)
        self._emit(tick)
        if is_due:
            self._settle_funding(market, rate, due_ms)

    def _settle_after_marks(self, now_ms: int) -> None:
        for market in self._markets.values():
            self._triggers.on_mark(market)
        self._triggers.on_time(now_ms)
        self._expire_orders(now_ms)
        self._liquidator.on_marks()

    # --- funding ------------------------------------------------------------------------------------------------------

    def _settle_funding(self, market: Market, rate: Decimal, due_ms: int) -> None:
        """Longs pay mark price x rate for each unit, shorts get it; the other way round where the rate is below 0."""
        mark, asset = market.price.mark, market.spec.instrument.settle
        settled = FundingSettled(symbol=market.symbol, rate=rate, mark_price=mark, time_ms=due_ms)
        self._fundings.append(settled)
        self._emit(settled)
        for account in self._accounts.values():
            for position in list(account.all_positions()):
                if position.symbol != market.symbol:
                    continue
                amount = (-position.quantity * mark * rate).quantize(CASH_STEP)
                from_margin = self._funding_from_margin(account, position, amount)
                booking = account.book(
                    "funding",
                    asset,
                    self.now_ms(),
                    amount,
                    symbol=market.symbol,
                    position_side=position.side,
                    side=None,
                    quantity=abs(position.quantity),
                    price=mark,
                    fee_rate=rate,
                    funding=amount,
                    position_quantity=position.quantity,
                )
                self._house.state.funding -= amount
                position.current_realized += amount
                position.total_realized += amount
                if position.is_isolated:
                    position.isolated_margin += from_margin
                    position.extra_margin += from_margin
                positions = (position,) if position.is_isolated else ()
                self._emit(account.changed("funding", market.symbol, positions, (booking,), self.now_ms(), amount))

    def _funding_from_margin(self, account: Account, position: SimPosition, amount: Decimal) -> Decimal:
        """How much of a funding (below 0: paid) is of an isolated position's own margin."""
        if not position.is_isolated or not self._risk.margin.funds_from_wallet:
            return amount
        return min(ZERO, amount + self._risk.view(account).available)

    def _remember(self, event: SimEvent) -> None:
        if isinstance(event, Liquidated):
            self._liquidations.append(event)

    _pinned: dict[str, Decimal]
