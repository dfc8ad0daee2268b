"""What faults do to calls, to the venue and to its clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from tests.simulator.test_in_process import World, in_world

from perpwire.clock import ManualClock, Timer
from perpwire.simulator.faults import (
    Act,
    Answer,
    Delay,
    Drift,
    LoseRequest,
    Maintenance,
    Restart,
    Skew,
    StaleAnswer,
    TruncateAnswer,
)
from perpwire.simulator.venue_clock import LARGEST_SKEW_S
from perpwire.transport.base import TransportFailed


def test_an_answer_may_be_a_lie_about_what_was_done() -> None:
    async def test(one: World) -> None:
        one.faults.add(Answer(path="/echo/order", status=503, body="Unknown error", executed=True))
        assert (await one.place("done")).status == 503
        assert one.placed() == ["done"]

    in_world(test)


def test_only_calls_with_a_text_in_them_are_hit_from_the_nth_on() -> None:
    async def test(one: World) -> None:
        one.faults.add(Answer(status=500, contains="special", nth=2, count=2))
        statuses = [
            (await one.place(name)).status for name in ("special1", "other", "special2", "special3", "special4")
        ]
        assert statuses == [200, 200, 500, 500, 200]
        one.faults.add(Answer(status=500, contains="limit=5"))
        assert (await one.call("GET", "/echo/time?limit=1")).status == 200
        assert (await one.call("GET", "/echo/time?limit=5")).status == 500

    in_world(test)


def test_a_fault_without_an_end_is_over_after_its_time() -> None:
    async def test(one: World) -> None:
        one.faults.add(Answer(status=500, count=None, for_s=10))
        statuses = []
        for _ in range(4):
            statuses.append((await one.call("GET", "/echo/time")).status)
            await one.clock.sleep(4)
        assert statuses == [500, 500, 500, 200]
        assert one.faults.active() == []

    in_world(test)


def test_an_answer_breaks_off() -> None:
    async def test(one: World) -> None:
        whole = (await one.call("GET", "/echo/time")).body
        one.faults.add(TruncateAnswer(keep=0.5))
        reply = await one.call("GET", "/echo/time")
        assert (reply.status, reply.body) == (200, whole[: len(whole) // 2])
        one.faults.add(TruncateAnswer(keep=0.5, how="connection"))
        with pytest.raises(TransportFailed) as caught:
            await one.place("done")
        assert caught.value.may_have_been_sent
        assert one.placed() == ["done"]
        done = [entry.done for entry in one.host.journal.entries(kind="reply")]
        assert done == ["", "corrupted", "corrupted"]

    in_world(test)


def test_a_snapshot_may_be_an_old_one() -> None:
    async def test(one: World) -> None:
        async def time_ms(query: str) -> int:
            return int((await one.json("GET", f"/echo/time?{query}"))["time_ms"])

        first = await time_ms("a=1")
        await one.clock.sleep(1)
        one.faults.add(StaleAnswer(path="/echo/time", count=2))
        assert await time_ms("a=2") > first  # never asked for before: spared
        assert [await time_ms("a=1") for _ in range(2)] == [first, first]
        assert await time_ms("a=1") > first
        taken = one.clock.time_ns() // 1_000_000
        one.faults.add(StaleAnswer(path="/echo/time", query="whatever"))
        await one.clock.sleep(5)
        assert await time_ms("a=3") == taken
        assert await time_ms("a=3") > taken + 4000

    in_world(test)


def test_a_handshake_may_be_late_or_lost() -> None:
    async def test(one: World) -> None:
        one.faults.add(Delay(method="WS", seconds=3))
        began_ns = one.clock.monotonic_ns()
        await one.connect()
        assert (one.clock.monotonic_ns() - began_ns) / 1e9 > 3
        one.faults.add(LoseRequest(method="WS"))
        with pytest.raises(TransportFailed, match="reset"):
            await one.connect()
        assert len(one.host.connections) == 1

    in_world(test)


def test_maintenance_ends_sockets_lets_none_in_and_answers_every_call_so() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(Maintenance(seconds=20))
        assert (await one.call("GET", "/echo/time")).status == 503
        assert heard.ends == ["closed by the server: 1001 maintenance"]
        with pytest.raises(TransportFailed, match="503"):
            await one.connect()
        await one.clock.sleep(20)
        assert (await one.call("GET", "/echo/time")).status == 200
        await one.connect()

    in_world(test)


def test_maintenance_ends_also_where_the_loops_timers_are_a_little_early(monkeypatch: pytest.MonkeyPatch) -> None:
    later = ManualClock.call_later

    def early(clock: ManualClock, seconds: float, callback: Callable[[], None]) -> Timer:
        return later(clock, seconds * 0.99995, callback)

    async def test(one: World) -> None:
        monkeypatch.setattr(ManualClock, "call_later", early)
        one.faults.add(Maintenance(seconds=20))
        one.faults.add(Maintenance(seconds=40))
        await one.clock.sleep(30)
        assert (await one.call("GET", "/echo/time")).status == 503
        await one.clock.sleep(11)
        assert (await one.call("GET", "/echo/time")).status == 200

    in_world(test)


def test_a_restart_ends_sockets_after_its_notice_and_refuses_for_a_while() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(Restart(notice_s=5, seconds=3))
        await one.clock.sleep(4.9)
        assert heard.ends == []
        await one.clock.sleep(0.2)
        assert heard.ends == ["closed by the server: 1001 service restart"]
        with pytest.raises(TransportFailed, match="refused"):
            await one.connect()
        await one.clock.sleep(3)
        await one.connect()

    in_world(test)


def test_the_clock_steps_and_drifts() -> None:
    async def test(one: World) -> None:
        def ahead_s() -> float:
            return (one.host.venue_clock.time_ns() - one.clock.time_ns()) / 1e9

        one.faults.add(Skew(seconds=1.3))
        one.faults.add(Skew(seconds=-0.3, is_step=True))
        assert ahead_s() == pytest.approx(1.0)
        one.faults.add(Drift(ppm=-50))
        await one.clock.sleep(1000)
        assert ahead_s() == pytest.approx(0.95)
        one.faults.add(Skew(seconds=2, is_step=True))
        one.faults.add(Drift(ppm=0))
        await one.clock.sleep(1000)
        assert ahead_s() == pytest.approx(2.95)
        assert await one.json("POST", "/sim/clock", {"skew_s": 0, "drift_ppm": 100}) == {
            "time_ms": one.clock.time_ns() // 1_000_000,
            "skew_s": 0,
            "drift_ppm": 100,
        }
        assert (await one.json("POST", "/sim/clock", {"step_s": -2}))["skew_s"] == pytest.approx(-2)
        assert (await one.call("POST", "/sim/clock", b'{"drift_ppm": 1e9}')).status == 400
        for _ in range(2):
            one.faults.add(Skew(seconds=LARGEST_SKEW_S, is_step=True))
        assert one.host.venue_clock.skew_s == LARGEST_SKEW_S

    in_world(test)


def test_what_a_venue_does_not_have_is_refused_by_name() -> None:
    async def test(one: World) -> None:
        with pytest.raises(ValueError, match="echo has no canned reply 'busy'"):
            one.faults.add(Answer(canned="busy"))
        with pytest.raises(ValueError, match="echo can't 'dance'"):
            one.faults.add(Act(do="dance"))
        reply = await one.call("POST", "/sim/faults", b'[{"kind":"cut"},{"kind":"act","do":"dance"}]')
        assert (reply.status, json.loads(reply.body)) == (400, {"error": "echo can't 'dance'; it knows none"})
        assert [entry.text for entry in one.host.journal.entries(kind="fault")] == []  # not half of it either

    in_world(test)


def test_the_journal_is_read_by_what_is_asked_of_it() -> None:
    async def test(one: World) -> None:
        socket, _ = await one.connect()
        socket.send(b"book")
        await one.clock.sleep(1)
        await one.place("one")
        socket.send(b"echoed")
        await one.clock.sleep(1)

        async def texts(query: str) -> list[str]:
            return [entry["text"] for entry in (await one.json("GET", f"/sim/journal?{query}"))["entries"]]

        assert await texts("kind=received") == ["book", "echoed"]
        assert await texts("kind=received,opened") == ["/echo/ws", "book", "echoed"]
        assert await texts("topic=ech*") == ["echoed"]
        assert await texts("account=main&kind=sent") == ["echoed"]
        assert len(await texts("connection=1")) == 5
        assert await texts("connection=2") == []
        lines = (await one.call("GET", "/sim/journal?kind=received&format=lines")).body.splitlines()
        assert [json.loads(line)["text"] for line in lines] == ["book", "echoed"]
        for bad in ("kind=nonsense", "limit=-1", "after=x", "format=xml", "afer=1", "wait_s=1e9"):
            assert (await one.call("GET", f"/sim/journal?{bad}")).status == 400

    in_world(test)


def test_the_journal_is_followed_by_waiting_for_what_comes_next() -> None:
    async def test(one: World) -> None:
        last = one.host.journal.last
        began_ns = one.clock.monotonic_ns()
        assert (await one.json("GET", f"/sim/journal?after={last}&kind=opened&wait_s=2"))["entries"] == []
        assert 2 <= (one.clock.monotonic_ns() - began_ns) / 1e9 < 2.1
        waiting = asyncio.ensure_future(one.json("GET", f"/sim/journal?after={last}&kind=opened&wait_s=20"))
        await one.clock.sleep(3)
        await one.connect()
        page = await waiting
        assert [entry["text"] for entry in page["entries"]] == ["/echo/ws"]
        assert (one.clock.monotonic_ns() - began_ns) / 1e9 < 6

    in_world(test)


def test_a_scenario_is_put_on_order_by_http() -> None:
    async def test(one: World) -> None:
        script = {"version": 1, "faults": [{"kind": "cut"}], "venues": {"echo": [{"kind": "skew", "seconds": 2}]}}
        assert await one.json("POST", "/sim/faults", script) == {"numbers": [1, 2]}
        assert one.host.venue_clock.skew_s == 2

    in_world(test)
