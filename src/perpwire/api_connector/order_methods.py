"""The connector's calls about orders."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any, Literal

from perpwire.api_connector.account_methods import AccountMethods
from perpwire.api_connector.history import History
from perpwire.api_connector.market_methods import MarketMethods
from perpwire.api_connector.reconcile import LAG_S
from perpwire.errors import BadInput, Garbled, OutcomeUnknown, VenueRefused
from perpwire.model.incident import ChangeUnresolved
from perpwire.model.instrument import Rounding
from perpwire.model.numbers import Number
from perpwire.model.order import (
    AT_MARKET,
    Fill,
    Order,
    OrderRequest,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
)
from perpwire.venues.base import Road

CANCEL_ROUNDS = 5
"""How often cancel_all looks again."""


class OrderMethods(MarketMethods, AccountMethods):
    """Prices are quote per base, quantities base, times Unix milliseconds of the venue's clock.

    Raises (all methods, beside what each names; those that give a History for what the venue says while it is walked):
        APIError: The venue can't be asked, or refuses; errors.py says what the caller may do next.
        BadInput: An argument breaks a rule; nothing was sent.
        NotOffered: The venue has no such thing; nothing was sent.
    """

    async def place_order(
        self,
        symbol: str,
        side: Side | str,
        quantity: Number | None,
        order_type: OrderType | str = OrderType.MARKET,
        *,
        price: Number | None = None,
        time_in_force: TimeInForce | str | None = None,
        reduce_only: bool = False,
        position_side: PositionSide | str | None = None,
        client_order_id: str | None = None,
        trigger_price: Number | None = None,
        trigger_by: TriggerBy | str = TriggerBy.LAST,
        callback_rate: Number | None = None,
        activation_price: Number | None = None,
        close_position: bool = False,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        expires_time_ms: int | None = None,
        round: Rounding | Literal["passive"] | None = None,  # noqa: A002 - the word users expect
        road: Road | str | None = None,
        deadline_s: float | None = None,
        wait: Literal["accepted"] | None = None,
        **venue_params: Any,
    ) -> Order:
        """Place one order. It is sent once, whatever happens.

        Args:
            symbol: The venue's symbol, or BTC/USDT:USDT.
            side: BUY or SELL, in any case.
            quantity: Base currency; Decimal, str or int. A float counts by its shortest repr. None with close_position.
            order_type: MARKET, LIMIT, or a conditional type: STOP, STOP_MARKET, TAKE_PROFIT, TAKE_PROFIT_MARKET,
                TRAILING_STOP_MARKET (Binance).
            road: "rest" or "websocket"; None: as the connector is set.
            deadline_s: Seconds from now; what is not sent by then never is (NotSent).
            wait: "accepted": where the venue's answer is an acknowledgement (Bybit), wait until it says that the order
                rests, was filled, or was rejected (OrderRejected with its reason); by the account's stream if that is
                open, by questions else.
            price: Quote per base; for LIMIT, STOP and TAKE_PROFIT.
            time_in_force: GTC where not given, for types with a price.
            reduce_only: It may only make a position smaller.
            position_side: None: as the account's mode wants it for this side and `reduce_only`.
            client_order_id: One is made where none is given.
            trigger_price, trigger_by: Quote per base; LAST, MARK or INDEX (Bybit).
            callback_rate, activation_price: Of a trailing stop: percent; quote per base.
            close_position: A conditional order that closes the whole position.
            take_profit, stop_loss: Trigger prices of attached exits (Bybit).
            expires_time_ms: With time_in_force GTD (Binance): Unix milliseconds.
            round: "down", "up" or "nearest": round prices and quantity to the contract's steps. "passive": the quantity
                down, and prices down for a buy and up for a sell. Otherwise a value off the steps is refused.
            venue_params: Further parameters in the venue's own names; they win over ours.

        Raises:
            BadInput: An argument breaks the contract's rules; nothing was sent.
            GuardRefused: A guard of your own refused it; nothing was sent.
            NotSent: It is certain that the order does not exist.
            VenueRefused: The venue refused it (InsufficientBalance, OrderRejected ...).
            OutcomeUnknown: The answer was lost, and the venue could not be asked what became of the order within
                `settle_patience_s`. It carries the client order id, and `resolution`, the search that goes on.

        Returns:
            The order as far as the venue's answer tells. At Bybit that is an acknowledgement (PENDING_NEW): what
            becomes of it says the order stream, or get_order; a price beyond its price limits it moves to the limit
            unless the account is set otherwise: see `price` there.

        Source: Binance New-Order, New-Algo-Order; Bybit order/create-order.
        """
        instrument = self.instruments.known(symbol) or await self.get_instrument(symbol)
        request = self._form.request(
            instrument,
            side,
            quantity,
            order_type,
            venue_params,
            self._new_client_id(),
            price=price,
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            position_side=position_side,
            client_order_id=client_order_id,
            trigger_price=trigger_price,
            trigger_by=trigger_by,
            callback_rate=callback_rate,
            activation_price=activation_price,
            close_position=close_position,
            take_profit=take_profit,
            stop_loss=stop_loss,
            expires_time_ms=expires_time_ms,
            round=round,
        )
        if wait is not None and wait != "accepted":
            raise self._bad_value(f"wait {wait!r} is neither None nor 'accepted'", "wait")
        by_road = None if road is None else as_road(road)
        deadline_ns = None if deadline_s is None else self._deadline_ns(deadline_s)
        guard = self.guard
        self._placing += 1
        try:
            if not guard.is_on or guard.admit_now(request):
                return await self._orders.place(request, road=by_road, deadline_ns=deadline_ns, wait=wait)
            async with guard.admitted(request):
                return await self._orders.place(request, road=by_road, deadline_ns=deadline_ns, wait=wait)
        except VenueRefused as error:
            self.instruments.on_refused(error)
            raise
        finally:
            self._placing -= 1

    async def amend_order(
        self,
        symbol: str,
        order_id: str | int | None = None,
        *,
        client_order_id: str | None = None,
        price: Number | None = None,
        quantity: Number | None = None,
        trigger_price: Number | None = None,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> Order:
        """Change the price or (total) quantity of a resting limit order, or the trigger of a conditional one (Bybit).

        Binance cancels an order whose new quantity is filled already, and a POST_ONLY one whose new price would take; a
        changed order has no self-trade prevention any more. Its conditional orders can't be changed before their
        trigger (NotOffered).

        Raises:
            BadInput: Nothing to change, or a value breaks the contract's rules.
            GuardRefused: A guard of your own would not let such an order pass; it stays as it was.
            UnknownOrder: It is not open.
            NotSent: It is certain that it was not changed.
            OutcomeUnknown: Whether it was changed could not be asked.

        Returns:
            The order with the change in it.

        Source: Binance Modify-Order; Bybit order/amend-order.
        """
        if price is None and quantity is None and trigger_price is None:
            raise BadInput(
                "neither price nor quantity nor trigger_price is given",
                venue=self.venue.name, call="amend_order", code="NO_CHANGE",
            )  # fmt: skip
        instrument = await self.get_instrument(symbol)
        new_price = None if price is None else self._exact(price, "price", "amend_order")
        new_quantity = None if quantity is None else self._exact(quantity, "quantity", "amend_order")
        new_trigger = None if trigger_price is None else self._exact(trigger_price, "trigger_price", "amend_order")
        for value in (new_price, new_trigger):
            if value is not None:
                instrument.check_price(value)
        if new_quantity is not None:
            instrument.check_quantity(new_quantity)
        order = await self.get_order(symbol, order_id, client_order_id=client_order_id)
        self.venue.amend_order(order, new_price, new_quantity, new_trigger)  # NotOffered, where it is so
        if new_price is not None and order.type in AT_MARKET:
            raise self._bad_value(f"an order of type {order.type} has no price", "price")
        if new_trigger is not None and not order.is_conditional:
            raise self._bad_value(f"an order of type {order.type} has no trigger", "trigger_price")
        changed = _changed(order, new_price, new_quantity, new_trigger)
        if changed.price is not None and not changed.is_closing:
            instrument.check_notional(changed.price, changed.quantity)
        by_road, deadline_ns = as_road(road), self._deadline_ns(deadline_s)
        async with AsyncExitStack() as stack:
            if self.guard.is_on:
                await stack.enter_async_context(self.guard.admitted(changed, changes=order))
            try:
                return await self._orders.amend(
                    order, new_price, new_quantity, new_trigger, road=by_road, deadline_ns=deadline_ns
                )
            except VenueRefused as error:
                self.instruments.on_refused(error)
                raise

    async def cancel_order(
        self,
        symbol: str,
        order_id: str | int | None = None,
        *,
        client_order_id: str | None = None,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> Order:
        """Cancel one open order, conditional ones too.

        Raises:
            UnknownOrder: The venue knows it nowhere.
            OutcomeUnknown: What became of it could not be asked.

        Returns:
            The order as it ended: cancelled, or filled where the cancel came too late.

        Source: Binance Cancel-Order, Cancel-Algo-Order; Bybit order/cancel-order.
        """
        one_id = self._one_id(order_id, client_order_id)
        return await self._orders.cancel(
            self._symbol(symbol),
            one_id,
            client_order_id,
            road=as_road(road),
            deadline_ns=self._deadline_ns(deadline_s),
        )

    async def get_order(
        self, symbol: str, order_id: str | int | None = None, *, client_order_id: str | None = None
    ) -> Order:
        """One order as it stands, conditional ones too; PENDING_NEW for up to 15 s where the venue took it in and does
        not show it yet. Venues forget what ended without a fill: Bybit after a day, Binance after three.

        Raises:
            UnknownOrder: The venue does not know it (any more).

        Source: Binance Query-Order, Query-Algo-Order; Bybit order/open-order, order/order-list.
        """
        one_id = self._one_id(order_id, client_order_id)
        return await self._orders.get(self._symbol(symbol), one_id, client_order_id)

    async def get_open_orders(self, symbol: str | None = None) -> tuple[Order, ...]:
        """Open orders of one symbol, or of all; conditional ones too, each once. Binance: all symbols cost 40 times the
        weight of one.

        Source: Binance Current-All-Algo-Open-Orders, Current-All-Open-Orders, Query-All-Algo-Orders; Bybit
            order/open-order.
        """
        return await self._path.run(self.venue.open_orders(self._symbol_or_none(symbol)))

    async def cancel_all(self, symbol: str | None = None) -> tuple[Order, ...]:
        """Cancel every open order of a symbol, or of all, conditional ones too. It looks again until none is left.

        Returns:
            The orders that were open and are not any more, as they stood before; () where there was none. How each
            ended (it may have been filled meanwhile) says the account's stream, or get_order.

        Raises:
            OutcomeUnknown: Some are still open after several rounds.

        Source: Binance Cancel-All-Open-Orders, Cancel-All-Algo-Open-Orders; Bybit order/cancel-all.
        """
        name = self._symbol_or_none(symbol)
        found: dict[tuple[str, str], Order] = {}
        try:
            await self._cancel_in_rounds(name, found)
        except (OutcomeUnknown, Garbled) as error:
            self._tell(
                ChangeUnresolved(
                    venue=self.venue.name,
                    time_ns=self._clock.time_ns(),
                    why=error.reason,
                    change="CANCEL",
                    symbol=name or "",
                    orders=tuple(order.client_order_id or order.order_id for order in found.values()),
                )
            )
            raise
        return tuple(found.values())

    async def _cancel_in_rounds(self, name: str | None, found: dict[tuple[str, str], Order]) -> None:
        """Puts into `found` what was open."""
        # The venue's list may not show yet what was placed a moment ago.
        known = [one for one in self.account_state.orders.open_of_late(LAG_S) if name in (None, one.symbol)]
        for n in range(CANCEL_ROUNDS):
            if n > 1:
                await self._clock.sleep(0.2 * n)  # nor show at once that it is gone
            still_open = await self._path.run(self.venue.open_orders(name))
            if n and not still_open:
                return
            for order in still_open:
                found.setdefault((order.symbol, order.order_id), order)
            symbols: list[str | None] = [name]
            if name is None and self.venue.cancel_all_needs_symbol:
                symbols = list({order.symbol: None for order in (*still_open, *(() if n else known))})
            calls = [call for one in symbols for call in self.venue.cancel_all(one)]
            await asyncio.gather(*(self._path.run(call) for call in calls))
            if not still_open and not known:
                return
        raise OutcomeUnknown(
            f"{len(still_open)} orders are still open: {', '.join(order.order_id for order in still_open[:10])}",
            venue=self.venue.name,
            call="cancel_all",
            code="STILL_OPEN",
            advice="Read get_open_orders, and cancel again.",
        )

    def get_order_history(
        self, symbol: str | None = None, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[Order]:
        """Orders of any state by creation time, oldest first. Without a start: the last week.

        Binance keeps 90 days; of all symbols it has ordinary orders only. Bybit gives finished orders first, then those
        that are open, and forgets after a day what ended without a fill.

        Source: Binance Query-All-Algo-Orders, All-Orders; Bybit order/order-list.
        """
        self._check_span(start_ms, end_ms)
        return self._history(self.venue.order_history(self._symbol_or_none(symbol), start_ms, end_ms))

    def get_fills(
        self,
        symbol: str | None = None,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        order_id: str | int | None = None,
    ) -> History[Fill]:
        """Executions, oldest first. Without a start: the last week, or with an order id all of that order.

        Binance needs a symbol (BadInput), keeps three months and states no client order ids (""); by the id of a
        conditional order it gives the fills of what that has become. Bybit has liquidations and deleveraging, too.

        Source: Binance Account-Trade-List; Bybit order/execution.
        """
        self._check_span(start_ms, end_ms)
        one_id = None if order_id is None else self._one_id(order_id, None)
        return self._history(self.venue.fills(self._symbol_or_none(symbol), start_ms, end_ms, one_id))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _one_id(self, order_id: str | int | None, client_order_id: str | None) -> str | None:
        if order_id is None and client_order_id is None:
            raise BadInput("neither order_id nor client_order_id is given", venue=self.venue.name, code="NO_ID")
        for value, name in ((order_id, "order_id"), (client_order_id, "client_order_id")):
            if value is not None and (value == "" or isinstance(value, bool) or not isinstance(value, str | int)):
                raise self._bad_value(f"{name} {value!r} is no id", name)
        return None if order_id is None else str(order_id)

    def _new_client_id(self) -> str:
        self._ids_made += 1
        return f"{self._id_prefix}{self._ids_made:x}"


def _changed(
    order: Order, price: Decimal | None, quantity: Decimal | None, trigger_price: Decimal | None
) -> OrderRequest:
    """The order as it is to become, for the guards to judge."""
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity if quantity is None else quantity,
        price=order.price if price is None else price,
        client_order_id=order.client_order_id or order.order_id,
        reduce_only=order.reduce_only,
        position_side=order.position_side,
        trigger_price=order.trigger_price if trigger_price is None else trigger_price,
        close_position=order.close_position,
    )


def as_road(road: Road | str | None) -> Road | None:
    """
    Raises:
        BadInput: There is no such road.
    """
    if road is None:
        return None
    try:
        return Road(str(road).lower())
    except ValueError:
        raise BadInput(f"road {road!r} is not one of {', '.join(Road)}", code="BAD_ROAD") from None
