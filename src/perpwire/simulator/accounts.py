"""One account: orders, cash, positions, settings. What is settled here is exact; who may do what is admission.py's.

Cash moves in steps of 1e-8 of the settle asset, so sums over any number of trades stay exact.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from perpwire.model.order import PositionSide, Side
from perpwire.simulator.commands import Command
from perpwire.simulator.events import AccountChanged, AccountReason
from perpwire.simulator.margin import CASH_STEP, MarginModel
from perpwire.simulator.records import Booking, SimFill, SimOrder, SimPosition, SimTrigger
from perpwire.simulator.specs import AccountSpec, SymbolSpec
from perpwire.simulator.vocabulary import ZERO, FillKind

HISTORY = 20_000
"""How many finished orders, and how many fills and bookings, an account remembers; the oldest are forgotten first."""

LONG, SHORT, BOTH = PositionSide.LONG, PositionSide.SHORT, PositionSide.BOTH


class AccountState(msgspec.Struct, kw_only=True):
    """What of an account is saved as a whole (orders, fills and bookings are saved one by one).

    Attributes:
        wallet: Asset -> cash.
        positions: "SYMBOL/SIDE" -> position, for every one ever held or set up.
        hedged, isolated: Symbol -> mode; "" for those that have none of their own.
        countdowns: Symbol -> when its orders are cancelled (Unix ms).
        settings: The venue's own flags.
        bookings: How many there have been.
    """

    wallet: dict[str, Decimal] = msgspec.field(default_factory=dict)
    positions: dict[str, SimPosition] = msgspec.field(default_factory=dict)
    hedged: dict[str, bool] = msgspec.field(default_factory=dict)
    isolated: dict[str, bool] = msgspec.field(default_factory=dict)
    countdowns: dict[str, int] = msgspec.field(default_factory=dict)
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    bookings: int = 0


class PendingCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was acknowledged and is not carried out yet."""

    number: int
    account: str
    command: Command
    due_ms: int


class Account:
    """One account's books.

    Attributes:
        state: Cash, positions and settings.
        open: Orders that rest or are being matched, by id.
        triggers: Conditional orders that wait, by id.
        fills: Executions with their (live) orders, oldest first.
        pending: Commands that were acknowledged, by number.
    """

    def __init__(self, spec: AccountSpec, symbols: Mapping[str, SymbolSpec], margin: MarginModel) -> None:
        self.spec = spec
        self.state = AccountState(wallet={spec.asset: spec.cash})
        self.open: dict[int, SimOrder] = {}
        self.triggers: dict[int, SimTrigger] = {}
        self.fills: deque[tuple[SimOrder, SimFill]] = deque(maxlen=HISTORY)
        self.bookings: deque[Booking] = deque(maxlen=HISTORY)
        self.pending: dict[int, PendingCommand] = {}
        self._symbols = symbols
        self._margin = margin
        self._finished: deque[SimOrder] = deque()
        self._by_id: dict[int, SimOrder] = {}
        self._by_client_id: dict[str, SimOrder] = {}
        self._triggers_by_id: dict[int, SimTrigger] = {}
        self._triggers_by_client_id: dict[str, SimTrigger] = {}

    # --- orders -----------------------------------------------------------------------------------------------------

    def add_order(self, order: SimOrder) -> None:
        self.open[order.order_id] = self._by_id[order.order_id] = order
        if order.client_order_id:
            self._by_client_id[order.client_order_id] = order

    def finish_order(self, order: SimOrder) -> None:
        """The order has reached a final status."""
        self.open.pop(order.order_id, None)
        self._finished.append(order)
        if len(self._finished) > HISTORY:
            oldest = self._finished.popleft()
            self._by_id.pop(oldest.order_id, None)
            if self._by_client_id.get(oldest.client_order_id) is oldest:
                del self._by_client_id[oldest.client_order_id]

    def remember_order(self, order: SimOrder) -> None:
        """An order from before a restart, or one that was never open."""
        self.add_order(order)
        if order.status.is_final:
            self.finish_order(order)

    def find(self, order_id: int | None, client_order_id: str | None) -> SimOrder | None:
        """By id where one is given, else the newest order with this client id."""
        if order_id is not None:
            return self._by_id.get(order_id)
        return self._by_client_id.get(client_order_id) if client_order_id else None

    def find_on(self, symbol: str, client_order_id: str) -> SimOrder | None:
        """The symbol's newest order with this client id, where another symbol has a newer one."""
        same = (one for one in self._by_id.values() if (one.symbol, one.client_order_id) == (symbol, client_order_id))
        return max(same, key=lambda one: one.order_id, default=None)

    def all_orders(self) -> Iterable[SimOrder]:
        """Every remembered order, oldest first."""
        return (self._by_id[order_id] for order_id in sorted(self._by_id))

    # --- conditional orders -------------------------------------------------------------------------------------------

    def add_trigger(self, trigger: SimTrigger) -> None:
        self._triggers_by_id[trigger.trigger_id] = trigger
        if trigger.client_id:
            self._triggers_by_client_id[trigger.client_id] = trigger
        if trigger.is_open:
            self.triggers[trigger.trigger_id] = trigger
        if len(self._triggers_by_id) > HISTORY:
            self._forget_trigger()

    def _forget_trigger(self) -> None:
        oldest = next((one for one in self._triggers_by_id.values() if not one.is_open), None)
        if oldest is not None:
            del self._triggers_by_id[oldest.trigger_id]
            if self._triggers_by_client_id.get(oldest.client_id) is oldest:
                del self._triggers_by_client_id[oldest.client_id]

    def find_trigger(self, trigger_id: int | None, client_id: str | None) -> SimTrigger | None:
        if trigger_id is not None:
            return self._triggers_by_id.get(trigger_id)
        return self._triggers_by_client_id.get(client_id) if client_id else None

    def all_triggers(self) -> Iterable[SimTrigger]:
        """Every remembered one, oldest first."""
        return (self._triggers_by_id[trigger_id] for trigger_id in sorted(self._triggers_by_id))

    # --- settings -----------------------------------------------------------------------------------------------------

    def is_listed(self, symbol: str) -> bool:
        return symbol in self._symbols

    def is_hedged(self, symbol: str) -> bool:
        return self.state.hedged.get(symbol, self.state.hedged.get("", False))

    def is_isolated(self, symbol: str) -> bool:
        return self.state.isolated.get(symbol, self.state.isolated.get("", False))

    def sides(self, symbol: str) -> tuple[PositionSide, ...]:
        """Which positions of a symbol there are in its position mode."""
        return (LONG, SHORT) if self.is_hedged(symbol) else (BOTH,)

    def position(self, symbol: str, side: PositionSide = BOTH) -> SimPosition:
        key = f"{symbol}/{side.value}"
        position = self.state.positions.get(key)
        if position is None:
            position = self.state.positions[key] = SimPosition(
                symbol=symbol,
                side=side,
                leverage=self._symbols[symbol].leverage,
                is_isolated=self.is_isolated(symbol),
            )
        return position

    def all_positions(self) -> Iterable[SimPosition]:
        """Those that are open."""
        return (one for one in self.state.positions.values() if one.quantity)

    def legs(self, symbol: str) -> list[SimPosition]:
        """The symbol's positions by its mode, flat ones too."""
        return [self.position(symbol, side) for side in self.sides(symbol)]

    def held(self, symbol: str, side: PositionSide) -> Decimal:
        """Signed quantity; nothing is set up by asking."""
        position = self.state.positions.get(f"{symbol}/{side.value}")
        return position.quantity if position is not None else ZERO

    def leverage(self, symbol: str, side: PositionSide = BOTH) -> Decimal:
        position = self.state.positions.get(f"{symbol}/{side.value}")
        return position.leverage if position is not None else self._symbols[symbol].leverage

    # --- settling -----------------------------------------------------------------------------------------------------

    def wallet(self, asset: str) -> Decimal:
        return self.state.wallet.get(asset, ZERO)

    def cross_wallet(self, asset: str) -> Decimal:
        """Cash that is not set aside for an isolated position."""
        aside = sum((one.isolated_margin for one in self.state.positions.values() if self._asset(one) == asset), ZERO)
        return self.wallet(asset) - aside

    def _asset(self, position: SimPosition) -> str:
        return self._symbols[position.symbol].instrument.settle

    def book(
        self,
        kind: Literal["trade", "funding", "liquidation_fee", "transfer", "insurance"],
        asset: str,
        time_ms: int,
        change: Decimal,
        **facts: object,
    ) -> Booking:
        """Move cash, and keep the reason."""
        self.state.wallet[asset] = self.wallet(asset) + change
        self.state.bookings += 1
        booking = Booking(
            number=self.state.bookings,
            kind=kind,
            asset=asset,
            change=change,
            balance=self.state.wallet[asset],
            time_ms=time_ms,
            **facts,  # type: ignore[arg-type]
        )
        self.bookings.append(booking)
        return booking

    def settle(
        self,
        order: SimOrder,
        *,
        trade_id: int,
        price: Decimal,
        quantity: Decimal,
        is_maker: bool,
        time_ms: int,
        kind: FillKind = "trade",
        fee_rate: Decimal | None = None,
        mark_price: Decimal = ZERO,
        index_price: Decimal = ZERO,
        seq: int = 0,
    ) -> tuple[SimFill, Booking]:
        """Book one execution of `order`: position, cash, and the order's own sums."""
        spec = self._symbols[order.symbol]
        asset = spec.instrument.settle
        rate = (spec.maker_fee if is_maker else spec.taker_fee) if fee_rate is None else fee_rate
        fee = (price * quantity * rate).quantize(CASH_STEP)
        position = self.position(order.symbol, order.position_side)
        signed = quantity if order.side is Side.BUY else -quantity
        moved = self._move(position, spec, signed, price, fee, time_ms)
        position.seq = seq
        order.filled_quantity += quantity
        order.filled_value += quantity * price
        order.fees += fee
        order.closed_pnl += moved.closed_pnl
        order.updated_ms = time_ms
        booking = self.book(
            "trade",
            asset,
            time_ms,
            moved.profit - fee,
            symbol=order.symbol,
            position_side=order.position_side,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_rate=rate,
            cash_flow=moved.profit,
            position_quantity=position.quantity,
            trade_id=trade_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            fill_kind=kind,
            is_maker=is_maker,
        )
        fill = SimFill(
            trade_id=trade_id,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_rate=rate,
            fee_asset=asset,
            realized_pnl=moved.profit,
            closed_quantity=moved.closed,
            is_maker=is_maker,
            time_ms=time_ms,
            kind=kind,
            mark_price=mark_price,
            index_price=index_price,
            leaves=order.remaining,
            closed_pnl=moved.closed_pnl,
            position_quantity=position.quantity,
            balance=booking.balance,
            seq=seq,
            leverage=position.leverage,
            rounded_off=moved.rounded_off,
        )
        self.fills.append((order, fill))
        return fill, booking

    def _move(
        self, position: SimPosition, spec: SymbolSpec, signed: Decimal, price: Decimal, fee: Decimal, time_ms: int
    ) -> _Moved:
        """Add a signed quantity to a position."""
        held, size = position.quantity, abs(signed)
        position.updated_ms = time_ms
        profit = closed = closed_pnl = rounded_off = ZERO
        if held and (held > 0) != (signed > 0):
            closed = min(abs(held), size)
            is_all = closed == abs(held)
            cost = position.entry_value if is_all else (position.entry_value * closed / abs(held)).quantize(CASH_STEP)
            gain = closed * price - cost
            exact = gain if held > 0 else -gain
            # Cash knows 1e-8; what a finer product would leave over is rounded here, once.
            profit = exact.quantize(CASH_STEP)
            rounded_off = exact - profit
            position.entry_value -= cost
            position.realized_pnl += profit
            closing_fee = fee if closed == size else (fee * closed / size).quantize(CASH_STEP)
            share = position.open_fees if is_all else (position.open_fees * closed / abs(held)).quantize(CASH_STEP)
            position.open_fees -= share
            _realize(position, profit - closing_fee)
            closed_pnl = profit - closing_fee - share
            fee -= closing_fee
            self._release(position, closed, held)
        opening = size - closed
        position.quantity = held + signed
        if opening:
            if closed or not held:  # a new position, perhaps through zero
                position.current_realized = position.open_fees = ZERO
                position.opened_ms = time_ms
            position.created_ms = position.created_ms or time_ms
            position.entry_value += opening * price
            position.open_fees += fee
            _realize(position, -fee)
            if position.is_isolated:
                side = Side.BUY if signed > 0 else Side.SELL
                position.isolated_margin += self._margin.set_aside(spec, side, opening * price, position.leverage)
        return _Moved(profit, closed, closed_pnl, rounded_off)

    def _release(self, position: SimPosition, closed: Decimal, held: Decimal) -> None:
        """Give the closed part's share of an isolated margin back to the cross wallet."""
        if not position.isolated_margin:
            return
        if closed == abs(held):
            position.isolated_margin = position.extra_margin = ZERO
        else:
            part = closed / abs(held)
            position.isolated_margin -= (position.isolated_margin * part).quantize(CASH_STEP)
            position.extra_margin -= (position.extra_margin * part).quantize(CASH_STEP)

    def changed(
        self,
        reason: AccountReason,
        symbol: str,
        positions: Iterable[SimPosition],
        bookings: tuple[Booking, ...],
        time_ms: int,
        change: Decimal = ZERO,
    ) -> AccountChanged:
        """The event that tells of it. `change` is what came in besides profit and fees."""
        if symbol:
            asset = self._symbols[symbol].instrument.settle
        else:
            asset = bookings[0].asset if bookings else self.spec.asset
        return AccountChanged(
            account=self.spec.name,
            reason=reason,
            wallets=((asset, self.wallet(asset), change),),
            positions=tuple(copy.copy(one) for one in positions),
            time_ms=time_ms,
            symbol=symbol,
            cross_wallet=self.cross_wallet(asset),
            bookings=bookings,
        )


class _Moved(msgspec.Struct, frozen=True):
    """What an execution did to a position: profit before fees, how much it closed, profit of that after fees, and what
    the first had beyond the smallest amount of cash."""

    profit: Decimal
    closed: Decimal
    closed_pnl: Decimal
    rounded_off: Decimal


def _realize(position: SimPosition, amount: Decimal) -> None:
    position.current_realized += amount
    position.total_realized += amount
