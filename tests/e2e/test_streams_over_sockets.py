"""Scenarios of streams over real sockets and in real time: beside the others (test_scenarios_over_sockets.py), not
behind them, as all of them wait nearly all of the time."""

from __future__ import annotations

import pytest

from perpwire.scenarios.runner import main


@pytest.mark.slow
def test_a_dead_key_and_fills_in_the_gap_hold_over_sockets(capfd: pytest.CaptureFixture[str]) -> None:
    failed = main(["listen_key", "fills_in_the_gap", "--sockets", "--seeds", "1", "--jobs", "4"])
    assert failed == 0, capfd.readouterr().out


@pytest.mark.slow
def test_bursts_slow_consumers_and_failing_handlers_hold_over_sockets(capfd: pytest.CaptureFixture[str]) -> None:
    failed = main(["burst", "--sockets", "--seeds", "1", "--jobs", "2"])
    assert failed == 0, capfd.readouterr().out
