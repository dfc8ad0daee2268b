"""How much of its peak of eight hours the insurance pool has lost: what decides on auto-deleveraging.

Source: docs/v5/market/adl-alert, as of 2026-07-24.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

PEAK_MS = 8 * 3600 * 1000


class PoolPeak:
    """As far as the pool was watched."""

    def __init__(self) -> None:
        self._peaks: deque[tuple[int, Decimal]] = deque()  # time and balance, falling

    def drawdown(self, now_ms: int, balance: Decimal) -> Decimal:
        """Watch the pool at this instant: what it has lost, as a fraction of its peak; 0 or below."""
        peaks = self._peaks
        while peaks and peaks[-1][1] <= balance:
            peaks.pop()
        peaks.append((now_ms, balance))
        while peaks[0][0] < now_ms - PEAK_MS:
            peaks.popleft()
        peak = peaks[0][1]
        return (balance - peak) / peak if peak > 0 else Decimal(0)
