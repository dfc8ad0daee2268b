"""When faults act, on what, and how often."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.http_message import HttpReply
from perpwire.simulator.faulting import Faults, OldAnswers
from perpwire.simulator.faults import (
    Answer,
    AnyFault,
    AnySocketFault,
    AnyVenueFault,
    Cut,
    Delay,
    LoseAnswer,
    Refuse,
    Silence,
    Skew,
    StaleAnswer,
    name_of,
    read_fault,
)
from perpwire.simulator.scripts import read_script
from perpwire.simulator.venue_clock import SkewedClock


class Target:
    """Writes down what was done to it, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.acts: list[tuple[float, str]] = []

    def check(self, fault: AnyFault) -> None:
        if fault == Cut(route="nowhere"):
            raise ValueError("this venue has no such route")

    def act(self, fault: AnySocketFault | AnyVenueFault, rng: Random) -> str:
        self.acts.append((round(self._clock.monotonic_ns() / 1e9, 3), name_of(fault)))
        return f"did {name_of(fault)}"

    def old_answers(self, fault: StaleAnswer) -> OldAnswers:
        old = HttpReply(status=200, headers={}, body=b"old")
        return lambda path, query: old if path == "/known" else None


def make(clock: ManualClock, seed: int = 1) -> tuple[Faults, Target, list[str]]:
    target = Target(clock)
    log: list[str] = []
    return Faults(target, clock, Random(seed), log.append), target, log


def test_a_fault_without_a_time_acts_at_once(clock: ManualClock) -> None:
    faults, target, log = make(clock)
    for fault in (Cut(route="/private"), Silence(seconds=3), Refuse(seconds=2), Skew(seconds=-1.5)):
        faults.add(fault)
    assert [what for _, what in target.acts] == ["cut", "silence", "refuse", "skew"]
    assert faults.active() == []
    assert log == ["did cut", "did silence", "did refuse", "did skew"]


def test_a_fault_waits_for_its_time_and_comes_again(clock: ManualClock) -> None:
    async def main() -> list[tuple[float, str]]:
        faults, target, _ = make(clock)
        faults.add(Cut(after_s=2, every_s=5))
        faults.add(Skew(seconds=1, after_s=3))
        await clock.sleep(13)
        faults.clear()
        await clock.sleep(20)
        return target.acts

    assert clock.run(main()) == [(2, "cut"), (3, "skew"), (7, "cut"), (12, "cut")]


def test_jitter_is_drawn_from_the_seed() -> None:
    def times(seed: int) -> list[float]:
        clock = ManualClock()

        async def main() -> list[float]:
            faults, target, _ = make(clock, seed)
            faults.add(Cut(after_s=1, every_s=1, jitter_s=4))
            await clock.sleep(30)
            faults.clear()
            return [at_s for at_s, _ in target.acts]

        return clock.run(main())

    assert times(1) == times(1) != times(2)
    assert len(times(1)) > 5


def test_a_call_fault_befalls_so_many_calls_that_match(clock: ManualClock) -> None:
    faults, _, log = make(clock)
    number = faults.add(LoseAnswer(method="POST", path="/v5/order/*", count=2))
    assert faults.for_call("GET", "/v5/order/create") is None
    assert faults.for_call("POST", "/v5/position/list") is None
    assert faults.for_call("POST", "/v5/order/create") is not None
    assert faults.active() == [
        {
            "number": number,
            "fault": {
                "kind": "lose_answer",
                "after_s": 0.0,
                "every_s": None,
                "jitter_s": 0.0,
                "method": "POST",
                "path": "/v5/order/*",
                "contains": "",
                "nth": 1,
                "count": 2,
                "probability": 1.0,
                "for_s": None,
                "how": "reset",
            },
            "remaining": 1,
        }
    ]
    assert faults.for_call("POST", "/v5/order/cancel") is not None
    assert faults.for_call("POST", "/v5/order/create") is None
    assert log == ["lose_answer befalls POST /v5/order/create", "lose_answer befalls POST /v5/order/cancel"]


def test_openings_of_sockets_are_befallen_only_by_faults_that_name_them(clock: ManualClock) -> None:
    faults, _, _ = make(clock)
    faults.add(Answer(status=500))
    assert faults.for_call("WS", "/ws") is None
    faults.add(Answer(method="WS", status=503))
    hit = faults.for_call("WS", "/ws")
    assert hit is not None
    assert hit.fault == Answer(method="WS", status=503)


def test_calls_spared_by_chance_do_not_count(clock: ManualClock) -> None:
    faults, _, _ = make(clock, seed=5)
    faults.add(Delay(seconds=1, count=10, probability=0.3))
    hits = [faults.for_call("GET", "/x") is not None for _ in range(200)]
    assert hits.count(True) == 10
    assert 15 < hits.index(True) + len(hits) - hits[::-1].index(True) < 100


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{"kind":"cut"}', Cut()),
        (b'{"kind":"silence","route":"/private","seconds":5}', Silence(route="/private", seconds=5)),
        (b'{"kind":"answer","path":"/a","status":503,"body":"x"}', Answer(path="/a", status=503, body="x")),
        (b'{"kind":"delay","seconds":2,"where":"request","after_s":1}', Delay(seconds=2, where="request", after_s=1)),
    ],
)
def test_a_fault_is_read_from_json(text: bytes, fault: AnyFault) -> None:
    assert read_fault(text) == fault


@pytest.mark.parametrize("text", [b"{}", b'{"kind":"cut","rout":"x"}', b'{"kind":"explode"}', b'{"kind":"refuse"}'])
def test_what_is_no_fault_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_fault(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"cut","after_s":-1}',
        b'{"kind":"cut","every_s":0}',
        b'{"kind":"cut","jitter_s":-1}',
        b'{"kind":"refuse","seconds":1e300}',
        b'{"kind":"move_price","symbol":"BTCUSDT","share":"NaN"}',
        b'{"kind":"move_price","symbol":"BTCUSDT","share":"-0.99"}',
        b'{"kind":"fill_order","quantity":"-1"}',
        b'{"kind":"fill_order","quantity":"NaN"}',
        b'{"kind":"deleverage","symbol":"BTCUSDT","quantity":"0"}',
    ],
)
def test_numbers_that_mean_nothing_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_fault(text)


def test_a_script_is_for_all_venues_or_by_venue() -> None:
    assert read_script(b'[{"kind":"cut"}]', "bybit") == [Cut()]
    assert read_script(b' {"kind":"cut"}', "bybit") == [Cut()]
    with pytest.raises(msgspec.ValidationError, match="unknown field `rout`"):
        read_script(b'{"kind":"cut","rout":"x"}', "bybit")
    by_venue = b'{"bybit":[{"kind":"skew","seconds":1}]}'
    assert read_script(by_venue, "bybit") == [Skew(seconds=1)]
    assert read_script(by_venue, "binance") == []


def test_a_skewed_clock_moves_wall_time_only(clock: ManualClock) -> None:
    skewed = SkewedClock(clock)
    skewed.skew_s = -2.5
    assert skewed.time_ns() == clock.time_ns() - 2_500_000_000
    assert skewed.monotonic_ns() == clock.monotonic_ns()
