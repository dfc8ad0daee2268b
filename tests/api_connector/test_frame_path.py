from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.speaker import Speaker

from perpwire.api_connector.frame_path import SAMPLED, FramePath
from perpwire.clock import ManualClock
from perpwire.errors import BadInput
from perpwire.model.incident import HandlerFailed, Incident
from perpwire.model.market import Event, MarkPrice, Trade


class _RawTrade(Trade, frozen=True, kw_only=True):
    """Venues deliver classes of their own."""


class Numbers:
    """A decoder whose frames are so many trades: b"3" has three."""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        return [
            _RawTrade(symbol="BTCUSDT", trade_id=number, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)
            for number in range(int(frame))
        ]


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.incidents: list[Incident] = []
        self.frames = FramePath(self.clock, self.incidents.append)

    def bring(self, *trades: int) -> None:
        """Frames with so many trades, read together."""
        read = [str(number).encode() for number in trades]
        Speaker(self.frames, Numbers()).say(*read, received_ns=self.clock.time_ns())


def test_a_handler_that_raises_in_the_middle_of_a_frame_costs_nobody_an_event() -> None:
    scene, before, after = Scene(), list[Any](), list[Any]()

    def raises(trade: Trade) -> None:
        if trade.trade_id == 1:
            raise ValueError("no")

    for handler in (before.append, raises, after.append):
        scene.frames.on(Trade, handler)
    scene.bring(3)
    assert [one.trade_id for one in before] == [one.trade_id for one in after] == [0, 1, 2]
    (told,) = scene.incidents
    assert isinstance(told, HandlerFailed)
    assert told.event == before[1]
    assert "raises raised ValueError on Trade" in told.detail
    (name,) = scene.frames.failures
    assert name.endswith("raises")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_no_failure_of_a_handler_and_passes(error: type[BaseException]) -> None:
    scene = Scene()

    def ends(_trade: Trade) -> None:
        raise error

    scene.frames.on(Trade, ends)
    with pytest.raises(error):
        scene.bring(1)
    assert scene.incidents == []


def test_a_handler_that_looks_at_a_cancelled_task_has_failed_and_stops_nothing() -> None:
    scene, heard = Scene(), list[Any]()

    def looks(_trade: Trade) -> None:
        raise asyncio.CancelledError

    scene.frames.on(Trade, looks)
    scene.frames.on(Trade, heard.append)
    scene.bring(2)
    assert len(heard) == len(scene.incidents) == 2


async def _async(_event: Event) -> None:
    raise AssertionError("it is never run")


class _Callable:
    async def __call__(self, _event: Event) -> None:
        raise AssertionError("it is never run")


class _Method:
    async def on_event(self, _event: Event) -> None:
        raise AssertionError("it is never run")


@pytest.mark.parametrize(
    "handler",
    [_async, functools.partial(_async), _Callable(), _Method().on_event],
    ids=["def", "partial", "object", "method"],
)
def test_coroutine_functions_are_refused_as_handlers(handler: Callable[[Event], None]) -> None:
    with pytest.raises(BadInput, match="coroutine function") as caught:
        Scene().frames.on(Trade, handler)
    assert caught.value.code == "COROUTINE_HANDLER"


def test_a_coroutine_in_disguise_is_told_as_a_failure_and_not_left_unawaited() -> None:
    scene = Scene()
    scene.frames.on(Trade, lambda event: _async(event))  # type: ignore[arg-type]
    scene.bring(1)
    assert [type(one) for one in scene.incidents] == [HandlerFailed]


def test_a_handler_that_was_ended_is_not_called_again_even_in_the_round_that_ended_it() -> None:
    scene, heard, others = Scene(), list[Any](), list[int]()
    offs: list[Callable[[], None]] = []

    def once(trade: Trade) -> None:
        heard.append(trade.trade_id)
        for off in offs:
            off()

    offs.append(scene.frames.on(Trade, once))
    offs.append(scene.frames.on(Trade, lambda trade: heard.append(-1), "BTCUSDT"))
    scene.frames.on(Trade, lambda trade: others.append(trade.trade_id))
    scene.bring(3)
    assert heard == [0]
    assert others == [0, 1, 2]
    assert [one.calls for one in scene.frames.handlers] == [3]


def test_a_handler_that_is_registered_within_a_handler_hears_what_comes_next() -> None:
    scene, late = Scene(), list[int]()

    def adds(trade: Trade) -> None:
        if trade.trade_id == 0:
            scene.frames.on(Trade, lambda later: late.append(later.trade_id))

    scene.frames.on(Trade, adds)
    scene.bring(3)
    assert late == [1, 2]


def test_one_handler_registered_twice_ends_once_for_each_registration() -> None:
    scene, heard = Scene(), list[Trade]()
    first, second = (scene.frames.on(Trade, heard.append) for _ in range(2))
    scene.bring(1)
    first()
    first()
    scene.bring(1)
    second()
    scene.bring(1)
    assert len(heard) == 3


def test_the_time_that_each_handler_takes_is_its_own() -> None:
    scene = Scene()

    def slow(trade: Trade) -> None:
        scene.clock.advance(0.5 if trade.trade_id == 1 else 0.1)

    def quick(_trade: Trade) -> None:
        scene.clock.advance(0.001)

    scene.frames.on(Trade, quick)
    scene.frames.on(Trade, slow)
    scene.bring(3)
    slowest, other = scene.frames.handlers
    assert slowest.handler.endswith("slow")
    assert (slowest.calls, slowest.failed, slowest.kind) == (3, 0, "Trade")
    assert (round(slowest.busy_s, 6), round(slowest.longest_s, 6)) == (0.7, 0.5)
    assert (round(other.busy_s, 6), round(other.longest_s, 6)) == (0.003, 0.001)


class VenuesTrade(Trade, frozen=True, kw_only=True):
    """As a venue's decoder makes them."""


class Ready:
    """A decoder whose frames are made already."""

    def __init__(self, *events: Event) -> None:
        self._events = events

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        return self._events


TRADE = VenuesTrade(symbol="BTCUSDT", trade_id=1, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)
MARK = MarkPrice(
    symbol="BTCUSDT", mark_price=Decimal(1), index_price=None, funding_rate=None, next_funding_time_ms=None
)


def test_the_wait_for_a_handler_is_counted_by_kind_of_the_frames_first_event() -> None:
    scene = Scene()

    def bring(*events: Event, late_ms: int) -> None:
        readable_ns = scene.clock.time_ns() - late_ms * 1_000_000
        Speaker(scene.frames, Ready(*events)).say(b"", received_ns=readable_ns)

    assert scene.frames.latency_of_kinds == {}
    for _ in range(SAMPLED):
        bring(TRADE, late_ms=2)
    bring(MARK, TRADE, late_ms=30)  # the first of its kind is counted, whatever came before it
    bring(TRADE, late_ms=3)  # the sixteenth after the first one, and longer than all of them
    bring(TRADE, late_ms=4)  # longer than all before
    bring(TRADE, late_ms=1)
    counted = scene.frames.latency_of_kinds
    assert {kind: (times.count, times.min, times.max) for kind, times in counted.items()} == {
        "Trade": (3, 2e6, 4e6), "MarkPrice": (1, 30e6, 30e6)
    }  # fmt: skip
    whole = scene.frames.latency_ns
    assert (whole.count, whole.min, whole.max) == (4, 2e6, 30e6)
    assert scene.frames.newest_of_kinds == {"Trade": TRADE, "MarkPrice": MARK}


def test_the_wait_that_was_counted_stays_when_handlers_come_and_go() -> None:
    scene = Scene()
    for _ in range(3):
        off = scene.frames.on(Trade, lambda trade: None)
        Speaker(scene.frames, Ready(TRADE)).say(b"", received_ns=scene.clock.time_ns() - 1)
        off()
    assert list(scene.frames.latency_of_kinds) == ["Trade"]


def test_what_was_read_together_waited_for_what_was_before_it_and_no_handler_pays_for_another() -> None:
    """All frames of one read carry one arrival time; what lies between two reads belongs to nobody."""
    scene = Scene()
    scene.frames.on(Trade, lambda trade: scene.clock.advance(0.25))
    for read in range(3):
        scene.bring(1, 1, 1, 1)
        scene.clock.advance(100 * (read + 1))
    (stats,) = scene.frames.handlers
    assert (stats.calls, round(stats.busy_s, 6), round(stats.longest_s, 6)) == (12, 3.0, 0.25)
    assert scene.frames.latency_ns.quantile(1.0) == pytest.approx(750_000_000, rel=0.05)


def test_time_that_is_put_back_between_two_reads_is_taken_from_no_handler() -> None:
    scene = Scene()
    scene.frames.on(Trade, lambda trade: scene.clock.advance(0.25))
    scene.bring(1)
    scene.clock.jump_wall(-3600)
    scene.bring(1)
    scene.clock.jump_wall(7200)
    scene.bring(1)
    (stats,) = scene.frames.handlers
    assert (round(stats.busy_s, 6), round(stats.longest_s, 6)) == (0.75, 0.25)


def test_who_ends_while_it_is_read_is_not_heard_further() -> None:
    scene, heard = Scene(), list[Any]()
    speaker = Speaker(scene.frames, Numbers())

    def hear(trade: Trade) -> None:
        heard.append(trade.trade_id)
        speaker.is_over = trade.trade_id == 2

    scene.frames.on(Trade, hear)
    speaker.say(b"1", b"3", b"2", b"1")
    assert heard == [0, 0, 1, 2]
    assert scene.frames.events_delivered == 4


def test_what_is_no_data_or_unreadable_is_told_in_its_turn_and_what_stands_in_place_of_the_decoder_takes_over() -> None:
    scene, heard = Scene(), list[Any]()
    scene.frames.on(Event, lambda event: heard.append(type(event).__name__))

    class Talk:
        def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
            return None if frame == b"talk" else Numbers().on_frame(frame, received_ns)

    class Changing(Speaker):
        def on_no_data(self, frame: bytes) -> None:
            heard.append(frame)
            self.decoder = Ready(MARK)

        def on_unreadable(self, frame: bytes) -> None:
            heard.append(frame)

    Changing(scene.frames, Talk()).say(b"1", b"nonsense", b"1", b"talk", b"1")
    assert heard == ["_RawTrade", "Unknown", b"nonsense", "_RawTrade", b"talk", "MarkPrice"]


@pytest.mark.parametrize("before", [b"nonsense", b"talk", b"0"])
def test_what_is_done_before_a_handler_is_called_is_its_wait_and_not_its_time(before: bytes) -> None:
    """Unreadable, no data, nothing new: whatever takes a second there."""
    scene = Scene()
    scene.frames.on(Trade, lambda trade: scene.clock.advance(0.25))

    class Slow:
        def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
            if frame == before:
                scene.clock.advance(1.0)
            return None if frame == b"talk" else Numbers().on_frame(frame, received_ns)

    Speaker(scene.frames, Slow()).say(b"1", before, b"1", received_ns=scene.clock.time_ns())
    (stats,) = scene.frames.handlers
    assert (stats.calls, round(stats.busy_s, 6), round(stats.longest_s, 6)) == (2, 0.5, 0.25)
    assert scene.frames.latency_ns.quantile(1.0) == pytest.approx(1_250_000_000, rel=0.05)


def test_a_tap_that_is_taken_away_by_a_handler_sees_nothing_more() -> None:
    scene, tapped = Scene(), list[bytes]()
    scene.frames.tap = lambda connection, frame, received_ns: tapped.append(frame)
    scene.frames.on(Trade, lambda trade: setattr(scene.frames, "tap", None))
    scene.bring(0, 1, 2)
    assert tapped == [b"0", b"1"]
