"""The private streams: what happened to an account's orders, told a few milliseconds later.

Fast executions come first, then executions, orders, positions and the wallet. Nothing is sent on subscribing. Source:
docs/v5/websocket/private, as of 2026-07-24; order and delays as captured in 2025-10 and 2026-03.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

import msgspec

from perpwire.simulator.events import AccountChanged, OrderChanged, SettingsChanged, SimEvent, TriggerChanged
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder, SimPosition, SimTrigger
from perpwire.venues.bybit import wire, wire_streams
from perpwire.venues.bybit.sim import dcp
from perpwire.venues.bybit.sim.bursts import Burst, Ending, OrderTold
from perpwire.venues.bybit.sim.dcp import DisconnectGuard
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.private_rows import (
    execution_row,
    fast_row,
    funding_row,
    order_row,
    position_row,
    wallet_row,
)
from perpwire.venues.bybit.sim.rows import Rows, user_id
from perpwire.venues.bybit.sim.timers import Timers

DELAYS_S = {"execution.fast": 0.001, "execution": 0.003, "order": 0.0035, "position": 0.004, "wallet": 0.005}
"""From the matching engine to the stream."""

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


_NEWS = (OrderChanged, TriggerChanged, AccountChanged, SettingsChanged)


class PrivateStreams:
    """Every account's topics."""

    def __init__(self, exchange: Exchange, rows: Rows, timers: Timers, guard: DisconnectGuard) -> None:
        self._exchange = exchange
        self._rows = rows
        self._timers = timers
        self._guard = guard
        self._hubs: dict[str, Hub] = {}
        self._bursts: dict[str, Burst] = {}

    # --- subscribing --------------------------------------------------------------------------------------------------

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
        if isinstance(event, SettingsChanged) and event.what == "setting":
            self._guard.on_setting(event.account)
        if not isinstance(event, _NEWS) or not self._is_heard(event.account):
            return
        if isinstance(event, OrderChanged):
            self._burst(event.account).add_order(event)
        elif isinstance(event, TriggerChanged):
            self._burst(event.account).add_trigger(event)
        elif isinstance(event, AccountChanged):
            self._burst(event.account).add_account(event)
        else:
            held = [position.symbol for position in self._exchange.positions(event.account)]
            self._burst(event.account).add_setting(event, held)

    def push_order(self, order: SimOrder | SimTrigger, ending: Ending | None) -> None:
        """Tell of an order, or a conditional one, once more."""
        if self._is_heard(order.account):
            self._burst(order.account).tell("again", order, ending)

    def _is_heard(self, account: str) -> bool:
        """Does anybody listen to this account? There are no snapshots: what nobody hears is not told later."""
        hub = self._hubs.get(account)
        return hub is not None and not hub.is_empty

    def _burst(self, account: str) -> Burst:
        burst = self._bursts.get(account)
        if burst is None:
            burst = self._bursts[account] = Burst()
            self._timers.later(0, lambda: self._close(account))
        return burst

    # --- telling ------------------------------------------------------------------------------------------------------

    def _close(self, account: str) -> None:
        """What happened in this moment is complete: its rows are made now, and sent when their time comes."""
        burst, hub = self._bursts.pop(account), self.hub(account)
        user, now_ms = user_id(account), self._exchange.now_ms()
        self._tell_executions(account, burst, user)
        if self._listens(hub, "order"):
            for frame in burst.order_frames():
                rows = [order_row(self._order_push(told)) for told in frame]
                self._publish(account, "order", rows, self._stamp(user, frame[0].symbol))
        if burst.symbols and self._listens(hub, "position"):
            positions = [
                position_row(self._rows.position_push(account, one)) for one in self._positions(account, burst.symbols)
            ]
            self._publish(account, "position", positions, f"{user}_position_{now_ms}")
        if burst.coins and hub.has("wallet"):
            wallet = wallet_row(self._rows.wallet(account, burst.coins))
            self._publish(account, "wallet", [wallet], f"{user}_wallet_{now_ms}")

    def _tell_executions(self, account: str, burst: Burst, user: int) -> None:
        hub = self.hub(account)
        for symbol in dict.fromkeys(order.symbol for order, _ in burst.fills):
            fills = [(order, fill) for order, fill in burst.fills if order.symbol == symbol]
            trades = [(order, fill) for order, fill in fills if fill.kind == "trade"]
            if trades and self._listens(hub, "execution.fast"):
                fast = [fast_row(self._rows.fast_execution(order, fill)) for order, fill in trades]
                self._publish(account, "execution.fast", fast, None)
            if self._listens(hub, "execution"):
                rows = [execution_row(self._rows.execution_push(order, fill)) for order, fill in fills]
                self._publish(account, "execution", rows, self._stamp(user, symbol))
        if burst.fundings and self._listens(hub, "execution"):
            for booking in burst.fundings:
                row = funding_row(self._rows.funding_execution(booking))
                self._publish(account, "execution", [row], self._stamp(user, booking.symbol))

    def _order_push(self, told: OrderTold) -> wire.OrderPush:
        if isinstance(told.order, SimTrigger):
            return self._rows.trigger_push(told.order)
        return self._rows.order_push(told.order, told.ending)

    def _positions(self, account: str, symbols: Iterable[str]) -> list[SimPosition]:
        """The positions of these symbols: in hedge mode both legs of each, flat ones too."""
        return [view.position for symbol in symbols for view in self._exchange.position_views(account, symbol)]

    def _stamp(self, user: int, symbol: str) -> str:
        return f"{user}_{symbol}_{self._exchange.seq(symbol)}"

    @staticmethod
    def _listens(hub: Hub, family: str) -> bool:
        return hub.has(family) or hub.has(f"{family}.linear")

    def _publish(self, account: str, family: str, data: list[Any], stamp: str | None) -> None:
        hub = self.hub(account)
        forms = (family,) if family == "wallet" else (family, f"{family}.linear")

        def send() -> None:
            for topic in forms:
                hub.publish(topic, self._frame(family, topic, data, stamp))

        self._timers.later(DELAYS_S[family], send)

    def _frame(self, family: str, topic: str, data: list[Any], stamp: str | None) -> Callable[[], bytes]:
        now_ms = self._exchange.now_ms()
        frame: Any
        if stamp is None:
            frame = wire_streams.FastFrame(topic=topic, creationTime=now_ms, data=data)
        elif family == "execution":
            frame = wire_streams.ExecutionFrame(topic=topic, id=stamp, creationTime=now_ms, data=data)
        else:
            frame = wire_streams.PrivateFrame(id=stamp, topic=topic, creationTime=now_ms, data=data)
        return lambda: msgspec.json.encode(frame)
