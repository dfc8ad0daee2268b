"""/v5/order/pre-check: what an order would do to the account's margin rates. Nothing is placed.

Source: docs/v5/order/pre-check-order, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from perpwire.model.order import Side
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_sent
from perpwire.venues.bybit.sim.asked import Asked
from perpwire.venues.bybit.sim.margin import MARGIN
from perpwire.venues.bybit.sim.numbers import ORDER, id_text
from perpwire.venues.bybit.sim.order_form import OrderForm
from perpwire.venues.bybit.sim.orders import Orders
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param
from perpwire.venues.bybit.sim.rows import Rows

NO_MARGIN = 110007


class PreCheck:
    """The call."""

    def __init__(self, exchange: Exchange, orders: Orders, rows: Rows) -> None:
        self._exchange = exchange
        self._orders = orders
        self._rows = rows

    def check(self, account: str, body: Asked) -> Any:
        """
        Raises:
            CallRefused: As create; 110077 in isolated margin mode. Where margin is missing, the rates stand in ext.
        """
        if self._rows.is_isolated(account):
            raise CallRefused(110077, "Pre-check is not available in isolated margin mode")
        if body.get("triggerPrice") not in (None, "", "0"):
            raise bad_param("conditional orders are not supported")
        before = self._rates(account, Decimal(0), Decimal(0))
        try:
            form = self._orders.checked(account, body)
        except CallRefused as refused:
            if refused.code == NO_MARGIN:
                after = self._after(account, self._orders.reader.read(account, body))
                ext = {"post_imr_e4": str(after[0]), "post_mmr_e4": str(after[1])}
                raise CallRefused(refused.code, refused.words, {}, ext) from None
            raise
        after = self._after(account, form)
        return wire_sent.PreCheckReply(
            orderId=id_text(ORDER, self._exchange.new_order_id()),
            orderLinkId=form.client_id,
            preImrE4=before[0],
            preMmrE4=before[1],
            postImrE4=after[0],
            postMmrE4=after[1],
        )

    def _after(self, account: str, form: OrderForm) -> tuple[int, int]:
        """Rates with the order filled whole; one that closes adds nothing."""
        mark = self._exchange.mark_price(form.symbol)
        held = self._exchange.position(account, form.symbol, form.position_side).quantity
        if form.reduce_only or (held and (held > 0) is not (form.side is Side.BUY) and abs(held) >= form.quantity):
            return self._rates(account, Decimal(0), Decimal(0))
        price = form.price if form.price is not None else mark
        leverage = self._exchange.leverage(account, form.symbol, form.position_side)
        order = [(price, form.quantity)]
        buys, sells = (order, []) if form.side is Side.BUY else ([], order)
        cost = MARGIN.order_margin(form.spec, Decimal(0), buys, sells, mark, leverage)
        value = form.quantity * mark
        tier = form.spec.tier(value)
        return self._rates(account, cost, value * tier.maintenance_rate - tier.deduction)

    def _rates(self, account: str, more_initial: Decimal, more_kept: Decimal) -> tuple[int, int]:
        view = self._exchange.view(account)
        if view.equity <= 0:
            return 10_000, 10_000
        initial = view.initial_margin + view.order_margin + more_initial
        return int(initial / view.equity * 10_000), int((view.maintenance_margin + more_kept) / view.equity * 10_000)
