"""What faults do to messages on sockets, and what the journal says of it."""

from __future__ import annotations

import pytest
from tests.simulator.test_in_process import Listener, World, in_world

from perpwire.simulator.connection import Connection
from perpwire.simulator.faults import (
    AnyMessageFault,
    BreakMessage,
    Close,
    CorruptMessage,
    Cut,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    ReorderMessage,
    Reset,
    Silence,
    SplitMessage,
    Throttle,
)


def connection(one: World) -> Connection:
    (found,) = one.host.connections.values()
    return found


async def say(one: World, *texts: str, topic: str = "t") -> None:
    peer = connection(one)
    for text in texts:
        peer.send(text.encode(), topic)
    await one.clock.sleep(0)
    await one.clock.sleep(0)


def got(heard: Listener) -> list[str]:
    return [frame.decode() for frame in heard.frames]


def journal(one: World) -> list[tuple[str, str]]:
    return [(entry.text, entry.done) for entry in one.host.journal.entries(kind="sent")]


def test_a_message_is_dropped_and_the_next_arrives() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(DropMessage(topic="t", nth=2, count=2))
        await say(one, "1", "2", "3", "4")
        assert got(heard) == ["1", "4"]
        assert journal(one) == [("1", ""), ("2", "lost"), ("3", "lost"), ("4", "")]
        assert [entry.is_lost for entry in one.host.journal.entries(kind="sent")] == [False, True, True, False]

    in_world(test)


def test_topics_routes_and_texts_choose_the_messages() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(DropMessage(topic="btc@*", count=None))
        one.faults.add(DropMessage(topic="", contains="ack"))
        one.faults.add(DropMessage(route="/private", count=None))
        await say(one, "a", topic="btc@depth")
        await say(one, "b", topic="eth@depth")
        await say(one, "pong", "ack", "ack", topic="")
        assert got(heard) == ["b", "pong", "ack"]

    in_world(test)


def test_a_late_message_holds_up_those_behind_it_unless_they_may_overtake() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(DelayMessage(seconds=2))
        await say(one, "1", "2")
        await one.clock.sleep(1.9)
        assert got(heard) == []
        await say(one, "3")
        await one.clock.sleep(0.2)
        assert got(heard) == ["1", "2", "3"]
        one.faults.add(DelayMessage(seconds=2, overtaken=True))
        await say(one, "4", "5")
        assert got(heard)[3:] == ["5"]
        await one.clock.sleep(2.1)
        assert got(heard)[3:] == ["5", "4"]
        assert journal(one) == [("1", "late"), ("2", ""), ("3", ""), ("4", "late"), ("5", "")]
        assert connection(one)._is_healthy is False
        await say(one, "6")
        assert connection(one)._is_healthy  # sending costs nothing more again

    in_world(test)


def test_a_message_comes_twice_or_later_again() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(DuplicateMessage())
        await say(one, "1", "2")
        assert got(heard) == ["1", "1", "2"]
        one.faults.add(DuplicateMessage(times=3, after_each_s=1))
        await say(one, "3", "4")
        await one.clock.sleep(2.1)
        assert got(heard)[3:] == ["3", "4", "3", "3"]
        assert [done for _, done in journal(one)] == ["twice", "", "twice", ""]

    in_world(test)


def test_a_message_lets_others_pass_or_goes_when_none_come() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(ReorderMessage(behind=2, at_most_s=1))
        await say(one, "1", "2", "3", "4")
        assert got(heard) == ["2", "3", "1", "4"]
        one.faults.add(ReorderMessage(behind=2, at_most_s=1))
        await say(one, "5", "6")
        await one.clock.sleep(1.1)
        assert got(heard)[4:] == ["6", "5"]

    in_world(test)


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (CorruptMessage(how="cut"), '{"price"'),
        (CorruptMessage(how="text", text="<html>"), "<html>"),
        (CorruptMessage(how="replace", contains="price", text="prize"), '{"prize": 100.50'),
    ],
)
def test_a_message_arrives_with_other_text(fault: AnyMessageFault, arrived: str) -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(fault)
        await say(one, '{"price": 100.50}'[:16], "next")
        assert got(heard) == [arrived, "next"]
        first = one.host.journal.entries(kind="sent")[0]
        assert (first.text, first.done, first.altered, first.is_lost) == (
            '{"price": 100.50',
            "corrupted",
            arrived,
            False,
        )

    in_world(test)


def test_noise_is_of_the_seed() -> None:
    heard_by_seed: dict[int, list[str]] = {}

    def run(seed: int) -> None:
        async def test(one: World) -> None:
            _, heard = await one.connect()
            one.faults.add(CorruptMessage(how="garble"))
            await say(one, "x" * 100)
            assert len(heard.frames[0]) == 100
            heard_by_seed.setdefault(seed, []).extend(got(heard))

        in_world(test, seed=seed)

    for seed in (1, 1, 2):
        run(seed)
    (first, again), (other,) = heard_by_seed[1], heard_by_seed[2]
    assert first == again != other
    assert "x" * 100 not in (first, other)


def test_a_message_in_pieces_is_there_with_its_last_and_lost_with_it() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(SplitMessage(pieces=3, pause_s=1, count=2))
        await say(one, "abcdef", "next")
        await one.clock.sleep(1.9)
        assert got(heard) == []
        await one.clock.sleep(0.2)
        assert got(heard) == ["abcdef"]
        await one.clock.sleep(2.1)
        assert got(heard) == ["abcdef", "next"]
        one.faults.add(SplitMessage(pieces=2, pause_s=1))
        await say(one, "gone")
        one.faults.add(Reset())
        await one.clock.sleep(2)
        assert got(heard) == ["abcdef", "next"]
        assert journal(one) == [("abcdef", "split"), ("next", "split"), ("gone", "lost")]

    in_world(test)


def test_a_connection_may_break_in_the_middle_of_a_message() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(BreakMessage(nth=2))
        await say(one, "1", "2", "3")
        assert (got(heard), heard.ends) == (["1"], ["connection reset by peer"])
        assert journal(one) == [("1", ""), ("2", "lost")]

    in_world(test)


def test_a_throttled_socket_delivers_in_order_at_its_pace() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(Throttle(bytes_per_s=10, seconds=3))
        await say(one, *("x" * 10 for _ in range(5)))
        arrived = []
        for _ in range(6):
            await one.clock.sleep(0.5001)
            arrived.append(len(heard.frames))
        assert arrived == [0, 1, 1, 2, 2, 3]
        await one.clock.sleep(5)
        await say(one, "quick")
        assert len(heard.frames) == 6
        assert [done for _, done in journal(one)] == ["", "late", "late", "late", "late", ""]  # after 1 s and later

    in_world(test)


def test_what_is_held_back_is_delivered_before_a_cut_and_lost_in_a_reset() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(DelayMessage(seconds=9))
        await say(one, "1", "2")
        one.faults.add(Cut())
        await one.clock.sleep(1)
        assert (got(heard), heard.ends) == (["1", "2"], ["connection lost"])
        _, heard = await one.connect()
        one.faults.add(DelayMessage(seconds=9))
        await say(one, "3", "4")
        one.faults.add(Reset())
        await one.clock.sleep(1)
        assert (got(heard), heard.ends) == ([], ["connection reset by peer"])
        assert journal(one)[2:] == [("3", "lost"), ("4", "lost")]

    in_world(test)


def test_a_socket_is_closed_with_any_code() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(Close(code=1011, reason="no reason"))
        await one.clock.sleep(1)
        assert heard.ends == ["closed by the server: 1011 no reason"]

    in_world(test)


def test_a_code_that_no_frame_carries_is_the_lack_of_a_frame() -> None:
    async def test(one: World) -> None:
        _, heard = await one.connect()
        one.faults.add(Close(code=1006))
        await one.clock.sleep(1)
        assert heard.ends == ["connection lost"]

    in_world(test)


def test_data_goes_mute_while_pings_and_control_messages_are_answered() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        one.faults.add(Silence(what="data", topic="btc@*", seconds=10, then="heal", also_next=1))
        await say(one, "mute", topic="btc@depth")
        await say(one, "other", topic="eth@depth")
        await say(one, "pong", topic="")
        socket.ping()
        await one.clock.sleep(0.1)
        assert (got(heard), heard.pongs) == (["other", "pong"], 1)
        next_socket, heard_next = await one.connect()  # the next one is hit as well, the one after it is not
        _, heard_third = await one.connect()
        for each in tuple(one.host.connections.values()):
            each.send(b"later", "btc@depth")
        await one.clock.sleep(0.1)
        assert (got(heard), got(heard_next), got(heard_third)) == (["other", "pong"], [], ["later"])
        await one.clock.sleep(10)
        for each in tuple(one.host.connections.values()):
            each.send(b"healed", "btc@depth")
        await one.clock.sleep(0.1)
        assert [frames[-1] for frames in (got(heard), got(heard_next), got(heard_third))] == ["healed"] * 3
        lost = [entry.text for entry in one.host.journal.entries(kind="sent") if entry.is_lost]
        assert lost == ["mute", "later", "later"]
        next_socket.close()

    in_world(test)


def test_what_a_client_says_may_be_lost_late_or_heard_twice() -> None:
    async def test(one: World) -> None:
        socket, heard = await one.connect()
        one.faults.add(DropMessage(direction="in", contains="lost"))
        one.faults.add(DuplicateMessage(direction="in", contains="twice"))
        one.faults.add(DelayMessage(direction="in", contains="late", seconds=5))
        for text in (b"lost", b"twice", b"late", b"after"):
            socket.send(text)
        await one.clock.sleep(1)
        assert got(heard) == ["twice", "twice"]
        await one.clock.sleep(5)
        assert got(heard) == ["twice", "twice", "late", "after"]
        told = [(entry.text, entry.done) for entry in one.host.journal.entries(kind="received")]
        assert told == [("lost", "lost"), ("twice", "twice"), ("late", "late"), ("after", "")]

    in_world(test)


def test_a_fault_may_be_of_one_socket_only() -> None:
    async def test(one: World) -> None:
        heard = [(await one.connect())[1] for _ in range(3)]
        one.faults.add(DropMessage(connection=2, count=None))
        one.faults.add(Cut(connection=3))
        for each in tuple(one.host.connections.values()):
            each.send(b"x", "t")
        await one.clock.sleep(1)
        assert [len(each.frames) for each in heard] == [1, 0, 0]
        assert [len(each.ends) for each in heard] == [0, 0, 1]

    in_world(test)


def test_one_socket_of_many_may_be_chosen_by_the_seed() -> None:
    async def test(one: World) -> None:
        heard = [(await one.connect())[1] for _ in range(5)]
        one.faults.add(Cut(which="one"))
        await one.clock.sleep(1)
        assert sum(len(each.ends) for each in heard) == 1

    in_world(test)
