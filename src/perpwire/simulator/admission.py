"""May an order be taken in? The checks that come before matching, each of which refuses by its own reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from perpwire.errors import BadInput
from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.events import Refused, SimOrder, SimPosition, Why
from perpwire.simulator.market import Market
from perpwire.simulator.matching import Book
from perpwire.simulator.specs import OrderIntent


def check_rules(market: Market, kind: OrderType, price: Decimal | None, quantity: Decimal, reduce_only: bool) -> None:
    """Price, then quantity, then notional (of the mark price for a market order) by the instrument's rules.

    Raises:
        Refused: By the first rule that is broken.
    """
    instrument = market.spec.instrument
    is_market = kind is OrderType.MARKET
    try:
        if not is_market:
            instrument.check_price(Decimal(0) if price is None else price)
        instrument.check_quantity(quantity, market=is_market)
        if not reduce_only:
            instrument.check_notional(market.price.mark if is_market or price is None else price, quantity)
    except BadInput as bad:
        # The instrument's codes are named as ours.
        raise Refused(Why[str(bad.code)], bad.reason) from None


def reducible(position: SimPosition, intent: OrderIntent) -> Decimal:
    """How much of a reduce-only order is taken in.

    Raises:
        Refused: REDUCE_ONLY.
    """
    held = position.quantity
    if not held or (held > 0) == (intent.side is Side.BUY):
        raise Refused(Why.REDUCE_ONLY)
    if intent.quantity > abs(held) and intent.refuse_oversized_reduce:
        raise Refused(Why.REDUCE_ONLY)
    return min(intent.quantity, abs(held))


def check_margin(
    market: Market,
    owner: Account,
    order: SimOrder,
    mark_of: Callable[[str], Decimal],
    *,
    instead_of: SimOrder | None = None,
) -> None:
    """May the account afford `order`, in place of one that it replaces? A market order counts at the book's prices.

    Raises:
        Refused: MARGIN.
    """
    if order.price is None:
        filled, value = market.book.reach(order.side, None, order.quantity, order.account, order.self_trade)
        if not filled:
            return
        order = copy.copy(order)
        order.quantity, order.price = filled, value / filled
    before = owner.order_margin(market.symbol)
    more = owner.order_margin(market.symbol, without=instead_of, plus=order) - before
    if more <= 0:
        return  # it only closes, or is on the smaller side
    view = owner.view(mark_of)
    if more > view.equity - view.initial_margin - view.order_margin:
        raise Refused(Why.MARGIN)


def misfit(book: Book, intent: OrderIntent, order: SimOrder) -> Literal["", "post_only", "fok"]:
    """What the book has against the order: nothing, or why it is to be cancelled at once.

    Raises:
        Refused: It is not even taken in.
    """
    if order.price is None:
        if book.next_maker(order.side, None) is None:
            raise Refused(Why.NO_LIQUIDITY)
    elif order.time_in_force is TimeInForce.POST_ONLY and book.would_take(order.side, order.price):
        if intent.refuse_post_only:
            raise Refused(Why.POST_ONLY_WOULD_TAKE)
        return "post_only"
    if order.time_in_force is TimeInForce.FOK:
        fillable, _ = book.reach(order.side, order.price, order.quantity, order.account, order.self_trade)
        if fillable < order.quantity:
            if intent.refuse_fok:
                raise Refused(Why.FOK_UNFILLED)
            return "fok"
    return ""
