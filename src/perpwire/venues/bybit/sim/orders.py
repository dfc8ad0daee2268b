"""The way of an order: checked at once, acknowledged, and matched a moment later.

What the synchronous check refuses gets a retCode; what fails later shows only on the private stream. Source:
docs/v5/order, as of 2026-07-24, and answers seen up to 2026-07.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from perpwire.model.order import OrderStatus, OrderType, Side
from perpwire.simulator.commands import (
    AmendOrder,
    AmendTrigger,
    CancelOrder,
    CancelTrigger,
    Command,
    PlaceOrder,
    PlaceTrigger,
)
from perpwire.simulator.events import CommandDone, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, check_linear, choice
from perpwire.venues.bybit.sim.conditional import trigger_intent
from perpwire.venues.bybit.sim.entries import (
    FILTERS,
    Entries,
    Entry,
    entry_id,
    is_plain_stop,
    link_id_of,
    passes,
)
from perpwire.venues.bybit.sim.numbers import ORDER, ZERO, id_text
from perpwire.venues.bybit.sim.order_form import FormReader, OrderForm
from perpwire.venues.bybit.sim.refusal import CallRefused, of_exchange
from perpwire.venues.bybit.sim.rows import TOO_LATE_TO_CANCEL, Ending

MATCH_DELAY_S = 0.001
"""From the acknowledgement to the matching engine."""
MOST_ORDERS = 500
"""Active orders of a symbol and account."""
MOST_CONDITIONAL = 10
"""Conditional orders of a symbol and account, besides those of its positions."""
MOST_CANCELLED = 500
"""By one cancel-all."""

Push = Callable[[SimOrder, Ending | None], None]
"""Tell the account's stream of an order; the second argument says why it ended, where that is not on the order."""


class Orders:
    """Order entry of every account."""

    def __init__(self, exchange: Exchange, entries: Entries, reader: FormReader, push: Push) -> None:
        self._exchange = exchange
        self._entries = entries
        self.reader = reader
        self._push = push

    # --- create -------------------------------------------------------------------------------------------------------

    def create(self, account: str, body: Asked) -> wire.OrderIds:
        """
        Raises:
            CallRefused: By retCode.
        """
        form = self.checked(account, body)
        number = self._exchange.new_order_id()
        command: Command
        if form.is_conditional:
            intent = trigger_intent(self._exchange, form, body)
            self._check_trigger(account, intent)
            command = PlaceTrigger(intent=intent, trigger_id=number)
        else:
            command = PlaceOrder(intent=self.intent(account, form), order_id=number)
        self._submit(account, command)
        return wire.OrderIds(id_text(ORDER, number), form.client_id)

    def checked(self, account: str, body: Asked) -> OrderForm:
        """The order that is asked for; all that can be said against it at once has been said.

        Raises:
            CallRefused: By retCode.
        """
        form = self.reader.read(account, body)
        if not form.spec.instrument.is_trading:
            raise CallRefused(110074, "This contract is not live")
        self._check_size(account, form)
        self._check_link_id(account, form.client_id)
        self._check_counts(account, form)
        if form.is_conditional:
            return form
        if form.reduce_only:
            self._check_reducing(account, form)
        self._check_liquidation(account, form)
        if form.type is OrderType.MARKET and not self._in_reach(form):
            raise of_exchange(Refused(Why.NO_LIQUIDITY))
        try:
            self._exchange.check(account, self.intent(account, form))
        except Refused as refused:
            if refused.why is Why.LEVERAGE_CAP and self._is_beyond_all_tiers(account, form):
                raise CallRefused(
                    3400139, "The total value of your positions and orders has exceeded the limit"
                ) from None
            raise of_exchange(refused) from None
        return form

    def _is_beyond_all_tiers(self, account: str, form: OrderForm) -> bool:
        """Would no leverage help? The position with this order alone is worth more than the last tier has."""
        value = (abs(self._held(account, form)) + form.quantity) * self._exchange.mark_price(form.symbol)
        return value > form.spec.tiers[-1].cap

    def intent(self, account: str, form: OrderForm) -> OrderIntent:
        return OrderIntent(
            symbol=form.symbol,
            side=form.side,
            type=form.type,
            time_in_force=form.time_in_force,
            quantity=form.quantity,
            price=form.price,
            client_order_id=form.client_id,
            reduce_only=form.reduce_only,
            position_side=form.position_side,
            refuse_post_only=False,
            refuse_fok=False,
            refuse_oversized_reduce=False,
            self_trade=form.self_trade,
            bound=form.bound,
            note=form.note,
        )

    def _check_size(self, account: str, form: OrderForm) -> None:
        """Bounds of the quantity; closing orders are cut to what there is to close, and to the bound."""
        instrument = form.spec.instrument
        is_market = form.type is OrderType.MARKET
        most = instrument.max_market_quantity if is_market else instrument.max_quantity
        if form.closes_all and not form.is_conditional:
            form.quantity = abs(self._held(account, form))
            if not form.quantity:
                raise CallRefused(110017, "current position is zero, cannot fix reduce-only order qty")
        if 0 < form.quantity < instrument.min_quantity:
            raise of_exchange(Refused(Why.QUANTITY_TOO_SMALL))  # said before that it is off its step
        if most is None or form.quantity <= most:
            return
        if form.reduce_only:
            form.quantity = most
            return
        raise CallRefused(
            10001,
            "The number of contracts exceeds maximum limit allowed: too large, "
            f"order_qty:{_scaled(form.quantity)} > max_qty:{_scaled(most)}",
        )

    def _check_link_id(self, account: str, link_id: str) -> None:
        if not link_id:
            return
        under_way = any(_client_id(command) == link_id for command in self._exchange.pending(account))
        if under_way or self._entries.is_known(account, link_id):
            raise of_exchange(Refused(Why.DUPLICATE_CLIENT_ID))

    def _check_counts(self, account: str, form: OrderForm) -> None:
        symbol = form.symbol
        pending = [one.intent for one in self._exchange.pending(account) if isinstance(one, PlaceOrder | PlaceTrigger)]
        if form.is_conditional:
            waiting = sum(is_plain_stop(one) for one in self._exchange.open_triggers(account, symbol))
            waiting += sum(isinstance(one, TriggerIntent) and one.symbol == symbol for one in pending)
            if waiting >= MOST_CONDITIONAL:
                raise CallRefused(110009, "The number of stop orders exceeds maximum limit allowed")
            return
        active = len(self._exchange.open_orders(account, symbol))
        active += sum(isinstance(one, OrderIntent) and one.symbol == symbol for one in pending)
        if active >= MOST_ORDERS:
            raise CallRefused(110020, f"Cannot have more than {MOST_ORDERS} active orders")

    def _check_reducing(self, account: str, form: OrderForm) -> None:
        held = self._held(account, form)
        if held and (held > 0) == (form.side is Side.BUY):
            raise CallRefused(110017, "reduce-only order has same side with current position")

    def _check_liquidation(self, account: str, form: OrderForm) -> None:
        """A limit price must be reached before the position is liquidated."""
        if form.price is None or not self._held(account, form):
            return
        view = self._exchange.position_view(account, form.symbol, form.position_side)
        limit = view.liquidation_price
        if limit is None:
            return
        if form.price <= limit if view.position.quantity > 0 else form.price >= limit:
            raise CallRefused(110040, "Order will trigger forced liquidation, please resubmit the order")

    def _check_trigger(self, account: str, intent: TriggerIntent) -> None:
        try:
            self._exchange.check_trigger(account, intent)
        except Refused as refused:
            if refused.why is Why.WOULD_TRIGGER:
                rises = intent.direction == "rises"
                words = "Rising" if rises else "Falling"
                raise CallRefused(110092 if rises else 110093, f"expect {words}, but trigger_price is past") from None
            raise of_exchange(refused) from None

    def _held(self, account: str, form: OrderForm) -> Decimal:
        return self._exchange.position(account, form.symbol, form.position_side).quantity

    def _in_reach(self, form: OrderForm) -> bool:
        bids, asks, _, _ = self._exchange.book(form.symbol, 1)
        assert form.bound is not None  # a market order's protective price
        if form.side is Side.BUY:
            return bool(asks) and asks[0][0] <= form.bound
        return bool(bids) and bids[0][0] >= form.bound

    def _submit(self, account: str, command: Command) -> None:
        self._exchange.submit(account, command, MATCH_DELAY_S)

    # --- cancel -------------------------------------------------------------------------------------------------------

    def cancel(self, account: str, body: Asked) -> wire.OrderIds:
        """
        Raises:
            CallRefused: By retCode.
        """
        entry = self._entries.open_one(account, body)
        self._cancel(account, entry)
        return _ids(entry)

    def _cancel(self, account: str, entry: Entry) -> None:
        if isinstance(entry, SimOrder):
            self._submit(account, CancelOrder(symbol=entry.symbol, order_id=entry.order_id))
        else:
            self._submit(account, CancelTrigger(trigger_id=entry.trigger_id))

    def cancel_all(self, account: str, body: Asked) -> wire.CancelAllReply:
        """One of symbol, baseCoin and settleCoin says which; the first of them counts.

        Raises:
            CallRefused: By retCode.
        """
        check_linear(body)
        order_filter = choice(body, "orderFilter", FILTERS)
        stop_type = choice(body, "stopOrderType", ("Stop",))
        entries = self._entries.of_contract(self._entries.open(account), body)
        chosen = [one for one in entries if passes(one, order_filter) and (not stop_type or is_plain_stop(one))]
        for entry in chosen[:MOST_CANCELLED]:
            self._cancel(account, entry)
        return wire.CancelAllReply([_ids(entry) for entry in chosen[:MOST_CANCELLED]])

    # --- what came of it ----------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if not isinstance(event, CommandDone) or event.why is None:
            return
        command = event.command
        if isinstance(command, CancelTrigger | AmendTrigger):
            self._missed_trigger(event.account, command)
        elif isinstance(command, CancelOrder):
            order = self._order(event.account, command.order_id)
            if order is not None and order.status is OrderStatus.FILLED:
                self._push(order, TOO_LATE_TO_CANCEL)
        elif isinstance(command, AmendOrder):
            # Filled meanwhile, or short of margin: the order stands as it is, and its state is told once more.
            order = self._order(event.account, command.order_id)
            if order is not None:
                self._push(order, None)

    def _missed_trigger(self, account: str, command: CancelTrigger | AmendTrigger) -> None:
        """A conditional order became an order while the command was under way: it is now about that."""
        order = self._order(account, command.trigger_id)
        if order is None:
            return
        if isinstance(command, CancelTrigger) and not order.status.is_final:
            self._submit(account, CancelOrder(symbol=order.symbol, order_id=order.order_id))
        else:
            self._push(order, None)

    def _order(self, account: str, order_id: int) -> SimOrder | None:
        try:
            return self._exchange.find_order(account, None, order_id=order_id, client_order_id=None)
        except Refused:
            return None


def _ids(entry: Entry) -> wire.OrderIds:
    return wire.OrderIds(id_text(ORDER, entry_id(entry)), link_id_of(entry))


def _client_id(command: Command) -> str:
    if isinstance(command, PlaceOrder):
        return command.intent.client_order_id
    return command.intent.client_id if isinstance(command, PlaceTrigger) else ""


def _scaled(quantity: Decimal) -> str:
    """The venue's own scaled integers, as its texts have them."""
    return str(int(max(ZERO, quantity) * 10**8))
