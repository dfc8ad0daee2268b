"""Switches of an account that the exchange only keeps for the venue."""

from __future__ import annotations

from perpwire.simulator.exchange import Exchange

FEE_BURN = "feeBurn"
MULTI_ASSETS = "multiAssetsMargin"
STOCK_AGREEMENT = "stockContract"
MARGIN_CHANGES = "marginChanges"


class Flags:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def fee_burn(self, account: str) -> bool:
        """Fees are paid in BNB where there is some; there never is here."""
        return self._is(account, FEE_BURN, "true")

    def multi_assets(self, account: str) -> bool:
        """Do all assets count as margin together?"""
        return self._is(account, MULTI_ASSETS, "false")

    def set(self, account: str, name: str, value: bool) -> None:
        self._exchange.set_setting(account, name, "true" if value else "false")

    def _is(self, account: str, name: str, default: str) -> bool:
        return self._exchange.setting(account, name, default) == "true"
