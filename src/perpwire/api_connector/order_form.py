"""A caller's words -> an exact OrderRequest, or BadInput. Nothing is sent here."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypedDict, TypeVar, cast, get_args

from perpwire.errors import BadInput
from perpwire.model.instrument import ROUNDINGS, Instrument, Rounding
from perpwire.model.numbers import Number, exact
from perpwire.model.order import (
    AT_MARKET,
    CONDITIONAL,
    OrderRequest,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
)
from perpwire.venues.base import Venue

W = TypeVar("W", bound=StrEnum)

_WORDS: dict[type[StrEnum], dict[str, StrEnum]] = {
    words: {one.value: one for one in words} for words in (OrderType, Side, TimeInForce, PositionSide, TriggerBy)
}
"""To look a word up is much cheaper than to make it."""

PLACED = (OrderType.MARKET, OrderType.LIMIT, *sorted(CONDITIONAL))
"""Types that a caller may place."""

AT_MARKET_FORCES = (None, TimeInForce.GTC, TimeInForce.IOC)
"""What may be said of an order without a price; it makes no difference."""

_RISING = {
    # A stop goes with the market, a take-profit against it.
    (OrderType.STOP, Side.BUY): True,
    (OrderType.STOP_MARKET, Side.BUY): True,
    (OrderType.STOP, Side.SELL): False,
    (OrderType.STOP_MARKET, Side.SELL): False,
    (OrderType.TAKE_PROFIT, Side.BUY): False,
    (OrderType.TAKE_PROFIT_MARKET, Side.BUY): False,
    (OrderType.TAKE_PROFIT, Side.SELL): True,
    (OrderType.TAKE_PROFIT_MARKET, Side.SELL): True,
}
"""Whether the trigger waits for a rise. A trailing stop has its own way."""


class OrderOptions(TypedDict, total=False):
    """What can be said of an order besides symbol, side, quantity and type; see OrderMethods.place_order."""

    price: Number | None
    time_in_force: TimeInForce | str | None
    reduce_only: bool
    position_side: PositionSide | str | None
    client_order_id: str | None
    trigger_price: Number | None
    trigger_by: TriggerBy | str
    callback_rate: Number | None
    activation_price: Number | None
    close_position: bool
    take_profit: Number | None
    stop_loss: Number | None
    expires_time_ms: int | None
    round: Rounding | Literal["passive"] | None


class OrderForm:
    """Checks one venue's orders."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def request(
        self,
        instrument: Instrument,
        side: Side | str,
        quantity: Number | None,
        order_type: OrderType | str,
        options: OrderOptions,
        venue_params: dict[str, Any],
        *,
        client_order_id: str,
        position_side: PositionSide,
    ) -> OrderRequest:
        """The order as it will be sent.

        Args:
            client_order_id: Made by us; one that the caller gave wins.
            position_side: Where the caller leaves it to the account's mode.

        Raises:
            BadInput: An argument breaks a rule of the contract, or does not go with the others.
        """
        if venue_params:
            venue_params = {name: value for name, value in venue_params.items() if value is not None}
        kind = self._word(OrderType, order_type, "order_type")
        if kind not in PLACED:
            raise self._bad("order_type", f"order_type {kind} can't be placed; {', '.join(PLACED)} can")
        self._venue.window_ms(venue_params)
        closes = options.get("close_position", False)
        reduce_only = options.get("reduce_only", False)
        which = self.side(side)
        at_market = kind in AT_MARKET
        rounding, quantity_rounding = self._roundings(options.get("round"), which)

        exact_quantity = self._quantity(instrument, quantity, closes, reduce_only, kind, quantity_rounding)
        price = self._price(instrument, options.get("price"), "price", rounding)
        if at_market and price is not None:
            raise self._bad("price", f"an order of type {kind} has no price")
        if not at_market and price is None and not venue_params:
            raise self._bad("price", f"an order of type {kind} needs a price")
        if price is not None and not reduce_only and not closes:
            instrument.check_notional(price, exact_quantity)
        given_force = options.get("time_in_force")
        force = None if given_force is None else self._word(TimeInForce, given_force, "time_in_force")
        if at_market and force not in AT_MARKET_FORCES:
            # Left out, it would take where the caller meant to make, or fill in part where he meant all or nothing.
            raise self._bad("time_in_force", f"an order of type {kind} can't be {force}")
        given_side = options.get("position_side")
        own_id = venue_params.get(self._venue.client_id_param) or options.get("client_order_id") or client_order_id
        trigger_price = self._price(instrument, options.get("trigger_price"), "trigger_price", rounding)
        self._check_trigger(kind, trigger_price, options)
        return OrderRequest(
            symbol=instrument.symbol,
            side=which,
            type=kind,
            quantity=exact_quantity,
            price=price,
            time_in_force=force if force is not None else (None if at_market else TimeInForce.GTC),
            reduce_only=reduce_only,
            position_side=position_side
            if given_side is None
            else self._word(PositionSide, given_side, "position_side"),
            client_order_id=str(own_id),
            trigger_price=trigger_price,
            trigger_by=self._word(TriggerBy, options.get("trigger_by", TriggerBy.LAST), "trigger_by"),
            trigger_rises=_RISING.get((kind, which)),
            callback_rate=self._exact(options.get("callback_rate"), "callback_rate"),
            activation_price=self._price(instrument, options.get("activation_price"), "activation_price", rounding),
            close_position=closes,
            take_profit=self._price(instrument, options.get("take_profit"), "take_profit", rounding),
            stop_loss=self._price(instrument, options.get("stop_loss"), "stop_loss", rounding),
            expires_time_ms=options.get("expires_time_ms"),
            venue_params=venue_params,
        )

    def side(self, side: Side | str) -> Side:
        """In any case; BadInput for anything else."""
        return self._word(Side, side, "side")

    def _roundings(self, wanted: str | None, side: Side) -> tuple[Rounding | None, Rounding | None]:
        """How prices are rounded, and how quantities."""
        if wanted == "passive":
            return ("down" if side is Side.BUY else "up"), "down"
        if wanted is None:
            return None, None
        known = next((one for one in get_args(Rounding) if one == wanted), None)
        if known is None:
            raise self._bad("round", f"round {wanted!r} is not one of {', '.join(ROUNDINGS)} and passive")
        return known, known

    def _quantity(
        self,
        instrument: Instrument,
        given: Number | None,
        closes: bool,
        reduce_only: bool,
        kind: OrderType,
        rounding: Rounding | None,
    ) -> Decimal:
        quantity = self._exact(given, "quantity")
        if closes:
            if quantity:
                raise self._bad("quantity", "with close_position there is no quantity: the whole position is closed")
            if kind not in CONDITIONAL:
                raise self._bad("close_position", "close_position is for conditional orders; see close_position()")
            return Decimal(0)
        if quantity is None:
            raise self._bad("quantity", "a quantity is needed")
        if rounding is not None:
            quantity = instrument.round_quantity(quantity, rounding, market=kind in AT_MARKET)
        instrument.check_quantity(
            quantity, market=kind in AT_MARKET, any_size=reduce_only and self._venue.splits_oversized_closes
        )
        return quantity

    def _price(
        self, instrument: Instrument, given: Number | None, name: str, rounding: Rounding | None
    ) -> Decimal | None:
        if given is None:
            return None
        price = self._number(given, name)
        if rounding is not None:
            price = instrument.round_price(price, rounding)
        instrument.check_price(price)
        return price

    def _check_trigger(self, kind: OrderType, trigger_price: Decimal | None, options: OrderOptions) -> None:
        trailing = kind is OrderType.TRAILING_STOP_MARKET
        if kind in CONDITIONAL and not trailing and trigger_price is None:
            raise self._bad("trigger_price", f"an order of type {kind} needs a trigger_price")
        if kind not in CONDITIONAL and trigger_price is not None:
            raise self._bad(
                "trigger_price", f"an order of type {kind} has no trigger_price; {', '.join(CONDITIONAL)} have"
            )
        if trailing and options.get("callback_rate") is None:
            raise self._bad("callback_rate", "a trailing stop needs a callback_rate in percent")
        if not trailing and (options.get("callback_rate") or options.get("activation_price")) is not None:
            raise self._bad("callback_rate", "callback_rate and activation_price are for trailing stops")

    def _word(self, words: type[W], text: str, name: str) -> W:
        if type(text) is words:
            return text
        known = _WORDS[words].get(text) if type(text) is str else None
        if known is not None:
            return cast(W, known)
        try:
            return words(str(text).upper())
        except ValueError:
            raise self._bad(name, f"{name} {text!r} is not one of {', '.join(words)}") from None

    def _exact(self, value: Number | None, name: str) -> Decimal | None:
        return None if value is None else self._number(value, name)

    def _number(self, value: Number, name: str) -> Decimal:
        try:
            return exact(value, name)
        except BadInput as error:
            raise BadInput(error.reason, venue=self._venue.name, call="place_order", code=error.code) from None

    def _bad(self, argument: str, reason: str) -> BadInput:
        return BadInput(reason, venue=self._venue.name, call="place_order", code=f"BAD_{argument.upper()}")
