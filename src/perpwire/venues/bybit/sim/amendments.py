"""Changing orders that are open: price, quantity, trigger, and what they bring along for the position.

Source: docs/v5/order/amend-order, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.order import Side
from perpwire.simulator.commands import AmendOrder, AmendTrigger
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder, SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import TriggerBy
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, check_price, check_quantity, choice, optional_amount
from perpwire.venues.bybit.sim.entries import Entries, Entry, entry_id, link_id_of
from perpwire.venues.bybit.sim.numbers import ORDER, id_text
from perpwire.venues.bybit.sim.order_form import FormReader
from perpwire.venues.bybit.sim.orders import MATCH_DELAY_S
from perpwire.venues.bybit.sim.refusal import CallRefused, of_exchange
from perpwire.venues.bybit.sim.stop_form import TRIGGERS_BY, attached_of, read_attached

ATTACHED = ("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy", "tpslMode", "tpLimitPrice", "slLimitPrice")


class Amendments:
    """Every account's."""

    def __init__(self, exchange: Exchange, entries: Entries, reader: FormReader) -> None:
        self._exchange = exchange
        self._entries = entries
        self._reader = reader

    def amend(self, account: str, body: Asked) -> wire.OrderIds:
        """Checked at once, done a moment later.

        Raises:
            CallRefused: By retCode.
        """
        entry = self._entries.open_one(account, body)
        if isinstance(entry, SimOrder):
            self._amend_order(account, entry, body)
        else:
            self._amend_trigger(account, entry, body)
        return wire.OrderIds(id_text(ORDER, entry_id(entry)), link_id_of(entry))

    def amend_active(self, account: str, body: Asked) -> wire.OrderIds:
        """As `amend`, of an order in the book: a batch does not take conditional ones.

        Raises:
            CallRefused: By retCode.
        """
        if not isinstance(self._entries.open_one(account, body), SimOrder):
            raise CallRefused(10001, "conditional orders are not supported in a batch")
        return self.amend(account, body)

    def _amend_order(self, account: str, order: SimOrder, body: Asked) -> None:
        spec = self._exchange.spec(order.symbol)
        price, quantity = optional_amount(body, "price", "price err"), _quantity(body, spec)
        if price is not None:
            check_price(spec, price)
            price = self._reader.limited(account, order.symbol, order.side, price)
        if quantity is not None and quantity <= order.filled_quantity:
            raise of_exchange(Refused(Why.AMEND_BELOW_FILLED))
        note = self._attached(order, spec, order.note, price or order.price, body)
        if note is not None and order.filled_quantity:
            raise CallRefused(110059, "Cannot modify the TP/SL of a partially filled open order")
        if note is None and price in (None, order.price) and quantity in (None, order.quantity):
            raise of_exchange(Refused(Why.AMEND_NO_CHANGE))
        try:
            self._exchange.check_amend(account, order.symbol, order.order_id, price=price, quantity=quantity, note=note)
        except Refused as refused:
            raise of_exchange(refused) from None
        command = AmendOrder(symbol=order.symbol, order_id=order.order_id, price=price, quantity=quantity, note=note)
        self._exchange.submit(account, command, MATCH_DELAY_S)

    def _amend_trigger(self, account: str, trigger: SimTrigger, body: Asked) -> None:
        intent = trigger.intent
        spec = self._exchange.spec(trigger.symbol)
        stop, price = optional_amount(body, "triggerPrice"), optional_amount(body, "price", "price err")
        quantity = _quantity(body, spec)
        for one in (stop, price):
            if one is not None:
                check_price(spec, one)
        if quantity is not None and intent.close_position:
            raise CallRefused(10001, "params error: qty can not be modified, it is the position's")
        if stop is not None and intent.kind == "trailing":
            raise CallRefused(10001, "params error: triggerPrice can not be modified, it follows the price")
        words = choice(body, "triggerBy", tuple(TRIGGERS_BY))
        by = TRIGGERS_BY[words] if words else intent.trigger_by
        if by != intent.trigger_by and intent.kind == "trailing":
            raise CallRefused(10001, "params error: triggerBy can not be modified, it follows the last price")
        note = self._attached(trigger, spec, intent.note, price or stop or intent.trigger_price, body)
        unchanged = (
            stop in (None, intent.trigger_price)
            and price in (None, intent.price)
            and quantity in (None, intent.quantity)
            and by == intent.trigger_by
            and note is None
        )
        if unchanged:
            raise of_exchange(Refused(Why.AMEND_NO_CHANGE))
        if by != intent.trigger_by:
            note = {**(note or {}), "triggerBy": words}
        awaited = stop if stop is not None or by == intent.trigger_by else intent.trigger_price
        if awaited is not None:
            self._check_trigger(trigger, awaited, by)
        command = AmendTrigger(
            trigger_id=trigger.trigger_id,
            trigger_price=stop,
            price=price,
            quantity=quantity,
            trigger_by=by,
            note=note,
        )
        self._exchange.submit(account, command, MATCH_DELAY_S)

    def _check_trigger(self, trigger: SimTrigger, stop: Decimal, by: TriggerBy) -> None:
        intent = trigger.intent
        now = {
            "last": self._exchange.last_price,
            "mark": self._exchange.mark_price,
            "index": self._exchange.index_price,
        }[by](trigger.symbol)
        if intent.direction == "rises" and stop <= now:
            raise CallRefused(110092, "expect Rising, but trigger_price is past")
        if intent.direction == "falls" and stop >= now:
            raise CallRefused(110093, "expect Falling, but trigger_price is past")

    def _attached(
        self, entry: Entry, spec: SymbolSpec, note: dict[str, str], base: Decimal | None, body: Asked
    ) -> dict[str, str] | None:
        """What changes in the note of an order's take-profit and stop-loss; None for nothing. "0" takes one away."""
        asked = {name: body[name] for name in ATTACHED if body.get(name) not in (None, "")}
        if not asked:
            return None
        merged: Asked = {**{name: note[name] for name in ATTACHED if note.get(name)}, **asked}
        for prefix in ("tp", "sl"):
            if merged.get(f"{prefix}LimitPrice") not in (None, "", "0"):
                merged[f"{prefix}OrderType"] = "Limit"
        wanted = read_attached(merged, spec)
        side = entry.side if isinstance(entry, SimOrder) else entry.intent.side
        if wanted is not None and base is not None:
            wanted.check(side is Side.BUY, base)
        if wanted == attached_of(note):
            return None
        cleared = dict.fromkeys((name for name in ATTACHED if name in note), "")
        return {**cleared, **(wanted.note(spec.instrument.tick_size) if wanted is not None else {})}


def _quantity(body: Asked, spec: SymbolSpec) -> Decimal | None:
    quantity = optional_amount(body, "qty", "qty err")
    if quantity is not None:
        check_quantity(spec, quantity)
    return quantity
