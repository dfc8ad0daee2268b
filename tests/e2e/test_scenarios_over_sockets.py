"""Scenarios that are played in virtual time hold over real sockets and in real time, too."""

from __future__ import annotations

import pytest

from perpwire.errors import NotSent
from perpwire.scenarios.registry import Scenario
from perpwire.scenarios.run import Attempt, Run, play
from perpwire.scenarios.runner import main


@pytest.mark.slow
def test_lost_answers_bad_answers_and_the_life_of_a_stop_hold_over_sockets(capfd: pytest.CaptureFixture[str]) -> None:
    # All at once, as they wait nearly all of the time.
    names = ["lost_response", "the_503_family", "life_of_a_stop"]
    failed = main([*names, "--sockets", "--seeds", "1", "--jobs", "6"])
    assert failed == 0, capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_what_does_not_hold_over_sockets_is_found(venue: str) -> None:
    async def trial(run: Run) -> None:
        assert run.is_real
        await run.follow()
        order = await run.place("BTCUSDT", "BUY", "0.01")
        assert order is not None
        run.attempts[-1] = Attempt(order.client_order_id, NotSent("never sent"))

    scenario = Scenario(name="trial", about="", play=trial, venues=(venue,), options={}, one_in=1, settle_s=0.5)
    outcome = play(scenario, venue, 1, sockets=True)
    assert any("its caller told that it was not" in one for one in outcome.problems)
    assert outcome.again.endswith("--sockets")
