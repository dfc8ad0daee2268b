"""A position's take-profit, stop-loss and trailing stop: conditional orders of the venue's own making.

Mode Full: one of each, for the whole position, by market order. Mode Partial: pairs for a part of it, of which one ends
the other. All of them end when the position is closed. Source: docs/v5/position/trading-stop, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import OrderChanged, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.records import SimFill, SimOrder, SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import TriggerBy
from perpwire.venues.bybit.sim.holdings import position_stops
from perpwire.venues.bybit.sim.numbers import ZERO, bare
from perpwire.venues.bybit.sim.rows import SIZE_NOTE
from perpwire.venues.bybit.sim.rules import rules_of
from perpwire.venues.bybit.sim.stop_form import TRIGGERS_BY, Exit, attached_of

Kind = Literal["TakeProfit", "StopLoss", "TrailingStop", "PartialTakeProfit", "PartialStopLoss"]

MOST_PARTIAL = 20
"""Pairs and single orders for parts of one position."""

BY_TEXTS = {by: name for name, by in TRIGGERS_BY.items()}


class PositionStops:
    """Every account's. Listens for fills of orders that bring a take-profit or stop-loss along."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, OrderChanged) and event.fill is not None:
            order = event.order
            if attached_of(order.note) is not None and not order.note.get("stopOrderType", "").endswith(
                ("Profit", "Loss")
            ):
                self._on_fill(order, event.fill)

    def resume(self) -> None:
        """After a restart: the last fill of each position may have been saved without what it brings along."""
        for account in self._exchange.account_specs():
            newest = {order.symbol: (order, fill) for order, fill in self._exchange.fills(account.name, None)}
            for symbol, (order, fill) in newest.items():
                triggers = self._exchange.triggers(account.name, symbol)
                if attached_of(order.note) is not None and all(one.updated_ms < fill.time_ms for one in triggers):
                    self._on_fill(order, fill)

    def _on_fill(self, order: SimOrder, fill: SimFill) -> None:
        attached = attached_of(order.note)
        if attached is None or fill.quantity <= fill.closed_quantity:
            return  # it has opened nothing
        for is_profit, side in ((True, attached.profit), (False, attached.loss)):
            # Asked for each: one whose price the market has passed already closes the position at once.
            held = self._exchange.position(order.account, order.symbol, order.position_side).quantity
            if not held or (held > 0) is not (order.side is Side.BUY):
                return
            if side is None:
                continue
            try:
                if not attached.is_partial:
                    self.set_full(order.account, order.symbol, order.position_side, is_profit, side, order)
                elif not self._grow_partial(order, fill, is_profit, side):
                    return
            except Refused:
                pass  # by a rule of the contract: nothing is set, and the position shows none

    # --- for the whole position ---------------------------------------------------------------------------------------

    def set_full(
        self,
        account: str,
        symbol: str,
        position_side: PositionSide,
        is_profit: bool,
        wanted: Exit,
        parent: SimOrder | None = None,
    ) -> None:
        """The one take-profit or stop-loss of a position: moved where there is one, made where there is none.

        Raises:
            Refused: It would trigger at once, and no `parent` brings it along: what an order brings does trigger.
        """
        kind: Kind = "TakeProfit" if is_profit else "StopLoss"
        standing = position_stops(self._exchange, account, symbol, position_side).get(kind)
        if standing is not None:
            if (standing.intent.trigger_price, standing.intent.trigger_by) == (wanted.price, wanted.by):
                return
            if standing.intent.trigger_by == wanted.by:
                try:
                    self._exchange.amend_trigger(account, standing.trigger_id, trigger_price=wanted.price)
                    return
                except Refused as refused:
                    if parent is None or refused.why is not Why.WOULD_TRIGGER:
                        raise
        made = self._intent(account, symbol, position_side, kind, wanted, parent)
        self._exchange.check_trigger(account, made)
        if standing is not None:
            self.clear(standing)
        self._exchange.place_trigger(account, made)

    def clear(self, trigger: SimTrigger) -> None:
        self._exchange.cancel_trigger(trigger.account, trigger_id=trigger.trigger_id, reason="user")

    def set_trailing(
        self,
        account: str,
        symbol: str,
        position_side: PositionSide,
        distance: Decimal,
        activation: Decimal | None,
    ) -> None:
        """
        Raises:
            Refused: The activation price is behind the market.
        """
        standing = position_stops(self._exchange, account, symbol, position_side).get("TrailingStop")
        made = self._intent(account, symbol, position_side, "TrailingStop", None, None)
        intent = msgspec.structs.replace(made, callback_distance=distance, activation_price=activation)
        self._exchange.check_trigger(account, intent)
        if standing is not None:
            self.clear(standing)
        self._exchange.place_trigger(account, intent)

    # --- for a part of it ---------------------------------------------------------------------------------------------

    def add_partial(
        self,
        account: str,
        symbol: str,
        position_side: PositionSide,
        is_profit: bool,
        wanted: Exit,
        quantity: Decimal,
        group: str,
        parent: SimOrder | None = None,
    ) -> SimTrigger:
        """
        Raises:
            Refused: As `set_full`.
        """
        kind: Kind = "PartialTakeProfit" if is_profit else "PartialStopLoss"
        intent = self._intent(account, symbol, position_side, kind, wanted, parent, quantity, group)
        return self._exchange.place_trigger(account, intent)

    def count_partial(self, account: str, symbol: str, position_side: PositionSide) -> int:
        """How many of the allowed ones there are: a pair counts once."""
        groups = [
            trigger.intent.group
            for trigger in self._exchange.open_triggers(account, symbol)
            if trigger.intent.position_side is position_side
            and trigger.intent.note.get("stopOrderType", "").startswith("Partial")
        ]
        return len({group for group in groups if group}) + groups.count("")

    def _grow_partial(self, order: SimOrder, fill: SimFill, is_profit: bool, wanted: Exit) -> bool:
        """An order's pair grows with what is filled of it. False: this one has triggered, so the pair is done."""
        group = f"attached/{order.order_id}"
        kind = "take_profit" if is_profit else "stop"
        opened = fill.quantity - fill.closed_quantity
        pair = [one for one in self._exchange.open_triggers(order.account, order.symbol) if one.intent.group == group]
        for trigger in pair:
            if trigger.intent.kind == kind:
                self._exchange.amend_trigger(
                    order.account, trigger.trigger_id, quantity=trigger.intent.quantity + opened
                )
                return True
        if not pair and self.count_partial(order.account, order.symbol, order.position_side) >= MOST_PARTIAL:
            return True
        return self.add_partial(
            order.account, order.symbol, order.position_side, is_profit, wanted, opened, group, order
        ).is_open

    # --- making them --------------------------------------------------------------------------------------------------

    def _intent(
        self,
        account: str,
        symbol: str,
        position_side: PositionSide,
        kind: Kind,
        wanted: Exit | None,
        parent: SimOrder | None,
        quantity: Decimal = ZERO,
        group: str = "",
    ) -> TriggerIntent:
        held = self._exchange.position(account, symbol, position_side).quantity
        is_long = held > 0
        is_profit = kind.endswith("Profit")
        by: TriggerBy = "last" if wanted is None else wanted.by
        rises = is_profit is is_long
        note = {
            "stopOrderType": kind,
            "createType": f"CreateBy{kind}",
            "tpslMode": "Partial" if kind.startswith("Partial") else "Full",
            "closeOnTrigger": "1",
            "smpType": "None",
            "triggerBy": BY_TEXTS[by],
            "triggerDirection": "1" if rises else "2",
            "lastPriceOnCreated": bare(self._exchange.last_price(symbol)),
            SIZE_NOTE: str(abs(held)),
            "parentOrderLinkId": "" if parent is None else parent.client_order_id,
        }
        if wanted is not None:
            note["triggerPrice"] = bare(wanted.price)
        limit = None if wanted is None else wanted.limit
        return TriggerIntent(
            symbol=symbol,
            side=Side.SELL if is_long else Side.BUY,
            kind="trailing" if kind == "TrailingStop" else "take_profit" if is_profit else "stop",
            direction="rises" if rises else "falls",
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            trigger_price=None if wanted is None else wanted.price,
            trigger_by=by,
            position_side=position_side,
            price=limit,
            time_in_force=TimeInForce.IOC if limit is None else TimeInForce.GTC,
            quantity=quantity,
            reduce_only=True,
            close_position=not quantity,
            self_trade="none",
            bound_share=rules_of(symbol).price_limit_x if limit is None else None,
            is_bound_to_position=True,
            group=group,
            keeps_id=True,
            refuse_post_only=False,
            refuse_fok=False,
            refuse_reached=parent is None,
            note=note,
        )
