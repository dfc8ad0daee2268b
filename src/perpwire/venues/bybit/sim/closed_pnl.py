"""/v5/position/closed-pnl: what each closing order has earned, after the fees of opening and closing.

Source: docs/v5/position/close-pnl, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.model.order import OrderType, Side
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimFill, SimOrder
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire, wire_sent
from perpwire.venues.bybit.sim.asked import Asked, is_linear, newest_first, paged, period, spec_of
from perpwire.venues.bybit.sim.numbers import ORDER, ZERO, bare, cut, id_text
from perpwire.venues.bybit.sim.rows import EXECUTION_TYPES
from perpwire.venues.bybit.translate import SIDE_TEXTS


class _Closing(msgspec.Struct):
    """The closing fills of one order."""

    order: SimOrder
    fills: list[SimFill]

    @property
    def time_ms(self) -> int:
        return self.fills[-1].time_ms


class ClosedPnl:
    """The call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def listed(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        symbol = spec_of(self._exchange, asked).instrument.symbol if asked.get("symbol") else None
        start, end = period(asked, self._exchange.now_ms())
        closings: dict[int, _Closing] = {}
        for order, fill in self._exchange.fills(account.name, symbol):
            if fill.closed_quantity:
                closings.setdefault(order.order_id, _Closing(order, [])).fills.append(fill)
        numbered = newest_first(sorted(closings.values(), key=lambda one: one.time_ms))
        chosen = [(number, one) for number, one in numbered if start <= one.time_ms <= end]
        page, cursor = paged(chosen, asked, default=50, most=100)
        return wire.Page([self._row(one) for one in page], cursor)

    def _row(self, closing: _Closing) -> wire_sent.ClosedPnlRow:
        order, fills = closing.order, closing.fills
        size = sum((one.closed_quantity for one in fills), ZERO)
        exit_value = sum((one.closed_quantity * one.price for one in fills), ZERO)
        realized = sum((one.realized_pnl for one in fills), ZERO)
        # A sell closes a long: what it earned is the exit less the entry.
        entry_value = exit_value - realized if order.side is Side.SELL else exit_value + realized
        close_fee = sum((one.fee * one.closed_quantity / one.quantity for one in fills), ZERO)
        closed_pnl = sum((one.closed_pnl for one in fills), ZERO)
        price = (order.bound if order.type is OrderType.MARKET else order.price) or fills[-1].price
        return wire_sent.ClosedPnlRow(
            symbol=order.symbol,
            orderId=id_text(ORDER, order.order_id),
            side=SIDE_TEXTS[order.side],
            qty=bare(order.quantity),
            orderPrice=bare(price),
            orderType="Market" if order.type is OrderType.MARKET else "Limit",
            execType=EXECUTION_TYPES[fills[-1].kind],
            closedSize=bare(size),
            cumEntryValue=cut(entry_value),
            avgEntryPrice=cut(entry_value / size),
            cumExitValue=cut(exit_value),
            avgExitPrice=cut(exit_value / size),
            closedPnl=cut(closed_pnl),
            fillCount=str(len(fills)),
            leverage=cut(fills[-1].leverage),
            openFee=cut(realized - close_fee - closed_pnl),
            closeFee=cut(close_fee),
            createdTime=str(order.created_ms),
            updatedTime=str(closing.time_ms),
        )
