"""adlAlert.{coin} and insurance.{coin}: the insurance pool, and how near it is to auto-deleveraging.

Source: docs/v5/websocket/public/adl-alert and /insurance-pool, as of 2026-07-24. All contracts of a coin share one pool
here. The venue does not push what it calls shared pools; this one is pushed all the same, there being no other.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import BeatingFeed, FeedParts, encode
from perpwire.venues.bybit.sim.hub import Subscriber
from perpwire.venues.bybit.sim.numbers import cut
from perpwire.venues.bybit.sim.pool_peak import PoolPeak

POOL_INTERVAL_S = 1.0
POOL_COINS = ("USDT", "USDC")
"""Whose topics there are on the socket of linear contracts; a coin without contracts stays silent."""

TRIGGER_RATIO, STOP_RATIO, TRIGGER_BALANCE = -0.3, -0.25, 10_000
"""Positions are deleveraged when the pool has lost this share of its peak of 8 hours, until it is less; only while the
pool has more than the balance."""

RATIO_STEP = Decimal("0.000001")


def _number(text: str) -> msgspec.Raw:
    """A JSON number with these very digits."""
    return msgspec.Raw(text.encode())


def _symbols(parts: FeedParts, coin: str) -> tuple[str, ...]:
    specs = parts.exchange.specs()
    return tuple(spec.instrument.symbol for spec in specs if spec.instrument.settle == coin)


class AdlFeed(BeatingFeed):
    """Every second, numbers and not texts. A coin without contracts has no frames."""

    def __init__(self, coin: str, parts: FeedParts) -> None:
        super().__init__(f"adlAlert.{coin}", POOL_INTERVAL_S, parts)
        self._coin = coin
        self._symbols = _symbols(parts, coin)
        self._peak = PoolPeak()

    def beat(self) -> None:
        if self._symbols:
            super().beat()

    def welcome(self, subscriber: Subscriber) -> None:
        if self._symbols:
            super().welcome(subscriber)

    def frame(self) -> bytes:
        now_ms, balance = self._exchange.now_ms(), self._exchange.insurance_fund()
        ratio = _number(cut(self._peak.drawdown(now_ms, balance), RATIO_STEP))
        rows = [
            wire_streams.AdlRow(
                c=self._coin,
                s=symbol,
                b=_number(cut(balance)),
                i_pr=TRIGGER_RATIO,
                pr=ratio,
                adl_tt=TRIGGER_BALANCE,
                adl_sr=STOP_RATIO,
            )
            for symbol in self._symbols
        ]
        return encode(wire_streams.AdlFrame(topic=self.topic, type="snapshot", ts=now_ms, data=rows))


class InsuranceFeed(BeatingFeed):
    """A snapshot, and then a delta in each second in which the balance changed."""

    def __init__(self, coin: str, parts: FeedParts) -> None:
        super().__init__(f"insurance.{coin}", POOL_INTERVAL_S, parts)
        self._coin = coin
        self._symbols = _symbols(parts, coin)
        self._shown = ""
        self._changed_ms = 0

    def wake(self) -> None:
        self._look()
        super().wake()

    def _look(self) -> bool:
        """Did it change?"""
        balance = cut(self._exchange.insurance_fund())
        if balance == self._shown:
            return False
        self._shown, self._changed_ms = balance, self._exchange.now_ms()
        return True

    def beat(self) -> None:
        if self._symbols and self._look():
            self._hub.publish(self.topic, lambda: self._frame("delta"))

    def welcome(self, subscriber: Subscriber) -> None:
        if self._symbols:
            super().welcome(subscriber)

    def frame(self) -> bytes:
        return self._frame("snapshot")

    def _frame(self, kind: str) -> bytes:
        row = wire_streams.InsuranceRow(
            coin=self._coin, symbols=",".join(self._symbols), balance=self._shown, updateTime=str(self._changed_ms)
        )
        frame = wire_streams.InsuranceFrame(topic=self.topic, type=kind, ts=self._exchange.now_ms(), data=[row])
        return encode(frame)
