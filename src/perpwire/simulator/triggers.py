"""Conditional orders: they wait for a price, and become orders when it comes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from itertools import islice
from typing import Literal

import msgspec

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side
from perpwire.simulator.accounts import Account
from perpwire.simulator.admission import check_price, check_rules, check_side, closes
from perpwire.simulator.events import SimEvent, TriggerChanged, TriggerNews
from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.market import Market
from perpwire.simulator.records import SimOrder, SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import TriggerBy

Place = Callable[[str, OrderIntent, int], SimOrder]
"""Account, order, id: places it. Raises Refused."""

Fit = Callable[[str, OrderIntent], OrderIntent]
"""Account and the order that a conditional one is about to become -> as the venue takes it now. Raises Refused."""

ENDINGS: Mapping[str, Literal["canceled", "expired"]] = {"user": "canceled", "oco": "canceled"}
"""What ends a conditional order as "canceled"; every other reason ends it as "expired"."""


class Triggers:
    """Every account's conditional orders.

    Args:
        place: Takes the order in that a conditional one has become.
        check: Whether it would; nothing changes.
        new_id: For conditional orders (of no symbol) and the orders they become (of their symbol).
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        markets: Mapping[str, Market],
        emit: Callable[[SimEvent], None],
        place: Place,
        check: Callable[[str, OrderIntent], None],
        new_id: Callable[[str], int],
        now_ms: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._markets = markets
        self._emit = emit
        self._place = place
        self._check = check
        self._new_id = new_id
        self._now_ms = now_ms
        self._waiting: dict[str, dict[int, SimTrigger]] = {}
        self._children: dict[int, SimTrigger] = {}
        self.fit: Fit = lambda account, order: order

    # --- calls --------------------------------------------------------------------------------------------------------

    def check(self, account: str, intent: TriggerIntent) -> None:
        """
        Raises:
            Refused: As `place`.
        """
        market, owner = self._markets[intent.symbol], self._accounts[account]
        check_side(owner, intent.symbol, intent.position_side)
        if intent.trigger_price is not None:
            check_price(market, intent.trigger_price)
        if intent.activation_price is not None:
            check_price(market, intent.activation_price)
        self._check_order(market, intent)
        earlier = owner.find_trigger(None, intent.client_id)
        if earlier is not None and earlier.is_open:
            raise Refused(Why.DUPLICATE_CLIENT_ID)
        if intent.refuse_reached:
            self._check_side_of_market(market, intent)

    def _check_order(self, market: Market, intent: TriggerIntent) -> None:
        if intent.close_position:
            if intent.type is OrderType.LIMIT:
                check_price(market, intent.price)
            return
        # What it is worth is known only when it triggers, but for a limit price, which the trigger's stands for.
        frees_notional = closes(intent) or intent.type is OrderType.MARKET
        price = intent.trigger_price if intent.book_place else intent.price
        # A part of a position is cut to what one order may be, as the whole of it is.
        quantity = _cut(market, intent, intent.quantity) if intent.is_bound_to_position else intent.quantity
        check_rules(market, intent.type, price, quantity, reduce_only=frees_notional)

    def _check_side_of_market(self, market: Market, intent: TriggerIntent) -> None:
        now = self._price(market, intent.trigger_by)
        if intent.kind == "trailing":
            active = intent.activation_price
            if active is not None and (active <= now if intent.direction == "falls" else active >= now):
                raise Refused(Why.BAD_ACTIVATION)
        elif intent.trigger_price is not None and _is_reached(intent.direction, now, intent.trigger_price):
            raise Refused(Why.WOULD_TRIGGER)

    def place(self, account: str, intent: TriggerIntent, trigger_id: int | None = None) -> SimTrigger:
        """
        Raises:
            Refused: Nothing changed.
        """
        self.check(account, intent)
        now_ms = self._now_ms()
        market = self._markets[intent.symbol]
        trigger = SimTrigger(
            account=account,
            trigger_id=self._new_id("") if trigger_id is None else trigger_id,
            intent=intent,
            created_ms=now_ms,
            updated_ms=now_ms,
            is_activated=intent.kind != "trailing" or intent.activation_price is None,
        )
        if intent.kind == "trailing" and trigger.is_activated:
            trigger.extreme = self._price(market, intent.trigger_by)
        self._accounts[account].add_trigger(trigger)
        self.wait(trigger)
        self._tell("new", trigger)
        if not intent.refuse_reached and self._reaches(trigger, self._price(market, intent.trigger_by)):
            self._fire(market, trigger)
        return copy.copy(trigger)

    def record_rejected(self, account: str, intent: TriggerIntent, trigger_id: int, why: Why) -> None:
        """An acknowledged one that could not be taken in: it is kept as rejected, and told of."""
        now_ms = self._now_ms()
        trigger = SimTrigger(
            account=account,
            trigger_id=trigger_id,
            intent=intent,
            status="rejected",
            created_ms=now_ms,
            updated_ms=now_ms,
            why=why,
        )
        self._accounts[account].add_trigger(trigger)
        self._tell("rejected", trigger)

    def wait(self, trigger: SimTrigger) -> None:
        """Watch the price for it; also for one from before a restart."""
        if trigger.is_open:
            self._waiting.setdefault(trigger.symbol, {})[trigger.trigger_id] = trigger
        elif trigger.status == "triggered":
            self._children[trigger.order_id] = trigger

    def amend(
        self,
        trigger: SimTrigger,
        trigger_price: Decimal | None,
        price: Decimal | None,
        quantity: Decimal | None,
        note: dict[str, str] | None,
        trigger_by: TriggerBy | None = None,
    ) -> SimTrigger:
        """
        Raises:
            Refused: It stays as it was.
        """
        before = trigger.intent
        after = msgspec.structs.replace(
            before,
            trigger_price=before.trigger_price if trigger_price is None else trigger_price,
            price=before.price if price is None else price,
            quantity=before.quantity if quantity is None else quantity,
            trigger_by=before.trigger_by if trigger_by is None else trigger_by,
            note={**before.note, **(note or {})},
        )
        if after == before:
            raise Refused(Why.AMEND_NO_CHANGE)
        market = self._markets[after.symbol]
        if after.trigger_price is not None:
            check_price(market, after.trigger_price)
        self._check_order(market, after)
        if (after.trigger_price, after.trigger_by) != (before.trigger_price, before.trigger_by):
            self._check_side_of_market(market, after)
        trigger.intent = after
        self._tell("amended", trigger)
        return copy.copy(trigger)

    def end(self, trigger: SimTrigger, reason: str) -> SimTrigger:
        """It will not trigger any more."""
        what = ENDINGS.get(reason, "expired")
        self._leave(trigger)
        trigger.status, trigger.reason = what, reason
        self._tell(what, trigger)
        return copy.copy(trigger)

    # --- prices -------------------------------------------------------------------------------------------------------

    def on_step(self) -> bool:
        """Prices of the step that is ending may trigger some; True if any did anything."""
        acted = False
        for market in self._markets.values():
            if market.prices:
                prices, market.prices = market.prices, []
                if self._waiting.get(market.symbol):
                    for price in prices:
                        acted |= self._on_price(market, "last", price)
        return acted

    def on_mark(self, market: Market) -> None:
        """Mark and index price have moved."""
        if self._waiting.get(market.symbol):
            self._on_price(market, "mark", market.price.mark)
            self._on_price(market, "index", market.price.index)

    def _on_price(self, market: Market, by: TriggerBy, price: Decimal) -> bool:
        acted = False
        for trigger in list(self._waiting[market.symbol].values()):
            if trigger.is_open and trigger.intent.trigger_by == by and self._reaches(trigger, price):
                acted |= self._fire(market, trigger)
        return acted

    def _reaches(self, trigger: SimTrigger, price: Decimal) -> bool:
        intent = trigger.intent
        if intent.kind == "trailing":
            self._follow(trigger, price)
        stop = trigger.stop_price
        return stop is not None and _is_reached(intent.direction, price, stop)

    def _follow(self, trigger: SimTrigger, price: Decimal) -> None:
        intent = trigger.intent
        falls = intent.direction == "falls"
        if not trigger.is_activated:
            active = intent.activation_price
            if active is not None and not (price >= active if falls else price <= active):
                return
            trigger.is_activated, trigger.extreme = True, price
            self._tell("activated", trigger)
        elif trigger.extreme is None or (price > trigger.extreme if falls else price < trigger.extreme):
            trigger.extreme = price
            self._emit_changed("followed", trigger)

    def _fire(self, market: Market, trigger: SimTrigger) -> bool:
        intent = trigger.intent
        if intent.expire_ms and intent.expire_ms <= self._now_ms():
            self.end(trigger, "gtd")  # while nobody looked: after a restart, or since the last second
            return True
        if intent.price_protect is not None:
            mark = market.price.mark
            if abs(mark - market.last_price) > intent.price_protect * mark:
                return False
        self._leave(trigger)
        trigger.status = "triggering"
        trigger.triggered_ms = self._now_ms()
        self._tell("triggering", trigger)
        if intent.group:
            self._end_others(trigger)
        order = self._order_of(market, trigger)
        if order is None:
            trigger.status, trigger.reason = "expired", "no_position"
            self._tell("expired", trigger)
            return True
        try:
            if intent.book_place:
                order = msgspec.structs.replace(order, price=_price_at(market, intent))
            order = self.fit(trigger.account, order)
            self._check(trigger.account, order)
        except Refused as refused:
            trigger.status, trigger.why = "rejected", refused.why
            self._tell("rejected", trigger)
            return True
        trigger.order_id = trigger.trigger_id if intent.keeps_id else self._new_id(intent.symbol)
        trigger.status = "triggered"
        self._children[trigger.order_id] = trigger
        self._tell("triggered", trigger)
        self._place(trigger.account, order, trigger.order_id)
        return True

    def _end_others(self, trigger: SimTrigger) -> None:
        for other in list(self._accounts[trigger.account].triggers.values()):
            if other.intent.group == trigger.intent.group and other is not trigger:
                self.end(other, "oco")

    def _order_of(self, market: Market, trigger: SimTrigger) -> OrderIntent | None:
        """What it becomes; None where there is nothing left to close."""
        intent = trigger.intent
        quantity = intent.quantity
        if intent.close_position or intent.is_bound_to_position:
            held = self._accounts[trigger.account].held(intent.symbol, intent.position_side)
            if not held or (held > 0) == (intent.side is Side.BUY):
                return None
            quantity = _cut(market, intent, abs(held) if intent.close_position else min(quantity, abs(held)))
        bound = None
        if intent.type is OrderType.MARKET and intent.bound_share is not None:
            bound = _bound(market, intent.side, intent.bound_share)
        return OrderIntent(
            symbol=intent.symbol,
            side=intent.side,
            type=intent.type,
            time_in_force=intent.time_in_force,
            quantity=quantity,
            price=intent.price if intent.type is OrderType.LIMIT else None,
            client_order_id=intent.client_id,
            reduce_only=intent.reduce_only or (intent.close_position and intent.position_side is PositionSide.BOTH),
            position_side=intent.position_side,
            refuse_post_only=intent.refuse_post_only,
            refuse_fok=intent.refuse_fok,
            refuse_oversized_reduce=intent.refuse_oversized_reduce,
            self_trade=intent.self_trade,
            origin="trigger",
            bound=bound,
            expire_ms=intent.expire_ms,
            close_position=intent.close_position,
            trigger_id=trigger.trigger_id,
            created_ms=trigger.created_ms if intent.keeps_id else 0,
            note=dict(intent.note),
        )

    # --- what else ends them ------------------------------------------------------------------------------------------

    def on_finished(self, order: SimOrder) -> None:
        """The order that one has become is at its end."""
        trigger = self._children.pop(order.order_id, None)
        if trigger is not None:
            trigger.status = "finished"
            if order.status is not OrderStatus.FILLED:
                trigger.reason = order.reason
            self._tell("finished", trigger)

    def on_position_closed(self, account: str, symbol: str, side: PositionSide) -> None:
        """A position is flat: what was bound to it ends."""
        for trigger in list(self._accounts[account].triggers.values()):
            intent = trigger.intent
            if intent.symbol == symbol and intent.position_side is side and intent.is_bound_to_position:
                self.end(trigger, "position_closed")

    def on_time(self, now_ms: int) -> None:
        """Those whose date has come end."""
        for trigger in [one for waiting in self._waiting.values() for one in waiting.values()]:
            if trigger.intent.expire_ms and trigger.intent.expire_ms <= now_ms:
                self.end(trigger, "gtd")

    def of(self, account: str, symbol: str | None) -> Iterable[SimTrigger]:
        """Those of an account that wait; they may be ended meanwhile."""
        return [one for one in self._accounts[account].triggers.values() if symbol in (None, one.symbol)]

    # --- small --------------------------------------------------------------------------------------------------------

    def _leave(self, trigger: SimTrigger) -> None:
        self._waiting.get(trigger.symbol, {}).pop(trigger.trigger_id, None)
        self._accounts[trigger.account].triggers.pop(trigger.trigger_id, None)

    def _price(self, market: Market, by: TriggerBy) -> Decimal:
        if by == "last":
            return market.last_price
        return market.price.mark if by == "mark" else market.price.index

    def _tell(self, what: TriggerNews, trigger: SimTrigger) -> None:
        trigger.updated_ms = self._now_ms()
        self._emit_changed(what, trigger)

    def _emit_changed(self, what: TriggerNews, trigger: SimTrigger) -> None:
        self._emit(
            TriggerChanged(account=trigger.account, what=what, trigger=copy.copy(trigger), time_ms=self._now_ms())
        )


def _cut(market: Market, intent: TriggerIntent, quantity: Decimal) -> Decimal:
    """To what one order of its type may be at most."""
    instrument = market.spec.instrument
    most = instrument.max_market_quantity if intent.type is OrderType.MARKET else instrument.max_quantity
    return quantity if most is None else min(quantity, most)


def _is_reached(direction: Literal["rises", "falls"], price: Decimal, stop: Decimal) -> bool:
    return price >= stop if direction == "rises" else price <= stop


def _price_at(market: Market, intent: TriggerIntent) -> Decimal:
    """That of the level which `book_place` means.

    Raises:
        Refused: NO_LIQUIDITY, where the book is not as deep.
    """
    book = market.book
    side = book.side(intent.side) if intent.book_place < 0 else book.opposite(intent.side)
    level = next(islice(side.best_first(), abs(intent.book_place) - 1, None), None)
    if level is None:
        raise Refused(Why.NO_LIQUIDITY)
    return level.price


def _bound(market: Market, side: Side, share: Decimal) -> Decimal:
    """The worst price of a market order, on the tick that is nearer to the mark price."""
    mark, tick = market.price.mark, market.spec.instrument.tick_size
    is_buy = side is Side.BUY
    price = mark * (1 + share if is_buy else 1 - share)
    return max(tick, (price / tick).quantize(Decimal(1), rounding=ROUND_DOWN if is_buy else ROUND_UP) * tick)
