"""One registration of a handler: whom to call, and what it has taken so far."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from perpwire.model.market import Event


class HandlerStats(msgspec.Struct, frozen=True, kw_only=True):
    """What one handler has taken of the event loop's time. While it runs, nothing else does.

    Attributes:
        handler: Its name.
        kind: Name of the kind of event that it asked for.
        calls: How often it was called.
        failed: How often it raised.
        busy_s: Seconds in all of its calls.
        longest_s: Seconds in the longest one.
    """

    handler: str
    kind: str
    calls: int
    failed: int
    busy_s: float
    longest_s: float


class Listener:
    """See module docstring. What is counted is counted by who calls it (frame_path.py)."""

    __slots__ = ("_kind", "busy_ns", "calls", "failed", "handler", "longest_ns", "name")

    def __init__(self, handler: Callable[[Any], object], kind: type[Event]) -> None:
        self.handler = handler
        self.name = _name_of(handler)
        self._kind = kind.__name__
        self.calls = 0
        self.failed = 0
        self.busy_ns = 0
        self.longest_ns = 0

    def end(self) -> bool:
        """Call it no more; False where that was so already."""
        if self.handler is _nothing:
            return False
        self.handler = _nothing  # what is just being handed round must not reach it either
        return True

    def stats(self) -> HandlerStats:
        return HandlerStats(
            handler=self.name,
            kind=self._kind,
            calls=self.calls,
            failed=self.failed,
            busy_s=self.busy_ns / 1e9,
            longest_s=self.longest_ns / 1e9,
        )


def _nothing(_event: Event) -> None:
    return None


def _name_of(handler: Callable[[Any], object]) -> str:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return getattr(handler, "__qualname__", type(handler).__name__)
