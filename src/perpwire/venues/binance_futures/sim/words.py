"""The simulator's words: how the exchange's numbers, orders and refusals are written in this venue's way."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from perpwire.model.numbers import plain
from perpwire.model.order import OrderStatus, OrderType, TimeInForce
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.records import SimOrder, SimPosition
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import SelfTrade
from perpwire.venues.binance_futures import wire

MONEY_PLACES = 8

SELF_TRADES: dict[str, SelfTrade] = {
    "NONE": "none",
    "EXPIRE_TAKER": "taker",
    "EXPIRE_MAKER": "maker",
    "EXPIRE_BOTH": "both",
}
"""Self-trade prevention modes. The taker's decides."""

DEFAULT_STP_MODE = "EXPIRE_MAKER"
"""Of an order that names none."""

STP_WORDS = {ours: word for word, ours in SELF_TRADES.items()}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
    "GTD": TimeInForce.GTD,
}
"""What orders may say. RPI is neither offered in exchangeInfo nor taken."""

_TIME_IN_FORCE_WORDS = {ours: word for word, ours in TIMES_IN_FORCE.items()}

_EXPIRY_REASONS = {
    "stp": "1",
    "ioc": "2",
    "reduce_only": "4",
    "liquidation": "5",
    "adl": "5",
    "position_closed": "6",
    "delisted": "7",
    "market": "9",
}


def padded(number: Decimal, places: int) -> str:
    """With so many decimals, as REST and market streams write it; 0 has no sign."""
    rounded_number = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return plain(rounded_number or abs(rounded_number))


def money(number: Decimal) -> str:
    return padded(number, MONEY_PLACES)


def stripped(number: Decimal) -> str:
    """Without trailing zeros, as the user stream writes it."""
    return plain(number.normalize()) if number else "0"


def rounded(number: Decimal) -> Decimal:
    """To the eight decimals that the venue shows of what division has made."""
    return number.quantize(Decimal(1).scaleb(-MONEY_PLACES), rounding=ROUND_HALF_EVEN)


class SymbolWords:
    """How one symbol's numbers are written.

    Attributes:
        stream: The symbol as stream names have it.
        price_places, quantity_places: Decimals of prices and quantities (pricePrecision, quantityPrecision).
    """

    def __init__(self, spec: SymbolSpec) -> None:
        self.spec = spec
        self.symbol = spec.instrument.symbol
        self.stream = self.symbol.lower()
        self.price_places = places_of(spec.instrument.tick_size)
        self.quantity_places = places_of(spec.instrument.quantity_step)

    def price(self, price: Decimal) -> str:
        return padded(price, self.price_places)

    def quantity(self, quantity: Decimal) -> str:
        return padded(quantity, self.quantity_places)

    def value(self, value: Decimal) -> str:
        """A product of price and quantity, or a mean price."""
        return padded(value, max(self.price_places + 3, self.price_places + self.quantity_places))

    def levels(self, levels: list[tuple[Decimal, Decimal]]) -> list[wire.WireLevel]:
        return [(self.price(price), self.quantity(quantity)) for price, quantity in levels]


def places_of(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# --- orders -----------------------------------------------------------------------------------------------------------


_ENDED_BY_THE_VENUE = frozenset({"liquidation", "adl", "delisted"})
"""Why an order ended that its account did not cancel: it has expired, then."""


def status_word(order: SimOrder) -> str:
    if order.status is OrderStatus.CANCELED and order.reason in _ENDED_BY_THE_VENUE:
        return OrderStatus.EXPIRED.value
    return "EXPIRED_IN_MATCH" if order.reason == "stp" else order.status.value


def expiry_reason(order: SimOrder) -> str:
    if order.reason == "stp" and order.time_in_force is TimeInForce.IOC:
        return "3"
    return _EXPIRY_REASONS.get(order.reason, "0")


def time_in_force_word(order: SimOrder) -> str:
    # A market order says GTC, though nothing of it ever rests.
    return "GTC" if order.type is OrderType.MARKET else _TIME_IN_FORCE_WORDS[order.time_in_force]


def stp_word(order: SimOrder | TriggerIntent) -> str:
    """The mode that it was given; where none is in force for its kind, the order keeps the word."""
    return order.note.get("selfTradePreventionMode") or STP_WORDS[order.self_trade]


def client_id_word(order: SimOrder) -> str:
    """The venue's own orders are known by their client ids."""
    if order.origin in ("liquidation", "takeover"):
        return f"autoclose-{order.created_ms}{order.order_id % 1_000_000:06d}"
    return "adl_autoclose" if order.origin == "adl" else order.client_order_id


def acknowledged(order: SimOrder, words: SymbolWords) -> wire.Order:
    """As the calls that place, change or cancel answer: nothing about what it cost."""
    shown = _order(order, words)
    shown.cum_qty = words.quantity(order.filled_quantity)
    return shown


def queried(order: SimOrder, words: SymbolWords) -> wire.Order:
    """As the calls that read orders answer."""
    shown = _order(order, words)
    shown.avg_price = words.value(order.average_price or Decimal(0))
    shown.cum_quote = words.value(order.filled_value)
    shown.time = order.created_ms
    return shown


def _order(order: SimOrder, words: SymbolWords) -> wire.Order:
    return wire.Order(
        order_id=order.order_id,
        symbol=order.symbol,
        status=status_word(order),
        client_order_id=client_id_word(order),
        price=words.price(order.price or Decimal(0)),
        orig_qty=words.quantity(order.quantity),
        executed_qty=words.quantity(order.filled_quantity),
        time_in_force=time_in_force_word(order),
        type=order.type.value,
        reduce_only=order.reduce_only,
        close_position=order.close_position,
        side=order.side.value,
        position_side=order.position_side.value,
        stop_price=words.price(Decimal(0)),
        working_type="CONTRACT_PRICE",
        price_protect=False,
        orig_type=order.type.value,
        price_match=order.note.get("priceMatch", "NONE"),
        self_trade_prevention_mode=stp_word(order),
        good_till_date=order.expire_ms,
        update_time=order.updated_ms,
    )


# --- positions --------------------------------------------------------------------------------------------------------


def unrealized(position: SimPosition, mark_price: Decimal) -> Decimal:
    gain = abs(position.quantity) * mark_price - position.entry_value
    return gain if position.quantity >= 0 else -gain


def break_even_price(position: SimPosition, taker_fee: Decimal) -> Decimal:
    """Where closing pays for the fee of opening."""
    if not position.quantity:
        return Decimal(0)
    return rounded(position.entry_price * (1 + taker_fee if position.quantity > 0 else 1 - taker_fee))


# --- refusals ---------------------------------------------------------------------------------------------------------


class Refusal(Exception):
    """The request is answered with this status and code."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        retry_after_s: int | None = None,
        page: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.page = page  # HTML in place of code and message


def as_refusal(error: Refused | Refusal) -> Refusal:
    """What is answered."""
    return error if isinstance(error, Refusal) else Refusal(*REFUSALS[error.why])


def refused_as(refused: Refused, codes: Mapping[Why, tuple[int, str]]) -> Refusal:
    """What is answered by a call that has codes of its own."""
    return Refusal(*(codes.get(refused.why) or REFUSALS[refused.why]))


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid(name: str) -> Refusal:
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


_NOT_RECORDED = "The order will not be recorded in the order history"

REFUSALS: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Why.UNKNOWN_ORDER: (-2013, "Order does not exist."),
    Why.ORDER_FINISHED: (-2013, "Order does not exist."),
    Why.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    Why.PRICE_NOT_POSITIVE: (-4001, "Price less than 0."),
    Why.PRICE_OFF_TICK: (-4014, "Price not increased by tick size."),
    Why.PRICE_TOO_LOW: (-4013, "Price less than min price."),
    Why.PRICE_TOO_HIGH: (-4002, "Price greater than max price."),
    Why.QUANTITY_NOT_POSITIVE: (-4003, "Quantity less than or equal to zero."),
    Why.QUANTITY_OFF_STEP: (-4023, "Qty not increased by step size."),
    Why.QUANTITY_TOO_SMALL: (-4004, "Quantity less than min quantity."),
    Why.QUANTITY_TOO_LARGE: (-4005, "Quantity greater than max quantity."),
    Why.NOTIONAL_TOO_SMALL: (-4164, "Order's notional is too small (unless you choose reduce only)."),
    Why.MARGIN: (-2019, "Margin is insufficient."),
    Why.POST_ONLY_WOULD_TAKE: (
        -5022,
        f"Due to the order could not be executed as maker, the Post Only order will be rejected. {_NOT_RECORDED}",
    ),
    Why.FOK_UNFILLED: (
        -5021,
        f"Due to the order could not be filled immediately, the FOK order has been rejected. {_NOT_RECORDED}",
    ),
    Why.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Why.NO_LIQUIDITY: (-1112, "No orders on book for symbol."),
    Why.AMEND_NO_CHANGE: (-5027, "No need to modify the order."),
    Why.AMEND_BELOW_FILLED: (-4003, "Quantity less than or equal to zero."),  # trading.py cancels before it comes here
    Why.LEVERAGE_CAP: (-2027, "Exceeded the maximum allowable position at current leverage."),
    Why.LEVERAGE: (-4028, "Leverage is not valid."),
    Why.HAS_ORDERS: (-4067, "Position side cannot be changed if there exists open orders."),
    Why.HAS_POSITION: (-4068, "Position side cannot be changed if there exists position."),
    Why.NO_POSITION: (-4054, "Cannot add position margin: position is 0."),
    Why.NOT_ISOLATED: (-4053, "Auto add margin only support for isolated position."),
    Why.UNCHANGED: (-4059, "No need to change position side."),
    Why.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    Why.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    Why.BAD_ACTIVATION: (-4135, "Invalid activation price."),
    Why.UNKNOWN_TRIGGER: (-2013, "Order does not exist."),
    Why.TRIGGER_FINISHED: (-2011, "Unknown order sent."),
    Why.EXPIRY: (-5040, "The goodTillDate is out of range."),
    Why.MARGIN_TOO_MUCH: (-4051, "Isolated balance insufficient."),
}
"""Why the exchange refused -> code and words."""
