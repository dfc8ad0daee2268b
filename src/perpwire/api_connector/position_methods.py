"""The connector's calls that act on a position as a whole."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from perpwire.api_connector.batch_methods import BatchMethods, NewOrder
from perpwire.errors import APIError, BadInput, NoChange, NotOffered, NotSent, VenueRefused
from perpwire.model.account import Position
from perpwire.model.numbers import Number
from perpwire.model.order import Order, OrderType, PositionSide, Side, TriggerBy


class PositionMethods(BatchMethods):
    """Orders that go by what is held.

    Raises (all methods, beside what each names): what get_positions and place_order raise.
    """

    async def close_position(
        self, symbol: str, position_side: PositionSide | str | None = None, **options: Any
    ) -> Order | None:
        """Close a symbol's position by a market order that can only make it smaller; None when it is flat already.

        Args:
            position_side: LONG or SHORT, where both sides of an account in hedge mode are open.
            options: As of place_order.

        Raises:
            BadInput: Both sides are open, and which one to close is not said.

        Source: Binance New-Order; Bybit order/create-order.
        """
        wanted = None if position_side is None else self._word(PositionSide, position_side, "position_side", "close")
        open_now = [
            one
            for one in await self.get_positions(self._symbol(symbol))
            if one.quantity and (wanted is None or one.position_side is wanted)
        ]
        if not open_now:
            return None
        if len(open_now) > 1:
            raise BadInput(
                f"{symbol} has a long and a short position",
                venue=self.venue.name,
                call="close_position",
                code="HEDGE_MODE",
                advice="Say which one: position_side.",
            )
        position = open_now[0]
        side = Side.SELL if position.quantity > 0 else Side.BUY
        return await self.place_order(
            symbol,
            side,
            position.quantity.copy_abs(),
            reduce_only=True,
            position_side=position.position_side,
            **options,
        )

    async def set_position_stops(
        self,
        symbol: str,
        *,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        trigger_by: TriggerBy | str = TriggerBy.LAST,
        position_side: PositionSide | str | None = None,
    ) -> tuple[Order, ...]:
        """Take-profit and stop-loss of the whole position, at the market.

        Bybit keeps them with the position: both are set in one call, no order comes back, and 0 takes one away. Binance
        has conditional orders for it, which close the position: what is given is placed anew after the one that was
        there is cancelled, so for a moment there is none; the orders come back. Where the venue refuses the new
        one, the one that was there is placed again, and the refusal raised.

        Args:
            take_profit, stop_loss: Trigger prices, quote per base; None leaves it as it is, 0 takes it away.
            position_side: LONG or SHORT in hedge mode.

        Raises:
            BadInput: Neither price is given, or one is off the contract's steps; there is no position.
            NotOffered: A trigger by INDEX at Binance.
            VenueRefused: A price would trigger at once, say; all is as it was. UNPROTECTED: at Binance the old one is
                gone, and neither the new one nor the old one could be placed.
            OutcomeUnknown: Whether the old one is gone, or the new one placed, is not known: no further one was sent.

        Source: Binance New-Algo-Order; Bybit position/trading-stop.
        """
        instrument = await self.get_instrument(symbol)
        which = self._word(TriggerBy, trigger_by, "trigger_by", "set_position_stops")
        prices = [
            None if value is None else self._exact(value, name, "set_position_stops")
            for value, name in ((take_profit, "take_profit"), (stop_loss, "stop_loss"))
        ]
        for price in prices:
            if price:
                instrument.check_price(price)
        if prices == [None, None]:
            raise self._bad_value("neither take_profit nor stop_loss is given", "stops")
        wanted = None
        if position_side is not None:
            wanted = self._word(PositionSide, position_side, "position_side", "set_position_stops")
        held = [
            one
            for one in await self.get_positions(instrument.symbol)
            if one.quantity and (wanted is None or one.position_side is wanted)
        ]
        if len(held) != 1:
            raise BadInput(
                f"{symbol} has no position" if not held else f"{symbol} has a long and a short position",
                venue=self.venue.name,
                call="set_position_stops",
                code="NO_POSITION" if not held else "HEDGE_MODE",
                advice="Open a position first." if not held else "Say which one: position_side.",
            )
        position = held[0]
        try:
            call = self.venue.set_position_stops(instrument.symbol, position.position_side, prices[0], prices[1], which)
        except NotOffered:
            return await self._closing_orders(position, prices[0], prices[1], which)
        with suppress(NoChange):
            await self._path.run(call)
        return ()

    async def _closing_orders(
        self, position: Position, take_profit: Decimal | None, stop_loss: Decimal | None, trigger_by: TriggerBy
    ) -> tuple[Order, ...]:
        placed: list[Order] = []
        for kind, price in ((OrderType.TAKE_PROFIT_MARKET, take_profit), (OrderType.STOP_MARKET, stop_loss)):
            if price is None:
                continue
            stop = _closing(position, kind, price, trigger_by)
            if price:
                # What the venue can't be told must not cost the position its protection.
                self.venue.place_order(await self._request_of(stop))
            old = [
                order
                for order in await self.get_open_orders(position.symbol)
                if order.close_position
                and order.type is kind
                and order.side is stop["side"]
                and order.position_side is position.position_side
            ]
            for order in old:
                await self.cancel_order(position.symbol, order.order_id)
            if not price:
                continue
            try:
                placed.append(await self.place_order(**stop))
            except (VenueRefused, NotSent) as refusal:
                for order in old[:1]:
                    if order.trigger_price is not None:
                        before = order.trigger_by or TriggerBy.LAST
                        try:
                            await self.place_order(**_closing(position, kind, order.trigger_price, before))
                        except (VenueRefused, NotSent) as again:
                            raise self._unprotected(kind, refusal, again) from refusal
                raise
        return tuple(placed)

    def _unprotected(self, kind: OrderType, refusal: APIError, again: APIError) -> VenueRefused:
        return VenueRefused(
            f"the {kind} that was there is cancelled, the new one was refused ({refusal.reason}), "
            f"and the old one could not be placed again ({again.reason})",
            venue=self.venue.name,
            call="set_position_stops",
            code="UNPROTECTED",
            advice="The position has no such exit now: set it again, or close the position.",
        )


def _closing(position: Position, kind: OrderType, price: Decimal, trigger_by: TriggerBy) -> NewOrder:
    return NewOrder(
        symbol=position.symbol,
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        quantity=None,
        order_type=kind,
        trigger_price=price,
        trigger_by=trigger_by,
        close_position=True,
        position_side=position.position_side,
    )
