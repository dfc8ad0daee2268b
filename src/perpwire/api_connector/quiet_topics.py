"""Topics of a connection that do not speak: told of once, tried elsewhere, and told of again when they speak.

Whether one should have spoken, topic_watch.py says of each socket; here it counts what any of them delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.stream_holes import MUTE, TopicHoles
from perpwire.api_connector.topic_watch import Rhythm, Verdict

OnTopic = Callable[[str, TopicState], None]
"""Told of a topic that has become SILENT or STALE, and of its being LIVE again."""

OnSilent = Callable[[str], bool]
"""Told once of a topic that was acknowledged and does not speak; True: it is tried elsewhere."""


class QuietTopics:
    """See module docstring.

    Args:
        wanted: The connection's topics.
        speaks: Whether a topic speaks, and what it says is delivered.
        on_topic, on_silent: See OnTopic, OnSilent.
        tell_silent: Called once with a topic that has become silent.
        tell_stale: Called with topics that have become stale, and for how long, in seconds.

    Attributes:
        rhythms: Topic -> what is learned of it, over its sockets.
    """

    def __init__(
        self,
        wanted: Collection[str],
        holes: TopicHoles,
        speaks: Callable[[str], bool],
        on_topic: OnTopic | None,
        on_silent: OnSilent | None,
        tell_silent: Callable[[str], None],
        tell_stale: Callable[[tuple[str, ...], float], None],
    ) -> None:
        self.rhythms: dict[str, Rhythm] = {}
        self._wanted = wanted
        self._holes = holes
        self._speaks = speaks
        self._on_topic = on_topic
        self._on_silent = on_silent
        self._tell_silent = tell_silent
        self._tell_stale = tell_stale
        self._told: set[str] = set()
        """Were told to be silent or stale, and are."""
        self._elsewhere: set[str] = set()
        """Silent ones that are tried on another route just now."""

    def take(self, verdict: Verdict) -> Collection[str]:
        """What a look at a socket found. Gives those that a further socket of this kind may help."""
        for topic in verdict.bad:
            # What has never said anything yet may have had nothing to say.
            if topic in self._wanted and not self._speaks(topic) and self._holes.has_spoken(topic):
                self._holes.away(topic, MUTE)
        if not verdict.is_dead or any(self._is_helpless(topic) for topic in verdict.silent):
            for topic in verdict.silent:
                self._see_to_silent(topic)
        # What another copy of the socket says is not mute.
        stale = tuple(topic for topic in verdict.stale if not self._speaks(topic))
        if stale and not self._told.issuperset(stale):
            for topic in stale:
                self._note(topic, TopicState.STALE)
            self._tell_stale(stale, verdict.silent_s)
        return [topic for topic in verdict.bad if topic not in self._elsewhere]

    def _is_helpless(self, topic: str) -> bool:
        rhythm = self.rhythms.get(topic)
        return rhythm is not None and rhythm.helpless > 0

    def _see_to_silent(self, topic: str) -> None:
        """Tell of it, and have it tried elsewhere; both once."""
        if topic in self._told or topic not in self._wanted:
            return
        self._note(topic, TopicState.SILENT)
        self._tell_silent(topic)
        if self._on_silent is not None and self._on_silent(topic):
            self._elsewhere.add(topic)

    def tend(self) -> None:
        """Once a second."""
        for topic in self._holes.topics:
            if self._speaks(topic):
                self._holes.back(topic)
        for topic in tuple(self._told):
            if self._speaks(topic):
                self._told.discard(topic)
                self._say(topic, TopicState.LIVE)

    def stays(self, topic: str) -> None:
        """It speaks here, or elsewhere neither."""
        self._elsewhere.discard(topic)

    def was_torn(self, topic: str) -> None:
        """It speaks, and what it says next is not what follows."""
        if topic not in self._told:
            self._say(topic, TopicState.STALE)
            self._say(topic, TopicState.LIVE)

    def begin_anew(self, topic: str) -> None:
        """It is asked for."""
        self._told.discard(topic)

    def forget(self, topic: str) -> None:
        """It is not wanted any more."""
        self.rhythms.pop(topic, None)
        self._told.discard(topic)
        self._elsewhere.discard(topic)

    def _note(self, topic: str, state: TopicState) -> None:
        if topic not in self._told:
            self._told.add(topic)
            self._say(topic, state)

    def _say(self, topic: str, state: TopicState) -> None:
        if self._on_topic is not None:
            self._on_topic(topic, state)
