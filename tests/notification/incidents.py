"""Incidents and sinks that the tests of this folder share."""

from __future__ import annotations

from typing import Any

from perpwire.clock import ManualClock
from perpwire.model.incident import BalanceInsufficient, ConnectionFailing, ConnectionLost, ConnectionRecovered
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.sinks import Sink

NOW_NS = 1_790_000_000_000_000_000


def lost(connection: str = "binance/public") -> ConnectionLost:
    return ConnectionLost(venue="binance", time_ns=NOW_NS, why="the server closed it (1006)", connection=connection)


def failing(attempts: int, connection: str = "binance/public") -> ConnectionFailing:
    return ConnectionFailing(venue="binance", time_ns=NOW_NS, why="refused", connection=connection, attempts=attempts)


def recovered(connection: str = "binance/public") -> ConnectionRecovered:
    return ConnectionRecovered(
        venue="binance", time_ns=NOW_NS, why="live again", connection=connection, outage_s=2.5, attempts=1
    )


def no_margin(symbol: str = "BTCUSDT") -> BalanceInsufficient:
    return BalanceInsufficient(
        venue="bybit",
        time_ns=NOW_NS,
        why="ab not enough for new order",
        symbol=symbol,
        client_order_id="c1",
        code=110007,
    )


def alert(key: str = "k", severity: Severity = Severity.WARNING, **more: Any) -> Alert:
    fields = {"title": key, "sentence": "It happened.", "facts": {}, "venue": "", "time_ns": NOW_NS, **more}
    return Alert(severity=severity, key=key, **fields)


class FlakySink(Sink):
    """Takes alerts with the time at which it took them; fails while `is_down`, and on what `refuses` names."""

    name = "flaky"

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.is_down = False
        self.refuses: set[str] = set()
        self.taken: list[tuple[float, Alert]] = []
        self.tried_at: list[float] = []

    async def deliver(self, alert: Alert) -> None:
        now_s = round(self._clock.monotonic_ns() / 1e9, 3)
        self.tried_at.append(now_s)
        await self._clock.sleep(0)
        if self.is_down or alert.key in self.refuses:
            raise ConnectionError("https://hooks.example/secret-token is down")
        self.taken.append((now_s, alert))

    @property
    def titles(self) -> list[str]:
        return [alert.title for _, alert in self.taken]
