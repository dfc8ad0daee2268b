"""Steps: what happens in the exchange at once is saved at once, and only then told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from perpwire.simulator.events import SimEvent

Listener = Callable[[SimEvent], None]


class Outbox:
    """Collects a step's events; at the end of the outermost step they are committed together and told in order.

    `emit` outside a step is a step of its own. A listener may act on the exchange: what this causes is told when
    everybody has heard of its cause.

    Attributes:
        settle: Called at the end of a step, before anything is told, as often as it says that it did something: what
            the step has set off (conditional orders) belongs to it.
        commit: Saves the step; see store.py.
    """

    def __init__(self) -> None:
        self.settle: Callable[[], bool] = lambda: False
        self.commit: Callable[[Sequence[SimEvent]], None] | None = None
        self._listeners: list[Listener] = []
        self._events: list[SimEvent] = []
        self._told: deque[SimEvent] = deque()
        self._depth = 0
        self._is_telling = False

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def emit(self, event: SimEvent) -> None:
        self._events.append(event)
        if not self._depth:
            with self:
                pass

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._depth == 1:
            try:
                while self.settle():
                    pass
            finally:
                self._depth = 0
                self._finish()
        else:
            self._depth -= 1

    def _finish(self) -> None:
        events, self._events = self._events, []
        if not events:
            return
        if self.commit is not None:
            self.commit(events)
        self._told.extend(events)
        if self._is_telling:
            return  # the one who tells goes on with these
        self._is_telling = True
        try:
            while self._told:
                event = self._told.popleft()
                for listener in tuple(self._listeners):
                    listener(event)
        finally:
            self._told.clear()
            self._is_telling = False
