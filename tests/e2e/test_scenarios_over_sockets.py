"""Scenarios that are played in virtual time hold over real sockets and in real time, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from perpwire.errors import NotSent
from perpwire.scenarios.lost_response import PLACE
from perpwire.scenarios.registry import Scenario
from perpwire.scenarios.run import Attempt, Run, play
from perpwire.scenarios.runner import main
from perpwire.simulator.faults import Answer, CloseIdle, Skew
from perpwire.simulator.simulation import SetupOptions

VENUES = ["binance", "bybit"]


def _scenario(trial: Callable[[Run], Awaitable[None]], venue: str) -> Scenario:
    options: SetupOptions = {"rate": 0.5}
    return Scenario(name="trial", about="", play=trial, venues=(venue,), options=options, one_in=1, settle_s=0.5)


@pytest.mark.slow
def test_lost_answers_bad_answers_and_the_life_of_a_stop_hold_over_sockets(capfd: pytest.CaptureFixture[str]) -> None:
    # All at once, as they wait nearly all of the time.
    names = ["lost_response", "the_503_family", "life_of_a_stop"]
    failed = main([*names, "--sockets", "--seeds", "1", "--jobs", "6"])
    assert failed == 0, capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_does_not_hold_over_sockets_is_found(venue: str) -> None:
    async def trial(run: Run) -> None:
        assert run.is_real
        await run.follow()
        order = await run.place("BTCUSDT", "BUY", "0.01")
        assert order is not None
        run.attempts[-1] = Attempt(order.client_order_id, NotSent("never sent"))

    outcome = play(_scenario(trial, venue), venue, 1, sockets=True)
    assert any("its caller told that it was not" in one for one in outcome.problems)
    assert outcome.again.endswith("--sockets")


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_closed_connection_a_limit_and_a_step_of_the_clock_are_lived_through_over_sockets(venue: str) -> None:
    outcome = play(_scenario(_short_troubles, venue), venue, 1, sockets=True)
    assert outcome.problems == [], outcome.problems


async def _short_troubles(run: Run) -> None:
    await run.follow()
    await run.connector.get_instruments()
    await _a_closed_connection(run)
    await _a_limit(run)
    await _a_step_of_the_clock(run)


async def _a_closed_connection(run: Run) -> None:
    """The venue has closed the connections that wait: the order is placed once all the same, and nobody notices."""
    run.fault(CloseIdle())
    await run.clock.sleep(0.2)
    began_s = run.now_s
    run.check(await run.place("BTCUSDT", "BUY", "0.01") is not None, "the order on a closed connection failed")
    run.check(run.now_s - began_s < 0.1 + run.slack_s, "a closed connection cost time")


async def _a_limit(run: Run) -> None:
    """What the venue says of its limit is obeyed by all calls that it is about."""
    seconds = 1.5
    if run.venue == "binance":
        headers, status, body = {"Retry-After": "2"}, 429, '{"code":-1003,"msg":"Too many requests."}'
    else:
        now_ms = run.host.exchange.now_ms()
        headers, status = {"X-Bapi-Limit-Reset-Timestamp": str(now_ms + 2000)}, 200
        body = f'{{"retCode":10006,"retMsg":"Too many visits.","result":{{}},"time":{now_ms}}}'
    run.fault(Answer(method="POST", path=PLACE[run.venue], status=status, headers=headers, body=body))
    start = len(run.tap.sent)
    placing = asyncio.create_task(run.place("BTCUSDT", "BUY", "0.01"))
    await run.clock.sleep(0.3)
    beside = asyncio.create_task(run.place("BTCUSDT", "SELL", "0.01"))
    placed = await asyncio.gather(placing, beside)
    run.check(None not in placed, f"orders that had to wait were not placed: {run.attempts[-2:]}")
    sent = [one for one in run.tap.sent[start:] if one.call == ("POST", PLACE[run.venue])]
    run.check(len(sent) == 3, f"{len(sent)} requests for two orders of which one was refused once")
    told_s = sent[0].answered_s or sent[0].at_s
    run.check(all(one.at_s - told_s >= seconds for one in sent[1:]), "an order left while the venue had said to wait")


async def _a_step_of_the_clock(run: Run) -> None:
    """An order that is refused for its time is sent once more, and no other is."""
    run.fault(Skew(seconds=-4.0, is_step=True))
    await run.clock.sleep(0.2)
    start = len(run.tap.sent)
    for _ in range(2):
        run.check(await run.place("BTCUSDT", "BUY", "0.01") is not None, "an order after a step of the clock failed")
    sent = [one for one in run.tap.sent[start:] if one.call == ("POST", PLACE[run.venue])]
    refused = [one for one in sent if b'"code":-1021' in one.answer or b'"retCode":10002' in one.answer]
    run.check(len(refused) <= 1, f"{len(refused)} orders were refused after one step")
    run.check(len(sent) == 2 + len(refused), f"{len(sent)} requests for two orders, {len(refused)} of them refused")
    known_ms, true_ms = run.connector._sync.venue_ms(), run.host.venue_clock.time_ns() / 1e6
    run.check(abs(known_ms - true_ms) < 1000, f"the clock is {known_ms - true_ms:.0f} ms off after all")
