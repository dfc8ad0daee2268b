"""The insurance pool's loss since its peak."""

from __future__ import annotations

from decimal import Decimal

from perpwire.venues.bybit.sim.pool_peak import PEAK_MS, PoolPeak

D = Decimal


def test_the_loss_is_counted_from_the_peak_of_the_last_eight_hours() -> None:
    peak = PoolPeak()
    assert peak.drawdown(0, D(100)) == 0
    assert peak.drawdown(1, D(80)) == D("-0.2")
    assert peak.drawdown(2, D(90)) == D("-0.1")
    assert peak.drawdown(3, D(120)) == 0
    assert peak.drawdown(4, D(60)) == D("-0.5")
    assert peak.drawdown(3 + PEAK_MS, D(30)) == D("-0.75")
    assert peak.drawdown(4 + PEAK_MS, D(30)) == D("-0.5")  # the peak is out of the window
    assert peak.drawdown(5 + PEAK_MS, D(30)) == 0
    assert PoolPeak().drawdown(0, D(0)) == 0
