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
    """Times are Unix milliseconds of the venue's clock, both ends included; None leaves that end open. Setters do not
    raise where nothing needs changing: they return `changed=False`.

    Raises (all methods; those that give a History for what the venue says while it is walked):
        APIError: The venue can't be asked, or refuses; see errors.py.
        BadInput: An argument that can't be asked for, or no API key; nothing was sent.
        NotOffered: The venue has no such call; nothing was sent.
    """

    async def get_account_info(self) -> AccountInfo:
        """Balances and margin of the account, in its currency: USDT at Binance, USD at Bybit.

        Source: Binance Account-Information-V3; Bybit account/wallet-balance.
        """
        return await self._path.run(self.venue.account())

    async def get_positions(self, symbol: str | None = None) -> tuple[Position, ...]:
        """Open positions; with a symbol, that symbol's rows even when flat where the venue lists them.

        Source: Binance Position-Information-V3; Bybit position.
        """
        return await self._path.run(self.venue.positions(self._symbol_or_none(symbol)))

    async def get_key_info(self) -> KeyInfo:
        """What the key may do; see `key_info` for what was said last. Of Binance's environments live alone can
        be asked.

        Source: Binance wallet/account/api-key-permission; Bybit user/apikey-info.
        """
        return await self._path.run(self.venue.key_info())

    async def get_symbol_settings(self, symbol: str) -> SymbolSettings:
        """Leverage and margin mode of a symbol. Bybit's margin mode is that of the whole account.

        Source: Binance Symbol-Config; Bybit position, account/info.
        """
        return await self._path.run(self.venue.symbol_settings(self._symbol(symbol)))

    async def set_leverage(self, symbol: str, leverage: Number) -> Setting:
        """Set a symbol's leverage (both sides in hedge mode). Binance takes whole numbers only, and may apply another
        than asked: `value` is what it says.

        Raises:
            BadInput: Binance: no whole number from 1 to 125.

        Source: Binance Change-Initial-Leverage; Bybit position/leverage.
        """
        wanted = self._exact(leverage, "leverage", "set_leverage")
        return await self._set(self.venue.set_leverage(self._symbol(symbol), wanted), wanted)

    async def set_margin_mode(self, mode: MarginMode | str, symbol: str | None = None) -> Setting:
        """Cross or isolated. Binance: of a symbol. Bybit: of the whole account (give no symbol); portfolio, too.

        Raises:
            BadInput: Binance: no symbol.
            NotOffered: Binance: portfolio. Bybit: a symbol.

        Source: Binance Change-Margin-Type; Bybit account/set-margin-mode.
        """
        wanted = self._word(MarginMode, mode, "mode", "set_margin_mode")
        return await self._set(self.venue.set_margin_mode(self._symbol_or_none(symbol), wanted), wanted)

    async def get_position_mode(self, symbol: str | None = None) -> PositionMode:
        """One-way or hedge. Binance: of the whole account. Bybit: of a symbol.

        Raises:
            BadInput: Bybit: no symbol.

        Source: Binance Get-Current-Position-Mode; Bybit position.
        """
        mode = await self._path.run(self.venue.position_mode(self._symbol_or_none(symbol)))
        self.position_modes.learn(self._symbol_or_none(symbol), mode)
        return mode

    async def set_position_mode(self, mode: PositionMode | str, symbol: str | None = None) -> Setting:
        """One-way or hedge. Binance: of the whole account, whatever symbol is given. Bybit: of a symbol, or of all that
        are settled in USDT (no symbol).

        Raises:
            NotAllowed, VenueRefused: Orders or positions are open.

        Source: Binance Change-Position-Mode; Bybit position/position-mode.
        """
        wanted = self._word(PositionMode, mode, "mode", "set_position_mode")
        name = self._symbol_or_none(symbol)
        setting = await self._set(self.venue.set_position_mode(name, wanted), wanted)
        self.position_modes.learn(name, wanted)
        return setting

    async def adjust_margin(
        self, symbol: str, amount: Number, position_side: PositionSide | str = PositionSide.BOTH
    ) -> Setting:
        """Add (above 0) or take away (below 0) margin of an isolated position, in the settle asset. It is sent once.

        Args:
            position_side: LONG or SHORT in hedge mode.

        Raises:
            BadInput: 0. Bybit: more than 4 decimals.
            OutcomeUnknown: The answer was lost: read the position before you repeat it.

        Returns:
            `value` is the amount that was asked for.

        Source: Binance Modify-Isolated-Position-Margin; Bybit position/manual-add-margin.
        """
        side = self._word(PositionSide, position_side, "position_side", "adjust_margin")
        exact_amount = self._exact(amount, "amount", "adjust_margin")
        return await self._path.run(self.venue.adjust_margin(self._symbol(symbol), exact_amount, side))

    async def get_fee_rates(self, symbol: str) -> FeeRates:
        """Maker and taker fee of a symbol for this account, as fractions of the notional.

        Source: Binance User-Commission-Rate; Bybit account/fee-rate.
        """
        return await self._path.run(self.venue.fee_rates(self._symbol(symbol)))

    async def get_brackets(self, symbol: str) -> tuple[RiskBracket, ...]:
        """Tiers of position size (quote), the smallest first: leverage and maintenance margin that hold in each.

        Source: Binance Notional-and-Leverage-Brackets; Bybit market/risk-limit.
        """
        return await self._path.run(self.venue.brackets(self._symbol(symbol)))

    def get_income(
        self,
        symbol: str | None = None,
        *,
        kind: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> History[Income]:
        """Bookings to the account (funding, realised profit, fees, transfers ...), oldest first, in their asset.

        Without a start: the last week at Binance, which keeps three months; the last 24 hours at Bybit, where a booking
        comes as several rows, one for each of its parts, and a symbol's are picked out of all.

        Args:
            kind: FUNDING, REALIZED_PNL, COMMISSION, TRANSFER, LIQUIDATION, ADL, SETTLEMENT or OTHER; None: all.

        Source: Binance Get-Income-History; Bybit account/transaction-log.
        """
        self._check_span(start_ms, end_ms)
        return self._history(self.venue.income(self._symbol_or_none(symbol), kind, start_ms, end_ms))

    def get_funding_payments(
        self, symbol: str | None = None, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[Income]:
        """Fundings paid (below 0) and received (above 0), as get_income(kind="FUNDING").

        Source: Binance Get-Income-History; Bybit account/transaction-log.
        """
        return self.get_income(symbol, kind="FUNDING", start_ms=start_ms, end_ms=end_ms)

    async def _set(self, call: Call[Setting], wanted: V) -> Setting:
        try:
            return await self._path.run(call)
        except NoChange:
            return Setting(changed=False, value=wanted)  # type: ignore[arg-type]
