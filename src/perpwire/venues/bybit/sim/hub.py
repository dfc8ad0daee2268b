"""Who listens to which topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Subscriber(Protocol):
    def push(self, frame: bytes, topic: str) -> None: ...


class Hub:
    """Topics and their subscribers, in the order in which they came."""

    def __init__(self) -> None:
        self._subscribers: dict[str, tuple[Subscriber, ...]] = {}

    def add(self, topic: str, subscriber: Subscriber) -> None:
        known = self._subscribers.get(topic, ())
        if subscriber not in known:
            self._subscribers[topic] = (*known, subscriber)

    def remove(self, topic: str, subscriber: Subscriber) -> None:
        left = tuple(one for one in self._subscribers.get(topic, ()) if one is not subscriber)
        if left:
            self._subscribers[topic] = left
        else:
            self._subscribers.pop(topic, None)

    def of(self, topic: str) -> tuple[Subscriber, ...]:
        return self._subscribers.get(topic, ())

    @property
    def is_empty(self) -> bool:
        return not self._subscribers

    def has(self, topic: str) -> bool:
        return topic in self._subscribers

    def publish(self, topic: str, frame: Callable[[], bytes]) -> None:
        """Send one frame to all of a topic; it is made once, and only where somebody listens."""
        subscribers = self._subscribers.get(topic)
        if subscribers:
            text = frame()
            for subscriber in subscribers:
                subscriber.push(text, topic)
