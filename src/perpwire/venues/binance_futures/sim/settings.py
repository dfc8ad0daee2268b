"""The simulator's calls that read and change how an account trades."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.model.order import PositionSide
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.sim.flags import FEE_BURN, MULTI_ASSETS, STOCK_AGREEMENT, Flags
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, needed, needed_truth, needed_whole
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords, invalid, refused_as, stripped

SUCCESS = wire.Done(code=200, msg="success")

_LEVERAGE_CODES = {
    Why.LEVERAGE: (-4028, "Leverage is not valid."),
    Why.LEVERAGE_CAP: (-2027, "Exceeded the maximum allowable position at current leverage."),
    Why.MARGIN: (-2028, "Leverage is smaller than permitted: insufficient margin balance."),
    Why.HAS_POSITION: (-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."),
}
_MARGIN_TYPE_CODES = {
    Why.UNCHANGED: (-4046, "No need to change margin type."),
    Why.HAS_ORDERS: (-4047, "Margin type cannot be changed if there exists open orders."),
    Why.HAS_POSITION: (-4048, "Margin type cannot be changed if there exists position."),
}
_POSITION_MODE_CODES = {
    Why.UNCHANGED: (-4059, "No need to change position side."),
    Why.HAS_ORDERS: (-4067, "Position side cannot be changed if there exists open orders."),
    Why.HAS_POSITION: (-4068, "Position side cannot be changed if there exists position."),
}


class SettingCalls:
    def __init__(self, exchange: Exchange, listing: Listing, flags: Flags) -> None:
        self._exchange = exchange
        self._listing = listing
        self._flags = flags

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("GET", "/fapi/v1/accountConfig"): row(self._account_config, 5),
            ("GET", "/fapi/v1/symbolConfig"): row(self._symbol_config, 5),
            ("POST", "/fapi/v1/leverage"): row(self._set_leverage, 1),
            ("POST", "/fapi/v1/marginType"): row(self._set_margin_type, 1),
            ("GET", "/fapi/v1/positionSide/dual"): row(self._position_mode, 30),
            ("POST", "/fapi/v1/positionSide/dual"): row(self._set_position_mode, 1),
            ("GET", "/fapi/v1/multiAssetsMargin"): row(self._multi_assets, 30),
            ("POST", "/fapi/v1/multiAssetsMargin"): row(self._set_multi_assets, 1),
            ("GET", "/fapi/v1/feeBurn"): row(self._fee_burn, 30),
            ("POST", "/fapi/v1/feeBurn"): row(self._set_fee_burn, 1),
            ("POST", "/fapi/v1/stock/contract"): row(self._sign_stock_agreement, 50),
        }

    # --- all in one -----------------------------------------------------------------------------------------------

    def _account_config(self, account: str, args: Args) -> wire.AccountConfig:
        return wire.AccountConfig(
            fee_tier=0,
            can_trade=True,
            can_deposit=True,
            can_withdraw=True,
            dual_side_position=self._is_hedge(account),
            update_time=0,
            multi_assets_margin=self._flags.multi_assets(account),
            trade_group_id=-1,
        )

    def _symbol_config(self, account: str, args: Args) -> list[wire.SymbolConfig]:
        return [self._config_of(account, words) for words in self._listing.chosen(args)]

    def _config_of(self, account: str, words: SymbolWords) -> wire.SymbolConfig:
        side = PositionSide.LONG if self._is_hedge(account) else PositionSide.BOTH
        position = self._exchange.position(account, words.symbol, side)
        leverage = self._exchange.leverage(account, words.symbol, side)
        return wire.SymbolConfig(
            symbol=words.symbol,
            margin_type="ISOLATED" if self._exchange.is_isolated(account, words.symbol) else "CROSSED",
            is_auto_add_margin=position.auto_add_margin,
            leverage=int(leverage),
            max_notional_value=stripped(words.spec.cap_at(leverage)),
        )

    # --- leverage and margin --------------------------------------------------------------------------------------

    def _set_leverage(self, account: str, args: Args) -> wire.Leverage:
        """Of both sides in hedge mode."""
        words = self._listing.words_of(args)
        leverage = needed_whole(args, "leverage")
        if not 1 <= leverage <= words.spec.max_leverage:
            raise Refusal(-4028, f"Leverage {leverage} is not valid")
        if self._exchange.is_isolated(account, words.symbol):
            held = [one for one in self._exchange.position_views(account, words.symbol) if one.position.quantity]
            if any(leverage < one.position.leverage for one in held):
                raise Refusal(*_LEVERAGE_CODES[Why.HAS_POSITION])
        try:
            if any(self._exchange.leverage(account, words.symbol, side) != leverage for side in PositionSide):
                self._exchange.set_leverage(account, words.symbol, Decimal(leverage))
        except Refused as refused:
            raise refused_as(refused, _LEVERAGE_CODES) from None
        return wire.Leverage(
            leverage=leverage,
            max_notional_value=stripped(words.spec.cap_at(Decimal(leverage))),
            symbol=words.symbol,
        )

    def _set_margin_type(self, account: str, args: Args) -> wire.Done:
        words = self._listing.words_of(args)
        word = needed(args, "marginType")
        if word not in ("ISOLATED", "CROSSED"):
            raise invalid("marginType")
        is_isolated = word == "ISOLATED"
        if is_isolated and self._flags.multi_assets(account):
            raise Refusal(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
        if self._exchange.is_isolated(account, words.symbol) is is_isolated:
            raise Refusal(*_MARGIN_TYPE_CODES[Why.UNCHANGED])
        if self._exchange.open_orders(account, words.symbol) or self._exchange.open_triggers(account, words.symbol):
            raise Refusal(*_MARGIN_TYPE_CODES[Why.HAS_ORDERS])
        if any(view.position.quantity for view in self._exchange.position_views(account, words.symbol)):
            raise Refusal(*_MARGIN_TYPE_CODES[Why.HAS_POSITION])
        try:
            self._exchange.set_isolated(account, words.symbol, is_isolated)
        except Refused as refused:
            raise refused_as(refused, _MARGIN_TYPE_CODES) from None
        return SUCCESS

    # --- of the whole account -------------------------------------------------------------------------------------

    def _is_hedge(self, account: str) -> bool:
        return self._exchange.is_hedge(account, next(iter(self._listing.words)))

    def _position_mode(self, account: str, args: Args) -> wire.PositionMode:
        return wire.PositionMode(dual_side_position=self._is_hedge(account))

    def _set_position_mode(self, account: str, args: Args) -> wire.Done:
        is_hedge = needed_truth(args, "dualSidePosition")
        if self._is_hedge(account) is is_hedge:
            raise Refusal(*_POSITION_MODE_CODES[Why.UNCHANGED])
        try:
            self._exchange.set_hedge(account, None, is_hedge)
        except Refused as refused:
            raise refused_as(refused, _POSITION_MODE_CODES) from None
        return SUCCESS

    def _multi_assets(self, account: str, args: Args) -> wire_account.MultiAssets:
        return wire_account.MultiAssets(multi_assets_margin=self._flags.multi_assets(account))

    def _set_multi_assets(self, account: str, args: Args) -> wire.Done:
        value = needed_truth(args, "multiAssetsMargin")
        if self._flags.multi_assets(account) is value:
            raise Refusal(-4171, "No need to change multi-assets mode.")
        if self._exchange.open_orders(account, None):
            raise Refusal(-4170, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.")
        if value and any(self._exchange.is_isolated(account, symbol) for symbol in self._listing.words):
            raise Refusal(
                -4167,
                "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode.",
            )
        self._flags.set(account, MULTI_ASSETS, value)
        return SUCCESS

    def _fee_burn(self, account: str, args: Args) -> wire_account.FeeBurn:
        return wire_account.FeeBurn(fee_burn=self._flags.fee_burn(account))

    def _set_fee_burn(self, account: str, args: Args) -> wire.Done:
        self._flags.set(account, FEE_BURN, needed_truth(args, "feeBurn"))
        return SUCCESS

    def _sign_stock_agreement(self, account: str, args: Args) -> wire.Done:
        self._flags.set(account, STOCK_AGREEMENT, True)
        return SUCCESS
