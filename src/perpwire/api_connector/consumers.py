"""All iterators over a manager's events."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from perpwire.api_connector.dropped import when_dropped
from perpwire.api_connector.event_queue import EventQueue, Overflow, check_gaps
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.stream_arguments import check_kind
from perpwire.clock import Clock
from perpwire.model.incident import ConsumerBehind, Incident
from perpwire.model.market import Event, Gap

E = TypeVar("E", bound=Event)


class Consumers:
    """Opens iterators, tells of those that are too slow, and ends them all with the manager."""

    def __init__(self, frames: FramePath, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._frames = frames
        self._clock = clock
        self._on_incident = on_incident
        self.queues: weakref.WeakSet[EventQueue[Any]] = weakref.WeakSet()
        """Those that are open. They belong to their users: who drops one has ended it."""

    def open(
        self,
        kind: type[E],
        symbols: Iterable[str] | None,
        *,
        limit: int,
        overflow: Overflow,
        gaps: bool | None,
        interval: str,
        gaps_of: type[Event] | None,
        where: Callable[[E], bool] | None,
        on_end: Callable[[], None] | None,
        on_dropped: Callable[[], None] | None,
    ) -> EventQueue[E]:
        """See WebSocketManager.watch."""
        check_kind(kind)
        check_gaps(gaps, overflow)

        def behind(kind: str, waiting: int) -> None:
            self._tell_behind(kind, waiting)
            if on_dropped is not None:
                on_dropped()

        queue: EventQueue[E] = EventQueue(limit, overflow, behind, on_dropped, kind=kind.__name__)
        put = _put_into(queue, where)
        named = None if symbols is None else frozenset(symbols)
        offs = [self._frames.on(kind, put, symbol) for symbol in (named if named is not None else (None,))]
        if overflow == "drop_oldest" if gaps is None else gaps:
            offs.append(self._frames.on(Gap, _gaps_of(_put_into(queue, None), kind, gaps_of, named, interval)))

        known, wake = weakref.ref(queue), queue.wake

        def done() -> None:
            keep()
            # Held here, with the task that waits for it, and so the queue: asyncio itself holds tasks weakly.
            wake.set()
            ended = known()
            if ended is not None:
                self.queues.discard(ended)
            for off in offs:
                off()
            if on_end is not None:
                on_end()

        keep = when_dropped(queue, done)
        queue.attach(done)
        self.queues.add(queue)
        return queue

    def close(self) -> None:
        for queue in tuple(self.queues):
            queue.close()

    def _tell_behind(self, kind: str, waiting: int) -> None:
        self._on_incident(
            ConsumerBehind(
                venue="",
                time_ns=self._clock.time_ns(),
                kind=kind,
                waiting=waiting,
            )
        )


def _put_into(queue: EventQueue[E], where: Callable[[E], bool] | None) -> Callable[[E], None]:
    """As the queue's `put`, of those events; it does not keep the queue alive."""
    known = weakref.ref(queue)

    def put(event: E) -> None:
        queue = known()
        if queue is not None and (where is None or where(event)):
            queue.put(event)

    put.__qualname__ = EventQueue.put.__qualname__
    return put


def _gaps_of(
    put: Callable[[Any], None],
    kind: type[Event],
    only: type[Event] | None,
    symbols: frozenset[str] | None,
    interval: str,
) -> Callable[[Gap], None]:
    names = {one.__name__ for one in kind.__mro__} | {one.__name__ for one in kind.__subclasses__()}
    if only is not None:
        names = {only.__name__}

    def put_gap(gap: Gap) -> None:
        if (
            gap.kind in names
            and (symbols is None or not gap.symbol or gap.symbol in symbols)
            and gap.interval in ("", interval or gap.interval)
        ):
            put(gap)

    return put_gap
