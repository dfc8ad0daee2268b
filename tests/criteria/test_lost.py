"""LOST: what arrives reaches every consumer, in order, whatever it does meanwhile. Read back after a loss: FILLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.criteria.tapped import VENUES, Scene, play
from tests.sizes import size

from perpwire.api_connector.watch_methods import MOST_WAITING
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock
from perpwire.model.incident import ConsumerBehind
from perpwire.model.market import Event, Gap
from perpwire.model.order import Fill

SYMBOL, PART = "BTCUSDT", Decimal("0.001")


async def _resting(scene: Scene, fills: int) -> None:
    mark = scene.host.exchange.mark_price(SYMBOL)
    await scene.connector.place_order(
        SYMBOL, "BUY", PART * fills, order_type="LIMIT", price=mark * Decimal("0.8"), round="nearest"
    )
    await scene.sleep(1)


def _fill(scene: Scene, times: int) -> None:
    for _ in range(times):
        scene.host.exchange.force_fill("main", symbol=SYMBOL, quantity=PART)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lost_1_ten_events_in_one_instant_are_all_read_in_order_a_thousand_times(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        queue = await scene.connector.watch_fills()
        heard: list[Event] = []
        scene.connector.on(Fill, heard.append)
        for _ in range(size(10, 2)):
            await _resting(scene, 1000)
            for _ in range(100):
                heard.clear()
                _fill(scene, 10)
                got = [await anext(queue) for _ in range(10)]
                assert got == heard
                assert queue.waiting == 0
                quantities = {fill.quantity for fill in got if isinstance(fill, Fill)}
                assert quantities == {PART}

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lost_2_a_consumer_that_sleeps_five_seconds_between_reads_loses_and_merges_none_of_5_000(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        queue = await scene.connector.watch_fills()
        await _resting(scene, 5000)
        _fill(scene, 5000)
        await scene.sleep(5)
        assert (queue.waiting, queue.received, queue.dropped, queue.replaced) == (5000, 5000, 0, 0)
        ids = []
        for _ in range(5000):
            fill = await anext(queue)
            assert isinstance(fill, Fill)
            ids.append(fill.trade_id)
            if len(ids) % 500 == 0:
                await scene.sleep(5)
        assert len(set(ids)) == 5000

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lost_2_past_the_cap_a_gap_comes_first_and_the_account_is_read_again_within_a_second(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        assert MOST_WAITING == 100_000
        queue, other = [await scene.connector.watch_fills() for _ in range(2)]
        queue._limit = 50  # what holds for fifty holds for a hundred thousand
        await _resting(scene, 80)
        await scene.sleep(40)
        before_s = scene.now_s
        _fill(scene, 80)
        await scene.sleep(1)
        assert any(one.at_s >= before_s for one in scene.tap.sent)
        assert len(scene.of(ConsumerBehind)) == 1
        assert queue.dropped == 30
        first, *rest = [await anext(queue) for _ in range(51)]
        assert isinstance(first, Gap)
        assert (first.kind, first.repaired) == ("Fill", False)
        assert [type(one) for one in rest] == [Fill] * 50
        assert [type(await anext(other)) for _ in range(80)] == [Fill] * 80
        assert other.waiting == 0  # no gap: nothing is missing for this one

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_lost_3_two_consumers_of_one_stream_get_a_thousand_events_each(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        queues = [await scene.connector.watch_fills() for _ in range(2)]
        await _resting(scene, 1000)
        _fill(scene, 1000)
        await scene.sleep(2)
        first, second = [[await anext(queue) for _ in range(1000)] for queue in queues]
        assert first == second
        assert len({fill.trade_id for fill in first if isinstance(fill, Fill)}) == 1000
        assert [queue.waiting for queue in queues] == [0, 0]

    play(scenario, venue)


def in_virtual_time(scenario: Callable[[WebSocketManager], object]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with WebSocketManager(clock=clock) as manager:
            result = scenario(manager)
            if asyncio.iscoroutine(result):
                await result

    clock.run(main())


def test_lost_3_a_consumer_that_is_cancelled_or_closed_takes_nothing_from_the_others() -> None:
    async def scenario(manager: WebSocketManager) -> None:
        stays, goes, closes = (manager.watch(Gap) for _ in range(3))

        async def consume() -> None:
            async with goes:
                async for _ in goes:
                    pass

        task = asyncio.create_task(consume())
        gap = Gap(kind="Trade", since_ns=0, until_ns=0)
        manager.frames.deliver(gap)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        closes.close()
        manager.frames.deliver(gap)
        assert [stays.received, goes.received, closes.received] == [2, 1, 1]
        assert manager.queues == [stays]
        assert len([one async for one in closes]) == 1  # what had come before it was closed

    in_virtual_time(scenario)


def test_lost_3_two_tasks_on_one_iterator_share_its_events_and_end_together() -> None:
    async def scenario(manager: WebSocketManager) -> None:
        queue, got = manager.watch(Gap), list[tuple[int, int]]()

        async def consume(name: int) -> None:
            async for gap in queue:
                got.append((name, gap.until_ns))
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(consume(name)) for name in range(2)]
        await asyncio.sleep(0)
        for number in range(10):
            manager.frames.deliver(Gap(kind="Trade", since_ns=0, until_ns=number))
        queue.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)
        assert sorted(number for _, number in got) == list(range(10))
        assert {name for name, _ in got} == {0, 1}

    in_virtual_time(scenario)
