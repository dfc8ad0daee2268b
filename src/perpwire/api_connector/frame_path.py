"""THE HOT PATH: what was read of a socket, from bytes to the user's handlers. No task, no queue, one decode."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from perpwire.api_connector.histogram import Histogram
from perpwire.api_connector.kept_up import stack_of
from perpwire.api_connector.listener import HandlerStats, Listener
from perpwire.api_connector.retry import is_told
from perpwire.api_connector.stream_arguments import check_kind
from perpwire.clock import Clock
from perpwire.errors import BadInput
from perpwire.model.incident import FrameGarbled, HandlerFailed, Incident
from perpwire.model.market import Event, Unknown, kind_of
from perpwire.raised import RAISED

log = logging.getLogger("perpwire.api_connector")

Handler = Callable[[Any], None]
"""Called with each event from within the read callback: quick, and never blocking."""

_NAMES_KEPT = 256

Tap = Callable[[str, bytes, int], None]
"""Called with connection name, raw frame and arrival time (Unix ns) before anything else happens to a frame."""


SAMPLED = 16
"""To count a latency takes as long as half of all else that a frame is put through."""


_LONG = 1024
"""Bytes. To decode more is not to be taken for a handler's time; for a microsecond of decoding, a look at the clock is
spared."""


class Decoder(Protocol):
    """A session, or what stands in its place while several sockets say the same."""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None: ...


class Speaker(Protocol):
    """Whose frames they are.

    Attributes:
        name: Of the connection.
        is_over: What it still says concerns nobody.
    """

    @property
    def name(self) -> str: ...

    @property
    def decoder(self) -> Decoder: ...

    @property
    def is_over(self) -> bool: ...

    def on_no_data(self, frame: bytes) -> None:
        """Called in the frame's turn, where it is none."""
        ...

    def on_unreadable(self, frame: bytes) -> None:
        """What it said is lost."""
        ...


class _Routes:
    """Who hears of one kind of event: those for every symbol, and those for one."""

    __slots__ = ("by_symbol", "for_all")

    def __init__(self) -> None:
        self.for_all: tuple[Listener, ...] = ()
        self.by_symbol: dict[str, tuple[Listener, ...]] = {}


Gate = Callable[[Any], bool | None]
"""Called with an event before its handlers: True lets it go on."""


class _Kind:
    """What is kept of the frames that begin with one kind of event: how long they waited for their first handler, as
    FramePath.latency_of_kinds says, and the event that the newest one began with."""

    __slots__ = ("longest_ns", "newest", "times_ns", "until_sampled")

    def __init__(self) -> None:
        self.newest: Event | None = None
        self.times_ns = Histogram()
        self.longest_ns = 0
        self.until_sampled = 0

    def count(self, late_ns: int) -> None:
        self.times_ns.record(late_ns)
        self.longest_ns = max(self.longest_ns, late_ns)
        self.until_sampled = SAMPLED - 1


_Resolved = tuple[Gate | None, tuple[Listener, ...], tuple[_Routes, ...], _Kind]
"""Of one class of events: the gate before it, those who hear of every symbol, where those for one symbol stand, and
its kind."""


class FramePath:
    """Decodes frames and hands events to handlers. One for all connections of a manager."""

    def __init__(self, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._clock = clock
        self._time_ns = clock.time_ns
        self._on_incident = on_incident
        self._registered: dict[type[Event], _Routes] = {}
        # Venues deliver subclasses of the model's events; resolved once per class.
        self._resolved: dict[type[Event], _Resolved] = {}
        self._gates: dict[type[Event], Gate] = {}
        self.tap: Tap | None = None
        self._kinds: dict[str, _Kind] = {}
        self.events_delivered = 0
        self.frames_garbled = 0
        self._tap_failed = 0
        self.latest: dict[str, Event] = {}
        """Connection -> the last event that came on it."""
        self.failures: dict[str, int] = {}
        """Name of a handler -> how often it has raised; kept when it is registered no more."""

    def on(self, kind: type[Event], handler: Handler, symbol: str | None = None) -> Callable[[], None]:
        """Call `handler` with every event of `kind` (of `symbol`, or of all). Returns a function that ends it: the
        handler is not called again then, not even with the event that is just being handed round.

        Raises:
            BadInput: `handler` is a coroutine function: nobody would await it; or it can't be called, or `kind` is no
                class of events, or `symbol` no text.
        """
        check_kind(kind)
        if not callable(handler):
            raise BadInput(f"{handler!r} can't be called", code="BAD_HANDLER")
        if not (symbol is None or isinstance(symbol, str)):
            raise BadInput(f"{symbol!r} is no symbol", code="UNKNOWN_SYMBOL")
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
            raise BadInput(
                f"{Listener(handler, kind).name} is a coroutine function; handlers are called, not awaited",
                code="COROUTINE_HANDLER",
                advice="Use an iterator (watch), or a plain function that puts the event into an asyncio.Queue.",
            )
        listener = Listener(handler, kind)
        routes = self._registered.setdefault(kind, _Routes())
        self._resolved.clear()
        if symbol is None:
            routes.for_all = (*routes.for_all, listener)
        else:
            routes.by_symbol[symbol] = (*routes.by_symbol.get(symbol, ()), listener)

        def off() -> None:
            if not listener.end():
                return
            self._resolved.clear()
            if symbol is None:
                routes.for_all = _without(routes.for_all, listener)
                return
            left = _without(routes.by_symbol[symbol], listener)
            if left:
                routes.by_symbol[symbol] = left
            else:
                del routes.by_symbol[symbol]

        return off

    @property
    def handlers(self) -> list[HandlerStats]:
        """What each handler that is registered has taken so far, the busiest first."""
        found = [
            listener.stats()
            for routes in self._registered.values()
            for listeners in (routes.for_all, *routes.by_symbol.values())
            for listener in listeners
        ]
        return sorted(found, key=lambda one: -one.busy_s)

    @property
    def latency_of_kinds(self) -> dict[str, Histogram]:
        """Kind of event -> nanoseconds from "frame readable" to the first handler running, of frames whose first event
        is of that kind: one in SAMPLED of them, and each that took longer than any of its kind before."""
        return {kind: one.times_ns for kind, one in self._kinds.items() if one.times_ns.count}

    @property
    def newest_of_kinds(self) -> dict[str, Event]:
        """Kind of event -> the one that the newest frame of that kind began with."""
        return {kind: one.newest for kind, one in self._kinds.items() if one.newest is not None}

    @property
    def latency_ns(self) -> Histogram:
        """The same of all kinds together."""
        whole = Histogram()
        for one in self._kinds.values():
            whole.merge(one.times_ns)
        return whole

    def gate(self, kind: type[Event], gate: Gate) -> Callable[[], None]:
        """Show events of `kind` to `gate` before their handlers: it says which go on, or keeps them and hands them on
        by `pass_on` later. Returns a function that ends it."""
        self._gates[kind] = gate
        self._resolved.clear()

        def off() -> None:
            if self._gates.get(kind) == gate:
                del self._gates[kind]
                self._resolved.clear()

        return off

    def on_frames(self, speaker: Speaker, frames: Iterable[bytes], received_ns: int) -> None:
        """Frames that were read together, each decoded when the handlers of the one before it have run.

        Args:
            received_ns: When they were there to be read, Unix nanoseconds.
        """
        connection, decode = speaker.name, speaker.decoder.on_frame
        now_ns = 0  # when the last handler ended; 0: other work was done since
        for frame in frames:
            if speaker.is_over:
                break
            tap = self.tap
            if tap is not None:
                try:
                    tap(connection, frame, received_ns)
                except RAISED:
                    self._tap_failed += 1
                    if is_told(self._tap_failed):
                        log.exception("the tap failed (times: %d)", self._tap_failed)
            try:
                events = decode(frame, received_ns)
            except Exception as error:
                # Whatever a frame can make a decoder raise, it must not end the stream. What it said is handed on as
                # it is.
                self.garbled(connection, error)
                venue, text = connection.split("/", 1)[0], frame.decode(errors="replace")
                self.deliver(Unknown(venue=venue, received_ns=received_ns, name="", raw=text))
                speaker.on_unreadable(frame)
                events = ()
            if events:
                if not now_ns or len(frame) >= _LONG:
                    now_ns = self._time_ns()
                self.latest[connection] = events[-1]
                self.events_delivered += len(events)
                now_ns = self._hand_round(events, now_ns, received_ns)
                continue
            now_ns = 0
            if events is None:
                speaker.on_no_data(frame)
                decode = speaker.decoder.on_frame  # something may stand in its place now

    def deliver(self, event: Event) -> None:
        """Hand one event to everybody who asked for its kind."""
        self.events_delivered += 1
        self._hand_round((event,), self._time_ns())

    def pass_on(self, event: Event) -> None:
        """For gates: hand one event to the handlers of its kind."""
        self._hand_round((event,), self._time_ns(), is_past_gate=True)

    def _hand_round(
        self, events: Sequence[Event], now_ns: int, received_ns: int = 0, *, is_past_gate: bool = False
    ) -> int:
        """Hand events to their handlers. Gives the time after the last call: one look at the clock for each, from which
        the next one is timed. Loops alone, as a call costs as much as most of what is done here.

        Args:
            received_ns: When the frame arrived that they are of; 0: they are of none.
        """
        resolved, time_ns = self._resolved, self._time_ns
        for event in events:
            known = resolved.get(event.__class__)
            gate, listeners, routes, kind = self._resolve(event.__class__) if known is None else known
            if received_ns:
                kind.newest = event
                late_ns = now_ns - received_ns
                if kind.until_sampled and late_ns <= kind.longest_ns:
                    kind.until_sampled -= 1
                else:
                    kind.count(late_ns)
                received_ns = 0  # those behind it have waited for its handlers
            if gate is not None and not is_past_gate:
                try:
                    if not gate(event):
                        continue
                except Exception:
                    # It is ours, and must not lose the event.
                    log.exception("the gate before %s failed", type(event).__name__)
            if routes:
                listeners = _and_of_symbol(listeners, routes, event.symbol)
            for listener in listeners:
                try:
                    made = listener.handler(event)
                    if made is not None and inspect.iscoroutine(made):
                        made.close()
                        raise TypeError("it made a coroutine, which nobody awaits")
                except RAISED as error:
                    self._failed(listener, event, error)
                ended_ns = time_ns()
                took_ns = ended_ns - now_ns
                now_ns = ended_ns
                listener.calls += 1
                listener.busy_ns += took_ns
                if took_ns > listener.longest_ns:
                    listener.longest_ns = took_ns
        return now_ns

    def _failed(self, listener: Listener, event: Event, error: BaseException) -> None:
        name = listener.name
        listener.failed += 1
        counted = name if name in self.failures or len(self.failures) < _NAMES_KEPT else "other"
        self.failures[counted] = self.failures.get(counted, 0) + 1
        self._on_incident(
            HandlerFailed(
                venue=event.venue,
                time_ns=self._clock.time_ns(),
                handler=name,
                event=event,
                raised=type(error).__name__,
                on=kind_of(type(event)).__name__,
                stack=stack_of(error),
            )
        )

    def _resolve(self, made: type[Event]) -> _Resolved:
        gate = next((self._gates[base] for base in made.__mro__ if base in self._gates), None)
        routes = [self._registered[base] for base in made.__mro__ if base in self._registered]
        for_all = tuple(listener for route in routes for listener in route.for_all)
        kind = self._kinds.setdefault(kind_of(made).__name__, _Kind())
        found = self._resolved[made] = (gate, for_all, tuple(route for route in routes if route.by_symbol), kind)
        return found

    def garbled(self, connection: str, error: Exception) -> None:
        """Count and tell an unreadable frame."""
        self.frames_garbled += 1
        self._on_incident(
            FrameGarbled(
                venue=connection.split("/", 1)[0],
                time_ns=self._clock.time_ns(),
                why=f"{type(error).__name__}: {str(error)[:200]}",
                connection=connection,
            )
        )


def _and_of_symbol(listeners: tuple[Listener, ...], routes: tuple[_Routes, ...], symbol: str) -> tuple[Listener, ...]:
    for route in routes:
        listeners += route.by_symbol.get(symbol, ())
    return listeners


def _without(listeners: tuple[Listener, ...], gone: Listener) -> tuple[Listener, ...]:
    """A handler may be registered twice; each registration ends on its own."""
    return tuple(one for one in listeners if one is not gone)
