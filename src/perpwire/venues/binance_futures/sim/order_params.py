"""From the parameters of an order to what the exchange is asked for, checked in the order in which the venue checks."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.vocabulary import SelfTrade
from perpwire.venues.binance_futures.sim.params import Args, check_places, needed, number_text, truth, whole
from perpwire.venues.binance_futures.sim.rules import MARKET_TAKE_BOUND, PERCENT_DOWN, PERCENT_UP
from perpwire.venues.binance_futures.sim.words import (
    DEFAULT_STP_MODE,
    SELF_TRADES,
    TIMES_IN_FORCE,
    Refusal,
    SymbolWords,
    missing,
)

CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})

CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")

LEAST_LIFE_MS = 600_000
"""Of a good-till-date order."""
NEVER_MS = 253_402_300_799_000
"""The end of the year 9999: no order lasts until then."""

_ANSWERS = frozenset({"ACK", "RESULT"})
_PRICE_MATCHES = re.compile(r"(OPPONENT|QUEUE)(?:_(5|10|20))?")
_CLOSED_MATCHES = frozenset({"OPPONENT_10", "OPPONENT_20"})
"""Switched off since 2025-10-23."""


# --- one parameter each -----------------------------------------------------------------------------------------------


def side_of(args: Args) -> Side:
    text = needed(args, "side")
    if text not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return Side(text)


def order_type_of(args: Args) -> OrderType:
    text = needed(args, "type")
    if text not in CONDITIONAL and text not in ("LIMIT", "MARKET"):
        raise Refusal(-1116, "Invalid orderType.")
    return OrderType(text)


def position_side_of(args: Args) -> PositionSide:
    text = args.get("positionSide") or "BOTH"
    if text not in PositionSide.__members__:
        raise Refusal(-4060, "Invalid position side.")
    return PositionSide(text)


def time_in_force_of(args: Args, *, default: str = "") -> TimeInForce:
    word = args.get("timeInForce") or default or needed(args, "timeInForce")
    if word == "RPI":
        raise Refusal(-4188, "Symbol is not in the white list of RPI orders.")
    found = TIMES_IN_FORCE.get(word)
    if found is None:
        raise Refusal(-1115, "Invalid timeInForce.")
    return found


def self_trade_of(args: Args) -> SelfTrade:
    found = SELF_TRADES.get(args.get("selfTradePreventionMode") or DEFAULT_STP_MODE)
    if found is None:
        raise Refusal(-5039, "Invalid self trade prevention mode.")
    return found


def answer_of(args: Args) -> str:
    answer = args.get("newOrderRespType") or "ACK"
    if answer not in _ANSWERS:
        raise Refusal(-1136, "Invalid newOrderRespType.")
    return answer


def order_key(args: Args) -> tuple[int | None, str | None]:
    """The order's id, which counts first, or its client's."""
    order_id = whole(args, "orderId")
    if order_id is not None:
        return order_id, None
    client_order_id = args.get("origClientOrderId")
    if not client_order_id:
        raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return None, client_order_id


def reduce_only_of(args: Args) -> bool | None:
    text = args.get("reduceOnly", "").lower()
    if text not in ("", "true", "false"):
        raise Refusal(-4062, "Invalid position side or reduceOnly value.")
    return truth(args, "reduceOnly")


def check_mode(
    exchange: Exchange, account: str, words: SymbolWords, position_side: PositionSide, reduce_only: bool | None
) -> None:
    """Position side and reduceOnly must fit the account's position mode."""
    is_hedge = exchange.is_hedge(account, words.symbol)
    if is_hedge is (position_side is PositionSide.BOTH):
        raise Refusal(-4061, "Order's position side does not match user's setting.")
    if is_hedge and reduce_only is not None:
        raise Refusal(-1106, "Parameter 'reduceOnly' sent when not required.")


def good_till_of(args: Args, time_in_force: TimeInForce, now_ms: int) -> int:
    """When a GTD order ends, in whole seconds; 0 for others."""
    date_ms = whole(args, "goodTillDate")
    if time_in_force is not TimeInForce.GTD:
        return 0
    if date_ms is None:
        raise missing("goodTillDate")
    if not now_ms + LEAST_LIFE_MS < date_ms < NEVER_MS:
        raise Refusal(-5040, "The goodTillDate timestamp must be greater than the current time plus 600 seconds.")
    return date_ms - date_ms % 1000


# --- price ------------------------------------------------------------------------------------------------------------


def price_text_of(args: Args, price_match: str) -> str:
    """`price` as far as it is not left to the book; "" where it is."""
    if price_match == "NONE":
        return number_text(args, "price")
    if args.get("price"):
        raise Refusal(-1106, "Parameter 'price' sent when not required.")
    return ""


def price_match_of(args: Args) -> str:
    word = args.get("priceMatch") or "NONE"
    if word != "NONE" and (word in _CLOSED_MATCHES or not _PRICE_MATCHES.fullmatch(word)):
        raise Refusal(-5037, "Invalid price match.")
    return word


def book_place(price_match: str) -> int:
    """Which level is meant: the other side's by numbers from 1 on, those of the order's own side below 0."""
    found = _PRICE_MATCHES.fullmatch(price_match)
    assert found is not None  # seen by price_match_of
    depth = int(found.group(2) or 1)
    return -depth if found.group(1) == "QUEUE" else depth


def matched_price(exchange: Exchange, words: SymbolWords, side: Side, price_match: str) -> Decimal:
    """The price that stands at the wanted place of the book."""
    place = book_place(price_match)
    depth = abs(place)
    bids, asks, _, _ = exchange.book(words.symbol, depth)
    levels = bids if (place < 0) is (side is Side.BUY) else asks
    if len(levels) < depth:
        raise Refusal(-5041, "No depth matches this BBO order.")
    return levels[depth - 1][0]


def check_price_alone(words: SymbolWords, price: Decimal) -> None:
    """More than 0, and no more decimals than the symbol has; the exchange knows the other rules of the symbol."""
    if price <= 0:
        raise Refused(Why.PRICE_NOT_POSITIVE)
    check_places(price, words.price_places)


def check_quantity(words: SymbolWords, quantity: Decimal) -> None:
    if quantity <= 0:
        raise Refused(Why.QUANTITY_NOT_POSITIVE)
    check_places(quantity, words.quantity_places)


def check_price(exchange: Exchange, words: SymbolWords, side: Side, price: Decimal) -> None:
    """As `check_price_alone`, and not too far from the mark price to the bad."""
    check_price_alone(words, price)
    mark = exchange.mark_price(words.symbol)
    if side is Side.BUY and price > mark * PERCENT_UP:
        raise Refusal(-4016, f"Limit price can't be higher than {words.price(mark * PERCENT_UP)}.")
    if side is Side.SELL and price < mark * PERCENT_DOWN:
        raise Refusal(-4024, f"Limit price can't be lower than {words.price(mark * PERCENT_DOWN)}.")


def market_bound(exchange: Exchange, words: SymbolWords, side: Side) -> Decimal:
    """The worst price that a market order may reach, on the tick nearer to the mark price."""
    mark, tick = exchange.mark_price(words.symbol), words.spec.instrument.tick_size
    is_buy = side is Side.BUY
    ticks = mark * (1 + MARKET_TAKE_BOUND if is_buy else 1 - MARKET_TAKE_BOUND) / tick
    return max(tick, ticks.quantize(Decimal(1), rounding=ROUND_FLOOR if is_buy else ROUND_CEILING) * tick)


def check_best_opposite(exchange: Exchange, words: SymbolWords, side: Side) -> None:
    """A market order is not let loose on a book whose best price is too far from the mark price."""
    bids, asks, _, _ = exchange.book(words.symbol, 1)
    mark = exchange.mark_price(words.symbol)
    if (side is Side.BUY and asks and asks[0][0] > mark * PERCENT_UP) or (
        side is Side.SELL and bids and bids[0][0] < mark * PERCENT_DOWN
    ):
        raise Refusal(
            -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit, please try again later."
        )


# --- batches ----------------------------------------------------------------------------------------------------------


def as_texts(item: Any, name: str) -> Args:
    """A JSON object of a batch as parameters: whatever JSON type a value has, it counts as its text.

    Raises:
        Refusal: It is no object of plain values.
    """
    if not isinstance(item, dict):
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    texts = {}
    for key, value in item.items():
        if value is None:
            continue
        if isinstance(value, bool):
            texts[key] = "true" if value else "false"
        elif isinstance(value, str):
            texts[key] = value
        elif isinstance(value, int | Decimal):
            texts[key] = format(Decimal(value), "f") if abs(Decimal(value).adjusted()) < 50 else str(value)
        else:
            raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return texts


def json_list(args: Args, name: str) -> list[Any]:
    """
    Raises:
        Refusal: It was not sent, or is no JSON list.
    """
    try:
        # Numbers keep their digits.
        found = _decode(needed(args, name))
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return found


_decode = msgspec.json.Decoder(float_hook=Decimal).decode
