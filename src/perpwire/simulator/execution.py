"""How orders trade: taking, resting, settling, and the orders that fall away because of it.

Both users' orders and the anonymous background come through here, so both obey the same price-time priority.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import count
from typing import Literal

from perpwire.model.order import OrderStatus, OrderType, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.events import AccountChanged, OrderChanged, SimEvent, SimFill, SimOrder
from perpwire.simulator.market import Market
from perpwire.simulator.matching import ZERO, Resting

FIRST_TRADE_ID = 4_000_000_001

Ending = Literal["canceled", "expired"]


class Execution:
    """Moves orders through the books and tells the listeners, in the order in which things happen."""

    def __init__(self, accounts: Mapping[str, Account], emit: Callable[[SimEvent], None]) -> None:
        self._accounts = accounts
        self._emit = emit
        self._trade_ids = count(FIRST_TRADE_ID)
        self._resting: dict[int, Resting] = {}

    def next_trade_id(self) -> int:
        return next(self._trade_ids)

    # --- a user's order -----------------------------------------------------------------------------------------------

    def enter(self, market: Market, order: SimOrder) -> None:
        """Match a new (or re-priced) order and let the remainder rest, or end it, as its kind wants."""
        met_itself = self._trade(market, order.side, order.price, order.remaining, order)
        if order.status.is_final:
            return
        if met_itself:
            self.end(market, order, "expired", "stp")
        elif order.type is OrderType.MARKET:
            self.end(market, order, "expired", "market")
        elif order.time_in_force is TimeInForce.IOC:
            self.end(market, order, "expired", "ioc")
        else:
            assert order.price is not None  # only market orders have none
            resting = Resting(order.side, order.price, order.remaining, order)
            self._resting[order.order_id] = resting
            market.book.add(resting)
            self.trim_reduce_only(market, self._accounts[order.account])

    def end(self, market: Market, order: SimOrder, what: Ending, reason: str) -> None:
        """Take an order out of the book, if it rests, and finish it."""
        self.withdraw(market, order)
        order.status = OrderStatus.CANCELED if what == "canceled" else OrderStatus.EXPIRED
        order.reason = reason
        order.updated_ms = market.now_ms()
        self._accounts[order.account].finish_order(order)
        self.announce(order, what)

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
        taker = Side.SELL if resting.side is Side.BUY else Side.BUY
        self._match(market, taker, resting, quantity, None)

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
            if is_own and order.self_trade in ("maker", "both") and maker.order is not None:
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
        trade_id = self.next_trade_id()
        market.book.reduce(maker, quantity)
        market.record_trade(trade_id, price, quantity, buyer_is_maker=side is Side.SELL)
        touched: list[SimOrder] = []
        if taker is not None:
            self._settle(market, taker, trade_id, price, quantity, is_maker=False)
            touched.append(taker)
        if maker.order is not None:
            if not maker.quantity:
                del self._resting[maker.order.order_id]
            self._settle(market, maker.order, trade_id, price, quantity, is_maker=True)
            touched.append(maker.order)
        for order in touched:
            account = self._accounts[order.account]
            asset = market.spec.instrument.settle
            self._emit(
                AccountChanged(
                    account=order.account,
                    reason="order",
                    wallets=((asset, account.wallet[asset], ZERO),),
                    positions=(copy.copy(account.position(order.symbol)),),
                    time_ms=market.now_ms(),
                )
            )
        for order in touched:
            self.trim_reduce_only(market, self._accounts[order.account])

    def _settle(
        self, market: Market, order: SimOrder, trade_id: int, price: Decimal, quantity: Decimal, *, is_maker: bool
    ) -> None:
        account = self._accounts[order.account]
        fill = account.settle(
            order, trade_id=trade_id, price=price, quantity=quantity, is_maker=is_maker, time_ms=market.now_ms()
        )
        if order.remaining:
            order.status = OrderStatus.PARTIALLY_FILLED
        else:
            order.status = OrderStatus.FILLED
            account.finish_order(order)
        self.announce(order, "trade", fill)

    def trim_reduce_only(self, market: Market, account: Account) -> None:
        """End resting reduce-only orders that, behind better-priced ones, would close more than the position."""
        resting = [
            order
            for order in account.open.values()
            if order.reduce_only and order.symbol == market.symbol and order.order_id in self._resting
        ]
        if not resting:
            return
        held = account.position(market.symbol).quantity
        closing, best_first = (Side.SELL, 1) if held > 0 else (Side.BUY, -1)
        room = abs(held)
        resting.sort(key=lambda order: ((order.price or ZERO) * best_first, order.order_id))
        for order in resting:
            if order.side is closing and order.remaining <= room:
                room -= order.remaining
            else:
                self.end(market, order, "expired", "reduce_only")
