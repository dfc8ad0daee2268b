"""Who listens to which topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol


class Subscriber(Protocol):
    def push(self, frame: bytes, topic: str) -> None: ...


class Hub:
    """Topics and their subscribers, in the order in which they came."""

    def __init__(self) -> None:
        self._subscribers: dict[str, dict[Subscriber, None]] = {}

    def add(self, topic: str, subscriber: Subscriber) -> None:
        self._subscribers.setdefault(topic, {})[subscriber] = None

    def remove(self, topic: str, subscriber: Subscriber) -> None:
        subscribers = self._subscribers.get(topic, {})
        subscribers.pop(subscriber, None)
        if not subscribers:
            self._subscribers.pop(topic, None)

    def of(self, topic: str) -> Iterable[Subscriber]:
        return tuple(self._subscribers.get(topic, ()))

    def has(self, topic: str) -> bool:
        return topic in self._subscribers

    def publish(self, topic: str, frame: Callable[[], bytes]) -> None:
        """Send one frame to all of a topic; it is made only where somebody listens."""
        if topic in self._subscribers:
            text = frame()
            for subscriber in self.of(topic):
                subscriber.push(text, topic)
