"""How orders trade: taking, resting, settling, and the orders that fall away because of it.

Both users' orders and the anonymous background come through here, so both obey the same price-time priority.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.events import AccountReason, OrderChanged, SimEvent
from perpwire.simulator.house import House
from perpwire.simulator.market import Market
from perpwire.simulator.matching import ZERO, Resting
from perpwire.simulator.records import Booking, SimFill, SimOrder
from perpwire.simulator.vocabulary import FillKind

Ending = Literal["canceled", "expired"]


class Execution:
    """Moves orders through the books and tells the listeners, in the order in which things happen."""

    def __init__(self, accounts: Mapping[str, Account], house: House, emit: Callable[[SimEvent], None]) -> None:
        self._accounts = accounts
        self._house = house
        self._emit = emit
        self._resting: dict[int, Resting] = {}
        self.on_finished: Callable[[SimOrder], None] = lambda order: None
        """Told of every order that has reached its end."""
        self.on_flat: Callable[[str, str, PositionSide], None] = lambda account, symbol, side: None
        """Told when a position was closed, perhaps to become one of the other direction."""

    def next_trade_id(self, symbol: str) -> int:
        return self._house.next_trade_id(symbol)

    # --- a user's order -----------------------------------------------------------------------------------------------

    def enter(self, market: Market, order: SimOrder) -> None:
        """Match a new (or re-priced) order and let the remainder rest, or end it, as its kind wants."""
        market.begin_taking()
        met_itself = self._trade(market, order.side, order.limit, order.remaining, order)
        if order.status.is_final:
            return
        if met_itself:
            self.end(market, order, "expired", "stp")
        elif order.type is OrderType.MARKET:
            self.end(market, order, "expired", "market")
        elif order.time_in_force is TimeInForce.IOC:
            self.end(market, order, "expired", "ioc")
        else:
            self.rest(market, order)
            self.trim_closing(market, self._accounts[order.account])

    def rest(self, market: Market, order: SimOrder) -> None:
        """Queue what is left of it in the book."""
        assert order.price is not None  # only market orders have none
        resting = Resting(order.side, order.price, order.remaining, order)
        self._resting[order.order_id] = resting
        market.book.add(resting)

    def end(self, market: Market, order: SimOrder, what: Ending, reason: str) -> None:
        """Take an order out of the book, if it rests, and finish it."""
        self.withdraw(market, order)
        order.status = OrderStatus.CANCELED if what == "canceled" else OrderStatus.EXPIRED
        order.reason = reason
        order.updated_ms = market.now_ms()
        self._accounts[order.account].finish_order(order)
        self.announce(order, what)
        self.on_finished(order)

    def withdraw(self, market: Market, order: SimOrder) -> None:
        """Take it out of the book without ending it."""
        resting = self._resting.pop(order.order_id, None)
        if resting is not None:
            market.book.remove(resting)

    def shrink(self, market: Market, order: SimOrder, by: Decimal) -> None:
        """Lower a resting order's quantity; it keeps its place."""
        order.quantity -= by
        market.book.reduce(self._resting[order.order_id], by)

    def announce(
        self,
        order: SimOrder,
        what: Literal["new", "trade", "amended", "canceled", "expired", "rejected"],
        fill: SimFill | None = None,
    ) -> None:
        self._emit(
            OrderChanged(account=order.account, what=what, order=copy.copy(order), fill=fill, time_ms=order.updated_ms)
        )

    # --- the background -----------------------------------------------------------------------------------------------

    def take(self, market: Market, side: Side, quantity: Decimal, limit: Decimal | None = None) -> Decimal:
        """An anonymous order trades what it can reach. Returns what is left of it."""
        market.begin_taking()
        wanted = quantity
        traded = ZERO
        while traded < wanted:
            maker = market.book.next_maker(side, limit)
            if maker is None:
                break
            part = min(maker.quantity, wanted - traded)
            self._match(market, side, maker, part, None)
            traded += part
        return wanted - traded

    def fill_resting(self, market: Market, resting: Resting, quantity: Decimal) -> None:
        """A recording trades with a user's resting order, at the order's price."""
        market.begin_taking()
        taker = Side.SELL if resting.side is Side.BUY else Side.BUY
        self._match(market, taker, resting, quantity, None)

    def resting(self, order_id: int) -> Resting | None:
        return self._resting.get(order_id)

    # --- against an account's will ------------------------------------------------------------------------------------

    def give_over(
        self,
        market: Market,
        order: SimOrder,
        price: Decimal,
        quantity: Decimal,
        kind: FillKind,
        reason: AccountReason,
        fee_rate: Decimal = ZERO,
    ) -> None:
        """Fill an order outside the book: a position that the insurance fund takes over, or one that is closed against
        it."""
        trade_id = self.next_trade_id(market.symbol)
        fill, booking = self._settle(
            market, order, trade_id, price, quantity, is_maker=False, kind=kind, fee_rate=fee_rate
        )
        self._tell(market, order, fill, booking, reason)

    # --- matching -----------------------------------------------------------------------------------------------------

    def _trade(self, market: Market, side: Side, limit: Decimal | None, quantity: Decimal, order: SimOrder) -> bool:
        """Match a user's order until it is filled or nothing is in reach. True: it met an order of its own account,
        and is to end because of that."""
        left = quantity
        while left:
            maker = market.book.next_maker(side, limit)
            if maker is None:
                return False
            is_own = maker.order is not None and maker.order.account == order.account
            if is_own and maker.order is not None:
                if order.self_trade in ("taker", "both"):
                    order.met_order_id = maker.order.order_id
                if order.self_trade in ("maker", "both"):
                    maker.order.met_order_id = order.order_id
                    self.end(market, maker.order, "expired", "stp")
            if is_own and order.self_trade in ("taker", "both"):
                return True
            if is_own and order.self_trade == "maker":
                continue
            part = min(maker.quantity, left)
            self._match(market, side, maker, part, order)
            left -= part
        return False

    def _match(self, market: Market, side: Side, maker: Resting, quantity: Decimal, taker: SimOrder | None) -> None:
        price = maker.price
        trade_id = self.next_trade_id(market.symbol)
        market.book.reduce(maker, quantity)
        market.record_trade(trade_id, price, quantity, buyer_is_maker=side is Side.SELL)
        settled: list[tuple[SimOrder, SimFill, Booking]] = []
        if taker is not None:
            settled.append((taker, *self._settle(market, taker, trade_id, price, quantity, is_maker=False)))
        if maker.order is not None:
            if not maker.quantity:
                del self._resting[maker.order.order_id]
            settled.append((maker.order, *self._settle(market, maker.order, trade_id, price, quantity, is_maker=True)))
        if not settled:
            return
        self._house.traded(market.symbol, [(order.side, fill) for order, fill, _ in settled])
        for order, fill, _ in settled:
            self.announce(order, "trade", fill)
        for order, fill, booking in settled:
            reason: AccountReason = "liquidation" if fill.kind == "liquidation" else "order"
            self._tell_account(market, order, booking, reason)
        for order, fill, _ in settled:
            self._after(order, fill)
        for order, _, _ in settled:
            self.trim_closing(market, self._accounts[order.account])

    def _tell(self, market: Market, order: SimOrder, fill: SimFill, booking: Booking, reason: AccountReason) -> None:
        self._house.traded(market.symbol, [(order.side, fill)])
        self.announce(order, "trade", fill)
        self._tell_account(market, order, booking, reason)
        self._after(order, fill)
        self.trim_closing(market, self._accounts[order.account])

    def _after(self, order: SimOrder, fill: SimFill) -> None:
        if order.status.is_final:
            self.on_finished(order)
        held = fill.position_quantity
        if fill.closed_quantity and (not held or (held > 0) == (order.side is Side.BUY)):
            self.on_flat(order.account, order.symbol, order.position_side)

    def _tell_account(self, market: Market, order: SimOrder, booking: Booking, reason: AccountReason) -> None:
        account = self._accounts[order.account]
        position = account.position(order.symbol, order.position_side)
        self._emit(account.changed(reason, order.symbol, (position,), (booking,), market.now_ms()))

    def _settle(
        self,
        market: Market,
        order: SimOrder,
        trade_id: int,
        price: Decimal,
        quantity: Decimal,
        *,
        is_maker: bool,
        kind: FillKind | None = None,
        fee_rate: Decimal | None = None,
    ) -> tuple[SimFill, Booking]:
        account = self._accounts[order.account]
        fill, booking = account.settle(
            order,
            trade_id=trade_id,
            price=price,
            quantity=quantity,
            is_maker=is_maker,
            time_ms=market.now_ms(),
            kind=kind or ("liquidation" if order.origin == "liquidation" else "trade"),
            fee_rate=fee_rate,
            mark_price=market.price.mark,
            index_price=market.price.index,
            seq=market.seq,
        )
        if order.remaining:
            order.status = OrderStatus.PARTIALLY_FILLED
        else:
            order.status = OrderStatus.FILLED
            account.finish_order(order)
        return fill, booking

    def trim_closing(self, market: Market, account: Account) -> None:
        """End resting orders that may only close and, behind better-priced ones, would close more than there is."""
        resting = [
            order
            for order in account.open.values()
            if order.symbol == market.symbol and order.closes and order.order_id in self._resting
        ]
        for side in dict.fromkeys(order.position_side for order in resting):
            held = account.held(market.symbol, side)
            closing, best_first = (Side.SELL, 1) if held > 0 else (Side.BUY, -1)
            room = abs(held)
            chosen = [order for order in resting if order.position_side is side]
            chosen.sort(key=lambda order: ((order.price or ZERO) * best_first, order.order_id))
            for order in chosen:
                if order.side is closing and order.remaining <= room:
                    room -= order.remaining
                else:
                    self.end(market, order, "expired", "reduce_only")
