"""LKEY: a dead key, or a stream that has fallen mute, is found out and replaced; what it did not tell is read back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.criteria.streamed import VENUES, played
from tests.sizes import size

from perpwire.scenarios.listen_key import KEEP_ALIVE_S, LISTEN_KEY, NAME, PLAYS, Account, Part, calls_at
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Answer, Close
from perpwire.venues.binance_futures.endpoints_account import CREATE_LISTEN_KEY
from perpwire.venues.binance_futures.limits import WEIGHT

PARTS = [(venue, part) for venue in VENUES for part in PLAYS[venue]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, size(3, 2)))
@pytest.mark.parametrize(("venue", "part"), PARTS, ids=[f"{venue}-{part.__name__[1:]}" for venue, part in PARTS])
def test_lkey_1_the_stream_is_live_again_in_time_and_each_fill_is_told_once(venue: str, part: Part, seed: int) -> None:
    async def scenario(run: Run) -> None:
        account = Account(run)
        await account.open()
        await part(run, account)
        await run.clock.sleep(10)

    assert played(scenario, venue, seed, rate=0.05).problems == []


@pytest.mark.slow
def test_lkey_1_a_key_that_nobody_could_keep_alive_for_59_minutes_is_replaced() -> None:
    async def scenario(run: Run) -> None:
        account = Account(run)
        await account.open()
        opened_s = run.now_s
        made = len(calls_at(run, "POST"))
        run.fault(Answer(method="PUT", path=LISTEN_KEY, status=500, count=None, for_s=3700))
        await run.until(opened_s + KEEP_ALIVE_S + 60)
        run.check(run.connector.is_account_stream_live, "the stream was given up at the first failure")
        await run.until(opened_s + 3590)
        again = calls_at(run, "POST")[made:]
        run.check(len(again) == 1, f"{len(again)} keys were made")
        live_s = account.live_after(opened_s)
        run.check(live_s <= opened_s + 3580, f"live after {live_s - opened_s:.0f} s")
        run.check(run.connector.is_account_stream_live, "the stream is not live")

    assert played(scenario, "binance", rate=0.05).problems == []


@pytest.mark.slow
def test_lkey_1_a_keep_alive_that_the_api_key_is_not_allowed_costs_no_live_stream() -> None:
    """An address that is off the API key's list for ten minutes: no key could be made either."""

    async def scenario(run: Run) -> None:
        account = Account(run)
        await account.open()
        opened_s = run.now_s
        refusal = '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
        for method in ("PUT", "POST"):
            run.fault(
                Answer(method=method, path=LISTEN_KEY, status=401, body=refusal, count=None, for_s=KEEP_ALIVE_S + 600)
            )
        await run.until(opened_s + KEEP_ALIVE_S + 300)
        run.check(run.connector.is_account_stream_live, "a stream that spoke was given up")
        await run.until(opened_s + KEEP_ALIVE_S + 660)
        run.check(not run.connector.streams.reconnects["binance/private"], "it was replaced")

    assert played(scenario, "binance", rate=0.05).problems == []


@pytest.mark.slow
def test_lkey_2_and_3_while_no_key_is_to_be_had_it_is_asked_for_once_in_30_seconds_at_a_weight_of_one() -> None:
    """For 50 minutes, in which the whole REST host is down."""

    async def scenario(run: Run) -> None:
        account = Account(run)
        await account.open()
        began_s = run.now_s
        for method in ("GET", "POST", "PUT"):
            run.fault(Answer(method=method, status=503, body="", count=None, for_s=3000))
        run.fault(Close(route="/private"))
        await run.clock.sleep(10)
        run.check(not run.connector.is_account_stream_live, "the stream is said to be live ten seconds later")
        await run.until(began_s + 3000)
        times = [time for time in calls_at(run, "POST") if time > began_s]
        run.check(85 <= len(times) <= 105, f"{len(times)} keys were asked for")
        pauses = [later - sooner for sooner, later in pairwise(times[5:])]
        run.check(min(pauses) >= 29.9, f"two were asked for within {min(pauses):.1f} s")
        await run.clock.sleep(60)
        run.check(run.connector.is_account_stream_live, "the stream did not come back")
        run.check(len(account.hearing.lost(NAME["binance"])) == 1, "it was lost more than once")

    assert played(scenario, "binance", rate=0.05).problems == []


@pytest.mark.slow
def test_lkey_3_a_hundred_failures_to_make_a_key_cost_a_weight_of_a_hundred_at_most() -> None:
    async def scenario(run: Run) -> None:
        account = Account(run)
        await account.open()
        before = len(calls_at(run, "POST"))
        run.fault(Answer(method="POST", path=LISTEN_KEY, status=503, body="", count=100))
        run.fault(Close(route="/private"))
        for _ in range(3600):
            if run.connector.is_account_stream_live and len(calls_at(run, "POST")) > before + 100:
                break
            await run.clock.sleep(1)
        asked = len(calls_at(run, "POST")) - before
        run.check(asked == 101, f"it was asked for {asked} times until it was had")
        run.check(CREATE_LISTEN_KEY.costs == {WEIGHT: 1}, f"a key costs {CREATE_LISTEN_KEY.costs}")
        run.check(run.connector.is_account_stream_live, "the stream did not come back")

    assert played(scenario, "binance", rate=0.05).problems == []
