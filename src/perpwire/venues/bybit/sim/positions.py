"""Positions over REST. Source: docs/v5/position, as of 2026-07-24."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from perpwire.simulator.events import Refused
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, in_order, is_linear, paged, spec_of
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.rows import Rows
from perpwire.venues.bybit.sim.rules import rules_of

_LEVERAGE = re.compile(r"\d{1,4}(\.\d{1,2})?", re.ASCII)


class Positions:
    """Reading positions, and setting how they are held."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        self._exchange = exchange
        self._rows = rows

    def listed(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        name = account.name
        if asked.get("symbol"):
            positions = [self._exchange.position(name, spec_of(self._exchange, asked).instrument.symbol)]
        elif coin := asked.get("settleCoin"):
            positions = [
                one
                for one in self._exchange.positions(name)
                if self._exchange.spec(one.symbol).instrument.settle == coin
            ]
        else:
            raise CallRefused(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
        page, cursor = paged(in_order(positions), asked, default=20, most=200)
        return wire.Page([self._rows.position(name, one) for one in page], cursor)

    def set_leverage(self, account: AccountSpec, body: Asked) -> Any:
        symbol = spec_of(self._exchange, body).instrument.symbol
        buy, sell = (_leverage(body, name) for name in ("buyLeverage", "sellLeverage"))
        if buy != sell:
            raise CallRefused(10001, "buy leverage must equal sell leverage")
        if buy > rules_of(symbol).max_leverage:
            raise CallRefused(110013, "cannot set leverage gt maxLeverage by risk limit")
        if buy == self._exchange.leverage(account.name, symbol):
            raise CallRefused(110043, "leverage not modified")
        try:
            self._exchange.set_leverage(account.name, symbol, buy)
        except Refused as refused:
            raise of_exchange(refused) from None
        return {}


def _leverage(body: Asked, name: str) -> Decimal:
    text = body.get(name)
    if isinstance(text, str) and _LEVERAGE.fullmatch(text) and Decimal(text) >= 1:
        return Decimal(text)
    raise bad_param(f"{name} invalid")
