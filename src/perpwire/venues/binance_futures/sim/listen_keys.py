"""Listen keys: an account has one at a time, for an hour from when it was last asked for or kept alive.

They are kept with the account's settings, so that a key outlives a restart of the exchange.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from perpwire.clock import Timer
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows
from perpwire.venues.binance_futures.sim.hub import envelope_head
from perpwire.venues.binance_futures.sim.words import Refusal

KEY_LIFE_S = 3600.0

_SETTING = "listenKey"
"""Of an account: its key and when that ends (Unix ms), with a blank between them; "" for none."""


class UserListener(Protocol):
    """A socket on which private events go out."""

    is_combined: bool

    def deliver(self, frame: bytes, name: str, account: str = "", event: str = "") -> None: ...

    def key_closed(self, key: str) -> None:
        """The stream of this key was closed by its owner."""
        ...


class ListenKey:
    """One key and who listens by it."""

    def __init__(self, account: str, text: str) -> None:
        self.account = account
        self.text = text
        self.ends_ns = 0
        self.timer: Timer | None = None
        # Listener -> which events it wants; None for all.
        self.listeners: dict[UserListener, frozenset[str] | None] = {}
        self._head = envelope_head(text)

    def publish(self, payload: bytes, event: str) -> None:
        """To all who want events of this kind. That the key has expired is told to everybody."""
        wrapped = b""
        for listener, wanted in tuple(self.listeners.items()):
            if wanted is not None and event not in wanted and event != "listenKeyExpired":
                continue
            if listener.is_combined:
                wrapped = wrapped or self._head + payload + b"}"
            listener.deliver(wrapped if listener.is_combined else payload, self.text, self.account, event)


class ListenKeys:
    """
    Args:
        on_expired: Told of a key that nobody kept alive, while its listeners still hear.
    """

    def __init__(self, exchange: Exchange, on_expired: Callable[[ListenKey], None]) -> None:
        self._exchange = exchange
        self._on_expired = on_expired
        self._keys: dict[str, ListenKey] = {}
        self._by_account: dict[str, ListenKey] = {}
        self._made = 0
        # Keys from before a restart, until somebody uses them: their time goes on meanwhile.
        self._saved: dict[str, tuple[str, int]] = {}
        for spec in exchange.account_specs():
            text, _, ends_ms = exchange.setting(spec.name, _SETTING).partition(" ")
            if ends_ms:
                self._saved[spec.name] = (text, int(ends_ms))

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.KEY, 1)

        return {
            ("POST", "/fapi/v1/listenKey"): row(self._create),
            ("PUT", "/fapi/v1/listenKey"): row(self._keep),
            ("DELETE", "/fapi/v1/listenKey"): row(self._close),
        }

    def close(self) -> None:
        for key in self._keys.values():
            if key.timer is not None:
                key.timer.cancel()

    def of_account(self, account: str) -> ListenKey | None:
        return self._by_account.get(account)

    def _adopt(self, account: str) -> None:
        """Make a saved key one of ours again, if it has not run out."""
        text, ends_ms = self._saved.pop(account, ("", 0))
        left_ms = ends_ms - self._exchange.now_ms()
        if left_ms > 0:
            self._add(ListenKey(account, text), left_ms / 1000)

    def _add(self, key: ListenKey, life_s: float) -> None:
        self._keys[key.text] = self._by_account[key.account] = key
        self._extend(key, life_s)

    # --- calls ----------------------------------------------------------------------------------------------------

    def _create(self, account: str, args: Args) -> wire.ListenKey:
        """The one that there is, for another hour, or a new one."""
        self._adopt(account)
        key = self._by_account.get(account)
        if key is None:
            self._made += 1
            name = f"{account}/listen key/{self._made}/{self._exchange.now_ms()}"
            key = ListenKey(account, hashlib.sha256(name.encode()).hexdigest())
            self._add(key, KEY_LIFE_S)
        else:
            self._extend(key, KEY_LIFE_S)
        self._save(key)
        return wire.ListenKey(listen_key=key.text)

    def _keep(self, account: str, args: Args) -> wire.ListenKey:
        self._adopt(account)
        key = self._by_account.get(account)
        if key is None:
            raise Refusal(-1125, "This listenKey does not exist.")
        self._extend(key, KEY_LIFE_S)
        self._save(key)
        return wire.ListenKey(listen_key=key.text)

    def _close(self, account: str, args: Args) -> wire.Empty:
        self._adopt(account)
        key = self._by_account.get(account)
        if key is not None:
            self._forget(key)
            for listener in tuple(key.listeners):
                listener.key_closed(key.text)
        return wire.Empty()

    # --- life -----------------------------------------------------------------------------------------------------

    def _save(self, key: ListenKey) -> None:
        ends_ms = self._exchange.now_ms() + round(KEY_LIFE_S * 1000)
        self._exchange.set_setting(key.account, _SETTING, f"{key.text} {ends_ms}")

    def _extend(self, key: ListenKey, life_s: float) -> None:
        key.ends_ns = self._exchange.clock.monotonic_ns() + round(life_s * 1e9)
        if key.timer is None:
            key.timer = self._exchange.clock.call_later(life_s, lambda: self._check(key))

    def _check(self, key: ListenKey) -> None:
        left_s = (key.ends_ns - self._exchange.clock.monotonic_ns()) / 1e9
        if left_s > 0:
            key.timer = self._exchange.clock.call_later(left_s, lambda: self._check(key))
            return
        self._on_expired(key)
        self._forget(key)

    def expire(self, account: str, *, is_told: bool) -> bool:
        """A fault: the account's key ends before its time, with the event or without it; False: it has none."""
        key = self._by_account.get(account)
        if key is None:
            return False
        if is_told:
            self._on_expired(key)
        self._forget(key)
        return True

    def _forget(self, key: ListenKey) -> None:
        """Nothing more is sent for it; its sockets stay open, silent."""
        if key.timer is not None:
            key.timer.cancel()
        self._keys.pop(key.text, None)
        self._by_account.pop(key.account, None)
        self._exchange.set_setting(key.account, _SETTING, "")

    # --- subscriptions --------------------------------------------------------------------------------------------

    def subscribe(self, text: str, listener: UserListener, events: frozenset[str] | None) -> None:
        """Nothing comes of a key that there is not."""
        for account in [account for account, saved in self._saved.items() if saved[0] == text]:
            self._adopt(account)
        key = self._keys.get(text)
        if key is not None:
            key.listeners[listener] = events

    def unsubscribe(self, text: str, listener: UserListener) -> None:
        key = self._keys.get(text)
        if key is not None:
            key.listeners.pop(listener, None)
