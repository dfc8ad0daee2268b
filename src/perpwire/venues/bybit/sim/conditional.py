"""Conditional orders: from a request to what the exchange waits for. Source: docs/v5/order/create-order, as of
2026-07-24."""

from __future__ import annotations

from typing import Literal

from perpwire.model.order import OrderType
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.venues.bybit.sim.asked import Asked, amount, check_price, choice, integer
from perpwire.venues.bybit.sim.order_form import OrderForm
from perpwire.venues.bybit.sim.refusal import bad_param
from perpwire.venues.bybit.sim.rules import rules_of
from perpwire.venues.bybit.sim.stop_form import TRIGGERS_BY

DIRECTIONS: dict[int, Literal["rises", "falls"]] = {1: "rises", 2: "falls"}


def trigger_intent(exchange: Exchange, form: OrderForm, body: Asked) -> TriggerIntent:
    """
    Raises:
        CallRefused: By the first member that is wrong.
    """
    price = amount(body, "triggerPrice", "triggerPrice invalid")
    check_price(form.spec, price)
    number = integer(body, "triggerDirection", 0)
    if number not in DIRECTIONS:
        raise bad_param("triggerDirection invalid")
    by = choice(body, "triggerBy", tuple(TRIGGERS_BY), "LastPrice")
    is_market = form.type is OrderType.MARKET
    return TriggerIntent(
        symbol=form.symbol,
        side=form.side,
        kind="stop",
        direction=DIRECTIONS[number],
        type=form.type,
        trigger_price=price,
        trigger_by=TRIGGERS_BY[by],
        position_side=form.position_side,
        price=form.price,
        time_in_force=form.time_in_force,
        quantity=form.quantity,
        reduce_only=form.reduce_only,
        close_position=form.closes_all,
        client_id=form.client_id,
        self_trade=form.self_trade,
        bound_share=rules_of(form.symbol).price_limit_x if is_market else None,
        keeps_id=True,
        refuse_post_only=False,
        refuse_fok=False,
        note={
            **form.note,
            "stopOrderType": "Stop",
            "triggerBy": by,
            "triggerPrice": body["triggerPrice"],
            "triggerDirection": str(number),
        },
    )
