"""The connector's calls about the account behind the key."""

from __future__ import annotations

from typing import TypeVar

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.api_connector.history import History
from perpwire.errors import NoChange
from perpwire.model.account import (
    AccountInfo,
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
from perpwire.model.numbers import Number
from perpwire.model.order import PositionSide
from perpwire.venues.base import Call

V = TypeVar("V")


class AccountMethods(ConnectorCore):
    """Every method raises APIError (errors.py) where the venue can't be asked or refuses, and NotOffered where it has
    no such call. Setters do not raise where nothing needs changing: they return `changed=False`."""

    async def get_account_info(self) -> AccountInfo:
        """Balances and margin of the account."""
        return await self._path.run(self.venue.account())

    async def get_positions(self, symbol: str | None = None) -> tuple[Position, ...]:
        """Open positions; with a symbol, that symbol's rows even when flat where the venue lists them."""
        return await self._path.run(self.venue.positions(self._symbol_or_none(symbol)))

    async def get_key_info(self) -> KeyInfo:
        """What the key may do."""
        return await self._path.run(self.venue.key_info())

    async def get_symbol_settings(self, symbol: str) -> SymbolSettings:
        """Leverage and margin mode of a symbol."""
        return await self._path.run(self.venue.symbol_settings(self._symbol(symbol)))

    async def set_leverage(self, symbol: str, leverage: Number) -> Setting:
        """Set a symbol's leverage (both sides in hedge mode). Binance takes whole numbers only, and may apply another
        than asked: `value` is what it says."""
        wanted = self._exact(leverage, "leverage", "set_leverage")
        return await self._set(self.venue.set_leverage(self._symbol(symbol), wanted), wanted)

    async def set_margin_mode(self, mode: MarginMode | str, symbol: str | None = None) -> Setting:
        """Cross or isolated. Binance: of a symbol. Bybit: of the whole account (give no symbol)."""
        wanted = self._word(MarginMode, mode, "mode", "set_margin_mode")
        return await self._set(self.venue.set_margin_mode(self._symbol_or_none(symbol), wanted), wanted)

    async def get_position_mode(self, symbol: str | None = None) -> PositionMode:
        """One-way or hedge. Binance: of the whole account. Bybit: of a symbol."""
        mode = await self._path.run(self.venue.position_mode(self._symbol_or_none(symbol)))
        self.position_modes.learn(self._symbol_or_none(symbol), mode)
        return mode

    async def set_position_mode(self, mode: PositionMode | str, symbol: str | None = None) -> Setting:
        """One-way or hedge. Binance: of the whole account. Bybit: of a symbol, or of all (no symbol). Refused while
        orders or positions are open."""
        wanted = self._word(PositionMode, mode, "mode", "set_position_mode")
        name = self._symbol_or_none(symbol)
        setting = await self._set(self.venue.set_position_mode(name, wanted), wanted)
        self.position_modes.learn(name, wanted)
        return setting

    async def adjust_margin(
        self, symbol: str, amount: Number, position_side: PositionSide | str = PositionSide.BOTH
    ) -> Setting:
        """Add (above 0) or take away (below 0) margin of an isolated position, in the settle asset."""
        side = self._word(PositionSide, position_side, "position_side", "adjust_margin")
        exact_amount = self._exact(amount, "amount", "adjust_margin")
        return await self._path.run(self.venue.adjust_margin(self._symbol(symbol), exact_amount, side))

    async def get_fee_rates(self, symbol: str) -> FeeRates:
        """Maker and taker fee of a symbol."""
        return await self._path.run(self.venue.fee_rates(self._symbol(symbol)))

    async def get_brackets(self, symbol: str) -> tuple[RiskBracket, ...]:
        """Tiers of position size, the smallest first."""
        return await self._path.run(self.venue.brackets(self._symbol(symbol)))

    def get_income(
        self,
        symbol: str | None = None,
        *,
        kind: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> History[Income]:
        """Bookings to the account (funding, realised profit, fees, transfers ...), oldest first.
        `kind`: see model.account.Income."""
        return self._history(self.venue.income(self._symbol_or_none(symbol), kind, start_ms, end_ms))

    def get_funding_payments(
        self, symbol: str | None = None, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[Income]:
        """Fundings paid and received."""
        return self.get_income(symbol, kind="FUNDING", start_ms=start_ms, end_ms=end_ms)

    async def _set(self, call: Call[Setting], wanted: V) -> Setting:
        try:
            return await self._path.run(call)
        except NoChange:
            return Setting(changed=False, value=wanted)  # type: ignore[arg-type]
