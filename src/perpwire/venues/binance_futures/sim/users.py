"""The private streams: which events go out for what happens in the exchange, and in which order.

For one fill of an order that takes, the venue tells TRADE_LITE, the order as NEW, ACCOUNT_UPDATE, the fill itself. The
exchange tells of the order, the fill, the account. So the order waits for the fill that may follow at once, and the
fill for the account.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import msgspec

from perpwire.clock import Timer
from perpwire.simulator.events import (
    AccountChanged,
    MarginCalled,
    OrderChanged,
    SettingsChanged,
    SimEvent,
    TriggerChanged,
)
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_user
from perpwire.venues.binance_futures.sim import user_events
from perpwire.venues.binance_futures.sim.flags import MULTI_ASSETS
from perpwire.venues.binance_futures.sim.gateway import Rows
from perpwire.venues.binance_futures.sim.listen_keys import ListenKey, ListenKeys, UserListener
from perpwire.venues.binance_futures.sim.words import SymbolWords


class _Held:
    """What waits to be told of one account: a new order, and fills whose account update is still to come."""

    def __init__(self) -> None:
        self.new: wire_user.OrderTradeUpdate | None = None
        self.trades: list[tuple[wire_user.TradeLite | None, wire_user.OrderTradeUpdate]] = []
        self.timer: Timer | None = None


class UserStreams:
    """
    Args:
        delay_s: How late events of one kind may come behind those of another, at most; drawn anew for each. Events of
            one kind stay in order.
    """

    def __init__(self, exchange: Exchange, words: Mapping[str, SymbolWords], delay_s: float = 0.0) -> None:
        self._exchange = exchange
        self._words = words
        self._keys = ListenKeys(exchange, self._expired)
        self._held: dict[str, _Held] = {}
        self._settings = {
            (spec.name, symbol): self._setting(spec.name, symbol)
            for spec in exchange.account_specs()
            for symbol in ("", *words)
        }
        self._delays = _Delays(exchange, delay_s) if delay_s else None

    def rows(self) -> Rows:
        return self._keys.rows()

    def close(self) -> None:
        self._keys.close()
        for held in self._held.values():
            if held.timer is not None:
                held.timer.cancel()
        if self._delays is not None:
            self._delays.close()

    def expire(self, account: str, *, is_told: bool) -> bool:
        """See ListenKeys."""
        return self._keys.expire(account, is_told=is_told)

    def subscribe(self, text: str, listener: UserListener, events: frozenset[str] | None) -> None:
        """Nothing comes of a key that there is not."""
        self._keys.subscribe(text, listener, events)

    def unsubscribe(self, text: str, listener: UserListener) -> None:
        self._keys.unsubscribe(text, listener)

    # --- events ---------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if not isinstance(event, OrderChanged | AccountChanged | TriggerChanged | SettingsChanged | MarginCalled):
            return
        if isinstance(event, TriggerChanged) and event.what == "followed":
            return
        account = event.account
        if isinstance(event, SettingsChanged):
            self._on_setting(event)
            return
        key = self._keys.of_account(account)
        if key is None or not key.listeners:
            self._held.pop(account, None)
            return
        held = self._held.setdefault(account, _Held())
        match event:
            case OrderChanged():
                self._on_order(account, held, event)
            case AccountChanged():
                self._on_account(account, held, event)
            case TriggerChanged():
                self._tell_new(account, held)
                self._send(account, user_events.algo_update(self._exchange, event))
            case MarginCalled():
                self._tell_new(account, held)
                self._send(account, user_events.margin_call(self._exchange, event))

    def _on_order(self, account: str, held: _Held, event: OrderChanged) -> None:
        update = user_events.order_trade_update(self._exchange, event)
        if event.what == "trade":
            # The fast notice is of trades in the book only.
            is_trade = update.order.execution_type == "TRADE"
            lite = user_events.trade_lite(self._exchange, event) if is_trade else None
            held.trades.append((lite, update))
            return
        self._tell_new(account, held)
        if event.what == "new":
            held.new = update
            held.timer = self._exchange.clock.call_later(0, lambda: self._tell_new(account, held))
        else:
            self._send(account, update)

    def _on_account(self, account: str, held: _Held, event: AccountChanged) -> None:
        update = user_events.account_update(self._exchange, self._words, event)
        trades, held.trades = held.trades, []
        if held.new is not None and all(fill.order.order_id != held.new.order.order_id for _, fill in trades):
            self._tell_new(account, held)
        for lite, _ in trades:
            if lite is not None:
                self._send(account, lite)
        self._tell_new(account, held)
        self._send(account, update)
        for _, fill in trades:
            self._send(account, fill)

    def _tell_new(self, account: str, held: _Held) -> None:
        if held.timer is not None:
            held.timer.cancel()
            held.timer = None
        if held.new is not None:
            new, held.new = held.new, None
            self._send(account, new)

    def _on_setting(self, event: SettingsChanged) -> None:
        """Only what is another now is told of."""
        account, symbol = event.account, event.symbol
        if event.what == "margin_mode" and symbol:
            self._send(account, user_events.margin_type_changed(self._exchange, self._words[symbol], event))
            return
        now = self._setting(account, symbol)
        if self._settings.get((account, symbol)) == now:
            return
        self._settings[account, symbol] = now
        if symbol:
            self._send(account, user_events.leverage_changed(self._exchange, symbol, now, event.time_ms))
        else:
            self._send(account, user_events.multi_assets_changed(self._exchange, now == "true", event.time_ms))

    def _setting(self, account: str, symbol: str) -> str:
        """The leverage of a symbol; or, of the account, whether it is in the multi-assets mode."""
        if symbol:
            return str(int(self._exchange.leverage(account, symbol)))
        return self._exchange.setting(account, MULTI_ASSETS, "false")

    def _expired(self, key: ListenKey) -> None:
        event = wire_user.ListenKeyExpired(event_time=self._exchange.now_ms(), listen_key=key.text)
        key.publish(msgspec.json.encode(event), event.event)

    # --- out ------------------------------------------------------------------------------------------------------

    def _send(self, account: str, event: Any) -> None:
        kind, payload = event.event, msgspec.json.encode(event)
        if self._delays is None:
            self._publish(account, payload, kind)
        else:
            self._delays.later(f"{account}/{kind}", lambda: self._publish(account, payload, kind))

    def _publish(self, account: str, payload: bytes, kind: str) -> None:
        key = self._keys.of_account(account)
        if key is not None:
            key.publish(payload, kind)


class _Delays:
    """Lets things of one kind come late, but never before one another."""

    def __init__(self, exchange: Exchange, longest_s: float) -> None:
        self._clock = exchange.clock
        self._longest_s = longest_s
        self._rng = Random("private events")
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._due_ns: dict[str, int] = {}
        self._timers: set[Timer] = set()

    def later(self, kind: str, act: Callable[[], None]) -> None:
        now_ns = self._clock.monotonic_ns()
        due_ns = max(self._due_ns.get(kind, 0), now_ns + round(self._rng.uniform(0, self._longest_s) * 1e9))
        self._due_ns[kind] = due_ns
        waiting = self._waiting.setdefault(kind, deque())
        waiting.append(act)

        def fire() -> None:
            self._timers.discard(timer)
            waiting.popleft()()

        timer = self._clock.call_later((due_ns - now_ns) / 1e9, fire)
        self._timers.add(timer)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
