"""Who goes first, who goes never, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.admission import UNDER_WAY, Admission
from perpwire.api_connector.ledger import RateLedger, Receipt
from perpwire.clock import ManualClock
from perpwire.errors import APIError, NotSent, RateLimited
from perpwire.venues.base import Costs, Lane, Limit

S = 1_000_000_000
WEIGHT = Limit(name="weight", limit=100, period_s=60, fixed=True, source="test", scope="ip")
PLACE = Limit(name="place", limit=10, period_s=1, fixed=False, source="test")
READ = Limit(name="read", limit=10, period_s=1, fixed=False, source="test")


class Turnstile:
    """An admission in virtual time, and what has gone through it, in order."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.ledger = RateLedger([WEIGHT, PLACE, READ])
        self.admission = Admission(self.ledger, clock, longest_hold_s=70, venue="test")
        self.gone: list[tuple[str, float]] = []
        self.refused: dict[str, tuple[APIError, float]] = {}

    def _now_s(self) -> float:
        return round(self.clock.monotonic_ns() / S, 2)

    async def call(
        self, name: str, costs: Costs, lane: Lane, *, deadline_s: float | None = None, answer_s: float = 0.0
    ) -> None:
        deadline_ns = None if deadline_s is None else round(deadline_s * S)
        try:
            receipt = self.admission.admit_now(costs, lane)
            if receipt is None:
                receipt = await self.admission.admit(name, costs, lane, deadline_ns)
        except APIError as error:
            self.refused[name] = (error, self._now_s())
            return
        self.gone.append((name, self._now_s()))
        await asyncio.sleep(answer_s)
        self.admission.settle(receipt)

    def begin(self, name: str, costs: Costs, lane: Lane, **more: float) -> asyncio.Task[None]:
        return asyncio.create_task(self.call(name, costs, lane, **more))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.gone]


def play(scenario: Callable[[Turnstile], Awaitable[None]]) -> Turnstile:
    clock = ManualClock()
    turnstile = Turnstile(clock)

    async def main() -> None:
        await scenario(turnstile)

    clock.run(main())
    assert turnstile.admission.under_way == turnstile.admission.waiting == 0
    return turnstile


def test_the_most_urgent_goes_first_and_in_a_lane_who_came_first() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 90}, Lane.CANCEL)
        waiting = [
            turnstile.begin(f"{lane.name} {number}", {"weight": 10}, lane)
            for number in (1, 2)
            for lane in (Lane.MARKET, Lane.ORDER, Lane.CANCEL, Lane.ACCOUNT, Lane.REDUCE)
        ]
        await asyncio.gather(*waiting)

    order = play(scenario).names[1:]
    assert order == [f"{lane.name} {number}" for lane in Lane for number in (1, 2)][: len(order)]


def test_small_calls_of_a_lesser_lane_do_not_starve_a_big_one() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        for _ in range(6):
            await turnstile.call("before", {"weight": 10}, Lane.MARKET)
            await asyncio.sleep(1)
        big = turnstile.begin("big", {"weight": 70}, Lane.ACCOUNT)
        small = [turnstile.begin("small", {"weight": 1}, Lane.MARKET) for _ in range(30)]
        await asyncio.gather(big, *small)

    turnstile = play(scenario)
    assert turnstile.names.index("big") == 6
    assert turnstile.gone[6][1] == 64  # as soon as five of the six have left the window


def test_small_calls_of_the_same_lane_do_not_overtake_a_big_one() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("before", {"weight": 60}, Lane.MARKET)
        big = turnstile.begin("big", {"weight": 40}, Lane.MARKET)
        await asyncio.gather(big, *(turnstile.begin("small", {"weight": 1}, Lane.MARKET) for _ in range(5)))

    assert play(scenario).names == ["before", "big", *["small"] * 5]


def test_who_waits_for_one_window_does_not_hold_back_those_of_another() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        orders = [turnstile.begin("order", {"weight": 1, "place": 1}, Lane.ORDER) for _ in range(12)]
        await asyncio.sleep(0.1)
        await turnstile.call("read", {"weight": 1, "read": 1}, Lane.ACCOUNT)
        assert turnstile.gone[-1] == ("read", 0.1)
        await asyncio.gather(*orders)

    assert play(scenario).names == [*["order"] * 9, "read", *["order"] * 3]


def test_a_cancel_passes_five_thousand_waiting_reads_at_once() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        reads = [turnstile.begin("read", {"weight": 1}, Lane.MARKET) for _ in range(5000)]
        await asyncio.sleep(0.5)
        assert turnstile.admission.waiting == 5000 - 70
        await turnstile.call("cancel", {"weight": 1}, Lane.CANCEL)
        assert turnstile.gone[-1] == ("cancel", 0.5)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    play(scenario)


def test_a_cancel_does_not_wait_for_the_answers_of_others() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        reads = [turnstile.begin("read", {}, Lane.MARKET, answer_s=5) for _ in range(100)]
        await asyncio.sleep(1)
        assert turnstile.admission.under_way == UNDER_WAY[Lane.MARKET]
        await turnstile.call("order", {}, Lane.ORDER)
        await turnstile.call("cancel", {}, Lane.CANCEL)
        assert turnstile.gone[-2:] == [("order", 1), ("cancel", 1)]
        await asyncio.gather(*reads)

    assert [at for _, at in play(scenario).gone[-4:]] == [10] * 4


# --- deadlines and cancellation ---------------------------------------------------------------------------------------


def test_what_can_not_go_by_its_deadline_is_told_at_once() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 90}, Lane.CANCEL)
        await turnstile.call("late", {"weight": 1}, Lane.ORDER, deadline_s=0.3)

    error, at_s = play(scenario).refused["late"]
    assert isinstance(error, NotSent)
    assert (error.code, at_s) == ("DEADLINE", 0)


def test_what_stands_in_line_is_told_before_its_deadline_passes_and_is_never_sent() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        orders = [turnstile.begin(f"order {n}", {"place": 1}, Lane.ORDER, deadline_s=1.5) for n in range(30)]
        await asyncio.gather(*orders)

    turnstile = play(scenario)
    assert len(turnstile.gone) == 18
    assert len(turnstile.refused) == 12
    for error, at_s in turnstile.refused.values():
        assert (type(error), error.code) == (NotSent, "DEADLINE")
        assert at_s < 1.5


def test_a_call_whose_deadline_has_passed_is_not_sent_even_where_there_is_room() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await asyncio.sleep(1)
        with pytest.raises(NotSent):
            await turnstile.admission.admit("late", {"place": 1}, Lane.ORDER, S)
        assert turnstile.ledger.used("place", S) == 0

    play(scenario)


def test_an_order_is_not_held_for_longer_than_a_call_may_be() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        orders = [turnstile.begin(f"order {n}", {"place": 1}, Lane.ORDER) for n in range(9 * 80)]
        await asyncio.gather(*orders)

    turnstile = play(scenario)
    assert len(turnstile.gone) == 9 * 70
    for error, at_s in turnstile.refused.values():
        assert isinstance(error, RateLimited)
        assert (error.code, at_s) == ("HELD_BACK", 70)


def test_reads_may_wait_in_line_for_as_long_as_it_takes() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await asyncio.gather(*(turnstile.begin("read", {"weight": 1}, Lane.MARKET) for _ in range(500)))

    turnstile = play(scenario)
    assert turnstile.refused == {}
    assert turnstile.gone[-1][1] > 400


def test_one_who_goes_away_takes_nothing_and_delays_nobody() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 90}, Lane.CANCEL)
        gone = turnstile.begin("gone", {"weight": 60}, Lane.CANCEL)
        kept = turnstile.begin("kept", {"weight": 1}, Lane.MARKET)
        await asyncio.sleep(1)
        gone.cancel()
        await kept
        assert turnstile.gone[-1] == ("kept", 60)

    assert play(scenario).names == ["all", "kept"]


def test_one_who_goes_away_in_the_moment_of_its_turn_gives_it_to_the_next() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        receipts = [await turnstile.admission.admit("first", {"place": 1}, Lane.REDUCE) for _ in range(10)]
        gone = turnstile.begin("gone", {"place": 1}, Lane.REDUCE)
        kept = turnstile.begin("kept", {"place": 1}, Lane.REDUCE)
        await asyncio.sleep(0.1)
        turnstile.admission.refund(receipts.pop())  # the turn of the first in line
        gone.cancel()
        await kept
        assert turnstile.gone == [("kept", 0.1)]
        for receipt in receipts:
            turnstile.admission.settle(receipt)

    play(scenario)


# --- stops and the end ------------------------------------------------------------------------------------------------


def test_a_stop_holds_back_those_in_line_too_and_then_they_go_in_order() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 89}, Lane.CANCEL)
        reads = [turnstile.begin("read", {"weight": 1}, Lane.MARKET) for _ in range(5)]
        await asyncio.sleep(55)
        turnstile.ledger.stop("all", 62 * S, 55 * S)
        turnstile.admission.changed()
        cancels = [turnstile.begin("cancel", {"weight": 1}, Lane.CANCEL) for _ in range(5)]
        await asyncio.gather(*reads, *cancels)

    turnstile = play(scenario)
    assert turnstile.names[1:] == [*["cancel"] * 5, *["read"] * 5]
    assert [at_s for _, at_s in turnstile.gone[1:]] == [62] * 10


def test_a_stop_in_the_moment_of_a_turn_holds_it_back_all_the_same() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        receipts = [await turnstile.admission.admit("first", {"place": 1}, Lane.REDUCE) for _ in range(10)]
        held = turnstile.begin("held", {"place": 1}, Lane.REDUCE)
        await asyncio.sleep(0.1)
        turnstile.admission.refund(receipts.pop())
        turnstile.ledger.stop("account", 2 * S, 0, costs={"place": 1})
        for receipt in receipts:
            turnstile.admission.settle(receipt)
        await held
        assert turnstile.gone == [("held", 2)]

    play(scenario)


def test_a_ban_longer_than_a_call_may_be_held_is_told_to_all_who_wait() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 89}, Lane.CANCEL)
        reads = [turnstile.begin(f"read {number}", {"weight": 1}, Lane.MARKET) for number in range(50)]
        await asyncio.sleep(1)
        turnstile.ledger.stop("all", 121 * S, S)
        turnstile.admission.changed()
        await asyncio.gather(*reads)

    turnstile = play(scenario)
    assert len(turnstile.refused) == 50
    for error, at_s in turnstile.refused.values():
        assert isinstance(error, RateLimited)
        assert (error.code, at_s, round(error.retry_after_s)) == ("HELD_BACK", 1, 120)


def test_closed_means_that_those_in_line_are_never_sent() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        await turnstile.call("all", {"weight": 90}, Lane.CANCEL)
        waiting = [turnstile.begin(f"call {number}", {"weight": 1}, Lane.CANCEL) for number in range(5)]
        await asyncio.sleep(0.1)
        turnstile.admission.close()
        waiting.append(turnstile.begin("call 5", {}, Lane.CANCEL))
        await asyncio.gather(*waiting)
        await asyncio.sleep(100)

    turnstile = play(scenario)
    assert turnstile.names == ["all"]
    assert [(type(error), error.code) for error, _ in turnstile.refused.values()] == [(NotSent, "CLOSED")] * 6


def test_a_raised_cap_lets_those_in_line_go_at_once() -> None:
    async def scenario(turnstile: Turnstile) -> None:
        orders = [turnstile.begin("order", {"place": 1}, Lane.ORDER) for _ in range(12)]
        await asyncio.sleep(0.1)
        turnstile.ledger.reported_limits({"place": 20})
        turnstile.admission.changed()
        await asyncio.gather(*orders)

    assert play(scenario).gone[-1] == ("order", 0.1)


def test_receipts_count_once() -> None:
    turnstile = Turnstile(ManualClock())
    receipt = turnstile.admission.admit_now({"place": 1}, Lane.ORDER)
    assert isinstance(receipt, Receipt)
    assert turnstile.admission.under_way == 1
    turnstile.admission.settle(receipt)
    assert turnstile.admission.under_way == 0
