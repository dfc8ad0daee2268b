"""From the parameters of a conditional order to what the exchange is asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.vocabulary import TriggerBy, TriggerKind
from perpwire.venues.binance_futures.sim import order_params as params
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, check_places, decimal, needed, truth
from perpwire.venues.binance_futures.sim.rules import (
    MARKET_TAKE_BOUND,
    PERCENT_DOWN,
    PERCENT_UP,
    TRIGGER_PROTECT,
)
from perpwire.venues.binance_futures.sim.words import STP_WORDS, Refusal, SymbolWords, invalid

WORKING_TYPES: dict[str, TriggerBy] = {"CONTRACT_PRICE": "last", "MARK_PRICE": "mark"}

LEAST_CALLBACK, GREATEST_CALLBACK = Decimal("0.1"), Decimal(20)
"""Per cent; the greatest since 2026-10-23."""

TRIGGER_UP, TRIGGER_DOWN = Decimal(3), 1 / Decimal(3)
"""How far from the mark price a trigger may be to the bad. The venue does not publish its own multipliers."""

_LIMITS = frozenset({"STOP", "TAKE_PROFIT"})
_WITH_POSITION = "GTE_GTC"
"""Time in force of orders that live as long as the position."""


def intent_of(exchange: Exchange, listing: Listing, account: str, args: Args, client_id: str) -> TriggerIntent:
    """
    Raises:
        Refusal, Refused: By the first rule that it breaks.
    """
    if needed(args, "algoType") != "CONDITIONAL":
        raise invalid("algoType")
    needed(args, "symbol")
    side = params.side_of(args)
    word = needed(args, "type")
    if word not in params.CONDITIONAL:
        raise Refusal(-1116, "Invalid orderType.")
    is_limit, is_trailing = word in _LIMITS, word == "TRAILING_STOP_MARKET"
    position_side = params.position_side_of(args)
    time_in_force_word = args.get("timeInForce") or "GTC"
    time_in_force = (
        TimeInForce.GTC if time_in_force_word == _WITH_POSITION else params.time_in_force_of(args, default="GTC")
    )
    working_type = args.get("workingType") or "CONTRACT_PRICE"
    if working_type not in WORKING_TYPES:
        raise Refusal(-4031, "Invalid working type.")
    close_position = truth(args, "closePosition") or False
    reduce_only = params.reduce_only_of(args)
    _check_closing(args, word, close_position)
    quantity = Decimal(0) if close_position else decimal(args, "quantity")
    price_match = params.price_match_of(args)
    price_text = _price_text(args, is_limit, price_match)
    trigger_price = None if is_trailing else decimal(args, "triggerPrice")
    callback, activation_price = _trailing(args, is_trailing)
    self_trade = params.self_trade_of(args)
    params.answer_of(args)
    words = listing.words_of(args)
    if not params.CLIENT_ORDER_ID.fullmatch(client_id):
        raise Refusal(-4015, "Client order id is not valid.")
    params.check_mode(exchange, account, words, position_side, reduce_only)
    if not words.spec.instrument.is_trading:
        raise Refusal(-4141, "Symbol is closed.")
    if close_position and (position_side, side) in _OPENING:
        raise Refusal(-4061, "Order's position side does not match user's setting.")
    for price in (trigger_price, activation_price):
        if price is not None:
            _check_trigger_price(exchange, words, side, price)
    limit_price, place = None, 0
    if price_text:
        limit_price = Decimal(price_text)
        assert trigger_price is not None  # only trailing orders have none
        _check_limit_price(words, side, limit_price, trigger_price)
    elif is_limit:
        # There must be such a level now; the price is that of the moment when it triggers.
        params.matched_price(exchange, words, side, price_match)
        place = params.book_place(price_match)
    if not close_position:
        params.check_quantity(words, quantity)
    expire_ms = params.good_till_of(args, time_in_force, exchange.now_ms())
    note = {"orderType": word, "timeInForce": time_in_force_word, "priceMatch": price_match}
    if time_in_force is TimeInForce.FOK:
        note["selfTradePreventionMode"], self_trade = STP_WORDS[self_trade], "none"
    return TriggerIntent(
        symbol=words.symbol,
        side=side,
        kind=_kind(word),
        direction=_direction(word, side),
        type=OrderType.LIMIT if is_limit else OrderType.MARKET,
        trigger_price=trigger_price,
        trigger_by=WORKING_TYPES[working_type],
        position_side=position_side,
        price=limit_price,
        book_place=place,
        time_in_force=time_in_force,
        quantity=quantity,
        reduce_only=reduce_only or False,
        close_position=close_position,
        client_id=client_id,
        self_trade=self_trade,
        callback_rate=None if callback is None else callback / 100,
        activation_price=activation_price,
        price_protect=TRIGGER_PROTECT if truth(args, "priceProtect") else None,
        bound_share=None if is_limit else MARKET_TAKE_BOUND,
        expire_ms=expire_ms,
        is_bound_to_position=time_in_force_word == _WITH_POSITION,
        note=note,
    )


_OPENING = frozenset({(PositionSide.LONG, Side.BUY), (PositionSide.SHORT, Side.SELL)})


def _check_closing(args: Args, word: str, close_position: bool) -> None:
    if not close_position:
        return
    if word not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise Refusal(-4020, f"Target strategy invalid for orderType '{word}',closePosition 'true'.")
    if args.get("quantity"):
        raise Refusal(-4137, "Quantity must be zero with closePosition equals true.")
    if args.get("reduceOnly"):
        raise Refusal(-1106, "Parameter 'reduceOnly' sent when not required.")


def _price_text(args: Args, is_limit: bool, price_match: str) -> str:
    """`price` as far as this order takes one."""
    if is_limit:
        return params.price_text_of(args, price_match)
    if args.get("price"):
        raise Refusal(-1106, "Parameter 'price' sent when not required.")
    if price_match != "NONE":
        raise Refusal(-5038, "Invalid order type for priceMatch.")
    return ""


def _trailing(args: Args, is_trailing: bool) -> tuple[Decimal | None, Decimal | None]:
    """Callback in per cent, and the activation price."""
    if not is_trailing:
        for name in ("callbackRate", "activatePrice"):
            if args.get(name):
                raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
        return None, None
    if args.get("triggerPrice"):
        raise Refusal(-1106, "Parameter 'triggerPrice' sent when not required.")
    callback = decimal(args, "callbackRate")
    if not LEAST_CALLBACK <= callback <= GREATEST_CALLBACK:
        raise invalid("callbackRate")
    return callback, decimal(args, "activatePrice") if args.get("activatePrice") else None


def _check_trigger_price(exchange: Exchange, words: SymbolWords, side: Side, price: Decimal) -> None:
    instrument = words.spec.instrument
    if price <= 0:
        raise Refusal(-4006, "Stop price less than 0.")
    check_places(price, words.price_places)
    if instrument.max_price is not None and price > instrument.max_price:
        raise Refusal(-4007, "Stop price greater than max price.")
    mark = exchange.mark_price(words.symbol)
    if side is Side.BUY and price > mark * TRIGGER_UP:
        raise Refusal(-4210, f"Stop price can't be higher than {words.price(mark * TRIGGER_UP)}.")
    if side is Side.SELL and price < mark * TRIGGER_DOWN:
        raise Refusal(-4211, f"Stop price can't be lower than {words.price(mark * TRIGGER_DOWN)}.")


def _check_limit_price(words: SymbolWords, side: Side, price: Decimal, trigger_price: Decimal) -> None:
    params.check_price_alone(words, price)
    if side is Side.BUY and price > trigger_price * PERCENT_UP:
        raise Refusal(-4183, f"Limit price can't be higher than {words.price(trigger_price * PERCENT_UP)}.")
    if side is Side.SELL and price < trigger_price * PERCENT_DOWN:
        raise Refusal(-4184, f"Limit price can't be lower than {words.price(trigger_price * PERCENT_DOWN)}.")


def _kind(word: str) -> TriggerKind:
    if word == "TRAILING_STOP_MARKET":
        return "trailing"
    return "take_profit" if word.startswith("TAKE_PROFIT") else "stop"


def _direction(word: str, side: Side) -> Literal["rises", "falls"]:
    """Stops go with the price, take-profits against it."""
    is_take_profit = word.startswith("TAKE_PROFIT")
    return "rises" if (side is Side.BUY) is not is_take_profit else "falls"
