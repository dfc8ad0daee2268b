"""What silence means, by the topic's feed and by what was seen of it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.topic_watch import Rhythm, TopicWatch, Verdict
from perpwire.venues.base import Feed

FEEDS = {
    "clock": Feed(kind="clock", routes=("r",), first_s=4.0, every_s=7.0, is_clockwork=True),
    "busy": Feed(kind="busy", routes=("r",), first_s=4.0, every_s=7.0),
    "seldom": Feed(kind="seldom", routes=("r",)),
    "other": Feed(kind="other", routes=("r",)),
    "private": Feed(kind="private", routes=("r",), has_rhythm=False),
}


class Play:
    """Looks once a second; topics speak when `said` says so."""

    def __init__(self, *topics: str, rhythms: dict[str, Rhythm] | None = None) -> None:
        self.rhythms: dict[str, Rhythm] = {} if rhythms is None else rhythms
        self.watch = TopicWatch(lambda topic: FEEDS[topic], self.rhythms)
        self.now_s = 0.0
        self.wall_ns = 10**18
        self.last: dict[str, int] = {}
        self.watch.asked(topics)
        for topic in topics:
            self.watch.acknowledged(topic, 0.0)

    def say(self, topic: str, ago_s: float = 0.0) -> None:
        self.last[topic] = self.wall_ns - round(ago_s * 1e9)

    def seconds(self, count: int, each: Callable[[], None] = lambda: None, step_s: float = 1.0) -> Verdict:
        verdict = Verdict()
        for _ in range(count):
            self.now_s += step_s
            self.wall_ns += round(step_s * 1e9)
            each()
            verdict = self.watch.look(self.now_s, self.wall_ns, lambda topic: self.last.get(topic, 0))
        return verdict

    def until_bad(self, most_s: int) -> tuple[float, Verdict]:
        began_s = self.now_s
        for _ in range(most_s):
            verdict = self.seconds(1)
            if verdict.bad and verdict.is_sure:
                return self.now_s - began_s, verdict
        return float("inf"), Verdict()


def test_an_acknowledged_topic_is_silent_when_its_first_data_is_late_and_live_with_the_first_frame() -> None:
    play = Play("busy")
    assert play.watch.state("busy") is TopicState.ACKNOWLEDGED
    assert play.seconds(3) == Verdict()
    assert play.seconds(1).silent == ("busy",)
    assert play.watch.state("busy") is TopicState.SILENT
    play.say("busy")
    assert play.seconds(1) == Verdict()
    assert play.watch.state("busy") is TopicState.LIVE


def test_what_speaks_by_the_clock_is_stale_after_its_time_however_little_was_seen_of_it() -> None:
    play = Play("clock")
    play.say("clock")
    play.seconds(1)
    after_s, verdict = play.until_bad(20)
    assert (verdict.stale, verdict.is_dead) == (("clock",), True)
    assert after_s <= 8
    assert play.watch.state("clock") is TopicState.STALE


@pytest.mark.parametrize(("age_s", "longest_s"), [(0.05, 8), (0.5, 9), (1.0, 17)])
def test_a_market_that_was_seen_to_be_slower_has_more_time(age_s: float, longest_s: int) -> None:
    play = Play("busy")
    play.seconds(60, lambda: play.say("busy", age_s))
    after_s, verdict = play.until_bad(60)
    assert verdict.stale == ("busy",)
    assert longest_s - 2 <= after_s <= longest_s


@pytest.mark.parametrize(("age_s", "least_s", "most_s"), [(0.3, 7, 8), (0.55, 8, 10), (0.74, 8, 10), (0.8, 12, 14)])
def test_what_speaks_twice_a_second_or_more_is_told_of_within_ten_seconds(
    age_s: float, least_s: int, most_s: int
) -> None:
    play = Play("busy")
    play.seconds(120, lambda: play.say("busy", age_s))
    after_s, verdict = play.until_bad(60)
    assert verdict.stale == ("busy",)
    assert least_s <= after_s + age_s <= most_s


def test_silence_proves_nothing_of_a_socket_before_this_market_was_seen_to_be_as_the_table_says() -> None:
    play = Play("busy")
    after_s, verdict = play.until_bad(60)
    assert (after_s, verdict.is_dead, verdict.is_proven) == (4, True, False)
    play = Play("busy")
    play.seconds(2, lambda: play.say("busy"))
    after_s, verdict = play.until_bad(60)
    assert (verdict.is_dead, verdict.is_proven) == (True, False)
    assert 20 <= after_s <= 21
    play = Play("busy")
    play.seconds(30, lambda: play.say("busy"))
    assert play.until_bad(60)[1].is_proven
    assert Play("clock").until_bad(60)[1].is_proven


@pytest.mark.parametrize(("looks", "least_s", "most_s"), [(0, 70, 90), (300, 7, 9)])
def test_how_long_a_topic_lets_wait_for_its_first_word_says_how_quiet_its_market_is_until_more_is_seen(
    looks: int, least_s: int, most_s: int
) -> None:
    play = Play("busy")
    play.seconds(10)
    play.say("busy")
    play.seconds(1)
    play.seconds(looks, lambda: play.say("busy", 0.05))
    assert least_s <= play.until_bad(120)[0] <= most_s


@pytest.mark.parametrize(("watched_s", "longest_s"), [(90, 9), (40, 30), (30, 53), (20, 121), (10, 540)])
def test_a_topic_of_which_nothing_is_known_is_late_by_its_own_rhythm_and_the_later_the_less_was_seen_of_it(
    watched_s: int, longest_s: int
) -> None:
    """But never not at all: it may go mute in its first minute, too."""
    play = Play("seldom", "other")
    play.seconds(watched_s, lambda: play.say("seldom", 0.1))
    after_s, verdict = play.until_bad(2000)
    assert 0.8 * longest_s < after_s <= longest_s
    assert verdict.stale == ("seldom",)


def test_a_topic_that_spoke_but_once_may_be_silent_for_ever() -> None:
    play = Play("seldom")
    play.say("seldom", 0.9)
    play.seconds(1)
    assert play.until_bad(2000)[0] == float("inf")


@pytest.mark.parametrize("mean_s", [0.3, 2.0, 30.0, 600.0])
def test_chance_alone_never_makes_a_topic_stale(mean_s: float) -> None:
    draw = random.Random(5)
    play = Play("busy" if mean_s < 1 else "seldom")
    (topic,) = play.watch._watched
    next_s = 0.0

    def speak() -> None:
        nonlocal next_s
        while next_s <= play.now_s:
            play.say(topic, play.now_s - next_s)
            next_s += draw.expovariate(1 / mean_s)

    for _ in range(20_000):
        assert play.seconds(1, speak) == Verdict()


def test_one_mute_topic_among_speaking_ones_does_not_make_the_socket_dead() -> None:
    play = Play("clock", "busy")

    def both() -> None:
        play.say("clock", 0.5)
        play.say("busy", 0.05)

    play.seconds(60, both)
    verdicts = [play.seconds(1, lambda: play.say("clock", 0.5)) for _ in range(9)]
    assert verdicts[-1].stale == ("busy",)
    assert not any(verdict.is_dead for verdict in verdicts)


def test_where_nothing_speaks_the_socket_is_dead_although_some_topics_are_not_late_by_their_own_measure() -> None:
    play = Play("clock", "seldom")

    def both() -> None:
        play.say("clock", 0.5)
        play.say("seldom", 1.0)

    play.seconds(90, both)
    after_s, verdict = play.until_bad(20)
    assert verdict.is_dead
    assert after_s <= 9


def test_a_socket_of_topics_that_may_each_be_silent_is_dead_when_all_are_silent_longer_than_ever() -> None:
    play = Play("seldom", "other")
    draw = random.Random(3)

    def some() -> None:
        play.say(draw.choice(("seldom", "other")), draw.uniform(0, 0.4))

    play.seconds(200, some)
    after_s, verdict = play.until_bad(60)
    assert verdict.is_dead
    assert after_s <= 10


def test_what_the_users_own_acts_make_speak_may_be_silent_for_ever() -> None:
    play = Play("private")
    play.seconds(600, lambda: play.say("private", 0.1))
    assert play.until_bad(4000)[0] == float("inf")


def test_a_replacement_that_did_not_help_makes_the_next_come_later_up_to_an_hour_and_a_frame_ends_that() -> None:
    rhythms: dict[str, Rhythm] = {}
    waits = []
    for _ in range(16):
        play = Play("busy", rhythms=rhythms)
        after_s, verdict = play.until_bad(10_000)
        waits.append(after_s)
        play.watch.gave_no_help(verdict.bad)
    assert waits[:4] == [4, 4, 4, 4]
    assert waits[4:7] == [8, 16, 32]
    assert waits[-1] == 3600
    play = Play("busy", rhythms=rhythms)
    play.say("busy")
    play.seconds(1)
    assert rhythms["busy"].helpless == 0


def test_a_loop_that_was_held_is_no_silence() -> None:
    play = Play("clock")
    play.seconds(30, lambda: play.say("clock"))
    assert play.seconds(1, step_s=25.0) == Verdict()
    assert play.seconds(5) == Verdict()


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_wall_clock_that_jumps_makes_nothing_stale_and_hides_nothing(jump_s: int) -> None:
    play = Play("clock")
    play.seconds(30, lambda: play.say("clock"))
    play.wall_ns += jump_s * 10**9
    assert play.seconds(5) == Verdict()
    play.say("clock")
    assert play.seconds(1) == Verdict()
    assert play.until_bad(20)[0] <= 8


def test_the_silence_of_a_canary_counts_only_after_it_spoke() -> None:
    play = Play("seldom")
    play.watch.asked(["clock"], canary="clock")
    play.watch.acknowledged("clock", 0.0)
    assert play.seconds(100) == Verdict()
    play.say("clock")
    play.seconds(1)
    assert play.until_bad(20)[1].is_dead


@pytest.mark.parametrize(("looks", "counts"), [(1, False), (4, False), (40, True), (70, True)])
def test_a_canary_that_is_not_made_by_the_clock_counts_only_as_far_as_its_own_rhythm_is_known(
    looks: int, counts: bool
) -> None:
    play = Play("seldom")
    play.watch.asked(["busy"], canary="busy")
    play.watch.acknowledged("busy", 0.0)
    play.seconds(looks, lambda: play.say("busy", 0.3))
    assert play.until_bad(100)[1].is_dead is counts


def test_refused_and_forgotten_topics_are_not_judged() -> None:
    play = Play("busy", "clock")
    play.watch.refused("busy")
    play.watch.forget("clock")
    assert play.seconds(100) == Verdict()
    assert (play.watch.state("busy"), play.watch.state("clock")) == (TopicState.REFUSED, TopicState.WANTED)
