"""Positions over REST: reading them, their leverage, their mode and their margin.

Source: docs/v5/position, as of 2026-07-24.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from perpwire.model.order import PositionSide
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, check_linear, in_order, integer, is_linear, paged, spec_of, specs_of
from perpwire.venues.bybit.sim.numbers import cut
from perpwire.venues.bybit.sim.order_form import POSITION_SIDES
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.rows import Rows
from perpwire.venues.bybit.translate import POSITION_INDEXES

_LEVERAGE = re.compile(r"\d{1,4}(\.\d{1,2})?", re.ASCII)
_MARGIN = re.compile(r"-?\d{1,15}(\.\d{1,4})?", re.ASCII)
MODES = {0: False, 3: True}
"""`mode` of switch-mode -> hedge mode."""


class Positions:
    """Reading positions, and setting how they are held."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        self._exchange = exchange
        self._rows = rows

    # --- reading ------------------------------------------------------------------------------------------------------

    def listed(self, account: AccountSpec, asked: Asked) -> Any:
        """With a symbol: its rows by its position mode, flat ones too. With a settle coin: those that are open."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        name = account.name
        if asked.get("symbol"):
            views = self._exchange.position_views(name, spec_of(self._exchange, asked).instrument.symbol)
        elif asked.get("settleCoin") or asked.get("baseCoin"):
            views = [
                one
                for one in self._exchange.position_views(name, None)
                for instrument in [self._exchange.spec(one.position.symbol).instrument]
                if asked.get("settleCoin") in (None, "", instrument.settle)
                and asked.get("baseCoin") in (None, "", instrument.base)
            ]
        else:
            raise CallRefused(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
        page, cursor = paged(in_order(views), asked, default=20, most=200)
        return wire.Page([self._rows.position(name, one.position) for one in page], cursor)

    def symbol_info(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/position/symbol-info: leverage, also where there is no position."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        rows = [
            {
                "symbol": view.position.symbol,
                "leverage": cut(view.position.leverage),
                "side": "",
                "positionIdx": POSITION_INDEXES[view.position.side],
            }
            for spec in specs_of(self._exchange, asked)
            for view in self._exchange.position_views(account.name, spec.instrument.symbol)
        ]
        page, cursor = paged(in_order(rows), asked, default=20, most=200)
        return wire.Page(page, cursor)

    # --- leverage and mode --------------------------------------------------------------------------------------------

    def set_leverage(self, account: AccountSpec, body: Asked) -> Any:
        """Equal on both sides, but in hedge mode with isolated margin.

        Raises:
            CallRefused: 10001, 110013, 110043 ...
        """
        name, symbol = account.name, spec_of(self._exchange, body).instrument.symbol
        buy, sell = (_leverage(body, side) for side in ("buyLeverage", "sellLeverage"))
        hedged = self._exchange.is_hedge(name, symbol)
        if buy != sell and not (hedged and self._exchange.is_isolated(name, symbol)):
            raise CallRefused(10001, "buy leverage must equal sell leverage")
        wanted = {PositionSide.LONG: buy, PositionSide.SHORT: sell} if hedged else {PositionSide.BOTH: buy}
        if all(self._exchange.leverage(name, symbol, side) == value for side, value in wanted.items()):
            raise CallRefused(110043, "leverage not modified")
        before = {side: self._exchange.leverage(name, symbol, side) for side in wanted}
        for side, value in wanted.items():
            try:
                self._exchange.set_leverage(name, symbol, value, side)
            except Refused as refused:
                for done, old in before.items():
                    if self._exchange.leverage(name, symbol, done) != old:
                        self._exchange.set_leverage(name, symbol, old, done)
                if refused.why in (Why.LEVERAGE, Why.LEVERAGE_CAP):
                    raise CallRefused(110013, "cannot set leverage gt maxLeverage by risk limit") from None
                if refused.why is Why.MARGIN:
                    raise CallRefused(110044, "Insufficient available margin") from None
                raise of_exchange(refused) from None
        return {}

    def switch_mode(self, account: AccountSpec, body: Asked) -> Any:
        """One-way or hedge, for a symbol or for all of a coin.

        Raises:
            CallRefused: 110024: there is a position; 110025: it is so already; 110028: there are orders.
        """
        check_linear(body)
        mode = integer(body, "mode")
        if mode not in MODES:
            raise bad_param("mode invalid")
        symbol = None
        if body.get("symbol"):
            symbol = spec_of(self._exchange, body).instrument.symbol
        elif body.get("coin") != account.asset:
            raise bad_param("symbol or coin is required")
        try:
            self._exchange.set_hedge(account.name, symbol, MODES[mode])
        except Refused as refused:
            if refused.why is Why.UNCHANGED:
                raise CallRefused(110025, "Position mode is not modified") from None
            if refused.why is Why.HAS_POSITION:
                words = "You have an existing position, so position mode cannot be switched"
                raise CallRefused(110024, words) from None
            raise of_exchange(refused) from None
        return {}

    # --- isolated margin ----------------------------------------------------------------------------------------------

    def add_margin(self, account: AccountSpec, body: Asked) -> Any:
        """
        Raises:
            CallRefused: 110015: the margin is cross; 110033: no position; 110014, 110078: more than there is.
        """
        symbol, side = self._of_position(account, body)
        text = body.get("margin")
        if not isinstance(text, str) or not _MARGIN.fullmatch(text):
            raise bad_param("margin invalid")
        margin = Decimal(text)
        if not margin:
            raise CallRefused(110027, "Margin is not modified")
        try:
            position = self._exchange.add_margin(account.name, symbol, side, margin)
        except Refused as refused:
            code, words = _MARGIN_WORDS.get(refused.why, (0, ""))
            raise (CallRefused(code, words) if code else of_exchange(refused)) from None
        return self._rows.margined(account.name, position)

    def set_auto_add_margin(self, account: AccountSpec, body: Asked) -> Any:
        symbol, side = self._of_position(account, body)
        wanted = integer(body, "autoAddMargin")
        if wanted not in (0, 1):
            raise bad_param("autoAddMargin invalid")
        standing = self._exchange.position(account.name, symbol, side)
        if standing.is_isolated and standing.auto_add_margin is bool(wanted):
            raise CallRefused(10001, "autoAddMargin not modified")
        try:
            self._exchange.set_auto_add_margin(account.name, symbol, side, bool(wanted))
        except Refused as refused:
            if refused.why is Why.NOT_ISOLATED:
                raise CallRefused(110076, "Only isolated mode can set auto-add-margin") from None
            raise of_exchange(refused) from None
        return {}

    def _of_position(self, account: AccountSpec, body: Asked) -> tuple[str, PositionSide]:
        symbol = spec_of(self._exchange, body).instrument.symbol
        side = POSITION_SIDES.get(integer(body, "positionIdx", 0))
        if side is None or (side is not PositionSide.BOTH) is not self._exchange.is_hedge(account.name, symbol):
            raise CallRefused(10001, "position idx not match position mode")
        return symbol, side

    # --- what has little or no effect any more ------------------------------------------------------------------------

    def confirm_pending_mmr(self, account: AccountSpec, body: Asked) -> Any:
        """Nothing is ever pending: risk limits stay as they are here."""
        spec_of(self._exchange, body)
        return {}

    def set_risk_limit(self, account: AccountSpec, body: Asked) -> Any:
        """No effect: the venue picks the tier by itself since 2024-03-12."""
        spec = spec_of(self._exchange, body)
        tier = next((one for one in spec.tiers if one.number == integer(body, "riskId")), None)
        if tier is None:
            raise CallRefused(110031, "Risk limit info does not exist")
        return {"riskId": tier.number, "riskLimitValue": cut(tier.cap), "category": "linear"}

    def set_tpsl_mode(self, account: AccountSpec, body: Asked) -> Any:
        """No effect: each order says it itself."""
        spec_of(self._exchange, body)
        if body.get("tpSlMode") not in ("Full", "Partial"):
            raise bad_param("tpSlMode invalid")
        return {"tpSlMode": body["tpSlMode"]}

    def switch_isolated(self, account: AccountSpec, body: Asked) -> Any:
        """
        Raises:
            CallRefused: Always: the margin mode is one for the whole account (set-margin-mode).
        """
        raise CallRefused(100028, "unified account is forbidden")

    def move(self, account: AccountSpec, body: Asked) -> Any:
        """
        Raises:
            CallRefused: Always: accounts here have no others under them to move positions to.
        """
        raise CallRefused(10005, "Permission denied, please check your API key permissions.")

    def moved(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/position/move-history."""
        return {"list": [], "nextPageCursor": ""}


_MARGIN_WORDS = {
    Why.NOT_ISOLATED: (110015, "The position is in cross margin"),
    Why.NO_POSITION: (110033, "Margin cannot be set without open position"),
    Why.MARGIN: (110014, "Insufficient available balance to add additional margin"),
    Why.MARGIN_TOO_MUCH: (110078, "The reduced margin is over the maximum"),
}


def _leverage(body: Asked, name: str) -> Decimal:
    text = body.get(name)
    if isinstance(text, str) and _LEVERAGE.fullmatch(text) and Decimal(text) >= 1:
        return Decimal(text)
    raise bad_param(f"{name} invalid")
