"""Does every topic of one socket speak as it should? Pure: times are arguments, and it only judges.

An acknowledgement proves nothing, and neither does a pong: they come from the edge of the venue. What a topic is known
to do (`Feed`), or has been seen to do here, is what its silence is held against. A topic of which nothing is known may
be silent for ever; so that this says something of a socket at all, one with only such topics is given the venue's
canary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec

from perpwire.api_connector.lifecycle import TopicState
from perpwire.venues.base import Feed

LEARNED_FACTOR = 40.0
"""A topic is stale by its own rhythm after so many times the mean time since its last frame: by chance, never."""

EXPECTED_FACTOR = 16.0
"""So many where it is known to speak always."""

TOLD_AFTER_S, TOLD_FACTOR = 9.0, 12.0
"""But not later than this, where this is so many times its mean: within ten seconds, looked at once a second."""

WHOLE_FACTOR = 24.0
"""So many for all of a socket together."""

EXPECTED_SAMPLES = 20
"""Looks before what is known of a market is believed of this one: a test market may be quieter."""

UNPROVEN_FACTOR = 3.0
"""Until then it has so much more time, and its silence proves nothing of its socket."""

WAIT_SAMPLES = 10
"""Looks at a topic that has not spoken yet on a socket: they count as so many, however long that took. In a quiet
market they say how quiet it is; after an outage they are soon outweighed."""

LEARNED_LEAST_S = 8.0
"""But never before."""

LEARNED_SAMPLES = 60
"""So many looks at it before its rhythm is believed. Before that it may be silent for longer, the longer the less was
seen of it: see Rhythm.longest_s."""

DOUBTED_LEAST_S = 12.0
"""After nearly a minute; four times as much after half of it: makers come and go for half a minute, too."""

MOST_DOUBT = 10.0
"""A rhythm of which so little was seen says nothing."""

MEMORY = 600
"""Looks over which the rhythm is averaged."""

RECENT_S = 3.0
"""A socket on which anything was heard so lately is not dead, only some of its topics are."""

UNSURE_S = 1.5
"""Where nothing speaks, but some topics are not late by their own measure yet, they are waited for so long."""

PATIENCE_CAP_S = 3600.0

LOOK_LATE_S = 3.0
"""Looks are a second apart; this is late."""

TRIED_AT_ONCE = 3
"""So many replacements are made without more patience, where the venue's table says that silence means something."""


class Rhythm:
    """What is learned of a topic, kept over its sockets.

    Attributes:
        mean_s: Mean time since its last frame, looked at at any moment.
        helpless: Replacements in a row that did not make it speak.
    """

    __slots__ = ("helpless", "mean_s", "samples")

    def __init__(self) -> None:
        self.mean_s = 0.0
        self.samples = 0
        self.helpless = 0

    def learn(self, age_s: float, looks: int) -> None:
        """So many looks in a row found it this old on average."""
        self.samples += looks
        self.mean_s += (age_s - self.mean_s) * min(1.0, looks / min(self.samples, MEMORY))

    def longest_s(self, factor: float) -> float | None:
        """What speaks so may be silent for so many times its mean; None: for ever, as too little of it was seen.

        Of frames that come by chance, and were watched for n seconds, n (e^(factor * mean / n) - 1) of silence are as
        unlikely as factor * mean are where the mean is known for certain. As they come in clusters, which a short watch
        may take for the whole, it is not less than a bound that shrinks as more is seen.
        """
        if self.samples >= LEARNED_SAMPLES:
            return _patient(max(LEARNED_LEAST_S, factor * self.mean_s), self.helpless)
        doubt = factor * self.mean_s / self.samples if self.samples else MOST_DOUBT
        if doubt >= MOST_DOUBT:
            return None
        least_s = DOUBTED_LEAST_S * (LEARNED_SAMPLES / self.samples) ** 2
        return _patient(max(least_s, self.samples * math.expm1(doubt)), self.helpless)


class Verdict(msgspec.Struct, frozen=True):
    """What a look at a socket found.

    Attributes:
        silent: Acknowledged, and their first data has not come in time.
        stale: Have spoken, and are silent for too long.
        is_dead: It is not only these: nothing else shows that the socket delivers anything.
        is_sure: Otherwise it may still turn out to be only these, or all.
        is_proven: That they should have spoken is how the venue makes them, or was seen of this market. Otherwise the
            market may be quieter than those that the table knows.
        silent_s: How long the longest of them has been silent.
    """

    silent: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    is_dead: bool = False
    is_sure: bool = True
    is_proven: bool = True
    silent_s: float = 0.0

    @property
    def bad(self) -> tuple[str, ...]:
        return (*self.silent, *self.stale)


ALL_WELL = Verdict()


ANYTHING = Feed(kind="", routes=())


class _Watched:
    __slots__ = ("acked_s", "feed", "heard_ns", "heard_s", "is_canary", "least_s", "quiet_looks", "rhythm", "state")

    def __init__(self, feed: Feed, rhythm: Rhythm, is_canary: bool = False) -> None:
        self.is_canary = is_canary
        self.feed = feed
        self.least_s = LEARNED_LEAST_S if feed.every_s is None else feed.every_s
        """`longest_s` is never shorter."""
        self.rhythm = rhythm
        self.state = TopicState.ASKED
        self.acked_s = 0.0
        self.heard_ns = 0
        self.heard_s: float | None = None
        self.quiet_looks = 0

    @property
    def is_proven(self) -> bool:
        """See Verdict."""
        return self.feed.is_clockwork or self.rhythm.samples >= EXPECTED_SAMPLES

    def longest_s(self) -> float | None:
        """It may be silent for so long, having spoken; None: for ever."""
        every_s, rhythm = self.feed.every_s, self.rhythm
        if every_s is not None:
            if self.is_canary and not self.feed.is_clockwork and rhythm.samples < LEARNED_SAMPLES:
                return rhythm.longest_s(LEARNED_FACTOR)  # nobody has asked for it: what the table says is not enough
            return self._expected(every_s if self.is_proven else every_s * UNPROVEN_FACTOR)
        return rhythm.longest_s(LEARNED_FACTOR) if self.feed.has_rhythm else None

    def first_s(self) -> float | None:
        """Its first data comes within so long; None: it need not. That of a canary never counts."""
        first_s = None if self.is_canary else self.feed.first_s
        if first_s is None:
            return None
        is_new = self.is_proven or not self.rhythm.samples
        return self._expected(first_s if is_new else first_s * UNPROVEN_FACTOR)

    def _expected(self, seconds: float) -> float:
        rhythm = self.rhythm
        if not self.feed.is_clockwork:
            is_told_in_time = TOLD_FACTOR * rhythm.mean_s <= TOLD_AFTER_S <= EXPECTED_FACTOR * rhythm.mean_s
            seconds = max(seconds, TOLD_AFTER_S if is_told_in_time else EXPECTED_FACTOR * rhythm.mean_s)
        return _patient(seconds, rhythm.helpless - TRIED_AT_ONCE)


def _patient(seconds: float, doublings: int) -> float:
    if doublings <= 0:
        return seconds
    return max(seconds, min(PATIENCE_CAP_S, seconds * 2.0 ** min(doublings, 20)))


class TopicWatch:
    """Of one socket.

    Args:
        feed: How a topic speaks.
        rhythms: Topic -> what was learned of it; shared by the sockets that carry the same topics.
    """

    def __init__(self, feed: Callable[[str], Feed], rhythms: dict[str, Rhythm]) -> None:
        self._feed = feed
        self._rhythms = rhythms
        self._watched: dict[str, _Watched] = {}
        self._looked_s: float | None = None
        self._whole = _Watched(ANYTHING, rhythms.setdefault("", Rhythm()))
        """All of the socket together."""

    def asked(self, topics: Iterable[str], canary: str | None = None) -> None:
        for topic in topics:
            rhythm = self._rhythms.get(topic)
            if rhythm is None:
                rhythm = self._rhythms[topic] = Rhythm()
            self._watched[topic] = _Watched(self._feed(topic), rhythm, topic == canary)

    def acknowledged(self, topic: str, now_s: float) -> None:
        watched = self._watched.get(topic)
        if watched is not None and watched.state is not TopicState.LIVE:
            watched.state = TopicState.ACKNOWLEDGED
            watched.acked_s = now_s

    def refused(self, topic: str) -> None:
        watched = self._watched.get(topic)
        if watched is not None:
            watched.state = TopicState.REFUSED

    def forget(self, topic: str) -> None:
        self._watched.pop(topic, None)

    def state(self, topic: str) -> TopicState:
        watched = self._watched.get(topic)
        return TopicState.WANTED if watched is None else watched.state

    def has_spoken(self, topic: str) -> bool:
        """On this socket, as far as the last look saw."""
        watched = self._watched.get(topic)
        return watched is not None and watched.heard_s is not None

    def speaks(self, topic: str, heard_ns: int) -> bool:
        """It is live, or has said something since the last look.

        Args:
            heard_ns: Stamp of its last frame.
        """
        watched = self._watched.get(topic)
        if watched is None or watched.state in (TopicState.ASKED, TopicState.REFUSED):
            return False
        return watched.state is TopicState.LIVE or watched.heard_ns != heard_ns

    def spoke_since(self, topic: str, since_s: float) -> bool:
        watched = self._watched.get(topic)
        return watched is not None and watched.heard_s is not None and watched.heard_s >= since_s

    def waits_for_first(self, topic: str) -> float | None:
        """When its first data is due, where that is still to come."""
        watched = self._watched.get(topic)
        if watched is None or watched.heard_s is not None or watched.state is not TopicState.ACKNOWLEDGED:
            return None
        first_s = watched.first_s()
        return None if first_s is None else watched.acked_s + first_s

    def gave_no_help(self, topics: Iterable[str]) -> None:
        """A replacement is made for these; each in vain makes the next one come later."""
        self._whole.rhythm.helpless += 1
        for topic in topics:
            watched = self._watched.get(topic)
            if watched is not None:
                watched.rhythm.helpless += 1

    def look(self, now_s: float, wall_ns: int, heard_ns: Callable[[str], int]) -> Verdict:
        """Judge all topics.

        Args:
            now_s: Our own time, which never jumps.
            wall_ns: The clock that arrivals are stamped with; it may.
            heard_ns: Topic -> stamp of its last frame.
        """
        since_s, self._looked_s = self._looked_s, now_s
        if since_s is None:
            since_s = now_s
        elif now_s - since_s > LOOK_LATE_S:
            self._forgive(now_s - since_s)
        silent: list[str] = []
        stale: list[str] = []
        latest_s, latest_ns, silent_s = -1e9, 0, 0.0
        is_proven, overdue_s = False, -1e9
        for topic, watched in self._watched.items():
            if watched.state in (TopicState.ASKED, TopicState.REFUSED):
                continue
            stamp = heard_ns(topic)
            if stamp != watched.heard_ns:
                self._heard(watched, stamp, now_s, wall_ns, since_s)
            else:
                watched.quiet_looks += 1
            if watched.heard_s is None:
                first_s = watched.first_s()
                if first_s is not None and now_s - watched.acked_s >= first_s:
                    watched.state = TopicState.SILENT
                    silent.append(topic)
                    is_proven = is_proven or watched.is_proven
                    silent_s = max(silent_s, now_s - watched.acked_s)
                    overdue_s = max(overdue_s, now_s - watched.acked_s - first_s)
                continue
            latest_s = max(latest_s, watched.heard_s)
            if watched.feed.has_rhythm:
                latest_ns = max(latest_ns, stamp)
            if now_s - watched.heard_s < watched.least_s:
                continue
            longest_s = watched.longest_s()
            if longest_s is not None and now_s - watched.heard_s >= longest_s:
                watched.state = TopicState.STALE
                stale.append(topic)
                is_proven = is_proven or watched.is_proven
                silent_s = max(silent_s, now_s - watched.heard_s)
                overdue_s = max(overdue_s, now_s - watched.heard_s - longest_s)
        if not silent and not stale:
            return self._look_at_all(now_s, wall_ns, latest_ns, since_s)
        nothing_speaks = now_s - latest_s >= RECENT_S
        is_sure = not nothing_speaks or overdue_s >= UNSURE_S or not self._some_may_speak(now_s)
        return Verdict(tuple(silent), tuple(stale), nothing_speaks and is_sure, is_sure, is_proven, silent_s)

    def _some_may_speak(self, now_s: float) -> bool:
        """Of some it is known how long they may be silent, and they are not late."""
        return any(
            one.heard_s is not None and (longest_s := one.longest_s()) is not None and now_s - one.heard_s < longest_s
            for one in self._watched.values()
            if one.state not in (TopicState.ASKED, TopicState.REFUSED)
        )

    def _look_at_all(self, now_s: float, wall_ns: int, latest_ns: int, since_s: float) -> Verdict:
        """No topic is late by itself; but of all of them something has always come sooner."""
        whole = self._whole
        if latest_ns != whole.heard_ns:
            self._heard(whole, latest_ns, now_s, wall_ns, since_s)
            return ALL_WELL
        whole.quiet_looks += 1
        silent_s = now_s - (now_s if whole.heard_s is None else whole.heard_s)
        longest_s = whole.rhythm.longest_s(WHOLE_FACTOR)
        if longest_s is None or silent_s < longest_s:
            return ALL_WELL
        spoke = [topic for topic, one in self._watched.items() if one.heard_s is not None and one.feed.has_rhythm]
        for topic in spoke:
            self._watched[topic].state = TopicState.STALE
        return Verdict((), tuple(spoke), True, silent_s=silent_s)

    def _forgive(self, away_s: float) -> None:
        """We looked late: something held the loop, and what has arrived meanwhile has not been read yet."""
        for watched in (self._whole, *self._watched.values()):
            watched.acked_s += away_s
            if watched.heard_s is not None:
                watched.heard_s += away_s

    @staticmethod
    def _heard(watched: _Watched, stamp: int, now_s: float, wall_ns: int, since_s: float) -> None:
        age_s = min(max(0.0, (wall_ns - stamp) / 1e9), max(0.0, now_s - since_s))
        rhythm = watched.rhythm
        if watched.heard_s is not None:
            if watched.quiet_looks:
                rhythm.learn((now_s - age_s - watched.heard_s) / 2, watched.quiet_looks)
            rhythm.learn(age_s, 1)
        elif watched.quiet_looks > 1 and watched.state in (TopicState.ACKNOWLEDGED, TopicState.SILENT):
            rhythm.learn((now_s - age_s - watched.acked_s) / 2, min(WAIT_SAMPLES, watched.quiet_looks))
        rhythm.helpless = 0
        watched.heard_ns = stamp
        watched.heard_s = now_s - age_s
        watched.quiet_looks = 0
        watched.state = TopicState.LIVE
