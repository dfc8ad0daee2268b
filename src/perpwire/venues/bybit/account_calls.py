"""The calls about the account."""

from __future__ import annotations

from decimal import Decimal

from perpwire.errors import NotOffered
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
from perpwire.venues.bybit import endpoints, key_info, translate_account as translate, wire
from perpwire.venues.bybit.paging import KEPT_MS, Log, bad, call, of_symbol_or_all, paged
from perpwire.venues.bybit.translate import POSITION_INDEXES

LINEAR = {"category": "linear"}
POSITION_MODES = {PositionMode.ONE_WAY: 0, PositionMode.HEDGE: 3}
LEVERAGE_PLACES = 2
MARGIN_PLACES = 4
"""Decimals that an added margin may have."""


class BybitAccountCalls(AccountCalls):
    """Position mode is a matter of each symbol here, margin mode one of the whole account."""

    position_mode_by_symbol = True

    def account(self) -> Call[AccountInfo]:
        return call(endpoints.ACCOUNT, {"accountType": "UNIFIED"}, translate.account)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        params = {**LINEAR, "limit": 200}
        return of_symbol_or_all(
            endpoints.POSITIONS,
            params,
            symbol,
            translate.positions,
            row_key=lambda one: (one.symbol, one.position_side),
        )

    def key_info(self) -> Call[KeyInfo]:
        return call(endpoints.KEY_INFO, {}, key_info.key_info)

    # --- settings -------------------------------------------------------------------------------------------------

    def symbol_settings(self, symbol: str) -> Call[SymbolSettings]:
        """Read off the symbol's position and the account. With portfolio margin there is no leverage: 0."""

        def with_mode(settings: SymbolSettings) -> Call[SymbolSettings]:
            def merged(reply: wire.AccountInfoReply) -> SymbolSettings:
                mode = translate.margin_mode(reply)
                return SymbolSettings(
                    venue=settings.venue,
                    symbol=settings.symbol,
                    leverage=settings.leverage,
                    margin_mode=mode,
                    max_notional=settings.max_notional,
                )

            return call(endpoints.ACCOUNT_INFO, {}, merged)

        return call(
            endpoints.POSITIONS,
            {**LINEAR, "symbol": symbol},
            lambda page: translate.symbol_settings(page, symbol),
            follow=with_mode,
        )

    def account_settings(self) -> Call[AccountSettings]:
        """The margin mode alone. Leverage is stated by positions, and of symbols without one only symbol by symbol."""
        return call(
            endpoints.ACCOUNT_INFO, {}, lambda reply: AccountSettings(margin_modes={"": translate.margin_mode(reply)})
        )

    def set_leverage(self, symbol: str, leverage: Decimal) -> Call[Setting]:
        """Of both sides.

        Raises:
            BadInput: Below 1, or of more than two decimals; the greatest goes by the position's size.
        """
        if leverage < 1 or leverage != round(leverage, LEVERAGE_PLACES):
            reason = f"leverage {leverage:f} must be 1 or more, with at most {LEVERAGE_PLACES} decimals"
            raise bad("set_leverage", "BAD_LEVERAGE", reason)
        params = {**LINEAR, "symbol": symbol, "buyLeverage": leverage, "sellLeverage": leverage}
        return call(endpoints.SET_LEVERAGE, params, lambda reply: Setting(changed=True, value=leverage))

    def set_margin_mode(self, symbol: str | None, mode: MarginMode) -> Call[Setting]:
        """The venue does not say whether anything changed, so the mode is read first."""
        if symbol is not None:
            raise NotOffered(
                "the margin mode is one for the whole account here",
                venue=self.name,
                call="set_margin_mode",
                code="NOT_OFFERED",
                advice="Give no symbol to set it for the account.",
            )
        params = {"setMarginMode": translate.MARGIN_MODE_TEXTS[mode]}

        def change(setting: Setting) -> Call[Setting] | None:
            return call(endpoints.SET_MARGIN_MODE, params, lambda reply: setting) if setting.changed else None

        return call(
            endpoints.ACCOUNT_INFO,
            {},
            lambda reply: Setting(changed=translate.margin_mode(reply) is not mode, value=mode),
            follow=change,
        )

    def position_mode(self, symbol: str | None) -> Call[PositionMode]:
        """Read off the symbol's positions, which are listed even when flat: two of them in hedge mode."""
        if symbol is None:
            raise bad("position_mode", "BAD_SYMBOL", "each symbol has a position mode of its own here; give one")
        return call(endpoints.POSITIONS, {**LINEAR, "symbol": symbol}, translate.position_mode)

    def set_position_mode(self, symbol: str | None, mode: PositionMode) -> Call[Setting]:
        """Of a symbol; with None, of every contract settled in USDT that has no mode of its own. Contracts settled in
        USDC know only the one-way mode."""
        whose = {"coin": "USDT"} if symbol is None else {"symbol": symbol}
        params = {**LINEAR, **whose, "mode": POSITION_MODES[mode]}
        return call(endpoints.SET_POSITION_MODE, params, lambda reply: Setting(changed=True, value=mode))

    def adjust_margin(self, symbol: str, amount: Decimal, position_side: PositionSide) -> Call[Setting]:
        """`value` is the amount that was asked for."""
        if not amount or amount != round(amount, MARGIN_PLACES):
            reason = f"{amount:f} must not be 0, and have at most {MARGIN_PLACES} decimals"
            raise bad("adjust_margin", "BAD_AMOUNT", reason)
        params = {**LINEAR, "symbol": symbol, "margin": amount, "positionIdx": POSITION_INDEXES[position_side]}
        return call(endpoints.ADD_MARGIN, params, lambda reply: Setting(changed=True, value=amount))

    # --- fees, tiers, bookings --------------------------------------------------------------------------------------

    def fee_rates(self, symbol: str) -> Call[FeeRates]:
        return call(endpoints.FEE_RATES, {**LINEAR, "symbol": symbol}, lambda page: translate.fee_rates(page, symbol))

    def brackets(self, symbol: str) -> Call[tuple[RiskBracket, ...]]:
        params = {**LINEAR, "symbol": symbol}
        return paged(endpoints.BRACKETS, params, lambda page: translate.brackets(page, symbol))

    def income(
        self, symbol: str | None, kind: str | None, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[Income, ...]]:
        """Oldest first. A booking of the venue's that is realised profit, fee and funding in one comes as several rows
        with one income_id. The venue can't be asked for one symbol: the others are read and left out. Without times:
        the last 24 hours."""
        if kind is not None and kind not in translate.KINDS:
            raise bad("income", "BAD_KIND", f"kind {kind!r} is not one of {', '.join(sorted(translate.KINDS))}")
        return Log(endpoints.INCOME, kept_ms=KEPT_MS).read(
            {"accountType": "UNIFIED", "type": translate.VENUE_KINDS.get(kind or ""), "limit": 50},
            start_ms,
            end_ms,
            lambda reply: translate.incomes(reply.result, symbol, kind),
            row_key=lambda one: (one.income_id, one.venue_kind, one.kind, one.time_ms, one.trade_id),
        )
