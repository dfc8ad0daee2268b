"""A caller's words -> an exact OrderRequest, or BadInput. Nothing is sent here."""

from __future__ import annotations

import difflib
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypedDict, TypeVar, cast

from perpwire.api_connector.position_modes import PositionModes
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

_LAST, _GTC, _LIMIT, _TRAILING = TriggerBy.LAST, TimeInForce.GTC, OrderType.LIMIT, OrderType.TRAILING_STOP_MARKET
"""To look up a member of an enumeration takes as long as to multiply."""

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


_RUN_TOGETHER = frozenset(
    variant
    for name in OrderOptions.__annotations__
    if "_" in name
    for variant in (name.replace("_", ""), name.title().replace("_", ""), name.replace("_", "").upper())
)
"""Our words as the venues never spell theirs (theirs are like reduceOnly)."""

_NO_IDS: tuple[type, ...] = (bool, float, bytes)


class OrderForm:
    """Checks one venue's orders, and says them as the account's mode wants it."""

    def __init__(self, venue: Venue, modes: PositionModes) -> None:
        self._venue = venue
        self._name = venue.name
        self._modes = modes

    def request(
        self,
        instrument: Instrument,
        side: Side | str,
        quantity: Number | None,
        order_type: OrderType | str,
        venue_params: dict[str, Any],
        own_id: str,
        *,
        price: Number | None = None,
        time_in_force: TimeInForce | str | None = None,
        reduce_only: bool = False,
        position_side: PositionSide | str | None = None,
        client_order_id: str | None = None,
        trigger_price: Number | None = None,
        trigger_by: TriggerBy | str = _LAST,
        callback_rate: Number | None = None,
        activation_price: Number | None = None,
        close_position: bool = False,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        expires_time_ms: int | None = None,
        round: Rounding | Literal["passive"] | None = None,  # noqa: A002 - as in place_order
    ) -> OrderRequest:
        """The order as it will be sent.

        Args:
            own_id: The client order id where the caller gives none.

        Raises:
            BadInput: An argument breaks a rule of the contract, or does not go with the others.
        """
        if venue_params:
            venue_params = {name: value for name, value in venue_params.items() if value is not None}
            self._venue.window_ms(venue_params)
            for name in venue_params:
                self._check_native(name)
        if reduce_only is not False or close_position is not False:
            self._check_flag(reduce_only, "reduce_only")
            self._check_flag(close_position, "close_position")
        which = self._word(Side, side, "side")
        kind = self._word(OrderType, order_type, "order_type")
        if kind not in PLACED:
            raise self._bad("order_type", f"order_type {kind} can't be placed; {', '.join(PLACED)} can")
        at_market = kind in AT_MARKET
        rounding = quantity_rounding = None
        if round is not None:
            rounding, quantity_rounding = self._roundings(round, which)

        exact_quantity = self._quantity(instrument, quantity, close_position, reduce_only, kind, quantity_rounding)
        exact_price = None if price is None else self._price(instrument, price, "price", rounding)
        if at_market and exact_price is not None:
            raise self._bad("price", f"an order of type {kind} has no price")
        if not at_market and exact_price is None and not venue_params:
            raise self._bad("price", f"an order of type {kind} needs a price")
        if exact_price is not None and not reduce_only and not close_position:
            instrument.check_notional(exact_price, exact_quantity)
        force = None if time_in_force is None else self._word(TimeInForce, time_in_force, "time_in_force")
        if not at_market:
            force = force or _GTC
        elif force not in AT_MARKET_FORCES:
            # Left out, it would take where the caller meant to make, or fill in part where he meant all or nothing.
            raise self._bad("time_in_force", f"an order of type {kind} can't be {force}")
        exact_trigger = None
        if trigger_price is not None:
            exact_trigger = self._price(instrument, trigger_price, "trigger_price", rounding)
        rate = None
        if callback_rate is not None:
            rate = exact(callback_rate, "callback_rate", self._name, "place_order")
        if kind is not _LIMIT or exact_trigger is not None or rate is not None or activation_price is not None:
            self._check_trigger(kind, exact_trigger, rate, activation_price)
        watched = _LAST if trigger_by is _LAST else self._word(TriggerBy, trigger_by, "trigger_by")
        if watched is not _LAST and kind not in CONDITIONAL and take_profit is None and stop_loss is None:
            raise self._bad("trigger_by", f"an order of type {kind} has no trigger")
        if expires_time_ms is not None and (isinstance(expires_time_ms, bool) or not isinstance(expires_time_ms, int)):
            raise self._bad("expires_time_ms", f"expires_time_ms {expires_time_ms!r} is no whole number (int)")
        if client_order_id is not None and (client_order_id == "" or type(client_order_id) in _NO_IDS):
            raise self._bad("client_order_id", f"client_order_id {client_order_id!r} is no id; without, one is made")
        if venue_params:
            client_order_id = venue_params.get(self._venue.client_id_param) or client_order_id
        return OrderRequest(
            symbol=instrument.symbol,
            side=which,
            type=kind,
            quantity=exact_quantity,
            client_order_id=own_id if client_order_id is None else str(client_order_id),
            price=exact_price,
            time_in_force=force,
            reduce_only=reduce_only,
            position_side=self._modes.side_of(instrument.symbol, which, reduce_only or close_position)
            if position_side is None
            else self._word(PositionSide, position_side, "position_side"),
            trigger_price=exact_trigger,
            trigger_by=watched,
            trigger_rises=_RISING.get((kind, which)),
            callback_rate=rate,
            activation_price=None
            if activation_price is None
            else self._price(instrument, activation_price, "activation_price", rounding),
            close_position=close_position,
            take_profit=None if take_profit is None else self._price(instrument, take_profit, "take_profit", rounding),
            stop_loss=None if stop_loss is None else self._price(instrument, stop_loss, "stop_loss", rounding),
            expires_time_ms=expires_time_ms,
            venue_params=venue_params,
        )

    def _check_native(self, name: str) -> None:
        """A misspelt word of ours would go out as a parameter that the venue passes over: without reduce_only, say."""
        if "_" in name or name in _RUN_TOGETHER:
            near = difflib.get_close_matches(name, OrderOptions.__annotations__, n=1)
            raise self._bad("word", f"an order has no {name!r}" + (f"; near: {near[0]}" if near else ""))

    def _check_flag(self, value: bool, name: str) -> None:
        if value is not True and value is not False:
            raise self._bad(name, f"{name} {value!r} is neither True nor False")  # "false" would count as true

    def _roundings(self, wanted: str, side: Side) -> tuple[Rounding, Rounding]:
        """How prices are rounded, and how quantities."""
        if wanted == "passive":
            return ("down" if side is Side.BUY else "up"), "down"
        known = next((one for one in ROUNDINGS if one == wanted), None)
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
        quantity = None if given is None else exact(given, "quantity", self._name, "place_order")
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

    def _price(self, instrument: Instrument, given: Number, name: str, rounding: Rounding | None) -> Decimal:
        price = exact(given, name, self._name, "place_order")
        if rounding is not None:
            price = instrument.round_price(price, rounding)
        instrument.check_price(price)
        return price

    def _check_trigger(
        self,
        kind: OrderType,
        trigger_price: Decimal | None,
        callback_rate: Decimal | None,
        activation_price: Number | None,
    ) -> None:
        if kind not in CONDITIONAL and trigger_price is not None:
            raise self._bad(
                "trigger_price", f"an order of type {kind} has no trigger_price; {', '.join(CONDITIONAL)} have"
            )
        if kind is _TRAILING:
            if callback_rate is None or callback_rate <= 0:
                raise self._bad("callback_rate", "a trailing stop needs a callback_rate above 0, in percent")
            if trigger_price is not None:
                raise self._bad("trigger_price", "a trailing stop has no trigger_price, but an activation_price")
            return
        if kind in CONDITIONAL and trigger_price is None:
            raise self._bad("trigger_price", f"an order of type {kind} needs a trigger_price")
        if callback_rate is not None or activation_price is not None:
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

    def _bad(self, argument: str, reason: str) -> BadInput:
        return BadInput(reason, venue=self._venue.name, call="place_order", code=f"BAD_{argument.upper()}")
