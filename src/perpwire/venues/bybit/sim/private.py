"""The private streams: what happened to an account's orders, told a few milliseconds later.

What happens in one step of the matching engine goes out together: executions first, then orders (their last state
only), positions, wallet. Source: docs/v5/websocket/private, as of 2026-07-24; order and delays as captured in 2025-10
and 2026-03.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

import msgspec

from perpwire.simulator.events import AccountChanged, OrderChanged, SimEvent, SimFill, SimOrder
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim import dcp
from perpwire.venues.bybit.sim.dcp import DisconnectGuard
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.memory import Memory
from perpwire.venues.bybit.sim.rows import Rows, user_id
from perpwire.venues.bybit.sim.timers import Timers

PUSH_DELAY_S = 0.003

CATEGORISED = ("order", "execution", "execution.fast", "position")
CATEGORIES = ("linear", "spot", "inverse", "option")

TOPICS = frozenset(
    (
        *CATEGORISED,
        *(f"{topic}.{category}" for topic in CATEGORISED for category in CATEGORIES),
        "wallet",
        "greeks",
        "dcp.future",
        "dcp.spot",
        "dcp.option",
    )
)
"""What can be subscribed. Only linear contracts trade here, so the other categories stay silent."""


class _Burst:
    """What happened to one account in one step."""

    def __init__(self) -> None:
        self.fills: list[tuple[SimOrder, SimFill]] = []
        self.orders: dict[int, tuple[SimOrder, tuple[str, str] | None]] = {}
        self.symbols: dict[str, None] = {}
        self.coins: frozenset[str] = frozenset()


class PrivateStreams:
    """Every account's topics."""

    def __init__(self, exchange: Exchange, memory: Memory, rows: Rows, timers: Timers, guard: DisconnectGuard) -> None:
        self._exchange = exchange
        self._memory = memory
        self._rows = rows
        self._timers = timers
        self._guard = guard
        self._hubs: dict[str, Hub] = {}
        self._bursts: dict[str, _Burst] = {}

    def hub(self, account: str) -> Hub:
        return self._hubs.setdefault(account, Hub())

    def add(self, account: str, topic: str, subscriber: Subscriber) -> None:
        self.hub(account).add(topic, subscriber)
        if topic == dcp.TOPIC:
            self._guard.arrived(account)

    def remove(self, account: str, topic: str, subscriber: Subscriber) -> None:
        self.hub(account).remove(topic, subscriber)
        if topic == dcp.TOPIC:
            self._guard.gone(account)

    def on_ping(self, account: str, topics: Container[str]) -> None:
        """A connection with these topics sent a ping."""
        if dcp.TOPIC in topics:
            self._guard.pinged(account)

    # --- collecting ---------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, OrderChanged):
            burst = self._burst(event.account)
            if event.fill is not None:
                burst.fills.append((event.order, event.fill))
            burst.orders[event.order.order_id] = (event.order, None)
            burst.symbols[event.order.symbol] = None
        elif isinstance(event, AccountChanged):
            burst = self._burst(event.account)
            burst.coins |= {asset for asset, _, _ in event.wallets}
            burst.symbols |= {position.symbol: None for position in event.positions}

    def push_order(self, order: SimOrder, ending: tuple[str, str] | None) -> None:
        """Tell of an order once more."""
        burst = self._burst(order.account)
        burst.orders[order.order_id] = (order, ending)
        burst.symbols[order.symbol] = None

    def _burst(self, account: str) -> _Burst:
        burst = self._bursts.get(account)
        if burst is None:
            burst = self._bursts[account] = _Burst()
            self._timers.later(0, lambda: self._close(account))
        return burst

    def _close(self, account: str) -> None:
        burst = self._bursts.pop(account)
        self._timers.later(PUSH_DELAY_S, lambda: self._send(account, burst))

    # --- sending ------------------------------------------------------------------------------------------------------

    def _send(self, account: str, burst: _Burst) -> None:
        user = user_id(account)
        symbols: Iterable[str] = tuple(burst.symbols)
        for symbol in symbols:
            fills = [(order, fill) for order, fill in burst.fills if order.symbol == symbol]
            stamp = f"{user}_{symbol}_{self._memory.seq(symbol)}"
            if fills:
                fast = [self._rows.fast_execution(order, fill) for order, fill in fills]
                self._publish(account, "execution.fast", fast, None)
                self._publish(account, "execution", [self._rows.execution_push(*one) for one in fills], stamp)
        for symbol in symbols:
            orders = [
                self._rows.order_push(order, ending)
                for order, ending in burst.orders.values()
                if order.symbol == symbol
            ]
            if orders:
                stamp = f"{user}_{symbol}_{self._memory.seq(symbol)}"
                self._publish(account, "order", orders, stamp)
        now_ms = self._exchange.now_ms()
        positions = [self._rows.position_push(account, self._exchange.position(account, symbol)) for symbol in symbols]
        if positions:
            self._publish(account, "position", positions, f"{user}_position_{now_ms}")
        if burst.coins:
            self._publish(account, "wallet", [self._rows.wallet(account, burst.coins)], f"{user}_wallet_{now_ms}")

    def _publish(self, account: str, family: str, data: list[Any], stamp: str | None) -> None:
        hub = self.hub(account)
        forms = (family,) if family == "wallet" else (family, f"{family}.linear")
        for topic in forms:
            hub.publish(topic, self._frame(topic, data, stamp))

    def _frame(self, topic: str, data: list[Any], stamp: str | None) -> Callable[[], bytes]:
        named: Any = msgspec.UNSET if stamp is None else stamp
        return lambda: msgspec.json.encode(
            wire_streams.PrivateFrame(id=named, topic=topic, creationTime=self._exchange.now_ms(), data=data)
        )
