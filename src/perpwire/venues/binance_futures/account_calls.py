"""The calls about the account behind the key."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from perpwire.errors import BadInput
from perpwire.model.account import (
    AccountInfo,
    AccountSettings,
    FeeRates,
    Income,
    KeyInfo,
    MarginMode,
    Position,
    PositionMode,
    RiskBracket,
    Setting,
    SymbolSettings,
)
from perpwire.model.order import PositionSide
from perpwire.venues.base import AccountCalls, Call
from perpwire.venues.binance_futures import endpoints_account as endpoints, key_info, translate_account, wire
from perpwire.venues.binance_futures.calling import call
from perpwire.venues.binance_futures.income_pages import income_pages
from perpwire.venues.binance_futures.spans import check_span
from perpwire.venues.binance_futures.translate_words import VENUE


class BinanceAccountCalls(AccountCalls):
    """Margin mode and leverage are set by symbol, the position mode for the account (and COIN-M with it)."""

    def account(self) -> Call[AccountInfo]:
        return call(endpoints.ACCOUNT, {}, translate_account.account)

    def key_info(self) -> Call[KeyInfo]:
        """Of the wallet service, which live has alone."""
        return call(endpoints.KEY_INFO, {}, key_info.key_info)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        if symbol is None:
            return call(endpoints.POSITIONS, {}, translate_account.open_positions)
        return call(endpoints.POSITIONS, {"symbol": symbol}, translate_account.positions)

    def symbol_settings(self, symbol: str) -> Call[SymbolSettings]:
        return call(endpoints.SYMBOL_SETTINGS, {"symbol": symbol}, partial(translate_account.symbol_settings, symbol))

    def account_settings(self) -> Call[AccountSettings]:
        """Weight 10."""

        def and_symbols(of_account: AccountSettings) -> Call[AccountSettings]:
            return call(endpoints.SYMBOL_SETTINGS, {}, partial(translate_account.with_symbols, of_account))

        return call(endpoints.ACCOUNT_CONFIG, {}, translate_account.account_settings, follow=and_symbols)

    def set_leverage(self, symbol: str, leverage: Decimal) -> Call[Setting]:
        """It is read first: the venue does not say whether anything changed.

        Raises:
            BadInput: No whole number from 1 to 125.
        """
        if leverage != leverage.to_integral_value() or not 1 <= leverage <= 125:
            raise _bad("set_leverage", f"leverage {leverage} is no whole number from 1 to 125", "BAD_LEVERAGE")
        wanted = int(leverage)

        def change(found: Setting) -> Call[Setting] | None:
            if found.value == wanted:
                return None
            return call(
                endpoints.SET_LEVERAGE,
                {"symbol": symbol, "leverage": wanted},
                lambda reply: Setting(changed=True, value=Decimal(reply.leverage)),
            )

        return call(
            endpoints.SYMBOL_SETTINGS,
            {"symbol": symbol},
            lambda rows: Setting(changed=False, value=translate_account.symbol_settings(symbol, rows).leverage),
            follow=change,
        )

    def set_margin_mode(self, symbol: str | None, mode: MarginMode) -> Call[Setting]:
        """
        Raises:
            BadInput: No symbol is given.
            NotOffered: Neither cross nor isolated.
        """
        word = translate_account.MARGIN_WORDS.get(mode)
        if word is None:
            self.lacks("set_margin_mode", f"there is no margin mode {mode} here")
        if symbol is None:
            raise _bad("set_margin_mode", "the venue sets it symbol by symbol: name one", "NO_SYMBOL")
        params = {"symbol": symbol, "marginType": word}
        return call(endpoints.SET_MARGIN_MODE, params, lambda reply: Setting(changed=True, value=mode))

    def position_mode(self, symbol: str | None) -> Call[PositionMode]:
        return call(endpoints.POSITION_MODE, {}, translate_account.position_mode)

    def set_position_mode(self, symbol: str | None, mode: PositionMode) -> Call[Setting]:
        """Of the whole account, whatever symbol is given: it can't be set for one."""
        params = {"dualSidePosition": "true" if mode is PositionMode.HEDGE else "false"}
        return call(endpoints.SET_POSITION_MODE, params, lambda reply: Setting(changed=True, value=mode))

    def adjust_margin(self, symbol: str, amount: Decimal, position_side: PositionSide) -> Call[Setting]:
        """`value` is the amount moved.

        Raises:
            BadInput: The amount is 0.
        """
        if not amount:
            raise _bad("adjust_margin", "the amount is 0", "BAD_AMOUNT")
        params = {
            "symbol": symbol,
            "amount": abs(amount),
            "type": 1 if amount > 0 else 2,
            "positionSide": None if position_side is PositionSide.BOTH else position_side.value,
        }
        return call(endpoints.ADJUST_MARGIN, params, lambda reply: Setting(changed=True, value=amount))

    def fee_rates(self, symbol: str) -> Call[FeeRates]:
        return call(endpoints.FEE_RATES, {"symbol": symbol}, translate_account.fee_rates)

    def brackets(self, symbol: str) -> Call[tuple[RiskBracket, ...]]:
        def told(reply: wire.SymbolBrackets | list[wire.SymbolBrackets]) -> tuple[RiskBracket, ...]:
            return translate_account.brackets(symbol, reply)

        return call(endpoints.BRACKETS, {"symbol": symbol}, told)

    def income(
        self, symbol: str | None, kind: str | None, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[Income, ...]]:
        """Oldest first. Three months; without a start, the last week.

        Raises:
            BadInput: No such kind.
        """
        check_span("income", start_ms, end_ms)
        known = (*translate_account.INCOME_KINDS, "ADL", "OTHER")
        if kind is not None and kind not in known:
            raise _bad("income", f"kind {kind!r} is not one of {', '.join(known)}", "BAD_KIND")
        return income_pages(symbol, kind, start_ms, end_ms)


def _bad(name: str, reason: str, code: str) -> BadInput:
    return BadInput(reason, venue=VENUE, call=name, code=code)
