"""Orders: placing, changing, cancelling and finding them."""

from __future__ import annotations

import copy
from decimal import Decimal

from perpwire.model.order import OrderStatus, OrderType, PositionSide, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.admission import check_margin, check_rules, check_side, closes, misfit, reducible
from perpwire.simulator.floor import Floor
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.market import Market
from perpwire.simulator.records import SimFill, SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import SelfTrade

_TIMES_IN_FORCE = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY, TimeInForce.GTD})


class OrderDesk(Floor):
    """Every method is synchronous and takes effect at once."""

    def new_order_id(self) -> int:
        """An id for an order that will be placed later: a venue may acknowledge first and match afterwards."""
        return self._house.next_order_id()

    def check(self, account: str, intent: OrderIntent) -> None:
        """Whether `place` would take the order in now; nothing changes.

        Raises:
            Refused, ValueError: As `place`.
        """
        self._prepare(account, intent)

    def place(self, account: str, intent: OrderIntent, order_id: int | None = None) -> SimOrder:
        """Take an order in. Checked in this order: symbol, price, quantity, notional, position side, duplicate client
        id among open orders, date, reduce-only, leverage, margin, then what the book has against it.

        Args:
            order_id: Its id, from `new_order_id`; None gives it the next one.

        Raises:
            Refused: The order was not taken; nothing changed.
            ValueError: Not LIMIT or MARKET, or a time in force other than GTC, IOC, FOK, POST_ONLY and GTD.
        """
        return self._place(account, intent, order_id)

    def _place(self, account: str, intent: OrderIntent, order_id: int | None) -> SimOrder:
        market, owner, order, ending = self._prepare(account, intent)
        with self._outbox:
            order.order_id = self._house.next_order_id(order.symbol) if order_id is None else order_id
            owner.add_order(order)
            self._execution.announce(order, "new")
            if ending:
                self._execution.end(market, order, "canceled", ending)
            else:
                self._execution.enter(market, order)
            market.publish_book()
        return copy.copy(order)

    def _prepare(self, account: str, intent: OrderIntent) -> tuple[Market, Account, SimOrder, str]:
        """Everything that can be refused. Gives the order without an id, and what ends it at once ("" for nothing)."""
        if intent.type not in (OrderType.LIMIT, OrderType.MARKET) or intent.time_in_force not in _TIMES_IN_FORCE:
            raise ValueError(f"{intent.type} {intent.time_in_force} is no order of this exchange")
        market = self._market(intent.symbol)
        self.want_book(intent.symbol)
        owner = self._accounts[account]
        is_closing = closes(intent)
        check_rules(market, intent.type, intent.price, intent.quantity, is_closing)
        check_side(owner, intent.symbol, intent.position_side)
        earlier = owner.find(None, intent.client_order_id)
        if earlier is not None and not earlier.status.is_final:
            raise Refused(Why.DUPLICATE_CLIENT_ID)
        now_ms = self.now_ms()
        if intent.expire_ms and intent.expire_ms <= now_ms:
            raise Refused(Why.EXPIRY)
        order = _order_of(account, intent, now_ms)
        if order.price is not None:
            order.price = market.canonical(order.price)
        if is_closing:
            order.quantity = reducible(owner, intent)
        check_margin(market, owner, order, self._risk)
        return market, owner, order, misfit(market.book, intent, order)

    def want_book(self, symbol: str) -> None:
        """A client subscribed to book or trades of this symbol, or trades it; a recording of it begins on that."""
        if self._replay is not None and symbol == self._replay.symbol:
            self._replay.begin()

    def amend(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        price: Decimal | None,
        quantity: Decimal | None,
        keep_priority_on_reduce: bool = True,
        self_trade: SelfTrade | None = None,
        note: dict[str, str] | None = None,
    ) -> SimOrder:
        """Change price or total quantity (None: keep it). A lower quantity alone keeps the order's place in the queue
        (unless `keep_priority_on_reduce` is False); anything else puts it to the rear, and it may trade at once. A
        post-only order that would take is cancelled. `self_trade` replaces the order's own. `note` is added to the
        order's own; it alone is a change too.

        Raises:
            Refused: The order stays as it was.
        """
        market = self._market(symbol)
        order = self._open_order(self._accounts[account], symbol, order_id, client_order_id)
        changed = self._changed_order(market, order, price, quantity, note)
        new_quantity = changed.quantity
        assert changed.price is not None  # what rests has a price
        with self._outbox:
            order.note = {**order.note, **(note or {})}
            order.self_trade = self_trade or order.self_trade
            order.amendments += 1
            order.updated_ms = self.now_ms()
            if changed.price == order.price and new_quantity == order.quantity:
                self._execution.announce(order, "amended")  # only the note
            elif keep_priority_on_reduce and changed.price == order.price and new_quantity < order.quantity:
                self._execution.shrink(market, order, order.quantity - new_quantity)
                self._execution.announce(order, "amended")
            else:
                self._execution.withdraw(market, order)
                order.price, order.quantity = changed.price, new_quantity
                self._execution.announce(order, "amended")
                is_post_only = order.time_in_force is TimeInForce.POST_ONLY
                if is_post_only and market.book.would_take(order.side, changed.price):
                    self._execution.end(market, order, "canceled", "post_only")
                else:
                    self._execution.enter(market, order)
            market.publish_book()
        return copy.copy(order)

    def check_amend(
        self,
        account: str,
        symbol: str,
        order_id: int,
        *,
        price: Decimal | None,
        quantity: Decimal | None,
        note: dict[str, str] | None = None,
    ) -> None:
        """Whether `amend` would change the order now; nothing changes.

        Raises:
            Refused: As `amend`.
        """
        order = self._open_order(self._accounts[account], symbol, order_id, None)
        self._changed_order(self._market(symbol), order, price, quantity, note)

    def _changed_order(
        self,
        market: Market,
        order: SimOrder,
        price: Decimal | None,
        quantity: Decimal | None,
        note: dict[str, str] | None,
    ) -> SimOrder:
        """A copy with the price and quantity that it is to have, all that can be said against them being said."""
        owner = self._accounts[order.account]
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        check_rules(market, order.type, new_price, new_quantity, order.closes)
        assert new_price is not None  # what rests has a price
        is_noted = any(order.note.get(name, "") != text for name, text in (note or {}).items())
        if new_price == order.price and new_quantity == order.quantity and not is_noted:
            raise Refused(Why.AMEND_NO_CHANGE)
        if new_quantity <= order.filled_quantity:
            raise Refused(Why.AMEND_BELOW_FILLED)
        if order.closes and new_quantity - order.filled_quantity > abs(owner.held(order.symbol, order.position_side)):
            raise Refused(Why.REDUCE_ONLY)
        changed = copy.copy(order)
        changed.price, changed.quantity = market.canonical(new_price), new_quantity
        check_margin(market, owner, changed, self._risk, instead_of=order)
        return changed

    def cancel(
        self, account: str, symbol: str, *, order_id: int | None, client_order_id: str | None, reason: str = "user"
    ) -> SimOrder:
        """
        Raises:
            Refused: UNKNOWN_SYMBOL, UNKNOWN_ORDER or ORDER_FINISHED.
        """
        market = self._market(symbol)
        order = self._open_order(self._accounts[account], symbol, order_id, client_order_id)
        with self._outbox:
            self._execution.end(market, order, "canceled", reason)
            market.publish_book()
        return copy.copy(order)

    def cancel_all(
        self, account: str, symbol: str | None, *, side: PositionSide | None = None, reason: str = "user"
    ) -> list[SimOrder]:
        """Cancel the open orders of one symbol, or of all, or of one position side; gives them as they ended."""
        if symbol is not None:
            self._market(symbol)
        open_orders = [
            one
            for one in self._accounts[account].open.values()
            if symbol in (None, one.symbol) and side in (None, one.position_side)
        ]
        with self._outbox:
            for order in open_orders:
                self._execution.end(self._markets[order.symbol], order, "canceled", reason)
            for name in dict.fromkeys(order.symbol for order in open_orders):
                self._markets[name].publish_book()
        return [copy.copy(order) for order in open_orders]

    def find_order(
        self, account: str, symbol: str | None, *, order_id: int | None, client_order_id: str | None
    ) -> SimOrder:
        """By id where one is given, else the newest with the client id.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        return copy.copy(self._found(self._accounts[account], symbol, order_id, client_order_id))

    def open_orders(self, account: str, symbol: str | None) -> list[SimOrder]:
        """Oldest first."""
        return [copy.copy(one) for one in self._accounts[account].open.values() if symbol in (None, one.symbol)]

    def orders(self, account: str, symbol: str | None) -> list[SimOrder]:
        """Every order that is remembered, open or finished; oldest first."""
        return [copy.copy(one) for one in self._accounts[account].all_orders() if symbol in (None, one.symbol)]

    def fills(self, account: str, symbol: str | None) -> list[tuple[SimOrder, SimFill]]:
        """Every execution that is remembered, with its order as it is now; oldest first."""
        return [
            (copy.copy(order), fill) for order, fill in self._accounts[account].fills if symbol in (None, order.symbol)
        ]

    def _open_order(self, owner: Account, symbol: str, order_id: int | None, client_order_id: str | None) -> SimOrder:
        order = self._found(owner, symbol, order_id, client_order_id)
        if order.status.is_final:
            raise Refused(Why.ORDER_FINISHED)
        return order

    def _found(self, owner: Account, symbol: str | None, order_id: int | None, client_order_id: str | None) -> SimOrder:
        order = owner.find(order_id, client_order_id)
        if order is not None and symbol is not None and order.symbol != symbol:
            order = owner.find_on(symbol, client_order_id) if order_id is None and client_order_id else None
        if order is None:
            raise Refused(Why.UNKNOWN_ORDER)
        return order

    def _expire_orders(self, now_ms: int) -> None:
        """Good-till-date orders whose date has come."""
        for account in self._accounts.values():
            for order in [one for one in account.open.values() if one.expire_ms and one.expire_ms <= now_ms]:
                market = self._markets[order.symbol]
                self._execution.end(market, order, "expired", "gtd")
                market.publish_book()

    def _record_rejected(self, account: str, intent: OrderIntent, order_id: int, why: Why) -> None:
        """An acknowledged order that could not be taken in: it is kept as rejected, and told of."""
        now_ms = self.now_ms()
        order = _order_of(account, intent, now_ms)
        order.order_id, order.status, order.reason = order_id, OrderStatus.REJECTED, why.name.lower()
        self._accounts[account].remember_order(order)
        self._execution.announce(order, "rejected")


def _order_of(account: str, intent: OrderIntent, now_ms: int) -> SimOrder:
    """A new order as it was asked for, without an id."""
    return SimOrder(
        account=account,
        symbol=intent.symbol,
        order_id=0,
        client_order_id=intent.client_order_id,
        side=intent.side,
        type=intent.type,
        time_in_force=intent.time_in_force,
        price=intent.price if intent.type is OrderType.LIMIT else None,
        quantity=intent.quantity,
        reduce_only=intent.reduce_only,
        position_side=intent.position_side,
        status=OrderStatus.NEW,
        created_ms=intent.created_ms or now_ms,
        updated_ms=now_ms,
        self_trade=intent.self_trade,
        origin=intent.origin,
        bound=intent.bound,
        expire_ms=intent.expire_ms,
        close_position=intent.close_position,
        trigger_id=intent.trigger_id,
        note=dict(intent.note),
    )
