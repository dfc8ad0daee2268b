"""Disconnect protection: orders are cancelled when an account's connections are gone for too long.

Source: docs/v5/dcp (rules) and docs/v5/order/dcp, as of 2026-07-24. Time runs from the end of the account's last
connection that is subscribed to dcp.future. It stops when another one is subscribed and sends a ping.
"""

from __future__ import annotations

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.timers import Timers

TOPIC = "dcp.future"

EFFECTIVE_AFTER_S = 10.0
"""A changed window counts only after so long."""


class DisconnectGuard:
    """Protects the accounts that asked for it."""

    def __init__(self, exchange: Exchange, settings: Settings, timers: Timers) -> None:
        self._exchange = exchange
        self._settings = settings
        self._timers = timers
        self._connections: dict[str, int] = {}
        self._countdowns: dict[str, int] = {}  # account -> number of the countdown that runs
        self._last_countdown = 0
        # What counts, by account, in seconds.
        self._windows = {spec.name: settings.disconnect_window_s(spec.name) for spec in exchange.account_specs()}

    def on_setting(self, account: str) -> None:
        """The account changed a setting, perhaps its window."""
        seconds = self._settings.disconnect_window_s(account)
        if seconds == self._windows[account]:
            return

        def take_effect() -> None:
            if self._settings.disconnect_window_s(account) == seconds:
                self._windows[account] = seconds

        self._timers.later(EFFECTIVE_AFTER_S, take_effect)

    def arrived(self, account: str) -> None:
        """A connection subscribed."""
        self._connections[account] = self._connections.get(account, 0) + 1

    def pinged(self, account: str) -> None:
        """A subscribed connection sent a ping."""
        self._countdowns.pop(account, None)

    def gone(self, account: str) -> None:
        """A subscribed connection ended, or left the topic."""
        self._connections[account] -= 1
        seconds = self._windows[account]
        if self._connections[account] or not seconds or account in self._countdowns:
            return
        self._last_countdown += 1
        number = self._countdowns[account] = self._last_countdown

        def run_out() -> None:
            if self._countdowns.get(account) == number:
                del self._countdowns[account]
                self._exchange.cancel_all(account, None, reason="disconnect")

        self._timers.later(float(seconds), run_out)
