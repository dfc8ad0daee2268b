"""What an account has chosen beyond its positions: flags of the venue that no order depends on being matched."""

from __future__ import annotations

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.numbers import whole


class Settings:
    """Reads and writes an account's flags, each a text under a name."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def text(self, account: str, name: str, default: str = "") -> str:
        return self._exchange.setting(account, name, default)

    def set(self, account: str, name: str, value: str) -> None:
        self._exchange.set_setting(account, name, value)

    # --- those that there are -----------------------------------------------------------------------------------------

    def rejects_beyond_limit(self, account: str) -> bool:
        """An order beyond the price limit is refused; False, as at first: it is moved to the limit."""
        return self.text(account, "lpa_perp") == "1"

    def is_delta_neutral(self, account: str) -> bool:
        return self.text(account, "delta") == "1"

    def rate(self, account: str) -> int | None:
        """Units a second that the account was given for order entry; None for the default tier's."""
        return whole(self.text(account, "rate"))

    def disconnect_window_s(self, account: str) -> int:
        """After so long without a private connection the orders are cancelled; 0: never."""
        return whole(self.text(account, "dcp")) or 0
