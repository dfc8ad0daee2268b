"""May an order be taken in? The checks that come before matching, each of which refuses by its own reason."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Literal

from perpwire.errors import BadInput
from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.market import Market
from perpwire.simulator.matching import Book
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.risk import Risk
from perpwire.simulator.vocabulary import ZERO


def check_price(market: Market, price: Decimal | None) -> None:
    """
    Raises:
        Refused: By the rule of the instrument that it breaks.
    """
    try:
        market.spec.instrument.check_price(ZERO if price is None else price)
    except BadInput as bad:
        raise Refused(Why[str(bad.code)], bad.reason) from None


def check_rules(market: Market, kind: OrderType, price: Decimal | None, quantity: Decimal, reduce_only: bool) -> None:
    """Price, then quantity, then notional (of the mark price for a market order) by the instrument's rules.

    Raises:
        Refused: By the first rule that is broken.
    """
    instrument = market.spec.instrument
    is_market = kind is OrderType.MARKET
    if not is_market:
        check_price(market, price)
    try:
        instrument.check_quantity(quantity, market=is_market)
        if not reduce_only:
            instrument.check_notional(market.price.mark if is_market or price is None else price, quantity)
    except BadInput as bad:
        # The instrument's codes are named as ours.
        raise Refused(Why[str(bad.code)], bad.reason) from None


def check_side(owner: Account, symbol: str, side: PositionSide) -> None:
    """
    Raises:
        Refused: POSITION_SIDE: BOTH in hedge mode, or another one in one-way mode.
    """
    if side not in owner.sides(symbol):
        raise Refused(Why.POSITION_SIDE)


def closes(intent: OrderIntent | TriggerIntent) -> bool:
    """May it only make a position smaller? In hedge mode the side says so."""
    if intent.position_side is PositionSide.BOTH:
        return intent.reduce_only or intent.close_position
    return (intent.position_side is PositionSide.LONG) == (intent.side is Side.SELL)


def reducible(owner: Account, intent: OrderIntent) -> Decimal:
    """How much of a closing order is taken in.

    Raises:
        Refused: REDUCE_ONLY.
    """
    held = owner.held(intent.symbol, intent.position_side)
    if not held or (held > 0) == (intent.side is Side.BUY):
        raise Refused(Why.REDUCE_ONLY)
    if intent.quantity > abs(held) and intent.refuse_oversized_reduce:
        raise Refused(Why.REDUCE_ONLY)
    return min(intent.quantity, abs(held))


def priced(market: Market, order: SimOrder) -> SimOrder:
    """The order with a price: a market order at the mean price that the book would give it now."""
    if order.price is not None:
        return order
    filled, value = market.book.reach(order.side, order.bound, order.quantity, order.account, order.self_trade)
    order = copy.copy(order)
    order.quantity, order.price = filled, value / filled if filled else market.price.mark
    return order


def check_margin(
    market: Market, owner: Account, order: SimOrder, risk: Risk, *, instead_of: SimOrder | None = None
) -> None:
    """May the account afford `order`, in place of one that it replaces, and does its leverage allow such a position?

    Raises:
        Refused: LEVERAGE_CAP or MARGIN.
    """
    if order.closes:
        return
    order = priced(market, order)
    assert order.price is not None  # priced has seen to it
    before = risk.order_margin(owner, market.symbol)
    more = risk.order_margin(owner, market.symbol, without=instead_of, plus=order) - before
    exposure = risk.exposure(owner, market.symbol, order.side, order.position_side) + order.remaining
    if instead_of is not None:
        exposure -= instead_of.remaining
    leverage = owner.leverage(market.symbol, order.position_side)
    if exposure * market.price.mark > market.spec.cap_at(leverage):
        raise Refused(Why.LEVERAGE_CAP)
    if more <= 0:
        return  # it only closes, or is on the smaller side
    loss = risk.margin.open_loss(order.side, order.price, order.remaining, market.price.mark)
    if more + loss > risk.view(owner).free:
        raise Refused(Why.MARGIN)


def misfit(book: Book, intent: OrderIntent, order: SimOrder) -> Literal["", "post_only", "fok"]:
    """What the book has against the order: nothing, or why it is to be cancelled at once.

    Raises:
        Refused: It is not even taken in.
    """
    if order.price is None:
        if book.next_maker(order.side, order.bound) is None:
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
