"""CALLB: a handler that raises is reported each time, and hurts nobody."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.criteria import tapped
from tests.criteria.killing import BY_FORCE, kill, ours
from tests.criteria.streamed import VENUES, played
from tests.criteria.tapped import Scene

from perpwire.api_connector.account_watch import AccountWatch
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import ManualClock
from perpwire.model.incident import BookGap, ConnectionLost, HandlerFailed, Incident, StreamGap, TaskFailed
from perpwire.model.market import BookTicker, Event, MarkPrice, Trade
from perpwire.model.order import Fill
from perpwire.scenarios.invariants import ON_PURPOSE
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Cut, Delay, DropMessage, Refuse


@pytest.mark.slow
def test_callb_1_of_100_000_events_all_are_offered_and_1_000_errors_are_told_with_their_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    told: list[Incident] = []
    frames = FramePath(ManualClock(), told.append)
    offered = []

    def raises(trade: Trade) -> None:
        offered.append(trade.trade_id)
        if trade.trade_id % 100 == 0:
            raise ValueError(trade.trade_id)

    frames.on(Trade, raises)
    for number in range(100_000):
        frames.deliver(
            Trade(symbol="BTCUSDT", trade_id=number, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)
        )
    assert offered == list(range(100_000))
    failures = [one.event for one in told if isinstance(one, HandlerFailed)]
    assert [one.trade_id for one in failures if isinstance(one, Trade)] == list(range(0, 100_000, 100))
    assert list(frames.failures.values()) == [1000]
    assert [one.failed for one in frames.handlers] == [1000]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_callb_1_the_connection_stays_and_the_others_lose_nothing(venue: str) -> None:
    async def scenario(run: Run) -> None:
        count = failed = 0

        def raises(_event: Event) -> None:
            nonlocal count, failed
            count += 1
            if count % 100 == 0:
                failed += 1
                raise ValueError(ON_PURPOSE)

        run.connector.on(Trade, raises)
        await run.follow("BTCUSDT", "ETHUSDT")
        await run.clock.sleep(60)
        told = [one for one in run.incidents if isinstance(one, HandlerFailed)]
        run.check(failed > 5, f"only {failed} failures")
        run.check(len(told) == failed, f"{failed} failures, {len(told)} told")
        run.check(all(isinstance(one.event, Trade) for one in told), "an error was told without its event")
        run.check(not any(isinstance(one, ConnectionLost) for one in run.incidents), "a connection was lost")

    assert played(scenario, venue).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_callb_2_handlers_of_all_sorts_that_look_at_their_own_cancelled_task_end_no_stream(
    venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    called, heard = Counter[str](), Counter[str]()

    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        own: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        own.cancel()

        def looks(name: str) -> Callable[..., Any]:
            def handler(*_: object) -> Any:
                called.update([name])
                return own.result()

            return handler

        connector.on_incident(looks("incidents"))
        connector.streams.on_state(looks("states"))
        connector.streams.on_topic(looks("topics"))
        connector.streams.on_raw(looks("raw frames"))
        connector.on(Trade, looks("a kind"))
        kept = connector.streams.watch(Trade, where=looks("a condition"))
        connector.on(Trade, lambda _: heard.update(["trade"]))
        connector.on(Fill, lambda _: heard.update(["fill"]))
        await connector.open_account_stream()
        await connector.subscribe((Trade, BookTicker), ("BTCUSDT",))
        book = await connector.open_book("BTCUSDT")
        book.on_change(looks("a book"))
        await scene.sleep(5)
        scene.host.faults.add(Cut())
        scene.host.faults.add(Refuse(seconds=3.0))
        await scene.sleep(20)
        heard.clear()
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(5)
        assert heard["trade"] > 5
        assert heard["fill"] == 1
        assert {state.name for state in connector.states.values()} == {"LIVE"}
        assert book.is_in_sync
        assert connector.is_account_stream_live
        kept.close()

    caplog.set_level(logging.CRITICAL)
    tapped.play(scenario, venue, rate=5.0)
    assert called.keys() >= {"incidents", "states", "raw frames", "a kind", "a condition", "a book"}


@pytest.mark.parametrize("venue", VENUES)
def test_callb_2_a_failure_of_a_handler_in_a_task_reaches_the_users_block_and_nothing_is_left(venue: str) -> None:
    caught: list[str] = []

    async def scenario(run: Run) -> None:
        queue = await run.connector.watch_trades("BTCUSDT")

        async def consumer() -> None:
            async for _ in queue:
                raise LookupError("the consumer's own")

        try:
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                group.create_task(consumer())
        except* LookupError as errors:
            caught.append(str(errors.exceptions[0]))
        queue.close()

    assert played(scenario, venue).problems == []
    assert caught == ["the consumer's own"]


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_callb_2_work_in_the_background_that_dies_is_told_of_and_begun_anew_within_a_second(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch over the account: in a look, and in the reading of fills beside its own."""
    calls: list[float] = []

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        await scene.sleep(20)
        for kind, name in ((AccountWatch, "_look"), (FillKeeper, "read")):
            calls.clear()
            sound = getattr(kind, name)

            async def broken(self: object, *args: Any, sound: Any = sound) -> Any:
                calls.append(scene.now_s)
                if len(calls) == 1:
                    raise RuntimeError("nobody foresaw this")
                return await sound(self, *args)

            with monkeypatch.context() as patch:
                patch.setattr(kind, name, broken)
                await scene.sleep(400)
            told = [one for one in scene.incidents if isinstance(one, TaskFailed)]
            scene.incidents.clear()
            assert [one.task for one in told] == ["the watch over the account"]
            assert "nobody foresaw this" in told[0].detail
            assert len(calls) >= 2
            assert scene.connector.is_account_stream_live
        assert calls[1] - calls[0] <= 4.0  # begun anew, it waits 2.5 s before it reads

    tapped.play(scenario, venue)


KEPT = {
    "binance": {
        "perpwire account watch", "perpwire binance/market", "perpwire binance/private", "perpwire binance/public",
        "perpwire binance/trade", "perpwire clock", "perpwire dead man BTCUSDT", "perpwire key check",
        "perpwire stream token",
    },
    "bybit": {
        "perpwire account watch", "perpwire bybit/private", "perpwire bybit/public", "perpwire bybit/trade",
        "perpwire clock", "perpwire key check",
    },
}  # fmt: skip
"""All that goes on for as long as a connector runs."""


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ["raises", "is cancelled"])
def test_callb_2_any_task_that_dies_is_told_of_and_runs_again_and_all_is_as_before(
    how: str, venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of them in turn, where it waits just then. A task that nobody has thought of here fails the test."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.close()
        told: list[Incident] = []
        async with scene.world.connector(venue, road="websocket") as connector:
            connector.on_incident(told.append)
            await connector.open_account_stream()
            await connector.subscribe((Trade, BookTicker, MarkPrice), ("BTCUSDT", "ETHUSDT"))
            book = await connector.open_book("BTCUSDT")
            await connector.arm_dead_man(60, ("BTCUSDT",) if venue == "binance" else ())
            await scene.sleep(20)
            names = {task.get_name().strip() for task in ours()}
            assert names == KEPT[venue]
            for name in sorted(names):
                told.clear()
                (task,) = [one for one in ours() if one.get_name().strip() == name]
                assert kill(task, by_cancelling=how == "is cancelled"), f"{name} waits for {task!r}"
                await scene.sleep(1.0)
                assert [one for one in told if BY_FORCE in one.detail], f"nobody was told of {name}: {told}"
                assert name in {one.get_name().strip() for one in ours()}, f"{name} is gone"
                await scene.sleep(15)
                assert {state.name for state in connector.states.values()} == {"LIVE"}, name
                assert connector.is_account_stream_live, name
                assert connector.is_trade_socket_live, name
                assert book.is_in_sync, name
                fills: list[Event] = []
                off = connector.on(Fill, fills.append)
                await connector.place_order("BTCUSDT", "BUY", "0.01")
                await scene.sleep(1.0)
                off()
                assert len(fills) == 1, name
        assert ours() == []

    caplog.set_level(logging.CRITICAL)
    tapped.play(scenario, venue, rate=3.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_callb_2_a_connection_whose_task_somebody_cancels_is_said_to_be_lost(
    venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(scene: Scene) -> None:
        book = await scene.connector.open_book("BTCUSDT")
        (task,) = ours(f"perpwire {venue}/public")
        task.cancel()
        await scene.sleep(1.0)
        assert not book.is_in_sync
        assert scene.connector.states[f"{venue}/public"].name == "WAITING"
        lost = [one.connection for one in scene.incidents if isinstance(one, ConnectionLost)]
        assert lost == [f"{venue}/public"]
        assert ours(f"perpwire {venue}/public") == []  # whom it is meant for it ends
        assert scene.of(TaskFailed) == []

    caplog.set_level(logging.CRITICAL)
    tapped.play(scenario, venue, rate=5.0)


@pytest.mark.slow
def test_callb_2_a_book_whose_rebuilding_dies_is_rebuilt_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        book = await scene.connector.open_book("BTCUSDT")
        scene.host.faults.add(DropMessage(topic="btcusdt@depth@100ms"))
        scene.host.faults.add(Delay(path="/fapi/v1/depth", seconds=3.0, where="answer"))
        while book.is_in_sync:
            await scene.sleep(0.1)
        await scene.sleep(0.5)
        (task,) = ours("perpwire book")
        assert kill(task)
        await scene.sleep(0.1)
        (told,) = scene.of(TaskFailed)
        assert BY_FORCE in told.detail
        await scene.sleep(6)
        assert book.is_in_sync
        assert len(scene.of(BookGap)) == 1

    caplog.set_level(logging.CRITICAL)
    tapped.play(scenario, "binance", rate=5.0)


@pytest.mark.slow
def test_callb_2_a_reading_back_that_dies_is_told_of_and_the_stream_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        heard: list[Event] = []
        scene.connector.on(Trade, heard.append)
        await scene.connector.subscribe((Trade,), ("BTCUSDT",))
        await scene.sleep(5)
        scene.host.faults.add(DropMessage(topic="btcusdt@aggTrade", nth=3))
        scene.host.faults.add(Delay(path="/fapi/v1/aggTrades", seconds=3.0, where="answer"))
        while not ours("perpwire public gap"):
            await scene.sleep(0.01)
        await scene.sleep(0.1)
        (task,) = ours("perpwire public gap")
        asking = task._fut_waiter  # type: ignore[attr-defined]
        assert kill(asking if isinstance(asking, asyncio.Task) else task)
        await scene.sleep(0.1)
        assert [one for one in scene.of(TaskFailed) if BY_FORCE in one.detail]
        before = len(heard)
        await scene.sleep(10)
        assert len(heard) > before + 5
        assert scene.of(StreamGap), "the hole was told of to nobody"

    caplog.set_level(logging.CRITICAL)
    tapped.play(scenario, "binance", rate=5.0)
