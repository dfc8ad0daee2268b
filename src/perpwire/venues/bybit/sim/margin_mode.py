"""The account's margin mode, and money for demonstration. Source: docs/v5/account/set-margin-mode and docs/v5/demo, as
of 2026-07-24."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, amount, choice, integer
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param
from perpwire.venues.bybit.sim.rows import Rows

MODES = ("ISOLATED_MARGIN", "REGULAR_MARGIN", "PORTFOLIO_MARGIN")
PORTFOLIO_EQUITY = Decimal(1000)
"""The least that portfolio margin wants."""
DEMO_MOST = {"BTC": Decimal(15), "ETH": Decimal(200), "USDT": Decimal(100_000), "USDC": Decimal(100_000)}
DEMO_USUAL = "50000"
"""Where the request names no amounts."""
DEMO_PAUSE_MS = 60_000


class MarginMode:
    """The calls."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        self._exchange = exchange
        self._rows = rows
        self._given_ms: dict[str, int] = {}

    def info(self, account: AccountSpec, asked: Asked) -> wire.AccountInfoReply:
        isolated = self._rows.is_isolated(account.name)
        changed = self._exchange.setting(account.name, "margin_mode_ms", "0")
        return wire.AccountInfoReply(marginMode=MODES[0] if isolated else MODES[1], updatedTime=changed)

    def set(self, account: AccountSpec, body: Asked) -> Any:
        """
        Raises:
            CallRefused: 3400045, with the reasons.
        """
        mode = choice(body, "setMarginMode", MODES)
        if not mode:
            raise bad_param("setMarginMode invalid")
        if mode == "PORTFOLIO_MARGIN":
            if self._exchange.view(account.name).equity < PORTFOLIO_EQUITY:
                raise _failed("3400000", f"Equity needs to be equal to or greater than {PORTFOLIO_EQUITY} USDC")
            raise _failed("3200425", "Portfolio margin is not open to this account")
        isolated = mode == "ISOLATED_MARGIN"
        if isolated is not self._rows.is_isolated(account.name):
            try:
                self._exchange.set_isolated(account.name, None, isolated)
            except Refused as refused:
                raise _failed("3400001", f"Insufficient available balance: {refused}") from None
            self._exchange.set_setting(account.name, "margin_mode_ms", str(self._exchange.now_ms()))
        return {"reasons": []}

    def demo_money(self, account: AccountSpec, body: Asked) -> Any:
        """Once a minute; of the venue's four coins, those that the account can hold.

        Raises:
            CallRefused: 10001; 10006: asked for too soon.
        """
        adjust = integer(body, "adjustType", 0)
        items = body.get("utaDemoApplyMoney", [{"coin": account.asset, "amountStr": DEMO_USUAL}])
        if adjust not in (0, 1) or not isinstance(items, list) or not items:
            raise bad_param("utaDemoApplyMoney invalid")
        amounts: list[Decimal] = []
        for item in items:
            if not isinstance(item, dict) or item.get("coin") not in DEMO_MOST:
                raise bad_param("coin invalid")
            wanted = amount(item, "amountStr", "amountStr invalid")
            if not 0 < wanted <= DEMO_MOST[item["coin"]]:
                raise bad_param("amountStr invalid")
            if item["coin"] != account.asset:
                raise bad_param(f"coin {item['coin']} is not held by this account")
            amounts.append(wanted)
        now_ms = self._exchange.now_ms()
        if now_ms - self._given_ms.get(account.name, -DEMO_PAUSE_MS) < DEMO_PAUSE_MS:
            raise CallRefused(10006, "Too many visits. Exceeded the API Rate Limit.")
        total = sum(amounts, Decimal(0))
        try:
            self._exchange.deposit(account.name, account.asset, -total if adjust else total)
        except Refused:
            raise CallRefused(10001, "Insufficient balance") from None
        self._given_ms[account.name] = now_ms
        return {}


def _failed(code: str, words: str) -> CallRefused:
    return CallRefused(3400045, "Set margin mode failed", {"reasons": [{"reasonCode": code, "reasonMsg": words}]})
