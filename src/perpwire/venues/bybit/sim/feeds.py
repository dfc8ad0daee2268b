"""What the public topics share: a topic is published in steps, or by a beat, and only while somebody listens."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.timers import Timers

encode = msgspec.json.Encoder().encode


class FeedParts(msgspec.Struct, frozen=True):
    """What every feed is made of."""

    exchange: Exchange
    hub: Hub
    timers: Timers


class Feed:
    """One public topic.

    Attributes:
        topic: As clients name it.
        is_awake: Somebody listens.
    """

    def __init__(self, topic: str, parts: FeedParts) -> None:
        self.topic = topic
        self.is_awake = False
        self._exchange = parts.exchange
        self._hub = parts.hub
        self._timers = parts.timers

    def add(self, subscriber: Subscriber) -> None:
        self._hub.add(self.topic, subscriber)
        if not self.is_awake:
            self.is_awake = True
            self.wake()
        self.welcome(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        self._hub.remove(self.topic, subscriber)
        if self.is_awake and not self._hub.has(self.topic):
            self.is_awake = False
            self.sleep()

    def wake(self) -> None:
        """The first subscriber came."""

    def sleep(self) -> None:
        """The last subscriber went."""

    def welcome(self, subscriber: Subscriber) -> None:
        """A subscriber came: what it gets at once, where the topic gives anything at once."""


class SteppedFeed(Feed, ABC):
    """What changed since the last step goes out when the interval is over; without a change there is no frame."""

    def __init__(self, topic: str, interval_s: float, parts: FeedParts) -> None:
        super().__init__(topic, parts)
        self._interval_s = interval_s
        self._is_scheduled = False

    def touch(self) -> None:
        """Something changed."""
        if not self._is_scheduled and self.is_awake:
            self._is_scheduled = True
            self._timers.later(self._interval_s, self._step)

    def _step(self) -> None:
        self._is_scheduled = False
        if self.is_awake:
            self.publish()

    @abstractmethod
    def publish(self) -> None:
        """Tell the subscribers of what changed since the last step."""


class BeatingFeed(Feed, ABC):
    """A frame each interval, as long as somebody listens. Its topic's first frame comes at once."""

    def __init__(self, topic: str, interval_s: float, parts: FeedParts) -> None:
        super().__init__(topic, parts)
        self._interval_s = interval_s
        self._life = 0

    def wake(self) -> None:
        self._life += 1
        self._beat_later(self._life)

    def _beat_later(self, life: int) -> None:
        def beat() -> None:
            if self.is_awake and life == self._life:
                self.beat()
                self._beat_later(life)

        self._timers.later(self._interval_s, beat)

    def beat(self) -> None:
        self._hub.publish(self.topic, self.frame)

    def welcome(self, subscriber: Subscriber) -> None:
        subscriber.push(self.frame(), self.topic)

    @abstractmethod
    def frame(self) -> bytes: ...
