"""Steps: nothing is told before it is saved, and in order, whatever listeners do meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from perpwire.simulator.events import ContractChanged, SimEvent
from perpwire.simulator.outbox import Outbox


def event(number: int) -> ContractChanged:
    return ContractChanged(symbol=str(number), is_trading=True, time_ms=number)


def numbers(events: Sequence[SimEvent]) -> list[int]:
    return [one.time_ms for one in events]  # type: ignore[union-attr]


def test_a_step_is_committed_whole_before_any_of_it_is_told() -> None:
    outbox = Outbox()
    log: list[object] = []
    outbox.commit = lambda events: log.append(numbers(events))
    outbox.subscribe(lambda one: log.append(numbers([one])[0]))
    with outbox:
        outbox.emit(event(1))
        with outbox:
            outbox.emit(event(2))
        assert log == []
        outbox.emit(event(3))
    assert log == [[1, 2, 3], 1, 2, 3]
    outbox.emit(event(4))
    assert log[4:] == [[4], 4]


def test_what_a_listener_causes_is_told_when_all_have_heard_of_the_cause() -> None:
    outbox = Outbox()
    log: list[str] = []

    def first(one: SimEvent) -> None:
        log.append(f"first {numbers([one])[0]}")
        if numbers([one]) == [1]:
            outbox.emit(event(10))
            log.append("emitted")

    outbox.subscribe(first)
    outbox.subscribe(lambda one: log.append(f"second {numbers([one])[0]}"))
    with outbox:
        outbox.emit(event(1))
        outbox.emit(event(2))
    assert log == ["first 1", "emitted", "second 1", "first 2", "second 2", "first 10", "second 10"]


def test_what_a_step_sets_off_belongs_to_it() -> None:
    outbox = Outbox()
    commits: list[list[int]] = []
    outbox.commit = lambda events: commits.append(numbers(events))
    left = [2, 3]

    def settle() -> bool:
        if left:
            outbox.emit(event(left.pop(0)))
            return True
        return False

    outbox.settle = settle
    outbox.emit(event(1))
    assert commits == [[1, 2, 3]]


def test_a_step_that_fails_is_told_as_far_as_it_came() -> None:
    outbox = Outbox()
    heard: list[SimEvent] = []
    outbox.subscribe(heard.append)

    def fail() -> None:
        with outbox:
            outbox.emit(event(1))
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    outbox.emit(event(2))
    assert numbers(heard) == [1, 2]


def test_unsubscribing_while_it_is_told() -> None:
    outbox = Outbox()
    heard: list[int] = []
    stops: list[Callable[[], None]] = []

    def once(one: SimEvent) -> None:
        heard.extend(numbers([one]))
        stops[0]()

    stops.append(outbox.subscribe(once))
    outbox.emit(event(1))
    outbox.emit(event(2))
    assert heard == [1]
