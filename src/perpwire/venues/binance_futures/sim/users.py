"""Listen keys, and the events of the private streams that are opened with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from perpwire.clock import Timer
from perpwire.simulator.events import AccountChanged, OrderChanged, SettingsChanged, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_streams
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows
from perpwire.venues.binance_futures.sim.hub import envelope_head
from perpwire.venues.binance_futures.sim.positions import open_notionals
from perpwire.venues.binance_futures.sim.words import (
    Refusal,
    SymbolWords,
    break_even_price,
    order_update,
    rounded,
    stripped,
    unrealized,
)

KEY_LIFE_S = 3600.0

_EXECUTION_TYPES = {
    "new": "NEW",
    "trade": "TRADE",
    "amended": "AMENDMENT",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}
_UserEvent = (
    wire_streams.OrderTradeUpdate
    | wire_streams.AccountUpdate
    | wire_streams.TradeLite
    | wire_streams.AccountConfigUpdate
    | wire_streams.ListenKeyExpired
)

_REASONS = {"order": "ORDER", "funding": "FUNDING_FEE", "deposit": "DEPOSIT"}


class UserListener(Protocol):
    """A socket on which private events go out."""

    is_combined: bool

    def deliver(self, frame: bytes, name: str, account: str = "", event: str = "") -> None: ...

    def key_closed(self, key: str) -> None:
        """The stream of this key was closed by its owner."""
        ...


class _Key:
    def __init__(self, account: str, text: str) -> None:
        self.account = account
        self.text = text
        self.ends_ns = 0
        self.timer: Timer | None = None
        # Listener -> which events it wants; None for all.
        self.listeners: dict[UserListener, frozenset[str] | None] = {}


class _Held:
    """What waits to be told of one account: a new order, and fills whose account update is still to come."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.new: wire_streams.OrderTradeUpdate | None = None
        self.trades: list[tuple[wire_streams.TradeLite, wire_streams.OrderTradeUpdate]] = []
        self.timer: Timer | None = None


class UserStreams:
    """One listen key for each account at a time."""

    def __init__(self, exchange: Exchange, words: Mapping[str, SymbolWords]) -> None:
        self._exchange = exchange
        self._words = words
        self._keys: dict[str, _Key] = {}
        self._by_account: dict[str, _Key] = {}
        self._held: dict[str, _Held] = {}
        self._keys_made = 0

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
        for held in self._held.values():
            if held.timer is not None:
                held.timer.cancel()

    # --- keys -----------------------------------------------------------------------------------------------------

    def _create(self, account: str, args: Args) -> wire.ListenKey:
        """The one that there is, for another hour, or a new one."""
        key = self._by_account.get(account)
        if key is None:
            self._keys_made += 1
            text = hashlib.sha256(f"{account}/listen key/{self._keys_made}".encode()).hexdigest()
            key = self._keys[text] = self._by_account[account] = _Key(account, text)
        self._extend(key)
        return wire.ListenKey(listen_key=key.text)

    def _keep(self, account: str, args: Args) -> wire.ListenKey:
        key = self._by_account.get(account)
        if key is None:
            raise Refusal(-1125, "This listenKey does not exist.")
        self._extend(key)
        return wire.ListenKey(listen_key=key.text)

    def _close(self, account: str, args: Args) -> wire.Empty:
        key = self._by_account.get(account)
        if key is not None:
            self._forget(key)
            for listener in tuple(key.listeners):
                listener.key_closed(key.text)
        return wire.Empty()

    def _extend(self, key: _Key) -> None:
        key.ends_ns = self._exchange.clock.monotonic_ns() + round(KEY_LIFE_S * 1e9)
        if key.timer is None:
            key.timer = self._exchange.clock.call_later(KEY_LIFE_S, lambda: self._check(key))

    def _check(self, key: _Key) -> None:
        left_s = (key.ends_ns - self._exchange.clock.monotonic_ns()) / 1e9
        if left_s > 0:
            key.timer = self._exchange.clock.call_later(left_s, lambda: self._check(key))
            return
        self._tell_expired(key)
        self._forget(key)

    def _tell_expired(self, key: _Key) -> None:
        event = wire_streams.ListenKeyExpired(event_time=self._exchange.now_ms(), listen_key=key.text)
        self._send_to(key, event)

    def expire(self, account: str, *, is_told: bool) -> bool:
        """A fault: the account's key ends before its time, with the event or without it; False: it has none."""
        key = self._by_account.get(account)
        if key is None:
            return False
        if is_told:
            self._tell_expired(key)
        self._forget(key)
        return True

    def _forget(self, key: _Key) -> None:
        """Nothing more is sent for it; its sockets stay open, silent."""
        if key.timer is not None:
            key.timer.cancel()
        self._keys.pop(key.text, None)
        self._by_account.pop(key.account, None)

    # --- subscriptions --------------------------------------------------------------------------------------------

    def subscribe(self, text: str, listener: UserListener, events: frozenset[str] | None) -> None:
        """Nothing comes of a key that there is not."""
        key = self._keys.get(text)
        if key is not None:
            key.listeners[listener] = events

    def unsubscribe(self, text: str, listener: UserListener) -> None:
        key = self._keys.get(text)
        if key is not None:
            key.listeners.pop(listener, None)

    # --- events ---------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        """The venue tells of a fill in this order: TRADE_LITE, the order as NEW, ACCOUNT_UPDATE, the fill itself.

        The exchange tells of the order, the fill, the account. So the order waits for the fill that may follow at
        once, and the fill for the account.
        """
        if isinstance(event, SettingsChanged) and event.what == "leverage":
            leverage = int(self._exchange.leverage(event.account, event.symbol))
            self.leverage_changed(event.account, event.symbol, leverage)
        if not isinstance(event, OrderChanged | AccountChanged):
            return
        if not self._is_heard(event.account):
            self._held.pop(event.account, None)
            return
        held = self._held.setdefault(event.account, _Held(event.account))
        if isinstance(event, AccountChanged):
            if event.reason == "order":
                self._tell_fills(held, event)
            else:
                self._tell_new(held)
                self._send_account(event)
        elif event.what == "trade":
            held.trades.append((self._lite(event), self._order(event)))
        elif event.what == "new":
            self._tell_new(held)
            held.new = self._order(event)
            held.timer = self._exchange.clock.call_later(0, lambda: self._tell_new(held))
        else:
            self._tell_new(held)
            self._send(event.account, self._order(event))

    def leverage_changed(self, account: str, symbol: str, leverage: int) -> None:
        now_ms = self._exchange.now_ms()
        change = wire_streams.LeverageChange(symbol=symbol, leverage=leverage)
        event = wire_streams.AccountConfigUpdate(event_time=now_ms, transaction_time=now_ms, leverage=change)
        self._send(account, event)

    def _is_heard(self, account: str) -> bool:
        key = self._by_account.get(account)
        return key is not None and bool(key.listeners)

    def _tell_new(self, held: _Held) -> None:
        if held.timer is not None:
            held.timer.cancel()
            held.timer = None
        if held.new is not None:
            new, held.new = held.new, None
            self._send(held.account, new)

    def _tell_fills(self, held: _Held, account_changed: AccountChanged) -> None:
        trades, held.trades = held.trades, []
        if held.new is not None and all(lite.order_id != held.new.order.order_id for lite, _ in trades):
            self._tell_new(held)
        for lite, _ in trades:
            self._send(held.account, lite)
        self._tell_new(held)
        self._send_account(account_changed)
        for _, fill in trades:
            self._send(held.account, fill)

    # --- frames ---------------------------------------------------------------------------------------------------

    def _order(self, changed: OrderChanged) -> wire_streams.OrderTradeUpdate:
        notionals = open_notionals(self._exchange, changed.account, changed.order.symbol)
        return wire_streams.OrderTradeUpdate(
            transaction_time=changed.time_ms,
            event_time=self._exchange.now_ms(),
            order=order_update(changed.order, _EXECUTION_TYPES[changed.what], changed.fill, changed.time_ms, notionals),
        )

    def _lite(self, changed: OrderChanged) -> wire_streams.TradeLite:
        order, fill = changed.order, changed.fill
        assert fill is not None  # every "trade" has one
        return wire_streams.TradeLite(
            event_time=self._exchange.now_ms(),
            trade_time=changed.time_ms,
            symbol=order.symbol,
            quantity=stripped(order.quantity),
            price=stripped(order.price or Decimal(0)),
            is_maker=fill.is_maker,
            client_order_id=order.client_order_id,
            side=order.side.value,
            last_price=stripped(fill.price),
            last_quantity=stripped(fill.quantity),
            trade_id=fill.trade_id,
            order_id=order.order_id,
        )

    def _send_account(self, changed: AccountChanged) -> None:
        balances = [
            wire_streams.BalanceChange(
                asset=asset,
                wallet_balance=stripped(balance),
                cross_wallet_balance=stripped(balance),
                change=stripped(change),
            )
            for asset, balance, change in changed.wallets
        ]
        positions = []
        for position in changed.positions:
            spec = self._words[position.symbol].spec
            positions.append(
                wire_streams.PositionChange(
                    symbol=position.symbol,
                    quantity=stripped(position.quantity),
                    entry_price=stripped(rounded(position.entry_price)),
                    accumulated_profit=stripped(position.realized_pnl),
                    unrealized_profit=stripped(
                        rounded(unrealized(position, self._exchange.mark_price(position.symbol)))
                    ),
                    margin_type="cross",
                    isolated_wallet="0",
                    position_side="BOTH",
                    margin_asset=spec.instrument.settle,
                    break_even_price=stripped(break_even_price(position, spec.taker_fee)),
                )
            )
        event = wire_streams.AccountUpdate(
            transaction_time=changed.time_ms,
            event_time=self._exchange.now_ms(),
            change=wire_streams.AccountChange(balances=balances, positions=positions, reason=_REASONS[changed.reason]),
        )
        self._send(changed.account, event)

    def _send(self, account: str, event: _UserEvent) -> None:
        key = self._by_account.get(account)
        if key is not None:
            self._send_to(key, event)

    def _send_to(self, key: _Key, event: _UserEvent) -> None:
        payload = msgspec.json.encode(event)
        for listener, wanted in tuple(key.listeners.items()):
            if wanted is None or event.event in wanted or isinstance(event, wire_streams.ListenKeyExpired):
                frame = envelope_head(key.text) + payload + b"}" if listener.is_combined else payload
                listener.deliver(frame, key.text, key.account, event.event)
