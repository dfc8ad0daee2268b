"""/v5/position/trading-stop: setting a position's take-profit, stop-loss and trailing stop.

Source: docs/v5/position/trading-stop, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from perpwire.model.order import PositionSide
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimPosition
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import AccountSpec, SymbolSpec
from perpwire.venues.bybit.sim.asked import (
    Asked,
    check_price,
    check_quantity,
    choice,
    integer,
    optional_amount,
    spec_of,
)
from perpwire.venues.bybit.sim.holdings import position_stops
from perpwire.venues.bybit.sim.order_form import POSITION_SIDES
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.stop_form import Exit, check_sides, read_exit
from perpwire.venues.bybit.sim.tpsl import MOST_PARTIAL, PositionStops

UNCHANGED = CallRefused(34040, "not modified")
PASSED = CallRefused(10001, "the price has passed the trigger already")


class _Wanted(msgspec.Struct, kw_only=True):
    """What is asked for. None: nothing is said of it; False: it is to be taken away."""

    profit: Exit | bool | None
    loss: Exit | bool | None
    trailing: Decimal | bool | None
    activation: Decimal | None


class TradingStop:
    """The call."""

    def __init__(self, exchange: Exchange, stops: PositionStops) -> None:
        self._exchange = exchange
        self._stops = stops

    def set(self, account: AccountSpec, body: Asked) -> Any:
        """
        Raises:
            CallRefused: By retCode.
        """
        spec = spec_of(self._exchange, body)
        symbol = spec.instrument.symbol
        side = POSITION_SIDES.get(integer(body, "positionIdx", 0))
        if side is None or (side is not PositionSide.BOTH) is not self._exchange.is_hedge(account.name, symbol):
            raise CallRefused(10001, "position idx not match position mode")
        is_partial = choice(body, "tpslMode", ("Full", "Partial"), "Full") == "Partial"
        wanted = self._read(body, spec, is_partial)
        position = self._exchange.position(account.name, symbol, side)
        if not position.quantity:
            raise CallRefused(10001, "can not set tp/sl/ts for zero position")
        self._check(position, wanted)
        try:
            if is_partial and (isinstance(wanted.profit, Exit) or isinstance(wanted.loss, Exit)):
                self._add_partial(account.name, position, wanted, body, spec)
                self._set_trailing(account.name, position, wanted)
            elif not self._set_full(account.name, position, wanted):
                raise UNCHANGED
        except Refused as refused:
            if refused.why in (Why.WOULD_TRIGGER, Why.BAD_ACTIVATION):
                raise PASSED from None
            raise of_exchange(refused) from None
        return {}

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self, body: Asked, spec: SymbolSpec, is_partial: bool) -> _Wanted:
        wanted = _Wanted(
            profit=_exit(body, spec, "tp", is_partial),
            loss=_exit(body, spec, "sl", is_partial),
            trailing=_trailing(body, spec),
            activation=optional_amount(body, "activePrice") or None,
        )
        if wanted.activation is not None:
            check_price(spec, wanted.activation)
        if (wanted.profit, wanted.loss, wanted.trailing) == (None, None, None):
            raise CallRefused(34040, "not modified: nothing was asked for")
        return wanted

    def _check(self, position: SimPosition, wanted: _Wanted) -> None:
        """All that can be wrong with any of them, before one is set."""
        is_long = position.quantity > 0
        if isinstance(wanted.profit, Exit):
            check_sides(is_long, self._price(position.symbol, wanted.profit.by), wanted.profit, None)
        if isinstance(wanted.loss, Exit):
            check_sides(is_long, self._price(position.symbol, wanted.loss.by), None, wanted.loss)
        if isinstance(wanted.trailing, Decimal):
            last, activation = self._price(position.symbol, "last"), wanted.activation
            if wanted.trailing >= last:
                raise bad_param("trailingStop invalid")
            if activation is not None and (activation <= last if is_long else activation >= last):
                raise PASSED

    def _price(self, symbol: str, by: str) -> Decimal:
        if by == "mark":
            return self._exchange.mark_price(symbol)
        return self._exchange.index_price(symbol) if by == "index" else self._exchange.last_price(symbol)

    # --- doing --------------------------------------------------------------------------------------------------------

    def _set_full(self, account: str, position: SimPosition, wanted: _Wanted) -> bool:
        """False where all is as it was."""
        standing = position_stops(self._exchange, account, position.symbol, position.side)
        changed = False
        for is_profit, one in ((True, wanted.profit), (False, wanted.loss)):
            trigger = standing.get("TakeProfit" if is_profit else "StopLoss")
            if one is False and trigger is not None:
                self._stops.clear(trigger)
                changed = True
            elif isinstance(one, Exit):
                same = trigger is not None and (
                    (trigger.intent.trigger_price, trigger.intent.trigger_by) == (one.price, one.by)
                )
                if not same:
                    self._stops.set_full(account, position.symbol, position.side, is_profit, one)
                    changed = True
        return self._set_trailing(account, position, wanted) or changed

    def _set_trailing(self, account: str, position: SimPosition, wanted: _Wanted) -> bool:
        standing = position_stops(self._exchange, account, position.symbol, position.side).get("TrailingStop")
        if wanted.trailing is None:
            return False
        if isinstance(wanted.trailing, bool):
            if standing is not None:
                self._stops.clear(standing)
            return standing is not None
        if standing is not None and (
            (standing.intent.callback_distance, standing.intent.activation_price)
            == (wanted.trailing, wanted.activation)
        ):
            return False
        self._stops.set_trailing(account, position.symbol, position.side, wanted.trailing, wanted.activation)
        return True

    def _add_partial(self, account: str, position: SimPosition, wanted: _Wanted, body: Asked, spec: SymbolSpec) -> None:
        symbol, side = position.symbol, position.side
        exits = [
            (is_profit, one)
            for is_profit, one in ((True, wanted.profit), (False, wanted.loss))
            if isinstance(one, Exit)
        ]
        sizes = {optional_amount(body, "tpSize" if is_profit else "slSize") for is_profit, _ in exits}
        if len(sizes) != 1:
            raise CallRefused(10001, "tpSize and slSize must be equal")
        (size,) = sizes
        if not size:
            raise bad_param("tpSize or slSize is required")
        check_quantity(spec, size)
        if size > abs(position.quantity):
            raise CallRefused(110058, "Insufficient number of remaining position size to set take profit and stop loss")
        if self._stops.count_partial(account, symbol, side) >= MOST_PARTIAL:
            raise CallRefused(110061, f"Cannot have more than {MOST_PARTIAL} TP/SLs under Partial tpSlMode")
        group = f"pair/{self._exchange.new_order_id()}" if len(exits) > 1 else ""
        for is_profit, one in exits:
            self._stops.add_partial(account, symbol, side, is_profit, one, size, group)


def _exit(body: Asked, spec: SymbolSpec, prefix: str, is_partial: bool) -> Exit | bool | None:
    name = "takeProfit" if prefix == "tp" else "stopLoss"
    if body.get(name) in (None, ""):
        return None
    return read_exit(body, spec, prefix, is_partial) or False


def _trailing(body: Asked, spec: SymbolSpec) -> Decimal | bool | None:
    distance = optional_amount(body, "trailingStop")
    if distance is None:
        return None
    if not distance:
        return False
    check_price(spec, distance)
    return distance
