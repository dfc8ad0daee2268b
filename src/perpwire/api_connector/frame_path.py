"""THE HOT PATH: one frame, from bytes to the user's handlers. No task, no queue, one decode."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from perpwire.api_connector.histogram import Histogram
from perpwire.clock import Clock
from perpwire.model.incident import FrameGarbled, HandlerFailed, Incident
from perpwire.model.market import Event, Unknown

log = logging.getLogger("perpwire.api_connector")

Handler = Callable[[Any], None]
"""Called with each event from within the read callback: quick, and never blocking."""

Tap = Callable[[str, bytes, int], None]
"""Called with connection name, raw frame and arrival time (Unix ns) before anything else happens to a frame."""


class Decoder(Protocol):
    """A session, or what stands in its place while several sockets say the same."""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None: ...


class _Routes:
    """Who hears of one kind of event: those for every symbol, and those for one."""

    __slots__ = ("by_symbol", "for_all")

    def __init__(self) -> None:
        self.for_all: tuple[Handler, ...] = ()
        self.by_symbol: dict[str, tuple[Handler, ...]] = {}


class FramePath:
    """Decodes frames and hands events to handlers. One for all connections of a manager."""

    def __init__(self, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._clock = clock
        self._on_incident = on_incident
        self._registered: dict[type[Event], _Routes] = {}
        # Venues deliver subclasses of the model's events; resolved once per class.
        self._resolved: dict[type[Event], tuple[_Routes, ...]] = {}
        self._gates: dict[type[Event], _Routes] = {}
        self.tap: Tap | None = None
        self.latency_ns = Histogram()
        """Nanoseconds from "frame readable" to the first handler running."""
        self.events_delivered = 0
        self.frames_garbled = 0

    def on(self, kind: type[Event], handler: Handler, symbol: str | None = None) -> Callable[[], None]:
        """Call `handler` with every event of `kind` (of `symbol`, or of all). Returns a function that ends it."""
        routes = self._registered.setdefault(kind, _Routes())
        self._resolved.clear()
        if symbol is None:
            routes.for_all = (*routes.for_all, handler)
        else:
            routes.by_symbol[symbol] = (*routes.by_symbol.get(symbol, ()), handler)

        ended = False

        def off() -> None:
            nonlocal ended
            if ended:
                return
            ended = True
            if symbol is None:
                routes.for_all = _without_one(routes.for_all, handler)
            else:
                routes.by_symbol[symbol] = _without_one(routes.by_symbol[symbol], handler)

        return off

    def gate(self, kind: type[Event], gate: Handler) -> Callable[[], None]:
        """Give events of `kind` to `gate` in place of their handlers: it decides which to hand on by `pass_on`, and
        when. Returns a function that ends it."""
        routes = self._gates[kind] = _Routes()
        routes.for_all = (gate,)
        self._resolved.clear()

        def off() -> None:
            if self._gates.get(kind) is routes:
                del self._gates[kind]
                self._resolved.clear()

        return off

    def on_frame(self, decoder: Decoder, connection: str, frame: bytes, received_ns: int) -> bool:
        """Returns False where the frame is no data: the connection asks session.on_control what it means."""
        if self.tap is not None:
            try:
                self.tap(connection, frame, received_ns)
            except Exception:
                log.exception("the tap failed")
        try:
            events = decoder.on_frame(frame, received_ns)
        except Exception as error:
            # Whatever a frame can make a decoder raise, it must not end the stream. What it said is handed on as it is.
            self.garbled(connection, error)
            venue, text = connection.split("/", 1)[0], frame.decode(errors="replace")
            self.deliver(Unknown(venue=venue, received_ns=received_ns, name="", raw=text))
            return True
        if events is None:
            return False
        if events:
            self.latency_ns.record(self._clock.time_ns() - received_ns)
        for event in events:
            self.deliver(event)
        return True

    def deliver(self, event: Event) -> None:
        """Hand one event to everybody who asked for its kind."""
        self.events_delivered += 1
        routes = self._resolved.get(type(event))
        if routes is None:
            routes = self._resolve(type(event))
        self._hand_to(routes, event)

    def pass_on(self, event: Event) -> None:
        """For gates: hand one event to the handlers of its kind."""
        self._hand_to(self._routes_of(type(event)), event)

    def _hand_to(self, routes: tuple[_Routes, ...], event: Event) -> None:
        for route in routes:
            for handler in route.for_all:
                self._call(handler, event)
            for handler in route.by_symbol.get(event.symbol, ()):
                self._call(handler, event)

    def _call(self, handler: Handler, event: Event) -> None:
        try:
            handler(event)
        except Exception as error:
            name = getattr(handler, "__qualname__", type(handler).__name__)
            log.exception("handler %s failed", name)
            self._on_incident(
                HandlerFailed(
                    venue=event.venue,
                    time_ns=self._clock.time_ns(),
                    detail=f"{name} raised {type(error).__name__} on {type(event).__name__}",
                    handler=name,
                )
            )

    def _resolve(self, kind: type[Event]) -> tuple[_Routes, ...]:
        gates = tuple(self._gates[base] for base in kind.__mro__ if base in self._gates)
        found = self._resolved[kind] = gates or self._routes_of(kind)
        return found

    def _routes_of(self, kind: type[Event]) -> tuple[_Routes, ...]:
        return tuple(self._registered[base] for base in kind.__mro__ if base in self._registered)

    def garbled(self, connection: str, error: Exception) -> None:
        """Count and tell an unreadable frame."""
        self.frames_garbled += 1
        log.warning("%s: unreadable frame: %s", connection, type(error).__name__)
        self._on_incident(
            FrameGarbled(
                venue=connection.split("/", 1)[0],
                time_ns=self._clock.time_ns(),
                detail=f"a frame on {connection} could not be read ({type(error).__name__}: {str(error)[:200]})",
                connection=connection,
            )
        )


def _without_one(handlers: tuple[Handler, ...], gone: Handler) -> tuple[Handler, ...]:
    """A handler may be registered twice; each registration ends on its own."""
    at = handlers.index(gone)
    return handlers[:at] + handlers[at + 1 :]
